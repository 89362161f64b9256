#!/usr/bin/env bash
# Builds Sluice with the sanitizers and runs all its tests. Installs what they need.
#
#   ./test/run.sh                      everything
#   ./test/run.sh unit                 a part: unit, static, clang, fuzz, integration, newer, drivers, scripts
#   ./test/run.sh integration test_auth test_copy
#   ./test/run.sh fuzz 60              each fuzz target for a minute, with inputs of its own choice
#   ./test/run.sh property 600         the property tests with seeds by chance, for so many seconds (at most 1600)
#
# The last line counts tests: "N passed, N failed, N skipped". The exit status is 0 only when none failed.
# What runs for longer is not here: test/bench/README.md, test/fuzz/README.md,
# test/integration/README.md, test/regress.sh.
set -uo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=contrib/packages.sh
. "$top/contrib/packages.sh"
asan=$top/build-asan clang=$top/build-clang
passed=0 failed=0 skipped=0 bad=()

say() { printf '\n== %s\n' "$*"; }

# count NAME STATUS LOG: what a program printed of itself, or itself as one test.
count() {
	local line
	line=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$3" | tail -n 1)
	if [ -n "$line" ]; then
		# shellcheck disable=SC2086
		set -- "$1" "$2" "$3" $line
		passed=$((passed + $4)) failed=$((failed + $6)) skipped=$((skipped + $8))
		if [ "$2" != 0 ] && [ "$6" = 0 ]; then failed=$((failed + 1)); fi # ended badly behind its last test
	elif [ "$2" = 0 ]; then
		passed=$((passed + 1)) line=passed
	elif [ "$2" = 77 ]; then
		skipped=$((skipped + 1)) line="skipped: $(tail -n 1 "$3")"
	else
		failed=$((failed + 1)) line="failed (exit status $2)"
	fi
	printf '%-34s %s\n' "$1" "$line"
	if [ "$2" != 0 ] && [ "$2" != 77 ]; then
		bad+=("$1")
		sed 's/^/    /' "$3" | tail -n 60
	fi
}

# one NAME COMMAND...: a test that is a program.
one() {
	local name=$1 log status
	log=$asan/logs/${name//\//_}.log
	shift
	timeout -k 10 1800 "$@" >"$log" 2>&1 </dev/null
	status=$?
	count "$name" "$status" "$log"
}

# later NAME COMMAND...: the same beside others, as many at once as there are cores; settle counts them, in this order.
# Each has its own servers, ports and folders, and mostly waits.
at_once=${TEST_JOBS:-$(nproc)} running=0 queue=()
later() {
	local name=$1 log
	log=$asan/logs/${name//\//_}.log
	shift
	queue+=("$name")
	rm -f "$log.status"
	if [ "$running" -ge "$at_once" ]; then
		wait -n
		running=$((running - 1))
	fi
	(
		trap - EXIT INT TERM
		timeout -k 10 1800 "$@" >"$log" 2>&1 </dev/null
		echo $? >"$log.status"
	) &
	running=$((running + 1))
}
settle() {
	local name log
	wait
	for name in "${queue[@]}"; do
		log=$asan/logs/${name//\//_}.log
		count "$name" "$(cat "$log.status" 2>/dev/null || echo 1)" "$log"
		rm -f "$log.status"
	done
	running=0 queue=()
}

# Whatever it ends by, the last line counts.
finish() {
	trap - EXIT INT TERM
	# shellcheck disable=SC2046
	kill $(jobs -p) 2>/dev/null
	[ -z "${newer:-}" ] || rm -rf "$newer"
	[ ${#bad[@]} = 0 ] || printf '\nFailed: %s\n' "${bad[*]}"
	printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
	if [ "$failed" = 0 ] && [ $((passed + skipped)) -gt 0 ]; then exit 0; fi
	exit 1
}
trap finish EXIT
trap 'failed=$((failed + 1)) bad+=(interrupted); finish' INT TERM
give_up() { failed=$((failed + 1)) bad+=("$1"); finish; }

part=${1:-all}
case $part in
all | unit | static | clang | fuzz | integration | newer | drivers | scripts | property) ;;
*) give_up "there is no part \"$part\"" ;;
esac
[ $# = 0 ] || shift
wants() { [ "$part" = all ] || [ "$part" = "$1" ]; }

install_packages "${BUILD_PACKAGES[@]}" "${SERVER_PACKAGES[@]}" "${TEST_PACKAGES[@]}" || give_up "packages"

say "Building with AddressSanitizer and UndefinedBehaviorSanitizer"
build_sluice "$top" "$asan" --enable-asan --enable-werror || give_up "build"
mkdir -p "$asan/logs"
# The test programs, but none of them is run by make: here each is counted.
make -C "$asan" -j2 check TESTS= >"$asan/check.log" 2>&1 || { tail -40 "$asan/check.log"; give_up "build of the tests"; }
export SLUICE_BIN=$asan/src/sluice srcdir=$top top_srcdir=$top builddir=$asan top_builddir=$asan abs_top_builddir=$asan abs_top_srcdir=$top
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0} UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}

if wants unit; then
	say "Unit tests"
	one unit "$asan/test/unit/unit" "$@"
fi
if wants static; then
	say "Rules of the house"
	one check-floors bash "$top/test/check-floors.sh"
	one check-pgbouncer bash -c "cd '$asan' && bash '$top/test/check-pgbouncer.sh'"
	one check-manpage bash -c "cd '$asan' && bash '$top/test/check-manpage.sh'"
	one check-example "$asan/src/sluice" --check "$top/etc/sluice.ini"
	one check-install bash -c "cd '$asan' && bash '$top/test/check-install.sh'"
fi
if wants clang; then
	say "clang, warnings are errors"
	one clang bash -c ". '$top/contrib/packages.sh' && build_sluice '$top' '$clang' CC=clang --enable-werror && make -C '$clang' -j2 check TESTS="
fi
if wants fuzz; then
	say "Fuzz targets, for a short while"
	one fuzz "$top/test/fuzz/run.sh" "$@"
fi
if wants integration; then
	say "Integration tests, against PostgreSQL and MariaDB"
	for program in "$asan"/test/integration/test_*; do
		name=$(basename "$program")
		[ -x "$program" ] && [ -f "$program" ] && [ "${name%.*}" = "$name" ] || continue
		if [ $# -gt 0 ]; then case " $* " in *" $name "*) ;; *) continue ;; esac; fi
		later "$name" "$program"
	done
	# What works, works compressed.
	for name in test_my_prepared test_my_state test_my_errors test_my_property; do
		if [ $# -gt 0 ]; then case " $* " in *" $name "*) ;; *) continue ;; esac; fi
		later "$name, compressed" env TEST_MY_COMPRESS=1 SLUICE_SERVER_COMPRESSION=zlib "$asan/test/integration/$name"
	done
	# A server that tells nothing of its sessions.
	for name in test_my_state test_my_prepared test_my_errors test_my_charset test_my_commands test_my_session; do
		if [ $# -gt 0 ]; then case " $* " in *" $name "*) ;; *) continue ;; esac; fi
		later "$name, as an old one" env TEST_MY_OLD=5.5.5-10.1.48-MariaDB "$asan/test/integration/$name"
	done
	settle
fi
# server WHAT: this newer server in the folder $newer; sets $there, where its programs are, or it is skipped.
server() {
	newer=$(mktemp -d /tmp/sluice-newer.XXXXXX) # not TMPDIR: others than its owner read it
	chmod 755 "$newer"
	one "get-$1" "$top/test/servers/get.sh" "$1" "$newer"
	there=$(tail -n 1 "$asan/logs/get-$1.log")
}
if wants newer; then
	say "PostgreSQL 18: its server, its programs, its libpq"
	here=$(pg_config --bindir 2>/dev/null || dirname "$(printf '%s\n' /usr/lib/postgresql/*/bin/initdb | tail -n 1)")
	server postgresql
	if [ -x "$there/postgres" ]; then
		# What asks the server itself, and drives libpq; then the programs of each release, with the server of the other.
		for name in test_query test_sql test_state test_tracked test_pipeline test_prepared test_copy test_cancel test_auth test_kept test_protocol test_replication test_load test_execute test_meaning test_order test_property; do
			if [ $# -gt 0 ]; then case " $* " in *" $name "*) ;; *) continue ;; esac; fi
			cp "$asan/test/integration/$name" "$newer/$name" && "$top/test/servers/get.sh" lend "$newer" "$newer/$name"
			later "18/$name" env TEST_PG_BINDIR="$there" "$newer/$name"
		done
		if [ $# = 0 ]; then
			later "18/drivers" env TEST_PG_BINDIR="$there" "$top/test/drivers/run.sh" postgresql
			later "test_load, programs of 18" env TEST_PG_BINDIR="$here" TEST_CLIENT_BINDIR="$there" "$asan/test/integration/test_load"
			later "18/test_load, programs of here" env TEST_PG_BINDIR="$there" TEST_CLIENT_BINDIR="$here" "$asan/test/integration/test_load"
		fi
	fi
	settle
	rm -rf "$newer"
	say "MySQL 9: its server, its programs"
	server mysql
	if [ -x "$there/mysqld" ]; then
		for program in "$asan"/test/integration/test_my_*; do
			name=$(basename "$program")
			[ -x "$program" ] && [ -f "$program" ] && [ "${name%.*}" = "$name" ] || continue
			if [ $# -gt 0 ]; then case " $* " in *" $name "*) ;; *) continue ;; esac; fi
			later "9/$name" env TEST_MY_BINDIR="$there" "$program"
		done
		for name in test_my_prepared test_my_state; do
			if [ $# -gt 0 ]; then case " $* " in *" $name "*) ;; *) continue ;; esac; fi
			later "9/$name, compressed" env TEST_MY_BINDIR="$there" TEST_MY_COMPRESS=1 SLUICE_SERVER_COMPRESSION=zstd "$asan/test/integration/$name"
			later "9/$name, as an old one" env TEST_MY_BINDIR="$there" TEST_MY_OLD=same "$asan/test/integration/$name"
		done
	fi
	settle
	rm -rf "$newer"
fi
if [ "$part" = property ]; then
	say "The property test, with other seeds than always"
	half=$((${1:-600} / 2))
	one test_property env PROPERTY_FOR="$half" "$asan/test/integration/test_property" property
	one test_my_property env PROPERTY_FOR="$half" "$asan/test/integration/test_my_property" property
fi
if wants drivers; then
	say "Drivers, through Sluice and on its console"
	one drivers "$top/test/drivers/run.sh" "$@"
fi
if wants scripts; then
	say "The quick start, as a new user runs it"
	one quickstart "$top/contrib/quickstart.sh" --once
	# What is over when the script ends is not advertised.
	one "quickstart, its last words" bash -c '[ "$(tail -n 1 "$0")" = "It works." ] && ! grep "Connect with" "$0"' "$asan/logs/quickstart.log"
fi
