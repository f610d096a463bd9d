# shellcheck shell=bash
# shellcheck disable=SC2154 # node.sh sets root
# What vagrant-provision installs on a Debian 12, kept as a layer above .tools/debian. Sourced after debian.sh, never run.

# what_vagrant_holds: one line that changes when the layer has to be made anew
what_vagrant_holds() {
  cat "$root/.tools/debian.stamp" "$root/scripts/vagrant-provision" "$root/scripts/lib/packages.sh" | sha256sum | cut -c1-16
}

# in_vagrant_layer LAYER COMMAND...: as root of .tools/debian below LAYER, with the machine's network, for the packages, and nothing else of it
in_vagrant_layer() {
  # shellcheck disable=SC2016 # the inner shell expands them
  unshare --mount --propagation private --pid --uts --ipc --fork --kill-child bash -euc '
    layer=$1 debian=$2 checkout=$3
    shift 3
    mkdir -p "$layer"/{upper,work,root}
    mount -t overlay -o "lowerdir=$debian,upperdir=$layer/upper,workdir=$layer/work" overlay "$layer/root"
    cd "$layer/root"
    mount -t proc proc proc
    for folder in run tmp dev; do mount -t tmpfs tmpfs "$folder"; done
    for device in null zero full random urandom tty; do
      touch "dev/$device"
      mount --bind "/dev/$device" "dev/$device"
    done
    touch etc/resolv.conf
    mount --bind "$(readlink -f /etc/resolv.conf)" etc/resolv.conf
    mkdir -p opt/checkout
    mount --bind "$checkout" opt/checkout
    mount -o remount,bind,ro opt/checkout
    exec chroot . env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@"
  ' bash "$1" "$root/.tools/debian" "$root" "${@:2}"
}

make_vagrant_layer() {
  local layer=$root/.tools/vagrant wanted
  wanted=$(what_vagrant_holds)
  [ "$(cat "$layer/stamp" 2>/dev/null)" = "$wanted" ] && return 0
  say "provisioning a Debian as vagrant would"
  rm -rf "$layer" "$layer.new"
  mkdir -p "$layer.new"
  in_vagrant_layer "$layer.new" /opt/checkout/scripts/vagrant-provision install >"$layer.log" 2>&1 || return 1
  rm -rf "$layer.new"/{work,root} "$layer.new"/upper/var/cache/apt/archives/*.deb
  mv "$layer.new" "$layer"
  echo "$wanted" >"$layer/stamp"
}

# ensure_vagrant_layer: .tools/vagrant/upper is what vagrant-provision adds to .tools/debian; as root, after ensure_debian
ensure_vagrant_layer() { with_lock make_vagrant_layer; }
