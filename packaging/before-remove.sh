#!/bin/sh
# Both packages: dpkg says "remove", rpm 0, where no other version takes its place.
set -e

case "$1" in
  remove | 0)
    if command -v systemctl >/dev/null; then
      if [ -d /run/systemd/system ]; then systemctl stop imdsgate.socket imdsgate.service imdsgate-rules.service || true; fi
      systemctl disable --quiet imdsgate.service imdsgate-rules.service 2>/dev/null || true
    fi
    # What removes the rules goes with this package, so it is now or by hand.
    # Somebody may run a gateway by hand.
    if /usr/bin/imdsgate rules remove 2>/dev/null || /usr/bin/imdsgate rules remove --stop-keeper; then
      echo "imdsgate's rules are out: containers have the real metadata service again, and this host's role with it."
    else
      echo "imdsgate's rules could not be taken out: while they stand, containers have no metadata." >&2
    fi
    ;;
esac
