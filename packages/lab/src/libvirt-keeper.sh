#!/bin/sh
# Keeper of one private libvirt: starts it in control groups and namespaces of its own, waits until its stdin
# closes (its parent stopped it, or died in whatever way), then ends every process in those groups and removes
# the groups and the directory. Usage: libvirt-keeper.sh DIR NAME TREE[:TREE...] < pipe
set -eu
dir=$1 name=$2 trees=$3
here=$(dirname "$0")
. "$here/own-groups.sh"
export hierarchies

clean_up() {
  trap '' TERM INT HUP
  set +e
  end_processes
  remove_groups
  rm -rf "$dir"
  exit 0
}
trap clean_up TERM INT HUP

# The instance sees its group as the root, so names in it never meet those of another libvirt.
for h in $hierarchies; do make_group "$h" || clean_up; done
(
  for h in $hierarchies; do echo 0 >"$h/$name/cgroup.procs"; done
  exec </dev/null unshare --mount --cgroup --propagation private sh "$here/libvirt-inside.sh" "$dir" "$name" "$trees"
) >"$dir/log/daemon.log" 2>&1 &
cat >/dev/null || :
clean_up
