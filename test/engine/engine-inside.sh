#!/bin/sh
# Inside the namespaces of one private Docker engine: lays the toolbox over /usr, directories of the instance over those that the
# engine and the compose file write to, and becomes dockerd. Called by engine-keeper.sh with its arguments.
set -eu
dir=$1 name=$2 data=$3 network=$4 libvirt=$5 trees=$6

over() { # lays the directories $1 (a:b:c) over $2, read-only
  mount -t overlay overlay -o "ro,lowerdir=$1:$2" "$2"
}

skeleton=$dir/skeleton
mkdir -p "$skeleton/etc/docker" "$skeleton/lib/kvm-governor" "$dir/bin" "$dir/etc" "$dir/state" "$dir/run/libvirt/qemu"
cp /etc/resolv.conf "$skeleton/etc/resolv.conf" # often a link into /run
[ -z "$trees" ] || over "$(echo "$trees" | sed 's|:|/usr:|g; s|$|/usr|')" /usr
over "$skeleton/etc" /etc
over "$skeleton/lib" /var/lib
mount --bind "$dir/etc" /etc/docker
mount --bind "$dir/state" /var/lib/kvm-governor
mount -t tmpfs tmpfs /opt # containerd makes a directory there
[ -z "$libvirt" ] || mount --bind "$libvirt" "$dir/run/libvirt/qemu"
mount --rbind "$dir/run" /run # no way to the machine's own engine, D-Bus or libvirt

set -- --host "unix://$dir/docker.sock" --pidfile "$dir/docker.pid" --data-root "$data/root" --cgroup-parent "/$name"
if [ "$network" = own ]; then
  ip link set lo up
  # Debian chooses between the two when the package is installed; here it is the one that the kernel knows.
  for kind in nft legacy; do
    multi=/usr/sbin/xtables-$kind-multi
    "$multi" iptables -t nat -S >/dev/null || continue
    for command in iptables ip6tables; do ln -sf "$multi" "$dir/bin/$command"; done
    break
  done
else
  # For builds alone: containers share the machine's network, in which nothing is changed.
  set -- "$@" --bridge none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false
fi
PATH=$dir/bin:/usr/sbin:/usr/bin:/sbin:/bin exec dockerd "$@"
