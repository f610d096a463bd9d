#!/bin/sh
# Both packages: dpkg says "purge" after "remove", rpm 0, which is both.
set -e

made_groups=/var/lib/imdsgate/made-groups

remove_group() {
  # Docker was installed since: the group is its own now.
  if [ "$1" = docker ] && { command -v dockerd >/dev/null || [ -n "$(getent group docker | cut -d: -f4)" ]; }; then return 0; fi
  groupdel "$1" || true
}

remove_user() {
  if getent passwd imdsgate >/dev/null; then userdel imdsgate; fi
  if [ -f "$made_groups" ]; then
    while read -r group; do
      if getent group "$group" >/dev/null; then remove_group "$group"; fi
    done <"$made_groups"
  fi
  rm -rf "${made_groups%/*}"
}

if [ -d /run/systemd/system ]; then systemctl daemon-reload || true; fi
case "$1" in
  purge)
    remove_user
    rm -rf /etc/imdsgate
    ;;
  # A changed configuration stays as .rpmsave.
  0) remove_user ;;
esac
