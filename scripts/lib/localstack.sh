# shellcheck shell=bash
# shellcheck disable=SC2154 # node.sh sets root
# LocalStack in a Python environment of this checkout's own, run by its Python without Docker. Sourced after node.sh, never run.

# cbor2 and pyOpenSSL: newer ones lack what LocalStack calls. service_identity: it imports that and does not declare it.
LOCALSTACK_PACKAGES=('localstack-core[runtime]==2026.3.0' 'cbor2==5.6.5' 'pyOpenSSL==25.3.0' 'service_identity==24.2.0')

# python_for_localstack: a Python 3.13, the only one on which it starts; pyenv's too, which its shim hides where another one is chosen
python_for_localstack() {
  local python
  for python in python3.13 "$HOME"/.pyenv/versions/3.13.*/bin/python3.13; do
    "$python" -c 'import ensurepip, venv' 2>/dev/null && command -v "$python" && return 0
  done
  return 1
}

install_localstack() {
  local venv=$root/.tools/localstack python wanted
  python=$(python_for_localstack) || {
    say "LocalStack needs a Python 3.13, and there is none on this machine"
    return 1
  }
  wanted="$("$python" --version) ${LOCALSTACK_PACKAGES[*]}"
  [ "$(cat "$venv/imdsgate-stamp" 2>/dev/null)" = "$wanted" ] && return 0
  say "installing LocalStack into .tools/localstack"
  rm -rf "$venv"
  "$python" -m venv "$venv" >&2 && "$venv/bin/pip" install -qq --disable-pip-version-check "${LOCALSTACK_PACKAGES[@]}" >&2 || return 1
  echo "$wanted" >"$venv/imdsgate-stamp"
}

# ensure_localstack: .tools/localstack/bin/python has the module localstack.runtime.main
ensure_localstack() { with_lock install_localstack; }
