#!/bin/sh
# Every byte that could have been changed about guests, without any code of the product: control files of their groups
# up to the scope, the groups and affinities of their threads, and what systemd holds about the scope. Sections are
# `==> NAME <==`, as head(1) writes them. Usage: kernel-state.sh PID...
set -eu
IFS='
'
pids=$(printf '%s\n' "$@")
for pid in $pids; do
  for group in $(cat "/proc/$pid/task"/*/cgroup | cut -d: -f3- | sort -u); do
    dir=/sys/fs/cgroup$group
    while :; do
      printf '%s\n' "$dir"
      case $dir in *.scope | /sys/fs/cgroup) break ;; esac
      dir=$(dirname "$dir")
    done
  done | sort -u >/run/kernel-state.dirs
  while read -r dir; do
    set -- "$dir"/cgroup.subtree_control
    for file in cpu.max cpu.max.burst cpu.weight cpu.idle cpuset.cpus cpuset.mems cpuset.cpus.effective cpuset.cpus.partition; do
      [ ! -e "$dir/$file" ] || set -- "$dir/$file" "$@"
    done
    head -v -c 65536 "$@"
    case $dir in *.scope)
      printf '==> systemd %s <==\n' "${dir##*/}"
      systemctl show --property=CPUWeight,AllowedCPUs,CPUQuotaPerSecUSec -- "${dir##*/}"
      ;;
    esac
  done </run/kernel-state.dirs
  for task in "/proc/$pid/task"/*; do
    printf '==> affinity %s <==\n' "${task##*/}"
    sed -n 's/^Cpus_allowed_list:\t//p' "$task/status"
    printf '==> group %s <==\n' "${task##*/}"
    cat "$task/cgroup"
  done
done
