#!/usr/bin/env bash
# Fuzz csrc/wire: fuzz/run.sh SECONDS [libFuzzer's own options]
#
# A third of the time each: what this processor runs by itself, what one without AVX-512 runs, and one without AVX2.
# Builds into build/fuzz/, keeps what it learns in build/fuzz/corpus/, and leaves an input that breaks something as
# build/fuzz/crash-*. CLANG names the compiler, `clang` by default.
set -euo pipefail

if [[ $# -lt 1 || ! $1 =~ ^[0-9]+$ ]]; then
    echo "usage: $0 SECONDS [libFuzzer options]" >&2
    exit 2
fi
seconds=$1
shift

cd "$(dirname "$0")/.."
build=build/fuzz
clang=${CLANG:-clang}
mkdir -p "$build/corpus"

if ! echo 'int LLVMFuzzerTestOneInput(const char *d, long n); int LLVMFuzzerTestOneInput(const char *d, long n) { return d == 0 && n; }' |
    "$clang" -x c -fsanitize=fuzzer,address,undefined -o "$build/probe" - 2>"$build/probe.log"; then
    echo "fuzz: no clang with libFuzzer (Debian: apt-get install clang libclang-rt-14-dev, or the number of your clang)" >&2
    exit 1
fi

runs=0
for without in NOTHING WIRE_NO_HUGE WIRE_NO_WIDE; do
    program=$build/fuzz_wire-$without log=$build/log-$without
    "$clang" -std=c11 -g -O1 -Wall -Wextra -Wconversion -Wshadow -Werror -fno-sanitize-recover=all \
        -fsanitize=fuzzer,address,undefined "-D$without" -Icsrc -Itests/wire fuzz/fuzz_wire.c \
        csrc/wire/*.c csrc/wire/*/*.c \
        -o "$program"
    if ! "$program" -max_total_time=$(((seconds + 2) / 3)) -max_len=2048 -timeout=10 -dict=fuzz/literal.dict \
        -artifact_prefix="$build/" -print_final_stats=1 "$@" "$build/corpus" fuzz/corpus >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        echo "fuzz: FOUND SOMETHING; the input is $build/crash-* (or timeout-*, oom-*), the program $program," \
            "the log $log" >&2
        exit 1
    fi
    runs=$((runs + $(sed -n 's/^stat::number_of_executed_units: *//p' "$log")))
done
echo "fuzz: nothing found in $seconds s, $runs inputs"
