# To be sourced by a keeper: control groups of its own in every hierarchy, named $name, and the end of all that is in them.
hierarchies=$(sed -n 's/^[^ ]* [^ ]* [^ ]* [^ ]* \([^ ]*\) .* - cgroup2\{0,1\} .*/\1/p' /proc/self/mountinfo)

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
