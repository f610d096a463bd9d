#!/bin/sh
# Both packages: dpkg says "configure" and the old version, rpm how many versions there are now.
set -e

made_groups=/var/lib/imdsgate/made-groups

add_group() {
  if getent group "$1" >/dev/null; then return 0; fi
  groupadd --system "$1"
  mkdir -p "${made_groups%/*}"
  echo "$1" >>"$made_groups"
}

add_user() {
  add_group imdsgate
  # The unit names it, and Docker may come later: Docker's packages take the group that is there.
  add_group docker
  if getent passwd imdsgate >/dev/null; then return 0; fi
  useradd --system --gid imdsgate --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin --comment "imdsgate" imdsgate
}

is_upgrade() { [ "$1" = 2 ] || { [ "$1" = configure ] && [ -n "$2" ]; }; }

case "$1" in
  configure | 1 | 2)
    add_user
    if [ -d /run/systemd/system ]; then
      systemctl daemon-reload
      # The rules stay, and imdsgate.socket keeps what is asked meanwhile.
      if is_upgrade "$@"; then systemctl try-restart imdsgate.service; fi
    fi
    if ! is_upgrade "$@"; then
      echo "imdsgate is installed and not started. Write /etc/imdsgate/imdsgate.yaml, then: systemctl enable --now imdsgate-rules imdsgate"
    fi
    ;;
esac
