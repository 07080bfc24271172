#!/bin/sh
# First process of a host of its own, in namespaces of its own: names it, says "ready", waits until its stdin closes and then
# until nothing is left in the directory that its libvirt removes as its last act. Usage: host-space.sh NAME DIR < pipe
set -eu
name=$1 dir=$2
hostname "$name"
ip link set lo up
mount --bind "$dir/boot_id" /proc/sys/kernel/random/boot_id
[ ! -e /etc/machine-id ] || mount --bind "$dir/machine-id" /etc/machine-id
echo ready
cat >/dev/null || :
for _ in $(seq 300); do
  [ -e "$dir/libvirt-$name" ] || break
  sleep 0.1
done
