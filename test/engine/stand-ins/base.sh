#!/bin/sh
# Makes a fresh Debian tree into what all stand-ins begin with: Node and npm where the image node:24-slim has them, and this machine's
# way to the npm registry. Usage: base.sh TREE NODE NPM-DIRECTORY
set -eu
tree=$1 node=$2 npm=$3

install -D "$node" "$tree/usr/local/bin/node"
mkdir -p "$tree/usr/local/lib/node_modules" "$tree/usr/local/etc"
cp -a "$npm" "$tree/usr/local/lib/node_modules/npm"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$tree/usr/local/bin/npm"
cp -a /etc/ssl/certs/. "$tree/etc/ssl/certs/"
for file in "$(dirname "$npm")/../../etc/npmrc" "$HOME/.npmrc"; do
  if [ -f "$file" ]; then cat "$file" >>"$tree/usr/local/etc/npmrc"; fi
done
chroot "$tree" groupadd --gid 1000 node
chroot "$tree" useradd --uid 1000 --gid node --create-home node
# As in the images that are made from Alpine and busybox.
ln -s busybox "$tree/bin/wget"
