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

# What systemd holds of the gateway's unit, without what changes by itself.
unit() {
  systemctl show imdsgate.service |
    sed 's/ ; start_time=.*//' |
    grep -Ev '^(CPUUsageNSec|Memory(Current|Available|Peak|SwapCurrent|SwapPeak|ZSwapCurrent)|TasksCurrent|(IP|IO)[A-Za-z]*(Bytes|Packets|Operations)|Effective[A-Za-z]*|NeedDaemonReload|StatusText|[A-Za-z]*Timestamp(Monotonic)?)=' |
    tr ' =' '\n\n' | sort # dependencies come in any order
}

main_pid() { systemctl show --property MainPID --value imdsgate.service; }

# SIGUSR2, which ends a program that does not know it; older ones do not.
knows_handover() {
  caught=$(sed -n 's/^SigCgt:[[:space:]]*[0-9a-f]*\([0-9a-f]\{4\}\)$/\1/p' "/proc/$1/status" 2>/dev/null) || return 1
  [ -n "$caught" ] && [ $((0x$caught & 0x800)) -ne 0 ]
}

has_newer_environment() { [ -n "$(find /etc/imdsgate/environment -newer "/proc/$1" 2>/dev/null)" ]; }

# The gateway that runs starts the new program, gives it port and leases, and ends: no request fails, and STS is not asked. Where that fails
# the old one goes on, which is better than none.
hand_over() {
  if ! kill -s USR2 "$1" 2>/dev/null; then
    systemctl try-restart imdsgate.service
    return 0
  fi
  for _ in $(seq 175); do
    sleep 0.2
    now=$(main_pid) || continue
    case $now in '' | 0 | "$1") ;; *) return 0 ;; esac
  done
  echo "imdsgate: the program of before goes on, since the new one did not take its place; journalctl -u imdsgate says why. Then: systemctl restart imdsgate" >&2
}

upgrade() {
  before=$(unit)
  systemctl daemon-reload
  pid=$(main_pid)
  # Another unit is another sandbox, and variables are read at a start alone: that takes a restart. The rules stay, and imdsgate.socket keeps
  # what is asked meanwhile.
  if [ "$pid" -gt 1 ] && [ "$before" = "$(unit)" ] && knows_handover "$pid" && ! has_newer_environment "$pid"; then
    hand_over "$pid"
  else
    systemctl try-restart imdsgate.service
  fi
}

is_upgrade() { [ "$1" = 2 ] || { [ "$1" = configure ] && [ -n "$2" ]; }; }

case "$1" in
  configure | 1 | 2)
    add_user
    if [ -d /run/systemd/system ]; then
      if is_upgrade "$@"; then upgrade; else systemctl daemon-reload; fi
    fi
    if ! is_upgrade "$@"; then
      echo "imdsgate is installed and not started. Write /etc/imdsgate/imdsgate.yaml, then: systemctl enable --now imdsgate-rules imdsgate"
    fi
    ;;
esac
