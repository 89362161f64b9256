#!/usr/bin/env bash
# Builds the fuzz targets in build-fuzz/ and runs each for a while.
#
#   ./test/fuzz/run.sh                   each the same inputs every time, 20,000 or as many as 5 seconds do
#   ./test/fuzz/run.sh 60                each new ones, for a minute
#   ./test/fuzz/run.sh 600 scram expect  these
#
# A line for each target and one of counts: "N passed, N failed, N skipped". What is found is a failure: its input is
# kept in build-fuzz/found/ and shown. The corpus itself is not added to: README.md.
set -uo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
build=$top/build-fuzz found=$top/build-fuzz/found
# shellcheck source=contrib/packages.sh
. "$top/contrib/packages.sh"

seconds=5 how=(-seed=1 -runs=20000)
case ${1:-} in
[0-9]*) seconds=$1 how=() && shift ;;
esac
targets=()
for source in "$top"/test/fuzz/corpus/*/; do
	name=$(basename "$source")
	if [ $# -gt 0 ]; then case " $* " in *" $name "*) ;; *) continue ;; esac; fi
	targets+=("$name")
done
if [ ${#targets[@]} = 0 ]; then
	echo "There is no such target."
	echo "0 passed, 1 failed, 0 skipped"
	exit 1
fi
if ! echo 'int LLVMFuzzerTestOneInput(const char *p, unsigned long n) { return !p && n; }' |
	clang -x c -fsanitize=fuzzer - -o /dev/null 2>/dev/null; then
	echo "clang with libFuzzer is needed (Debian: clang, libclang-rt-14-dev)."
	echo "0 passed, 0 failed, ${#targets[@]} skipped"
	exit 0
fi
if ! build_sluice "$top" "$build" CC=clang --enable-fuzz --enable-werror; then
	echo "0 passed, 1 failed, 0 skipped"
	exit 1
fi

# Bytes of the longest input that is tried. Short ones are faster, and find more.
longest() {
	case $1 in
	expect) echo 512 ;;
	config | ini) echo 8192 ;;
	pg_login | pg_wire) echo 12000 ;; # over PG_LOGIN_BODY_MAX and PG_STARTUP_MAX
	*) echo 3000 ;;                   # over SCRAM_MSG_MAX
	esac
}

work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
mkdir -p "$found"
# What was freed is remembered up to this, in each of the programs.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=1:quarantine_size_mb=32
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
unset "${!SLUICE_@}"

passed=0 failed=0
for name in "${targets[@]}"; do
	log=$work/$name.log
	mkdir "$work/$name"
	cp "$top/test/fuzz/corpus/$name"/* "$work/$name/"
	(cd "$work" && exec timeout -k 10 $((seconds + 120)) "$build/test/fuzz/fuzz_$name" -max_total_time="$seconds" "${how[@]}" \
		-max_len="$(longest "$name")" -timeout=10 -rss_limit_mb=1024 -artifact_prefix="$found/$name-" "$name") \
		>"$log" 2>&1 </dev/null
	status=$?
	runs=$(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' "$log")
	covered=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
	if [ "$status" = 0 ] && [ -n "$runs" ]; then
		passed=$((passed + 1))
		printf '%-12s passed: %s inputs, %s edges\n' "$name" "$runs" "$covered"
		continue
	fi
	failed=$((failed + 1))
	printf '%-12s FAILED (exit status %s)\n' "$name" "$status"
	grep -E ': not so: |: assertion failed: |runtime error: |ERROR: |^SUMMARY: |^    #[0-9]+ .* in [a-z_]+ .*(src|test/fuzz)/' "$log" |
		head -n 20 | sed 's/^ */    /'
	input=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
	if [ -n "$input" ] && [ -e "$input" ]; then
		printf '    again: %s %s\n' "$build/test/fuzz/fuzz_$name" "$input"
		od -A x -t x1z -v "$input" | head -n 64 | sed 's/^/    /'
	else
		tail -n 20 "$log" | sed 's/^/    /'
	fi
done
printf '%d passed, %d failed, 0 skipped\n' "$passed" "$failed"
[ "$failed" = 0 ]
