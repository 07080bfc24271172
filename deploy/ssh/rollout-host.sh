# What rollout.sh does to one host; part of it. Uses its settings, on_host and $tmp.

home=/opt/kvm-governor
configuration=/etc/kvm-governor
# Root's alone: what lies in it is run as root. Below the installation, so that an uninstall takes it along.
incoming=$home/incoming
units='kvm-governor-collector kvm-governor-actuator'

# What a host is: its processor, the release in use, whether it has a user of NATS. Kept in $tmp/ID.facts.
look_at() {
  on_host "$2" "
    uname -m
    sed -n 's/^  \"version\": \"\(.*\)\",\$/release \1/p' $home/current/package.json 2>/dev/null || :
    grep -q '^KVMGOV_NATS_PASSWORD=.' $configuration/host.env 2>/dev/null && echo login || :
    [ -d /run/systemd/system ] && echo systemd || :
  " >"$tmp/$1.facts" || { echo "rollout: $1 cannot be reached at $2" >&2 && return 1; }
  grep -qx "$machine" "$tmp/$1.facts" || {
    echo "rollout: $1 is $(head -n 1 "$tmp/$1.facts"), and the release is for $machine" >&2
    return 1
  }
  grep -qx systemd "$tmp/$1.facts" || { echo "rollout: systemd does not run $1" >&2 && return 1; }
}

has_login() {
  grep -qx login "$tmp/$1.facts"
}

# A user of NATS for a host that has none: a new one, or one beside that which it lost.
make_login() {
  for action in add rotate; do
    if "$kvmgov" credentials "$action" "$1" --dir "$credentials" --output "$tmp/$1.login" >"$tmp/$1.said" 2>&1; then
      echo "$1: a user of NATS was made ($action)"
      return 0
    fi
  done
  cat "$tmp/$1.said" >&2
  return 1
}

# Copies, installs, configures, starts, and waits until it is healthy. Each step can be repeated.
deploy() {
  name=$(basename "$archive")
  former=$(sed -n 's/^release //p' "$tmp/$1.facts")
  echo "${dry_run:+would }install $version${former:+ in place of $former}, set host.env, (re)start $units"
  [ -z "$dry_run" ] || return 0
  send "$2" "$name" || return 1
  on_host "$2" "
    rm -rf $incoming/tree; mkdir $incoming/tree
    tar -xzf $incoming/$name -C $incoming/tree --strip-components=1
    $incoming/tree/bin/kvmgov install --json >/dev/null
  " || return 1
  echo "installed"
  cat ${settings:+"$settings"} "$tmp/$1.login" 2>/dev/null | configure "$2" || return 1
  on_host "$2" "systemctl daemon-reload; systemctl --quiet enable $units; systemctl restart $units" || return 1
  echo "started"
  until_healthy "$1" "$2" || return 1
  on_host "$2" "rm -rf $incoming"
}

# The archive, unless it is there already; whole or not at all.
send() {
  is_there="echo '$sum  $incoming/$2' | sha256sum --check --quiet --status"
  if on_host "$1" "$is_there" 2>/dev/null; then
    echo "the archive is there"
    return 0
  fi
  on_host "$1" "
    umask 077; mkdir -p $incoming; cat >$incoming/part
    mv $incoming/part $incoming/$2; $is_there || { echo 'the archive arrived damaged' >&2; exit 1; }
  " <"$archive" || return 1
  echo "the archive was copied"
}

# Puts the lines of standard input in the place of those with the same keys; passwords are never on a command line.
configure() {
  on_host "$1" "
    umask 077; cd $configuration; cat >host.env.add
    awk -F= 'BEGIN { while ((getline <\"host.env.add\") > 0) added[\$1] = 1 } !(\$1 in added)' host.env >host.env.new
    cat host.env.add >>host.env.new; mv host.env.new host.env; rm host.env.add
  "
}

until_healthy() {
  deadline=$(($(date +%s) + wait_s))
  while :; do
    look="${check:-$home/current/bin/node --input-type=module - $units}"
    on_host "$2" "$look" <"$here/host-health.js" >"$tmp/$1.health" 2>&1 && break
    if [ "$(date +%s)" -ge "$deadline" ]; then
      cat "$tmp/$1.health" >&2
      echo "not healthy within $wait_s s" >&2
      return 1
    fi
    sleep 1
  done
  echo "healthy"
}
