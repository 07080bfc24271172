#!/bin/sh
# Keeper of one private Docker engine: starts it in control groups and namespaces of its own, waits until its stdin closes
# (its parent stopped it, or died in whatever way), then ends the engine with every container and removes the groups and the
# directory. The images stay in DATA.
# Usage: engine-keeper.sh DIR NAME DATA own|host LIBVIRT-STATUS-DIR TREE[:TREE...] DOCKER-CLIENT < pipe
set -eu
dir=$1 name=$2 data=$3 client=$7
here=$(dirname "$0")
# What is in these groups is ours: the engine itself there, its containers in groups below (--cgroup-parent).
. "$here/../../packages/lab/src/own-groups.sh"
engine=

# Containers that a test has left: in order, so that the actuator gives everything back; they would start again with the engine.
remove_containers() {
  export DOCKER_HOST="unix://$dir/docker.sock" DOCKER_CONFIG="$dir/client"
  left=$(timeout 10 "$client" ps --all --quiet)
  [ -z "$left" ] || {
    # shellcheck disable=SC2086
    timeout 60 "$client" stop $left
    # shellcheck disable=SC2086
    timeout 60 "$client" rm --force --volumes $left
    timeout 20 "$client" network prune --force
  }
  # Also those with a name: they are of no use without their project.
  volumes=$(timeout 10 "$client" volume ls --quiet)
  # shellcheck disable=SC2086
  [ -z "$volumes" ] || timeout 60 "$client" volume rm $volumes
} >>"$dir/engine.log" 2>&1

# In order, so that what it keeps stays whole.
end_engine() {
  [ -n "$engine" ] && kill -TERM "$engine" 2>/dev/null || return 0
  for _ in $(seq 450); do
    kill -0 "$engine" 2>/dev/null || return 0
    sleep 0.1
  done
}

clean_up() {
  trap '' TERM INT HUP
  set +e
  [ ! -S "$dir/docker.sock" ] || remove_containers
  end_engine
  end_processes
  remove_groups
  rm -rf --one-file-system "$dir"
  exit 0
}
trap clean_up TERM INT HUP

# One engine at a time on the same data; the lock ends with this process.
exec 9>"$data/lock"
flock 9
# What an engine that was killed left would start again; images and layers stay.
rm -rf "$data/root/containers" "$data/root/network"
for h in $hierarchies; do make_group "$h" || clean_up; done
(
  exec </dev/null 9>&-
  for h in $hierarchies; do echo 0 >"$h/$name/cgroup.procs"; done
  # A network of its own: bridges, rules of iptables and published ports never meet the machine's.
  [ "$4" = own ] && net=--net || net=
  exec unshare --mount $net --propagation private sh "$here/engine-inside.sh" "$@"
) >"$dir/engine.log" 2>&1 &
engine=$!
cat >/dev/null || :
clean_up
