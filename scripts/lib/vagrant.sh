# shellcheck shell=bash
# shellcheck disable=SC2154 # node.sh sets root
# What vagrant-provision installs on a Debian 12, kept as a layer above .tools/debian. Sourced after debian.sh, never run.

# what_vagrant_holds: one line that changes when the layer has to be made anew
what_vagrant_holds() {
  cat "$root/.tools/debian.stamp" "$root/scripts/vagrant-provision" "$root/scripts/lib/packages.sh" | sha256sum | cut -c1-16
}

make_vagrant_layer() {
  local layer=$root/.tools/vagrant wanted
  wanted=$(what_vagrant_holds)
  [ "$(cat "$layer/stamp" 2>/dev/null)" = "$wanted" ] && return 0
  say "provisioning a Debian as vagrant would"
  rm -rf "$layer" "$layer.new"
  mkdir -p "$layer.new"
  in_debian "$root/.tools/debian" "$layer.new" "$root" /opt/checkout/scripts/vagrant-provision install >"$layer.log" 2>&1 || return 1
  rm -rf "$layer.new"/{work,root} "$layer.new"/upper/var/cache/apt/archives/*.deb
  mv "$layer.new" "$layer"
  echo "$wanted" >"$layer/stamp"
}

# ensure_vagrant_layer: .tools/vagrant/upper is what vagrant-provision adds to .tools/debian; as root, after ensure_debian
ensure_vagrant_layer() { with_lock make_vagrant_layer; }
