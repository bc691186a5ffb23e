#!/bin/bash
# tidy.sh BUILD [FILE ...]: clang-tidy with the list of .clang-tidy over the
# core and the glue, which needs the headers the module was built with.
# t/check/tidy.suppress has the exceptions, each with its reason.

set -u

build=$1
shift
[ $# -gt 0 ] || set -- src/*.c ngx_rms_module/*.c

nginx=$build/nginx-dev/src
objs=$build/objs
if [ ! -r "$objs/ngx_auto_config.h" ]; then
    echo "tidy: no $objs/ngx_auto_config.h; run make module first"
    exit 1
fi

export nginx objs

# The largest first, on two cores; one file a run, since clang-tidy 14 forgets
# va_start() in the second of several (LLVM 41311).
said=$(ls -S "$@" | xargs -P 2 -I FILE sh -c '
    out=$(mktemp) || exit 255
    case $1 in
    ngx_rms_module/*)
        set -- "$1" -I"$nginx/core" -I"$nginx/event" -I"$nginx/event/modules" \
            -I"$nginx/os/unix" -I"$nginx/http" -I"$nginx/http/modules" \
            -I"$nginx/http/v2" -I"$objs" -Ingx_rms_module
    esac
    file=$1
    shift
    clang-tidy --quiet --header-filter="^$PWD/(src|ngx_rms_module)/" "$file" \
        -- -std=gnu11 -D_GNU_SOURCE -Isrc -I/usr/include/libxml2 "$@" \
        >"$out" 2>/dev/null || echo "$file:0:0: error: clang-tidy failed [run]" >>"$out"
    grep -E "(warning|error): .*\[[^]]+\]$" "$out"
    rm -f "$out"' sh FILE | sed "s|^$PWD/||" | sort -u)

# the exceptions: FILE CHECK, a reason in the comment above
wrong=$(printf '%s\n' "$said" | awk '
    NR == FNR { if ($0 !~ /^#/ && NF == 2) known[$1 " " $2] = 1; next }
    NF {
        file = $0; sub(/:.*/, "", file)
        check = $0; sub(/.*\[/, "", check); sub(/\]$/, "", check)
        if (!((file " " check) in known)) print
    }' t/check/tidy.suppress -)

if [ -n "$wrong" ]; then
    printf '%s\n' "$wrong"
    echo "tidy: $(printf '%s\n' "$wrong" | wc -l) wrong"
    exit 1
fi

echo "tidy: $# files"
