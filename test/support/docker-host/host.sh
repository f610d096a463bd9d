#!/usr/bin/env bash
# A Docker host: PID 1 of its own network, mount, pid, uts, ipc and cgroup namespaces, with a real dockerd, or with Podman's API where ENGINE=podman.
# host.sh NUMBER is the host 10.77.0.NUMBER. File descriptor 9 is the outside's network namespace. It sees the machine's files; what it writes outside of them goes to memory and ends with it. It prints "docker host ready" and stays.
set -euo pipefail
number=$1

# cover FOLDER: writes below it stay in this mount namespace
cover() {
  local name=${1//\//_}
  mkdir -p "/run/cover/$name/upper" "/run/cover/$name/work"
  mount -t overlay -o "lowerdir=$1,upperdir=/run/cover/$name/upper,workdir=/run/cover/$name/work" overlay "$1"
}

connect_to_the_outside() {
  local outside=(nsenter "--net=/proc/$$/fd/9" --)
  ip link set lo up
  ip link add eth0 type veth peer name "host$number"
  ip link set "host$number" netns "/proc/$$/fd/9"
  "${outside[@]}" ip link set "host$number" master br0 up
  ip address add "10.77.0.$number/24" dev eth0
  ip -6 address add "fd77::$number/64" dev eth0 nodad
  ip link set eth0 up
  ip route add default via 10.77.0.254
  ip -6 route add default via fd77::254
  "${outside[@]}" ip -6 route add "fd88:$number::/32" via "fd77::$number" # containers' IPv6 is not translated
  exec 9<&-
}

hostname "docker-host-$number"
mount -t sysfs sysfs /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir /sys/fs/cgroup/init
echo 0 >/sys/fs/cgroup/init/cgroup.procs # a cgroup with processes of its own cannot pass controllers on to containers
mount -t tmpfs tmpfs /run
mkdir -p /run/lock /run/docker-data
mount -t tmpfs -o size=2g tmpfs /run/docker-data
cover /etc
cover /opt
rm -f /etc/resolv.conf
echo 'nameserver 10.77.0.254' >/etc/resolv.conf # nothing answers there, so a look-up fails at once
mkdir -p /etc/docker
echo '{}' >/etc/docker/daemon.json
connect_to_the_outside
for key in net/ipv4/ip_forward net/ipv6/conf/all/forwarding; do echo 1 >"/proc/sys/$key"; done

start_docker() { dockerd --data-root /run/docker-data --experimental --ip6tables & }

start_podman() {
  printf '[storage]\ndriver = "overlay"\ngraphroot = "/run/docker-data"\nrunroot = "/run/containers"\n' >/etc/containers/storage.conf
  # there is neither systemd nor its journal; without CAP_SYS_RESOURCE a cgroup or a limit of its own cannot be given to a container
  printf '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n[containers]\ncgroups = "disabled"\ndefault_ulimits = []\n[network]\nnetwork_backend = "netavark"\n' >/etc/containers/containers.conf
  mkdir -p /run/podman
  podman system service --time 0 unix:///run/podman/podman.sock &
}

engine=${ENGINE:-docker}
"start_$engine"
daemon=$!
until "$engine" version >/dev/null 2>&1; do
  kill -0 "$daemon"
  sleep 0.05
done
echo "docker host ready"
sleep infinity & # so that the host outlives its dockerd
wait # bash as PID 1 also reaps what containers leave behind
