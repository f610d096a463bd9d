#!/usr/bin/env bash
# image.sh PYTHON_FOLDER OUT.tar: the file system of the containers under test, made of this machine's own programs, so that no image registry is needed:
# bash, a few small tools, Debian's Python, and boto3 with the AWS CLI as pip puts them. For `docker import`. PYTHON_FOLDER holds what pip installed.
set -euo pipefail
packages=$1 out=$2
python=/usr/bin/python3
tree=$(mktemp -d "$out.XXXXXX")
trap 'rm -rf "$tree"' EXIT

# put FILE: into the same place of the image; links are followed
put() { install -D -m 0755 "$(readlink -f "$1")" "$tree$1"; }
# put_libraries FILE...: what the dynamic linker loads for them
put_libraries() {
  local library
  { ldd "$@" 2>/dev/null || true; } | grep -oE '/[^ ]+\.so[^ :)]*' | sort -u | while read -r library; do
    [ -e "$tree$library" ] || put "$library"
  done
}

mkdir -p "$tree"/{etc,tmp,root,proc,sys,dev,run,var/tmp,usr/bin,usr/lib,usr/lib64,usr/local/bin}
chmod 1777 "$tree/tmp" "$tree/var/tmp"
for folder in bin lib lib64; do ln -s "usr/$folder" "$tree/$folder"; done # as on every merged Debian and Ubuntu
printf 'root:x:0:0:root:/root:/bin/bash\n' >"$tree/etc/passwd"
printf 'root:x:0:\n' >"$tree/etc/group"
printf 'hosts: files dns\n' >"$tree/etc/nsswitch.conf"

programs=(/usr/bin/bash /usr/bin/cat /usr/bin/sleep /usr/bin/env "$python")
for program in "${programs[@]}"; do put "$program"; done
ln -s bash "$tree/usr/bin/sh"
put_libraries "${programs[@]}"

standard=$("$python" -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
mkdir -p "$tree$standard"
tar -C "$standard" --exclude=./test --exclude=./idlelib --exclude=./lib2to3 --exclude=./ensurepip --exclude='./config-*' --exclude=./dist-packages -cf - . |
  tar -C "$tree$standard" -xf -
site=$tree/usr/local/lib/$(basename "$standard")/dist-packages # where Debian's Python looks by itself
mkdir -p "$(dirname "$site")"
cp -a "$packages" "$site"
rm -rf "${site:?}/bin"
sed '1s|.*|#!/usr/bin/python3|' "$packages/bin/aws" >"$tree/usr/local/bin/aws"
chmod 0755 "$tree/usr/local/bin/aws"
mapfile -t extensions < <(find "$tree$standard" "$site" -name '*.so')
put_libraries "${extensions[@]}"

tar -C "$tree" --numeric-owner --owner=0 --group=0 -cf "$out.new" .
mv "$out.new" "$out"
