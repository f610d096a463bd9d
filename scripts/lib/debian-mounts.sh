# shellcheck shell=bash
# Sourced inside namespaces that are made for it, never run.

# mount_debian DEBIAN STAGE [CHECKOUT]: the root of DEBIAN is at STAGE/root, what changes goes to STAGE/upper, and this shell stands in that root;
# without a STAGE, DEBIAN itself is the root and changes. CHECKOUT is at /opt/checkout there, read-only. The namespaces have to be new.
mount_debian() {
  local debian=$1 stage=$2 checkout=${3:-} folder device
  if [ -n "$stage" ]; then
    mkdir -p "$stage"/{upper,work,root}
    mount -t overlay -o "lowerdir=$debian,upperdir=$stage/upper,workdir=$stage/work" overlay "$stage/root"
    cd "$stage/root" || return
  else
    mount --bind "$debian" "$debian"
    cd "$debian" || return
  fi
  mount -t proc proc proc
  mount -t sysfs sysfs sys
  mount -t cgroup2 cgroup2 sys/fs/cgroup
  for folder in run tmp dev; do mount -t tmpfs tmpfs "$folder"; done
  for device in null zero full random urandom tty; do
    touch "dev/$device"
    mount --bind "/dev/$device" "dev/$device"
  done
  mkdir dev/pts dev/shm
  mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
  ln -s pts/ptmx dev/ptmx
  ln -s /proc/self/fd dev/fd
  [ -n "$checkout" ] || return 0
  mkdir -p opt/checkout
  mount --bind "$checkout" opt/checkout
  mount -o remount,bind,ro opt/checkout
}
