#!/usr/bin/env bash
# A driver (loop.sh): s3fs with the instance's role, one mount that is read again and again. Its time is that of a mount and a first read.
set -euo pipefail
mountpoint=$HOME/bucket
mkdir -p "$mountpoint"
mount_bucket() {
  s3fs bucket "$mountpoint" -o "iam_role=auto,url=$S3_ENDPOINT,use_path_request_style,max_stat_cache_size=0,retries=1,connect_timeout=5"
}
unmount() { umount -l "$mountpoint" 2>/dev/null || true; }
trap unmount EXIT
print_version() { s3fs --version | sed -n '1s/.* V\([^ ]*\).*/\1/p'; }
use_once() {
  mountpoint -q "$mountpoint" || mount_bucket
  cat "$mountpoint/whoami"
}
fetch_once() {
  mount_bucket
  cat "$mountpoint/whoami"
  unmount
}
# shellcheck source=test/clients/drivers/loop.sh
. "$(dirname "$0")/loop.sh"
