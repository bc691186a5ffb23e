#!/bin/sh
# cppcheck.sh [FILE ...]: warnings, performance and portability over the core,
# the glue and the C of the tests.  t/check/cppcheck.suppress has the
# exceptions, each with its reason.

set -u

[ $# -gt 0 ] || set -- src ngx_rms_module t

cppcheck --std=c11 --quiet --error-exitcode=1 \
    --enable=warning,performance,portability \
    --suppressions-list=t/check/cppcheck.suppress \
    --template='{file}:{line}: {message} [{id}]' \
    -j2 -D_GNU_SOURCE -DNGX_THREADS=1 -Isrc "$@" 2>&1 || {
    echo "cppcheck: found something"
    exit 1
}

echo "cppcheck: $*"
