#!/bin/sh
# Every byte that could have been changed about guests, without any code of the product: control files of their groups
# up to the scope, what systemd keeps about the scopes, and the groups and affinities of their threads. Files are printed by
# head(1), `==> NAME <==` before each. Few processes: each costs 30 ms on an emulated host. Usage: kernel-state.sh PID...
set -eu
IFS='
'
newline=$IFS files='' scopes='' tasks='' seen=' '

add_group() {
  dir=/sys/fs/cgroup$1
  while :; do
    case $seen in *" $dir "*) return ;; esac
    seen="$seen$dir "
    for name in cpu.max cpu.max.burst cpu.weight cpu.idle cpuset.cpus cpuset.mems cpuset.cpus.effective \
      cpuset.cpus.partition cgroup.subtree_control; do
      [ ! -e "$dir/$name" ] || files="$files$dir/$name$newline"
    done
    case $dir in
    *.scope) add_scope "${dir##*/}" && return ;;
    /sys/fs/cgroup) return ;;
    esac
    dir=${dir%/*}
  done
}

add_scope() {
  scopes="$scopes$1$newline"
  for file in "/run/systemd/transient/$1" "/run/systemd/transient/$1.d"/*; do
    [ ! -e "$file" ] || files="$files$file$newline"
  done
}

for pid; do
  for task in "/proc/$pid/task"/*; do
    tasks="$tasks$task/status$newline"
    files="$files$task/cgroup$newline"
    while IFS=: read -r _ _ group; do add_group "$group"; done <"$task/cgroup"
  done
done
# The last one is no file of a group: head sets an empty line before each name.
head -v -c 65536 $files /dev/null
echo '==> affinities <=='
grep -H Cpus_allowed_list: $tasks
echo '==> systemd <=='
systemctl show --property=Id,CPUWeight,AllowedCPUs,CPUQuotaPerSecUSec -- $scopes
