#!/bin/sh
# Tries a command in a fresh Debian tree that has only Node and npm: what a new user has. Long form, by hand:
#   test/fresh-debian/run.sh [COMMAND ...]      default: npm start -- --dry-run, ended after a while
# Needs root, mmdebstrap, and this machine's node and npm (copied into the tree). The tree is kept in
# KVMGOV_FRESH_TREE (default: a new temporary directory, removed at the end).
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
tree=${KVMGOV_FRESH_TREE:-}
if [ -z "$tree" ]; then
  tree=$(mktemp -d)
  trap 'rm -rf --one-file-system "$tree"' EXIT
fi


if [ ! -x "$tree/usr/bin/node" ]; then
  command -v mmdebstrap >/dev/null || { echo "mmdebstrap is missing: apt-get install mmdebstrap" >&2; exit 1; }
  echo "making a fresh Debian tree in $tree"
  sources=$(find /etc/apt/sources.list /etc/apt/sources.list.d -type f 2>/dev/null | head -n 1)
  mmdebstrap --quiet --variant=minbase --include=ca-certificates,libstdc++6 bookworm "$tree" "$sources"
  # How this machine reaches its mirrors and registries, also where that is not the usual way.
  cp -a /etc/apt/apt.conf.d/. "$tree/etc/apt/apt.conf.d/"
  cp -a /etc/ssl/certs/. "$tree/etc/ssl/certs/"
  mkdir -p "$tree/usr/lib/node_modules" "$tree/usr/etc"
  cp "$(command -v node)" "$tree/usr/bin/node"
  cp -a "$(npm root -g)/npm" "$tree/usr/lib/node_modules/npm"
  ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$tree/usr/bin/npm"
  for file in /usr/etc/npmrc "$HOME/.npmrc"; do
    if [ -f "$file" ]; then cat "$file" >>"$tree/usr/etc/npmrc"; fi
  done
fi

rm -rf "$tree/root/kvm-governor"
git clone --quiet --no-hardlinks "$root" "$tree/root/kvm-governor"
default='timeout --signal=INT 60 npm start -- --dry-run'
[ $# -gt 0 ] || set -- sh -c "$default"
# Mounts end with the namespace; processes with its first one.
unshare --mount --propagation private --pid --fork --kill-child sh -eu -c '
  tree=$1; shift
  mount --rbind /sys "$tree/sys"; mount --rbind /dev "$tree/dev"; mount -t proc proc "$tree/proc"
  exec chroot "$tree" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb \
    ${NODE_EXTRA_CA_CERTS:+NODE_EXTRA_CA_CERTS="$NODE_EXTRA_CA_CERTS"} \
    sh -c "cd /root/kvm-governor && exec \"\$@\"" sh "$@"
' sh "$tree" "$@"
