#!/bin/sh
# Rolls a release out to a list of hosts over ssh, some at a time, and stops at the first that does not come up healthy. Run again, it goes
# on where it stopped. docs/install-systemd.md tells how to use it. Needs ssh, and what --credentials needs; hosts need systemd.
set -eu

usage() {
  cat <<'USAGE'
usage: rollout.sh [options] ARCHIVE HOSTS

  ARCHIVE             kvm-governor-VERSION-linux-ARCH.tar.gz, made by "npm run release"
  HOSTS               file with a host on each line: HOST-ID SSH-DESTINATION; # begins a comment

  --settings FILE     lines KEY=VALUE for /etc/kvm-governor/host.env of each host; what it has besides stays
  --credentials DIR   book of "kvmgov credentials" (environment KVMGOV: that command): a host without a user of NATS gets one
  --reload COMMAND    has nats-server read its new users, before the hosts of a batch begin to use them
  --batch N           hosts at a time (default 1)
  --wait SECONDS      how long a host may take until it is healthy (default 60)
  --check COMMAND     run on the host, says by exit code 0 that it is healthy (default: the units run, and their pages say ready)
  --become COMMAND    what makes the login root on the host, such as "sudo -n"
  --ssh-config FILE   configuration of ssh (ssh -F)
  --progress FILE     where it is kept which hosts are done (default: HOSTS.VERSION.done)
  --dry-run           look at the hosts and say what would be done; change nothing
USAGE
}

fail() {
  echo "rollout: $*" >&2
  exit 1
}

settings='' credentials='' reload='' batch=1 wait_s=60 check='' become='' ssh_config='' progress='' dry_run=''
while [ $# -gt 0 ]; do
  case $1 in
  --settings | --credentials | --reload | --batch | --wait | --check | --become | --ssh-config | --progress)
    [ $# -gt 1 ] || fail "$1 needs a value"
    case $1 in
    --settings) settings=$2 ;;
    --credentials) credentials=$2 ;;
    --reload) reload=$2 ;;
    --batch) batch=$2 ;;
    --wait) wait_s=$2 ;;
    --check) check=$2 ;;
    --become) become=$2 ;;
    --ssh-config) ssh_config=$2 ;;
    --progress) progress=$2 ;;
    esac
    shift 2
    ;;
  --dry-run) dry_run=yes && shift ;;
  --help | -h) usage && exit 0 ;;
  --*) usage >&2 && fail "unknown option $1" ;;
  *) break ;;
  esac
done
[ $# -eq 2 ] || { usage >&2 && exit 2; }
archive=$1 hosts=$2
here=$(dirname "$(readlink -f "$0")")
kvmgov=${KVMGOV:-kvmgov}

for number in "$batch" "$wait_s"; do
  case $number in '' | *[!0-9]* | 0*) fail "--batch and --wait are whole numbers from 1, not \"$number\"" ;; esac
done
for file in "$archive" "$hosts" ${settings:+"$settings"} ${ssh_config:+"$ssh_config"}; do
  [ -r "$file" ] || fail "$file cannot be read"
done
version=$(basename "$archive" | sed -n 's/^kvm-governor-\(.*\)-linux-\([a-z0-9]*\)\.tar\.gz$/\1/p')
arch=$(basename "$archive" | sed -n 's/^kvm-governor-.*-linux-\([a-z0-9]*\)\.tar\.gz$/\1/p')
case $arch in
x64) machine=x86_64 ;;
arm64) machine=aarch64 ;;
*) fail "$archive is no kvm-governor-VERSION-linux-x64.tar.gz or -arm64.tar.gz" ;;
esac
[ -n "$reload" ] || [ -z "$credentials" ] || fail "--credentials makes users: --reload must say how nats-server learns of them"
sum=$(sha256sum "$archive" | cut -d' ' -f1)
progress=${progress:-$hosts.$version.done}

list=$(sed 's/#.*//' "$hosts" | awk 'NF > 0')
[ -n "$list" ] || fail "$hosts names no host"
wrong=$(echo "$list" | awk 'NF != 2 || $1 !~ /^[A-Za-z0-9_-]+$/ || $2 ~ /^-/ { print "\"" $0 "\""; exit }')
[ -z "$wrong" ] || fail "$hosts: $wrong is not HOST-ID SSH-DESTINATION"
twice=$(echo "$list" | awk 'seen[$1]++ { print $1; exit }')
[ -z "$twice" ] || fail "$hosts: host $twice is there twice"

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
if [ -z "$dry_run" ]; then
  touch "$progress"
  exec 9>"$progress.lock"
  flock -n 9 || fail "another rollout with $progress is under way"
fi

# One word for a shell, whatever is in it.
quote() {
  printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\''/g")"
}

# Runs a script as root on a host, with our standard input: on_host DESTINATION SCRIPT
on_host() {
  ssh ${ssh_config:+-F "$ssh_config"} -o BatchMode=yes -o ConnectTimeout=10 -- "$1" "$become sh -c $(quote "set -eu; $2")"
}

. "$here/rollout-host.sh"

# One batch: "ID DESTINATION" lines on standard input.
run_batch() {
  cat >"$tmp/batch"
  made=''
  while read -r id destination; do
    echo "$id: looking at $destination"
    look_at "$id" "$destination" </dev/null || return 1
    [ -n "$credentials" ] && ! has_login "$id" || continue
    if [ -n "$dry_run" ]; then echo "$id: would get a user of NATS" && continue; fi
    make_login "$id" || return 1
    made=yes
  done <"$tmp/batch"
  if [ -n "$made" ]; then
    echo "nats-server: $reload"
    sh -c "$reload" </dev/null || { echo "rollout: nats-server did not reload" >&2 && return 1; }
  fi
  while read -r id destination; do
    { deploy "$id" "$destination" </dev/null && echo ok >"$tmp/$id.outcome"; } 2>&1 | sed "s/^/$id: /" &
  done <"$tmp/batch"
  wait
  bad=''
  while read -r id destination; do
    if [ ! -e "$tmp/$id.outcome" ]; then bad="$bad $id"; elif [ -z "$dry_run" ]; then echo "$id" >>"$progress"; fi
  done <"$tmp/batch"
  [ -z "$bad" ] || { echo "rollout: not healthy:$bad" >&2 && return 1; }
}

total=$(echo "$list" | wc -l)
if [ -e "$progress" ]; then
  echo "$list" | awk -v file="$progress" 'BEGIN { while ((getline id <file) > 0) done[id] = 1 } !($1 in done)' >"$tmp/todo"
else
  echo "$list" >"$tmp/todo"
fi
left=$(wc -l <"$tmp/todo")
echo "rollout of $version ($arch): $total hosts, $((total - left)) done before, $left to do, $batch at a time${dry_run:+; dry run}"
split -l "$batch" -a 6 "$tmp/todo" "$tmp/todo."
for part in "$tmp"/todo.*; do
  [ -e "$part" ] || continue
  run_batch <"$part" || fail "stopped; the hosts after these were not touched. Mend it, and run the same command again to go on"
done
echo "${dry_run:+dry run: nothing was changed; }all $total hosts ${dry_run:+would be }on $version"
