# shellcheck shell=bash
# shellcheck disable=SC2154 # node.sh sets root
# Docker Compose 2, which Debian 12 does not have. Sourced after packages.sh, never run.

COMPOSE_SUITE=trixie # the first Debian that has it; its program runs on Debian 12 too

# debian_archive: where this machine's apt has Debian's packages from
debian_archive() { apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Component: main' | head -n 1; }

install_compose() {
  [ -x "$root/.tools/docker-compose" ] && return 0
  local folder archive
  archive=$(debian_archive) && [ -n "$archive" ] || return 1
  say "installing Docker Compose 2 into .tools/"
  folder=$(mktemp -d)
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $archive $COMPOSE_SUITE main" >"$folder/sources.list"
  mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial"
  local apt=(apt-get -qq -o "Dir::Etc::SourceList=$folder/sources.list" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$folder/lists"
    -o "Dir::Cache=$folder/cache" -o APT::Sandbox::User=root)
  "${apt[@]}" update >&2 && (cd "$folder" && "${apt[@]}" download docker-compose >&2) &&
    dpkg-deb --extract "$folder"/docker-compose_*.deb "$folder/files" &&
    cp "$folder/files/usr/libexec/docker/cli-plugins/docker-compose" "$root/.tools/docker-compose.new" &&
    mv "$root/.tools/docker-compose.new" "$root/.tools/docker-compose"
  local code=$?
  rm -rf "$folder"
  return "$code"
}

# ensure_compose: the plugin `docker compose`, where Docker looks for it or in .tools/
ensure_compose() {
  local folder
  for folder in /usr/libexec /usr/lib /usr/local/lib; do [ -x "$folder/docker/cli-plugins/docker-compose" ] && return 0; done
  # Ubuntu's package
  if apt-cache show docker-compose-v2 >/dev/null 2>&1; then install_packages docker-compose-v2; else with_lock install_compose; fi
}
