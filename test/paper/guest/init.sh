#!/bin/busybox sh
# First process of a guest of the paper's experiment: brings the machine up, then does what the host says on a virtio serial
# port (an emulated 16550 loses interrupts while the guest rests: requests were never read). A request is a line `ID COMMAND`; the answer a line `ID EXITCODE OUTPUT`, the output (both streams) in base64.
export PATH=/bin:/usr/sbin
/bin/busybox mkdir -p /bin /proc /sys /dev /tmp /run
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmp /tmp

# In the order in which they need each other.
for module in virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci failover net_failover virtio_net virtio_console; do
  insmod "/modules/$module.ko"
done
ip link set lo up
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0 # QEMU's user network

until [ -c /dev/vport0p1 ]; do sleep 0.1; done
exec 3<>/dev/vport0p1
echo ready >&3
while :; do
  # The port ends for as long as nobody is at the other side.
  read -r id command <&3 || { sleep 0.1; continue; }
  output=$(sh -c "$command" 2>&1 </dev/null 3>&-)
  code=$?
  echo "$id $code $(printf '%s' "$output" | base64 -w 0)" >&3
done
