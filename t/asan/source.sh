#!/bin/sh
# source.sh DIR
# Unpacks the source package of Debian's nginx, with Debian's patches, as
# DIR/src: the version of the installed nginx, or the newest of this release
# when the archive has moved on.  /etc/apt is left alone: the deb-src lines, the
# lists and the cache of this one call are private to DIR, and apt checks the
# archive's signature as ever.

set -eu

mkdir -p "$1/apt/lists/partial" "$1/apt/cache/archives/partial"
dir=$(cd "$1" && pwd)

fail() {
    echo "the source package of nginx cannot be had: $*" >&2
    echo "(it is looked for where this machine's own Debian packages come" \
         "from; what apt said is in $dir/apt/log)" >&2
    exit 1
}

# archives - where the binary packages of this release come from
archives() {
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    apt-get indextargets --format '$(REPO_URI) $(RELEASE)' \
            'Created-By: Packages' 2>/dev/null \
        | grep -E " $codename(-security|-updates)?\$" | sort -u
}

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
list=$dir/apt/sources.list
log=$dir/apt/log

: >"$log"
archives >"$dir/apt/archives" || true
if [ ! -s "$dir/apt/archives" ]; then
    # a machine without package lists does not know its archives yet
    apt-get update -qq >>"$log" 2>&1 || true
    archives >"$dir/apt/archives" || fail "apt knows no archive of Debian"
fi

while read -r uri suite; do
    option=
    [ -r "$keyring" ] && option="[signed-by=$keyring] "
    echo "deb-src $option$uri $suite main"
done <"$dir/apt/archives" >"$list"

apt() {
    apt-get -o Dir::Etc::sourcelist="$list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State::lists="$dir/apt/lists" -o Dir::Cache="$dir/apt/cache" \
        -o APT::Sandbox::User= -qq "$@" >>"$log" 2>&1
}

apt update || fail "apt-get update failed"

version=$(dpkg-query -W -f '${source:Version}' nginx 2>/dev/null) || version=

cd "$dir/apt"
rm -f nginx_*
if [ -z "$version" ] || ! apt source --download-only "nginx=$version"; then
    apt source --download-only nginx || fail "apt-get source nginx failed"
    echo "no source of the installed nginx ($version) any more:" \
         "taking $(ls nginx_*.dsc)" >&2
fi

# The signature of the uploader is not checked here: apt has compared the files
# with the signed index.
rm -rf "$dir/src"
dpkg-source --no-check --no-copy -x nginx_*.dsc "$dir/src.new" >>"$log" 2>&1 \
    || fail "dpkg-source -x failed"
mv "$dir/src.new" "$dir/src"
