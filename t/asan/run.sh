#!/bin/sh
# run.sh BUILD UNIT...
# The whole suite on what "make test-asan" has built in BUILD.  Fails when a test
# fails, when a sanitizer wrote a report, or when no worker was looked at for
# leaks.
#
# Reports go to files, since nginx puts its error log over stderr.  Their folder
# is in TMPDIR, where workers that run as nobody can write; it is copied to
# BUILD/reports.

set -u

build=$1
shift
root=$PWD
jobs=${JOBS:-2}

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
trap 'exit 130' INT TERM HUP
chmod 1777 "$out"
: >"$out/.leaks"
chmod 666 "$out/.leaks"

export BUILD="$build" CMOCKA_MESSAGE_OUTPUT=TAP
export TEST_RMS_STATIC=1 TEST_NGINX_BINARY="$root/$build/nginx"
export TEST_RMS_DEADLINE="${TEST_RMS_DEADLINE:-60}" TEST_RMS_GRACE=3
export LEAK_CHECK_LOG="$out/.leaks"

export ASAN_OPTIONS="detect_leaks=1:handle_sigill=1:log_path=$out/asan"

# where those that run as nobody can read them, wherever the tree is
cat t/asan/lsan.supp >"$out/.lsan.supp"
cat t/asan/lsan.supp t/asan/lsan-keytab.supp >"$out/.lsan-keytab.supp"
cat t/asan/lsan.supp t/asan/lsan-ntlm.supp >"$out/.lsan-ntlm.supp"

failed=0

# run SUPPRESSIONS TEST...
run() {
    export LSAN_OPTIONS="suppressions=$1:print_suppressions=0"
    shift
    [ $# -eq 0 ] || prove -j"$jobs" "$@" || failed=1
}

# units and corpora: nothing may be left at exit
run "$out/.lsan.supp" "$@" t/fuzz_corpus.t

# nginx: t/asan/leak says when to look
ASAN_OPTIONS="$ASAN_OPTIONS:leak_check_at_exit=0"
tests=${TESTS:-$(ls t/*.t t/lib/selftest.t | grep -v '^t/fuzz_corpus.t$')}
keytab=t/rms_auth_keytab.t

ntlm=$(grep -l ntlm_user_file $tests /dev/null)

others() {
    printf '%s\n' $tests | grep -vxF "$keytab" | grep -vxF "${ntlm:-none}"
}

run "$out/.lsan.supp" $(others)
run "$out/.lsan-keytab.supp" $(printf '%s\n' $tests | grep -xF $keytab)

# whole stacks, or a leak of libcrypto would not show who asked for it
ASAN_OPTIONS="$ASAN_OPTIONS:fast_unwind_on_malloc=0"
run "$out/.lsan-ntlm.supp" $ntlm

rm -rf "$build/reports"
cp -r "$out" "$build/reports"
reports=$(find "$out" -type f -not -name '.*' | wc -l)
workers=$(wc -c <"$out/.leaks")

if [ "$reports" -ne 0 ]; then
    grep -h SUMMARY: "$out"/* | sort | uniq -c >&2
    echo "sanitizers: $reports reports, see $build/reports" >&2
    failed=1
fi

if [ "$workers" -eq 0 ]; then
    echo "sanitizers: no worker left gracefully, so no leak was looked for" >&2
    failed=1
fi

[ "$failed" -eq 0 ] && verdict=PASS || verdict=FAIL
echo "sanitizers: $reports reports, $workers workers looked at for leaks: $verdict"

exit "$failed"
