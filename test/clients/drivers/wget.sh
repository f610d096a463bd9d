#!/usr/bin/env bash
# A driver (loop.sh): GNU wget.
set -euo pipefail
print_version() { wget --version | sed -n '1s/^GNU Wget \([^ ]*\).*/\1/p'; }
put_token() { wget -nv -O - -t 1 --method PUT --header "X-aws-ec2-metadata-token-ttl-seconds: 21600" "$1" 2>/dev/null; }
get() { wget -nv -O - -t 1 --header "$2" "$1" 2>/dev/null; }
# shellcheck source=test/clients/drivers/by-hand.sh
. "$(dirname "$0")/by-hand.sh"
# shellcheck source=test/clients/drivers/loop.sh
. "$(dirname "$0")/loop.sh"
