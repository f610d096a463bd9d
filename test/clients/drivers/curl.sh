#!/usr/bin/env bash
# A driver (loop.sh): curl, as in the pages that tell how to ask for the credentials by hand.
set -euo pipefail
print_version() { curl --version | sed -n '1s/^curl \([^ ]*\).*/\1/p'; }
put_token() { curl -sSf -X PUT "$1" -H "X-aws-ec2-metadata-token-ttl-seconds: 21600"; }
get() { curl -sSf "$1" -H "$2"; }
# shellcheck source=test/clients/drivers/by-hand.sh
. "$(dirname "$0")/by-hand.sh"
# shellcheck source=test/clients/drivers/loop.sh
. "$(dirname "$0")/loop.sh"
