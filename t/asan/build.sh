#!/bin/sh
# build.sh DIR FLAGS
# Builds DIR/nginx from DIR/src with the module linked in and sanitizers on.
# Configured again only when a file "config" or this script is newer; nginx's
# own makefile knows which objects are stale.

set -eu

dir=$(cd "$1" && pwd)
flags=$2
root=$PWD
log=$dir/nginx.log

fail() {
    echo "building nginx with sanitizers failed; the end of $log:" >&2
    tail -n 30 "$log" >&2
    exit 1
}

# The modules of Debian's nginx that the tests load the module beside.
# NGX_DEBUG_PALLOC gives every ngx_palloc() a malloc() of its own, so that ASan
# sees its bounds and its end.
configure() {
    ./configure --builddir="$dir/objs" --prefix="$dir" \
        --with-compat --with-threads --with-debug \
        --with-http_ssl_module --with-http_v2_module \
        --with-http_realip_module --with-http_auth_request_module \
        --with-http_addition_module --with-http_sub_module \
        --with-http_stub_status_module --with-http_slice_module \
        --with-http_gunzip_module --with-http_dav_module \
        --with-cc-opt="$flags -DNGX_DEBUG_PALLOC=1" \
        --with-ld-opt="-fsanitize=address,undefined" \
        --add-module="$root" --add-module="$root/t/asan/leak" \
        >"$log" 2>&1 || fail
}

stale() {
    [ ! -e "$dir/objs/Makefile" ] \
        || [ -n "$(find config t/asan/build.sh t/make/asan.mk \
                        t/asan/leak/config \
                        "$dir/src/configure" \
                        -newer "$dir/objs/Makefile")" ]
}

echo "building $1/nginx (log: $1/nginx.log)"

if stale; then
    (cd "$dir/src" && configure)
fi

(cd "$dir/src" && make -s -f "$dir/objs/Makefile" -j"${JOBS:-2}" binary) \
    >>"$log" 2>&1 || fail

ln -f "$dir/objs/nginx" "$dir/nginx"
