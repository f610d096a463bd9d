#!/usr/bin/env bash
# bases.sh DEBIAN NODE OUT: the two images that the Dockerfile stands on, as files for `docker import`, where no registry is reached. DEBIAN is a root
# made by debootstrap that has the Dockerfile's packages already, NODE the program. Gives OUT/debian.tar and OUT/node.tar.
set -euo pipefail
debian=$1 node=$2 out=$3
emptied=(proc sys dev run tmp boot usr/share/{doc,man,locale,info} var/{cache/apt,log})
mkdir -p "$out"
excluded=()
for folder in "${emptied[@]}"; do excluded+=("--exclude=./$folder/*"); done
tar -C "$debian" --numeric-owner "${excluded[@]}" -cf "$out/debian.tar" .
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
install -D -m 0755 "$node" "$tree/usr/local/bin/node"
tar -C "$tree" --numeric-owner --owner=0 --group=0 -cf "$out/node.tar" .
