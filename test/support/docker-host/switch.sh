#!/usr/bin/env bash
# The outside of a Docker host: PID 1 of its own network, mount and pid namespaces (docker-host.ts starts it). There is no uplink: no packet leaves.
# It holds the real IMDS's addresses; the hosts, HOSTS of them (one unless it says otherwise), are one hop away, as on EC2. When this process ends,
# everything in it and below it ends.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")

# enter_cgroup NAME: below the one that this process is in; several hosts cannot have the same one as their root
enter_cgroup() {
  local own
  own=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)$(sed -n 's/^0:://p' /proc/self/cgroup)
  mkdir "$own/$1"
  echo 0 >"$own/$1/cgroup.procs"
}

ip link set lo up
ip address add 169.254.169.254/32 dev lo
ip -6 address add fd00:ec2::254/128 dev lo nodad
ip link add br0 type bridge
ip address add 10.77.0.254/24 dev br0
ip -6 address add fd77::254/64 dev br0 nodad
ip link set br0 up
exec 9</proc/self/ns/net
for ((number = 1; number <= ${HOSTS:-1}; number += 1)); do
  (
    if ((${HOSTS:-1} > 1)); then enter_cgroup "host-$number"; fi
    exec unshare --net --mount --propagation private --uts --ipc --pid --cgroup --fork --kill-child --mount-proc "$here/host.sh" "$number"
  ) &
done
wait -n # one host that ends is the end of all
