#!/bin/sh
# run.sh FOLDER MINUTES JOBS TARGET... - gives each target its share of
# MINUTES, JOBS at a time.  Below FOLDER: clang/ (the programs), found/ (inputs
# worth keeping, taken up by the next run), log/, crashes/.  Prints a line for
# each target; fails when one of them failed, then or with an input that an
# earlier run left in crashes/.

set -u

folder=$1 minutes=$2 jobs=$3
shift 3
seconds=$((minutes * 60 * jobs / $#))
[ $# -lt "$jobs" ] && seconds=$((minutes * 60))
[ "$seconds" -gt 0 ] || seconds=1
tree=$(dirname "$0")

mkdir -p "$folder/log" "$folder/crashes"
rm -f "$folder"/log/*.failed
export folder seconds tree
export ASAN_OPTIONS="malloc_context_size=2:quarantine_size_mb=16${ASAN_OPTIONS:+:$ASAN_OPTIONS}"

printf '%-10s %12s %8s %9s %s\n' target executions seconds findings ''

# shellcheck disable=SC2016
printf '%s\n' "$@" | xargs -P "$jobs" -I NAME sh -c '
    name=NAME
    log="$folder/log/$name"
    crashes="$folder/crashes/$name"
    mkdir -p "$folder/found/$name" "$crashes"
    dict=
    [ -f "$tree/dict/$name.dict" ] && dict="-dict=$tree/dict/$name.dict"

    # an old crash that is one no longer is only another input
    "$folder/clang/fuzz_$name" $dict -max_len=2048 -timeout=25 \
        -max_total_time="$seconds" -print_final_stats=1 \
        -artifact_prefix="$crashes/" \
        "$folder/found/$name" "$tree/corpus/$name" "$crashes" >"$log" 2>&1
    status=$?

    runs=$(sed -n "s/^stat::number_of_executed_units: *//p" "$log")
    [ -n "$runs" ] || runs=$(sed -n "s/^#\([0-9]*\).*/\1/p" "$log" | tail -n 1)
    took=$(sed -n "s/^Done .* in \([0-9]*\) second.*/\1/p" "$log")
    note=
    if [ "$status" -ne 0 ]; then
        : >"$log.failed"
        note=$(grep -m 1 -e "^SUMMARY" -e "^==.*ERROR" "$log")
    fi
    printf "%-10s %12s %8s %9s %s\n" "$name" "${runs:-0}" "${took:--}" \
        "$((status != 0))" "$note"
'

failed=$(find "$folder/log" -name '*.failed')
if [ -n "$failed" ]; then
    echo "failed; inputs below $folder/crashes, reports below $folder/log" >&2
    exit 1
fi
