# shellcheck shell=bash
# shellcheck disable=SC2154 # node.sh sets root
# A Debian 12 of this checkout's own, in which the packages are installed and run. Sourced after packages.sh, never run.

DEBIAN_PACKAGES=systemd,systemd-sysv,nftables,iptables,iproute2,conntrack,procps,ca-certificates,rpm

make_debian() {
  local debian=$root/.tools/debian
  [ "$(cat "$debian.stamp" 2>/dev/null)" = "$DEBIAN_PACKAGES" ] && [ -d "$debian" ] && return 0
  say "making the Debian in which the packages are tried"
  rm -rf "$debian" "$debian.new" "$debian.stamp"
  debootstrap --variant=minbase --include="$DEBIAN_PACKAGES" bookworm "$debian.new" >"$debian.log" 2>&1 || return 1
  rm -f "$debian.new"/var/cache/apt/archives/*.deb
  mv "$debian.new" "$debian"
  echo "$DEBIAN_PACKAGES" >"$debian.stamp"
}

# ensure_debian: .tools/debian is a Debian 12 that can boot; as root
ensure_debian() {
  ensure_packages debootstrap:debootstrap
  with_lock make_debian
}
