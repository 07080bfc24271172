ARG BASE
FROM ${BASE}
RUN mkdir /data && chown redis:redis /data \
 && printf '#!/bin/sh\nset -e\nexec "$@"\n' >/usr/local/bin/docker-entrypoint.sh \
 && chmod 755 /usr/local/bin/docker-entrypoint.sh
VOLUME /data
WORKDIR /data
EXPOSE 6379
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["redis-server"]
