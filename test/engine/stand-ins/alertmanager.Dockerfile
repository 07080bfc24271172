ARG BASE
FROM ${BASE}
RUN mkdir -p /alertmanager && chown nobody:nogroup /alertmanager && ln -s prometheus-alertmanager /bin/alertmanager
USER nobody
EXPOSE 9093
VOLUME /alertmanager
WORKDIR /alertmanager
ENTRYPOINT ["/bin/alertmanager"]
CMD ["--config.file=/etc/alertmanager/alertmanager.yml", "--storage.path=/alertmanager"]
