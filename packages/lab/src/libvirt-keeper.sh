#!/bin/sh
# Keeper of one private libvirt: starts it in control groups and namespaces of its own, waits until its stdin
# closes (its parent stopped it, or died in whatever way), then ends every process in those groups and removes
# the groups and the directory. Usage: libvirt-keeper.sh DIR NAME TREE[:TREE...] < pipe
set -eu
dir=$1 name=$2 trees=$3
here=$(dirname "$0")
hierarchies=$(sed -n 's/^[^ ]* [^ ]* [^ ]* [^ ]* \([^ ]*\) .* - cgroup2\{0,1\} .*/\1/p' /proc/self/mountinfo)
export hierarchies

# Control groups: the instance sees its group as the root, so names in it never meet those of another libvirt.
make_group() {
  mkdir "$1/$name"
  if [ -e "$1/$name/cpuset.cpus" ] && [ ! -e "$1/cgroup.subtree_control" ]; then
    cat "$1/cpuset.cpus" >"$1/$name/cpuset.cpus" # v1: an empty CPU set takes no process
    cat "$1/cpuset.mems" >"$1/$name/cpuset.mems"
  fi
}

processes() {
  for h in $hierarchies; do find "$h/$name" -name cgroup.procs -exec cat {} + 2>/dev/null || :; done | sort -u
}

end_processes() {
  for _ in $(seq 100); do
    left=$(processes)
    [ -n "$left" ] || return 0
    # shellcheck disable=SC2086
    kill -KILL $left 2>/dev/null || :
    sleep 0.05
  done
}

remove_groups() {
  for h in $hierarchies; do
    for _ in $(seq 40); do
      [ -d "$h/$name" ] || break
      find "$h/$name" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.05 # EBUSY while the last one exits
    done
  done
}

clean_up() {
  trap '' TERM INT HUP
  set +e
  end_processes
  remove_groups
  rm -rf "$dir"
  exit 0
}
trap clean_up TERM INT HUP

for h in $hierarchies; do make_group "$h" || clean_up; done
(
  for h in $hierarchies; do echo 0 >"$h/$name/cgroup.procs"; done
  exec </dev/null unshare --mount --cgroup --propagation private sh "$here/libvirt-inside.sh" "$dir" "$name" "$trees"
) >"$dir/log/daemon.log" 2>&1 &
cat >/dev/null || :
clean_up
