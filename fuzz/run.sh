#!/usr/bin/env bash
# Fuzz csrc/wire and csrc/session: fuzz/run.sh SECONDS [libFuzzer's own options]
#
# Half of the time for csrc/session; of the other, a third each: what this processor runs by itself, what one without
# AVX-512 runs, and one without AVX2. Builds into build/fuzz/, keeps what it learns in build/fuzz/corpus/ and
# build/fuzz/corpus_session/, and leaves an input that breaks something as build/fuzz/crash-*. CLANG names the compiler,
# `clang` by default. With TRACE=1 in its environment, build/fuzz/fuzz_session says what happens in an input.
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
mkdir -p "$build/corpus" "$build/corpus_session"

if ! echo 'int LLVMFuzzerTestOneInput(const char *d, long n); int LLVMFuzzerTestOneInput(const char *d, long n) { return d == 0 && n; }' |
    "$clang" -x c -fsanitize=fuzzer,address,undefined -o "$build/probe" - 2>"$build/probe.log"; then
    echo "fuzz: no clang with libFuzzer (Debian: apt-get install clang libclang-rt-14-dev, or the number of your clang)" >&2
    exit 1
fi

# build PROGRAM ARGUMENTS…
build() {
    "$clang" -std=c11 -D_GNU_SOURCE -g -O1 -Wall -Wextra -Wconversion -Wshadow -Werror -fno-sanitize-recover=all \
        -fsanitize=fuzzer,address,undefined -Icsrc -Itests/wire "${@:2}" csrc/wire/*.c csrc/wire/*/*.c -o "$1"
}

# run PROGRAM SECONDS OPTIONS…: its inputs are added to `runs`.
runs=0
run() {
    local program=$1 log=$1.log
    if ! "$program" -max_total_time="$2" -timeout=10 -artifact_prefix="$build/" -print_final_stats=1 "${@:3}" \
        >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        echo "fuzz: FOUND SOMETHING; the input is $build/crash-* (or timeout-*, oom-*), the program $program," \
            "the log $log" >&2
        exit 1
    fi
    runs=$((runs + $(sed -n 's/^stat::number_of_executed_units: *//p' "$log")))
}

for without in NOTHING WIRE_NO_HUGE WIRE_NO_WIDE; do
    build "$build/fuzz_wire-$without" "-D$without" fuzz/fuzz_wire.c
    run "$build/fuzz_wire-$without" $(((seconds + 5) / 6)) -max_len=2048 -dict=fuzz/literal.dict "$@" \
        "$build/corpus" fuzz/corpus
done

failing=()
for name in malloc calloc realloc strdup strndup; do
    failing+=("-D$name=failing_$name")
done
build "$build/fuzz_session" "${failing[@]}" fuzz/fuzz_session.c csrc/session/*.c
run "$build/fuzz_session" $(((seconds + 1) / 2)) -max_len=1024 -len_control=0 "$@" "$build/corpus_session" fuzz/corpus_session
echo "fuzz: nothing found in $seconds s, $runs inputs"
