#!/bin/busybox sh
# The guest's first process: mounts, loads modules in the order given, runs /job.sh, powers off.
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /tmp /dev/shm /mnt /var/lib /var/run
mount -t tmpfs tmp /tmp
mount -t tmpfs shm /dev/shm
ln -s /proc/self/fd /dev/fd
for m in $(cat /lib/modules/order); do
  insmod "/lib/modules/$m.ko" || echo "guest: module $m does not load"
done
[ -d /sys/kernel/config ] && mount -t configfs config /sys/kernel/config
ifconfig lo 127.0.0.1 up
cd /
sh /job.sh
echo "NABAT-GUEST-EXIT $?"
sync
poweroff -f
