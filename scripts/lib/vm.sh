# shellcheck shell=bash
# shellcheck disable=SC2154 # node.sh sets root
# The disk of the virtual machine. Sourced after packages.sh and debian.sh, never run.

VM_PACKAGES=apparmor,systemd,systemd-sysv,dbus,udev,kmod,linux-image-cloud-amd64,initramfs-tools,zstd,docker.io,nftables,iptables,iproute2,conntrack,procps,ca-certificates
VM_DISK=$root/.tools/vm/disk.img

# what_vm_disk_holds: one line that changes when the disk has to be made anew
what_vm_disk_holds() {
  { echo "$VM_PACKAGES" && cat "$root/scripts/lib/vm.sh" && find "$root/scripts/lib/vm-guest" -type f -print0 | sort -z | xargs -0 cat; } | sha256sum | cut -c1-16
}

# make_vm_disk: without a mount and without a loop device; .tools/vm has the kernel and the initial file system beside it
make_vm_disk() {
  local tree=$root/.tools/vm-debian folder=$root/.tools/vm wanted
  wanted=$(what_vm_disk_holds)
  [ "$(cat "$folder/stamp" 2>/dev/null)" = "$wanted" ] && return 0
  make_debian vm-debian "$VM_PACKAGES" || return 1
  say "making the disk of the virtual machine"
  rm -rf "$folder"
  mkdir -p "$folder" "$tree/opt/story" "$tree/var/log/journal"
  cp -rT "$root/scripts/lib/vm-guest" "$tree" &&
    ln -sf /dev/null "$tree/etc/systemd/system/apt-daily.timer" && ln -sf /dev/null "$tree/etc/systemd/system/apt-daily-upgrade.timer" &&
    chroot "$tree" systemctl --quiet enable systemd-networkd nftables docker story-channel &&
    cp "$tree"/boot/vmlinuz-* "$folder/vmlinuz" && cp "$tree"/boot/initrd.img-* "$folder/initrd.img" &&
    : >"$tree/etc/machine-id" &&
    mkfs.ext4 -q -F -L root -d "$tree" "$VM_DISK" 4G &&
    echo "$wanted" >"$folder/stamp"
}

# ensure_vm_disk: .tools/vm has disk.img, vmlinuz and initrd.img of a Debian 12 with Docker; as root
ensure_vm_disk() {
  ensure_packages debootstrap:debootstrap e2fsprogs:mkfs.ext4
  with_lock make_vm_disk
}
