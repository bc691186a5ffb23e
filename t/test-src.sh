#!/bin/bash
# test-src.sh BUILD NGINX_SRC [JOBS]
# Builds a plain nginx tree with the module, once loadable and once linked in,
# and runs the integration tests on both.  The tree is left as it is: nginx's
# configure writes into the one it runs in, so it works on a copy.

set -eu

build=$1
src=$2
jobs=${3:-2}
root=$PWD

if [ ! -r "$src/src/core/nginx.h" ]; then
    echo "say which tree: make test-src NGINX_SRC=/path/to/nginx" >&2
    exit 2
fi

version=$(sed -nE 's/^#define NGINX_VERSION +"(.*)"/\1/p' \
    "$src/src/core/nginx.h")
mkdir -p "$build"
top=$(realpath "$build")/nginx-$version
rm -rf "$top"
mkdir "$top"

# The modules that the tests load this one beside: those of Debian's nginx.

flags=(--with-threads --with-debug --with-http_ssl_module --with-http_v2_module
       --with-http_realip_module --with-http_auth_request_module
       --with-http_addition_module --with-http_sub_module
       --with-http_stub_status_module --with-http_slice_module
       --with-http_gunzip_module --with-http_dav_module)


# build dynamic|static OPTION

build() {
    local log=$top/$1.log configure=./configure
    echo "building nginx $version, module $1 (log: $log)"
    cp -r "$src" "$top/$1"
    rm -rf "$top/$1/objs"
    if (
        cd "$top/$1"
        [ -x configure ] || configure=auto/configure
        "$configure" "${flags[@]}" "$2=$root" && make -s -j2
    ) >"$log" 2>&1; then
        return
    fi
    tail -n 30 "$log" >&2
    exit 1
}


# Every integration test runs in both forms, also when one form fails.

status=0

build dynamic --add-dynamic-module
TEST_NGINX_BINARY=$top/dynamic/objs/nginx \
TEST_RMS_MODULE=$top/dynamic/objs/ngx_http_rms_module.so \
    prove -j"$jobs" t/rms_*.t t/lib/selftest.t || status=1

build static --add-module
TEST_NGINX_BINARY=$top/static/objs/nginx TEST_RMS_STATIC=1 \
    prove -j"$jobs" t/rms_*.t t/lib/selftest.t || status=1

exit $status
