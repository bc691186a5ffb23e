#!/bin/bash
# build-module.sh BUILD NGINX_DEV [NGINX_SRC]
# Builds ngx_http_rms_module.so: against the headers of Debian's nginx-dev, so
# that the packaged nginx loads it, or against a plain nginx tree.

set -eu

build=$1
dev=$2
src=${3:-}
root=$PWD

mkdir -p "$build"

# two builds in one folder would pull the headers from under each other
exec 9>"$build/.lock"
flock 9

log=$root/$build/module.log

fail() {
    echo "building the module failed; the end of $log:" >&2
    tail -n 30 "$log" >&2
    exit 1
}

if [ -n "$src" ]; then
    cd "$src"
    configure=./configure
    [ -x configure ] || configure=auto/configure
    flags=(--with-compat --with-threads --with-debug --with-http_ssl_module
           --with-http_v2_module --with-http_realip_module
           --with-http_auth_request_module)
    objs=$root/$build/objs-src

else
    if [ ! -r "$dev/conf_flags" ]; then
        echo "$dev: no nginx-dev here; install nginx-dev or say" \
             "make NGINX_SRC=/path/to/nginx" >&2
        exit 1
    fi

    # nginx's configure writes into its tree, so it works on a copy
    rm -rf "$build/nginx-dev"
    cp -r "$dev" "$build/nginx-dev"
    cd "$build/nginx-dev"
    . ./conf_flags
    configure=./configure
    flags=("${NGX_CONF_FLAGS[@]}")
    objs=$root/$build/objs
fi

cc_opt="-g -O2 -fstack-protector-strong -Wformat -Werror=format-security"
cc_opt="$cc_opt -fPIC -D_FORTIFY_SOURCE=2"

echo "building $build/ngx_http_rms_module.so (log: $build/module.log)"

"$configure" "${flags[@]}" --with-cc-opt="$cc_opt" --builddir="$objs" \
    --add-dynamic-module="$root" >"$log" 2>&1 || fail

make -s -k -f "$objs/Makefile" -j2 modules >>"$log" 2>&1 || fail

cp "$objs/ngx_http_rms_module.so" "$root/$build/"
