#!/bin/bash
# trixie.sh check
# trixie.sh run ROOT COMMAND ...
# Runs a command of the project, such as `make test`, on Debian 13 (trixie): in
# a chroot that debootstrap makes at ROOT once.  The tree goes in as it stands:
# what git tracks, and new files it does not ignore.
#
# Every mount is made in a mount namespace of its own, so none outlives the
# script, however it ends, and none is seen from outside.  The tests run in
# their own process and network namespaces too: they end with the script, and
# they have nothing but loopback.

set -euo pipefail

suite=trixie

if [ "$(id -u)" -ne 0 ]; then
    echo "make test-trixie needs root (debootstrap, mount, chroot): run it" \
         "with sudo" >&2
    exit 1
fi

if [ "${1:-}" = check ]; then
    exit 0
fi

if [ $# -lt 3 ]; then
    echo "usage: t/trixie.sh check | run ROOT COMMAND ..." >&2
    exit 2
fi

part=$1
root=$(realpath -m "$2")
shift 2
command=("$@")


# The mirror this machine takes Debian from: the first source that offers a
# Debian release with "main" (both formats of sources.list).

mirror() {
    local found
    found=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list \
                /etc/apt/sources.list.d/*.sources 2>/dev/null \
            | sed -nE -e 's/^deb (\[[^]]*\] *)?([^ ]+).*/\2/p' \
                      -e 's/^URIs: *([^ ]+).*/\1/p' \
            | grep -m1 -E '/debian/?$' || true)
    echo "${found:-http://deb.debian.org/debian}"
}


# In the namespaces: /proc, and a /dev of its own instead of the machine's, so
# that removing the chroot could never reach the latter.

mounts() {
    local node
    mount --make-rprivate /
    mount -t proc proc "$root/proc"
    mount -t tmpfs -o mode=755 dev "$root/dev"
    for node in 'null 1 3' 'zero 1 5' 'full 1 7' 'random 1 8' 'urandom 1 9' \
                'tty 5 0'
    do
        set -- $node
        mknod -m 666 "$root/dev/$1" c "$2" "$3"
    done
    mkdir -m 1777 "$root/dev/shm"
    ln -s /proc/self/fd "$root/dev/fd"
    ln -s fd/0 "$root/dev/stdin"
    ln -s fd/1 "$root/dev/stdout"
    ln -s fd/2 "$root/dev/stderr"
}


inside() {
    chroot "$root" /usr/bin/env -i HOME=/root LANG=C.UTF-8 TERM=dumb \
        PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive \
        ${http_proxy:+http_proxy="$http_proxy"} "$@"
}


bootstrap() {
    local new=$root.new mirror
    mirror=$(mirror)
    echo "making a chroot of $suite from $mirror (log: $root.log)"
    rm -rf "$new"
    mkdir -p "$new"
    if ! debootstrap --variant=minbase "$suite" "$new" "$mirror" \
            >"$root.log" 2>&1
    then
        tail -n 20 "$root.log" >&2
        exit 1
    fi
    echo '127.0.0.1 localhost' >"$new/etc/hosts"
    mv "$new" "$root"
}


# What was built there before stays: times are kept, so make sees what changed.

copy_tree() {
    mkdir -p "$root/src"
    find "$root/src" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
    git ls-files -z --cached --others --exclude-standard --deduplicate \
        | while IFS= read -r -d '' file; do
              if [ -e "$file" ]; then printf '%s\0' "$file"; fi
          done \
        | tar -c --null --no-recursion -T - \
        | tar -x --no-same-owner -C "$root/src"
}


packages() {
    mounts
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    apt-config dump Acquire | grep -E '::(Check-|[Pp]roxy)' \
        >"$root/etc/apt/apt.conf.d/90host" || true
    inside sh -c 'command -v make >/dev/null && exit
                  apt-get update -qq
                  apt-get install -y -qq --no-install-recommends make \
                      >/dev/null 2>&1'
    inside make -C /src -s packages-TEST packages-HTTP3
}


tests() {
    mounts
    ip link set lo up
    inside sh -c 'nginx -v; gcc --version | head -n 1; openssl version
                  dpkg-query -W libxml2-dev libkrb5-dev libcmocka-dev'
    inside sh -c 'cd /src && exec "$@"' sh "${command[@]}"
}


# The namespaces live as long as the shell that made them: ended here when this
# script is interrupted.

child=

finish() {
    if [ -n "$child" ]; then
        kill -KILL "$child" 2>/dev/null || true
        wait "$child" 2>/dev/null || true
    fi
}


# One part in namespaces of its own.  In the background, because a shell acts on
# signals only while it waits for nothing else.

part() {
    local name=$1 status=0
    shift
    unshare --mount --pid --fork --kill-child "$@" \
        "$0" "$name" "$root" "${command[@]}" &
    child=$!
    wait "$child" || status=$?
    child=
    return $status
}


case $part in

bootstrap|packages|tests)
    "$part"
    ;;

run)
    trap finish EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    mkdir -p "$(dirname "$root")"
    exec 9>"$root.lock"
    flock -n 9 || {
        echo "another run works in $root" >&2
        exit 1
    }
    [ -d "$root" ] || part bootstrap
    copy_tree
    part packages
    part tests --net 9>&-
    ;;

*)
    echo "usage: t/trixie.sh check | run ROOT COMMAND ..." >&2
    exit 2
    ;;

esac
