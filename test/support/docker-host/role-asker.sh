# shellcheck shell=bash
# Asks for its own role without end, or ASKS times, and prints a line for each answer, with tabs between: its own addresses, the status, the role. One process,
# which forks nothing: fifty of them must not keep a small machine busy.
exec 4<> <(:) # nothing ever comes from there
asks=${ASKS:--1}
while ((asks-- != 0)); do
  own='' leaf=''
  while read -r mark word rest; do
    if [[ $mark == '|--' ]]; then leaf=$word; fi
    if [[ "$mark $word $rest" == '/32 host LOCAL' && $leaf != 127.* && " $own " != *" $leaf "* ]]; then own+=${own:+ }$leaf; fi
  done </proc/self/net/fib_trie
  lines=('no connection')
  if { exec 3<>/dev/tcp/169.254.169.254/80; } 2>/dev/null; then
    printf 'GET /latest/meta-data/iam/security-credentials/ HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n' >&3
    mapfile -t lines <&3
    exec 3>&-
  fi
  status=${lines[0]:-closed}
  role=''
  if [[ $status == *' 200 OK'* ]]; then role=${lines[-1]}; fi
  printf '%s\t%s\t%s\n' "$own" "${status%$'\r'}" "$role"
  read -rt "${PAUSE_SECONDS:-0.5}" -u 4 _
done
