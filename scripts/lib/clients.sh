# shellcheck shell=bash
# shellcheck disable=SC2154 # node.sh sets root
# The clients under test that have to be installed or built, into .tools/clients. Sourced after packages.sh and python.sh, never run.
# What cannot be made here is said and left out: whoever runs the clients finds it missing.

drivers=$root/test/clients/drivers
built=$root/.tools/clients

# ensure_built NAME SOURCE FUNCTION: makes .tools/clients/NAME with FUNCTION, anew where SOURCE, a file or folder, is another
ensure_built() { with_lock make_client "$@"; }

make_client() {
  local name=$1 source=$2 build=$3 wanted
  wanted=$(find "$source" -type f -print0 | sort -z | xargs -0 cat | sha256sum | cut -c1-16)
  [ "$(cat "$built/$name/imdsgate-stamp" 2>/dev/null)" = "$wanted" ] && return 0
  say "making the clients under test: $name"
  rm -rf "${built:?}/$name"
  mkdir -p "$built/$name"
  if "$build" "$built/$name" "$source" >"$built/$name.log" 2>&1; then
    echo "$wanted" >"$built/$name/imdsgate-stamp"
  else
    rm -rf "${built:?}/$name"
    say "could not make $name: $(tail -n 1 "$built/$name.log")"
  fi
}

# run_go ARGS...: with a cache of this checkout's own, and with the Go that is here
run_go() { GOTOOLCHAIN=local GOFLAGS=-mod=readonly GOPATH=$built/cache/gopath GOCACHE=$built/cache/go go "$@"; }

# each Go client is a module of its own: a folder with main.go and go.mod
build_go() {
  local module
  for module in "$2"/*/; do (cd "$module" && run_go build -o "$1/$(basename "$module")" .) || return 1; done
}

# ensure_light_clients: what ./scripts/test runs; the AWS CLI and boto3 are in .tools/venv, the SDK for JavaScript in node_modules
ensure_light_clients() {
  ensure_packages curl:curl wget:wget s3fs:s3fs faketime:faketime golang-go:go
  ensure_built go "$drivers/go" build_go
}
