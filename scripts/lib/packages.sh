# shellcheck shell=bash
# Debian packages that the tests need. Sourced after node.sh, never run.

# without_services COMMAND...: what COMMAND installs is not started. A policy-rc.d that the machine already has is kept.
without_services() (
  policy=/usr/sbin/policy-rc.d
  if ! [ -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
  fi
  "$@"
)

apt_install() { without_services env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2; }

# install_packages PACKAGE...: as root; package lists are fetched only where those on the machine do not do
install_packages() {
  say "installing Debian packages: $*"
  apt_install "$@" 2>/dev/null || { apt-get update -qq >&2 && apt_install "$@"; }
}

# has_program NAME: also where an ordinary user's PATH does not lead
has_program() { PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin command -v "$1" >/dev/null; }

# ensure_packages PACKAGE:PROGRAM...: installs each PACKAGE whose PROGRAM is missing; without root it names the command and goes on
ensure_packages() {
  local pair missing=()
  for pair in "$@"; do has_program "${pair#*:}" || missing+=("${pair%%:*}"); done
  [ "${#missing[@]}" -gt 0 ] || return 0
  if may_install; then
    install_packages "${missing[@]}" || say "could not install ${missing[*]}"
  else
    say "not on this machine; type: sudo apt-get install -y --no-install-recommends ${missing[*]}"
  fi
}

# ensure_netavark: what gives Podman's containers their networks; Debian's Podman only recommends it, and it is no program of PATH
ensure_netavark() {
  [ -x /usr/lib/podman/netavark ] || [ -x /usr/libexec/podman/netavark ] || install_packages netavark || say "could not install netavark"
}
