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
run_go() { GOTOOLCHAIN=local GOFLAGS="-mod=readonly -modcacherw" GOPATH=$built/cache/gopath GOCACHE=$built/cache/go go "$@"; }

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

build_java() {
  local module
  cp -r "$2" "$1/source"
  for module in "$1"/source/*/; do
    (cd "$module" && mvn -q -B package dependency:copy-dependencies) || return 1
    mkdir "$1/$(basename "$module")"
    mv "$module"/target/*.jar "$module"/target/dependency/*.jar "$1/$(basename "$module")" || return 1
  done
  rm -rf "$1/source"
}

build_rust() {
  cp -r "$2" "$1/source"
  cd "$1/source" || return 1
  cargo generate-lockfile || return 1
  AWS_CONFIG_VERSION=$(cargo pkgid aws-config | sed 's/.*[@#]//') CARGO_TARGET_DIR=$built/cache/rust cargo build --release || return 1
  mv "$built/cache/rust/release/driver" "$1/sdk" && rm -rf "$1/source"
}

# an environment for each list of packages
build_python() {
  local list
  for list in "$2"/*.txt; do
    "$SYSTEM_PYTHON" -m venv "$1/$(basename "$list" .txt)" && "$1/$(basename "$list" .txt)/bin/pip" install -qq -r "$list" || return 1
  done
}

# cloud-init is unpacked, not installed: it would configure this machine at its next start
build_cloud_init() {
  cd "$1" || return 1
  apt-get download -qq cloud-init || { apt-get update -qq && apt-get download -qq cloud-init; } || return 1
  dpkg-deb --extract cloud-init_*.deb . && rm cloud-init_*.deb
}

# ensure_heavy_clients: all others that are reachable; Go has to be newer than Debian's for go-newest
ensure_heavy_clients() {
  ensure_packages default-jdk-headless:javac maven:mvn cargo:cargo ruby:ruby rclone:rclone php-cli:php
  [ -x /usr/bin/aws ] || install_packages awscli || true
  [ -d /usr/share/php/AsyncAws/Core ] || install_packages php-async-aws-core php-curl || true
  ruby -e 'require "aws-sdk-core"' 2>/dev/null || install_packages ruby-aws-sdk-core || true
  ensure_built go-newest "$drivers/go-newest" build_go
  ensure_built java "$drivers/java" build_java
  ensure_built rust "$drivers/rust" build_rust
  ensure_built python "$drivers/python" build_python
  ensure_built cloud-init "$drivers/cloud_init_driver.py" build_cloud_init
}
