#!/usr/bin/env bash
# boot.sh ROOT CHECKOUT: PID 1 of its own namespaces becomes the systemd of ROOT, a Debian's file system. What it writes goes to memory and
# ends with it. There is no uplink. /opt/checkout is the checkout, read-only. It is debian-host.ts that starts it.
set -euo pipefail
root=$1 checkout=$2

stage=/mnt
mount -t tmpfs tmpfs "$stage"
mkdir "$stage"/{upper,work,root}
mount -t overlay -o "lowerdir=$root,upperdir=$stage/upper,workdir=$stage/work" overlay "$stage/root"
cd "$stage/root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
for folder in run tmp dev; do mount -t tmpfs tmpfs "$folder"; done
for device in null zero full random urandom tty; do
  touch "dev/$device"
  mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mkdir -p opt/checkout
mount --bind "$checkout" opt/checkout
mount -o remount,bind,ro opt/checkout
: >etc/machine-id
pivot_root . mnt
cd /
umount -l /mnt
echo 'the root is changed'
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=console --show-status=no
