#!/usr/bin/env bash
# The outside of a Docker host: PID 1 of its own network, mount and pid namespaces (docker-host.ts starts it). There is no uplink: no packet leaves.
# It holds the real IMDS's addresses; the host is one hop away, as on EC2. When this process ends, everything in it and below it ends.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")

ip link set lo up
ip address add 169.254.169.254/32 dev lo
ip -6 address add fd00:ec2::254/128 dev lo nodad
exec 9</proc/self/ns/net
unshare --net --mount --propagation private --uts --ipc --pid --cgroup --fork --kill-child --mount-proc "$here/host.sh"
