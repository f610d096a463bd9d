#!/usr/bin/env bash
# boot.sh ROOT CHECKOUT: PID 1 of its own namespaces becomes the systemd of ROOT, a Debian's file system. What it writes goes to memory and
# ends with it. There is no uplink. /opt/checkout is the checkout, read-only. It is debian-host.ts that starts it.
set -euo pipefail
# shellcheck source=scripts/lib/debian-mounts.sh
. "$(dirname "$(readlink -f "$0")")/../../scripts/lib/debian-mounts.sh"
root=$1 checkout=$2

stage=/mnt
mount -t tmpfs tmpfs "$stage"
mount_debian "$root" "$stage" "$checkout"
: >etc/machine-id
pivot_root . mnt
cd /
umount -l /mnt
echo 'the root is changed'
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=console --show-status=no
