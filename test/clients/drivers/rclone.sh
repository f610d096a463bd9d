#!/usr/bin/env bash
# A driver (loop.sh): rclone, a process for each read. Its time is that of a whole read.
set -euo pipefail
print_version() { rclone version | sed -n '1s/^rclone v\([0-9.]*\).*/\1/p'; }
use_once() { rclone cat ":s3,provider=Other,env_auth=true,endpoint='$S3_ENDPOINT':bucket/whoami"; }
fetch_once() { use_once; }
# shellcheck source=test/clients/drivers/loop.sh
. "$(dirname "$0")/loop.sh"
