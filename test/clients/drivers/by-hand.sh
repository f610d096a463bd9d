# shellcheck shell=bash
# What the shell clients share: the way to the credentials document as a person or a script goes it. Sourced, never run.
# The client has the functions put_token URL and get URL HEADER...; each prints the body.

IMDS=http://169.254.169.254/latest

field() { sed -n "s/^ *\"$1\" : \"\(.*\)\",*$/\1/p"; }

fetch_once() {
  local token role
  token=$(put_token "$IMDS/api/token")
  role=$(get "$IMDS/meta-data/iam/security-credentials/" "X-aws-ec2-metadata-token: $token")
  get "$IMDS/meta-data/iam/security-credentials/$role" "X-aws-ec2-metadata-token: $token"
}

use_once() {
  local document key identity
  document=$(fetch_once)
  key=$(field AccessKeyId <<<"$document")
  # the embedded STS finds the caller by the key alone
  identity=$(get "$AWS_ENDPOINT_URL_STS/?Action=GetCallerIdentity&Version=2011-06-15" "Authorization: AWS4-HMAC-SHA256 Credential=$key/")
  echo "{\"arn\": \"$(sed -n 's|.*<Arn>\(.*\)</Arn>.*|\1|p' <<<"$identity")\", \"key\": \"$key\"}"
}
