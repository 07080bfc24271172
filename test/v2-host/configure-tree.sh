#!/bin/sh
# Makes a fresh Debian tree into the test host: boots without questions, waits for nothing, keeps what a KVM host
# has (systemd as its only cgroup manager, machined, libvirtd as Debian sets it up). Usage: configure-tree.sh TREE
set -eu
tree=$1

echo v2-host >"$tree/etc/hostname"
tr -d - </proc/sys/kernel/random/uuid >"$tree/etc/machine-id"

mkdir -p "$tree/repo" "$tree/etc/systemd/network" "$tree/etc/systemd/journald.conf.d"
cat >"$tree/etc/fstab" <<FSTAB
/dev/vda / ext4 noatime 0 0
LABEL=repo /repo ext4 ro,noatime,nofail 0 0
FSTAB
# QEMU's user network: the machine that runs the tests is at 10.0.2.2, also its loopback.
printf '[Match]\nType=ether\n[Network]\nAddress=10.0.2.15/24\n' >"$tree/etc/systemd/network/10-user.network"
printf '[Journal]\nStorage=volatile\n' >"$tree/etc/systemd/journald.conf.d/10-v2-host.conf"
# One file less that must be written for each guest, and no daemon for it.
printf 'stdio_handler = "file"\n' >>"$tree/etc/libvirt/qemu.conf"

in_tree() { chroot "$tree" systemctl --quiet "$@"; }
in_tree enable systemd-networkd.service
in_tree disable systemd-networkd-wait-online.service
in_tree mask serial-getty@ttyS0.service getty@tty1.service systemd-timesyncd.service systemd-pstore.service \
  apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
  fstrim.timer logrotate.timer libvirt-guests.service \
  sys-kernel-debug.mount sys-kernel-tracing.mount dev-hugepages.mount
