# shellcheck shell=bash
# shellcheck disable=SC2154 # node.sh sets root
# A Python environment of this checkout's own, with moto and the AWS clients that the Docker tests use. Sourced after packages.sh, never run.

SYSTEM_PYTHON=/usr/bin/python3
REQUIREMENTS=$root/test/docker/requirements.txt

# what_python_holds: one line that changes when the environment has to be made anew
what_python_holds() { { "$SYSTEM_PYTHON" --version && cat "$REQUIREMENTS"; } | sha256sum | cut -c1-16; }

install_python_venv() {
  local venv=$root/.tools/venv wanted
  wanted=$(what_python_holds)
  [ "$(cat "$venv/imdsgate-stamp" 2>/dev/null)" = "$wanted" ] && return 0
  say "installing moto and the AWS clients into .tools/venv"
  rm -rf "$venv"
  "$SYSTEM_PYTHON" -m venv "$venv" >&2 && "$venv/bin/pip" install -qq --disable-pip-version-check -r "$REQUIREMENTS" >&2 || return 1
  echo "$wanted" >"$venv/imdsgate-stamp"
}

# ensure_python_venv: .tools/venv holds what test/docker/requirements.txt names
ensure_python_venv() {
  if ! "$SYSTEM_PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then
    if ! may_install; then
      say "not on this machine; type: sudo apt-get install -y python3 python3-venv"
      return 1
    fi
    install_packages python3 python3-venv || return 1
  fi
  with_lock install_python_venv
}

build_container_image() {
  local folder=$root/.tools/docker image=$root/test/support/docker-host/image.sh wanted
  wanted=$(cat "$image" <(what_python_holds) | sha256sum | cut -c1-16)
  [ "$(cat "$folder/imdsgate-stamp" 2>/dev/null)" = "$wanted" ] && return 0
  say "making the file system of the containers under test"
  rm -rf "$folder"
  mkdir -p "$folder"
  mapfile -t clients < <(grep -E '^(boto3|awscli)==' "$REQUIREMENTS")
  "$root/.tools/venv/bin/pip" install -qq --disable-pip-version-check --no-compile --target "$folder/clients" "${clients[@]}" >&2 || return 1
  rm -rf "$folder/clients/awscli/examples" # texts for its help, 26 MB
  "$image" "$folder/clients" "$folder/image.tar" || return 1
  rm -rf "$folder/clients"
  echo "$wanted" >"$folder/imdsgate-stamp"
}

# ensure_container_image: .tools/docker/image.tar, ready for docker import; after ensure_python_venv
ensure_container_image() { with_lock build_container_image; }
