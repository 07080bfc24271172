#!/bin/sh
# Inside the namespaces of one private libvirt: lays the toolbox over /usr, directories of the instance over
# those that libvirt writes to, and becomes libvirtd. Called by libvirt-keeper.sh.
set -eu
dir=$1 name=$2 trees=$3

for h in $hierarchies; do
  mount --bind "$h/$name" "$h"
  [ -e "$h/cgroup.subtree_control" ] || continue
  mkdir "$h/daemon" # v2: a group with processes in it cannot give controllers to its children
  echo 0 >"$h/daemon/cgroup.procs"
done

over() { # lays the directories $1 (a:b:c) over $2, read-only
  mount -t overlay overlay -o "ro,lowerdir=$1:$2" "$2"
}

skeleton=$dir/skeleton
mkdir -p "$skeleton/etc/libvirt" "$skeleton/lib/libvirt" "$skeleton/cache/libvirt" "$skeleton/log/libvirt"
# Debian's libvirt looks its user up before it reads that qemu.conf names another.
for file in passwd group; do
  cp "/etc/$file" "$skeleton/etc/$file"
  grep -q ^libvirt-qemu: "/etc/$file" && continue
  case $file in
  passwd) echo "libvirt-qemu:x:64055:64055::/nonexistent:/usr/sbin/nologin" ;;
  group) echo "libvirt-qemu:x:64055:" ;;
  esac >>"$skeleton/etc/$file"
done

[ -z "$trees" ] || over "$(echo "$trees" | sed 's|:|/usr:|g; s|$|/usr|')" /usr
over "$skeleton/etc" /etc
over "$skeleton/lib" /var/lib
over "$skeleton/cache" /var/cache
over "$skeleton/log" /var/log
mount --bind "$dir/etc" /etc/libvirt
mount --bind "$dir/lib" /var/lib/libvirt
mount --bind "$dir/cache" /var/cache/libvirt
mount --bind "$dir/log" /var/log/libvirt
# Without the machine's /run there is no way to its D-Bus, systemd-machined, virtlogd or other libvirt.
mount --bind "$dir/run" /run

# Only the QEMU driver: the network and firewall drivers would change the machine.
mkdir "$dir/drivers"
for driver in /usr/lib/*/libvirt/connection-driver/libvirt_driver_qemu.so; do ln -s "$driver" "$dir/drivers/"; done
LIBVIRT_DRIVER_DIR=$dir/drivers exec libvirtd
