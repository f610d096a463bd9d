# shellcheck shell=bash
# shellcheck disable=SC2154 # node.sh sets root
# Debian 12 roots of this checkout's own, and how to run something in one. Sourced after packages.sh, never run.

DEBIAN_PACKAGES=systemd,systemd-sysv,nftables,iptables,iproute2,conntrack,procps,ca-certificates,rpm

# make_debian NAME [PACKAGES]: .tools/NAME is a minimal Debian 12 with these
make_debian() {
  local debian=$root/.tools/$1 packages=${2:-}
  [ -d "$debian" ] && [ -f "$debian.stamp" ] && [ "$(cat "$debian.stamp")" = "$packages" ] && return 0
  say "making a Debian 12 with ${packages:-nothing else}"
  rm -rf "$debian" "$debian.new" "$debian.stamp"
  debootstrap --variant=minbase ${packages:+"--include=$packages"} bookworm "$debian.new" >"$debian.log" 2>&1 || return 1
  rm -f "$debian.new"/var/cache/apt/archives/*.deb
  mv "$debian.new" "$debian"
  echo "$packages" >"$debian.stamp"
}

# ensure_debian: .tools/debian is a Debian 12 that can boot; as root
ensure_debian() {
  ensure_packages debootstrap:debootstrap
  with_lock make_debian debian "$DEBIAN_PACKAGES"
}

# ensure_bare_debian: .tools/bare-debian is a Debian 12 with nothing else; as root
ensure_bare_debian() {
  ensure_packages debootstrap:debootstrap
  with_lock make_debian bare-debian
}

# in_debian DEBIAN STAGE CHECKOUT [NAME=VALUE...] COMMAND...: as root of DEBIAN, in the caller's network and cgroup; the first three are those of
# mount_debian
in_debian() {
  # shellcheck disable=SC2016 # the inner shell expands them
  unshare --mount --propagation private --pid --uts --ipc --cgroup --fork --kill-child bash -euc '
    . "$1/scripts/lib/debian-mounts.sh"
    mount_debian "${@:2:3}"
    touch etc/resolv.conf
    mount --bind "$(readlink -f /etc/resolv.conf)" etc/resolv.conf
    # not by chroot: who is in one gets no user namespaces, and whoever enters its mounts stands outside of it
    pivot_root . .
    umount --lazy .
    cd /
    exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "${@:5}"
  ' bash "$root" "$@"
}
