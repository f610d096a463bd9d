#!/usr/bin/env bash
# A driver (loop.sh): the AWS CLI, a process for each command. Its time is that of the whole process.
set -euo pipefail
print_version() { aws --version 2>&1 | sed 's|^aws-cli/\([^ ]*\).*|\1|'; }
# older ones do not know the variable
identify() { aws --endpoint-url "$AWS_ENDPOINT_URL_STS" sts get-caller-identity "$@"; }
use_once() {
  local arn key
  arn=$(identify --query Arn --output text --debug 2>"$HOME/debug") || { tail -n 2 "$HOME/debug" >&2; return 1; }
  key=$(sed -n 's/.*Credential=\(ASIA[A-Z0-9]*\).*/\1/p' "$HOME/debug")
  echo "{\"arn\": \"$arn\", \"key\": \"${key%%$'\n'*}\"}"
}
fetch_once() { identify; }
# shellcheck source=test/clients/drivers/loop.sh
. "$(dirname "$0")/loop.sh"
