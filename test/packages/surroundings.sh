#!/usr/bin/env bash
# Inside the Debian of boot.sh: "outside" has the real metadata service's address, one hop away as on EC2; "web" and "batch" are in a container's place.
set -euo pipefail

ip netns add outside
ip link add eth0 type veth peer name eth0 netns outside
ip link set eth0 up
ip address add 10.77.0.1/24 dev eth0
ip route add default via 10.77.0.254
ip -n outside link set lo up
ip -n outside link set eth0 up
ip -n outside address add 10.77.0.254/24 dev eth0
ip -n outside address add 169.254.169.254/32 dev lo
ip -n outside route add 172.30.0.0/24 via 10.77.0.1
sysctl -qw net.ipv4.ip_forward=1

ip link add br-web type bridge
ip link set br-web up
ip address add 172.30.0.1/24 dev br-web
for name in web:2 batch:3; do
  peer=${name%:*}
  ip netns add "$peer"
  ip link add "v-$peer" type veth peer name eth0 netns "$peer"
  ip link set "v-$peer" master br-web up
  ip -n "$peer" link set lo up
  ip -n "$peer" link set eth0 up
  ip -n "$peer" address add "172.30.0.${name#*:}/24" dev eth0
  ip -n "$peer" route add default via 172.30.0.1
done
