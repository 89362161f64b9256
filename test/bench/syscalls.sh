#!/usr/bin/env bash
# System calls of the proxy for each query in steady state, and for each connection that is opened, asks one query, and is
# closed.
#
#   syscalls.sh [-d SECS] [-q CALLS] [-c CALLS] [-S] [TARGET...]     targets: sluice, pgbouncer (those there are), relay
#     -d  length of a measurement (3)
#     -q  most calls of sluice for a query of `pgbench -S -M simple`, 32 clients over 20 servers (4.4)
#     -c  most calls of sluice for a connection of `pgbench -C` (16); exit status 1 above either
#     -S  count with strace even where perf can (it slows the proxy, which then waits less often than it really does)
# SLUICE: the daemon to measure; SLUICE_OLD: another one beside it (target sluice-old). Exit status 77: nothing can count
# here.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

SECS=3 QUERY_LIMIT=4.4 CONNECT_LIMIT=16 WITH=''
while getopts d:q:c:Sh o; do
	case $o in
	d) SECS=$OPTARG ;;
	q) QUERY_LIMIT=$OPTARG ;;
	c) CONNECT_LIMIT=$OPTARG ;;
	S) WITH=strace ;;
	h) usage 0 ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
TARGETS=("$@")
if [ $# = 0 ]; then
	TARGETS=(sluice)
	[ -z "$SLUICE_OLD" ] || TARGETS+=(sluice-old)
	! has_pgbouncer || TARGETS+=(pgbouncer)
fi

# perf counts in the kernel and disturbs little, but needs rights to the tracepoints; strace needs the right to attach.
# All calls are counted as one event, those that a proxy may well make also by name: hundreds of events take minutes to
# set up.
EVENTS=raw_syscalls:sys_enter
for call in read write readv writev recvfrom sendto recvmsg sendmsg splice close accept accept4 socket connect shutdown bind \
	getsockname getpeername getsockopt setsockopt fcntl ioctl epoll_wait epoll_pwait epoll_pwait2 epoll_ctl poll ppoll \
	timerfd_settime clock_gettime getpid getrandom futex brk mmap munmap madvise; do
	EVENTS+=,syscalls:sys_enter_$call
done
can_perf() { [ "$(perf stat -x, -e "$EVENTS" -- true 2>&1 | grep -c '^[1-9][0-9]*,.*sys_enter')" -gt 1 ]; }

# counted SCENARIO CLIENTS LOAD_ARGS...: runs the load with the calls of PID counted. Sets CALLS and PARTS.
counted() {
	local clients=$1 n got
	shift
	if [ "$WITH" = perf ]; then
		# perf ends with the command that it is given; the function has to be a command for that.
		export -f load
		export HOST ROLE PASSWORD PGBIN TMP
		perf stat -x, -e "$EVENTS" -p "$PID" -o "$TMP/calls" -- \
			bash -c 'load "$@"' load "$PORT" "$clients" "$SECS" "$DB" "$@" || return 1
	else
		strace -c -f -qq -p "$PID" -o "$TMP/calls" 2>"$TMP/strace.err" &
		local tracer=$!
		until grep -q 'TracerPid:[[:space:]]*[1-9]' "/proc/$PID/status"; do
			kill -0 $tracer 2>/dev/null || { cat "$TMP/strace.err" >&2; return 77; }
			sleep 0.05
		done
		load "$PORT" "$clients" "$SECS" "$DB" "$@"
		n=$?
		kill -INT $tracer
		wait $tracer
		[ $n = 0 ] || return 1
	fi
	n=$(sed -n 's/^number of transactions actually processed: \([0-9]*\).*/\1/p' "$TMP/pgbench.out")
	[ "${n:-0}" -gt 0 ] || return 1
	got=$(tool calls "$WITH" "$TMP/calls" "$n")
	CALLS=${got%%$'\n'*}
	PARTS=${CALLS#* } CALLS=${CALLS%% *}
}

# counted_or_end TARGET WHAT LIMIT CLIENTS ARGS...
counted_or_end() {
	local t=$1 what=$2 limit=$3 rc
	shift 3
	counted "$@"
	rc=$?
	[ $rc != 77 ] || { say "cannot attach to the proxy: nothing counted"; exit 77; }
	[ $rc = 0 ] || die "$t: the load failed"
	printf '%-11s %-8s %6s   %s\n' "$t" "$what" "$CALLS" "$PARTS"
	if [ "$t" = sluice ] && awk -v a="$CALLS" -v b="$limit" 'BEGIN { exit !(a > b) }'; then
		echo "sluice is above the limit of $limit for a $what"
		status=1
	fi
}

if [ -z "$WITH" ] && can_perf; then WITH=perf; else WITH=strace; fi
if [ $WITH = strace ] && ! command -v strace >/dev/null; then
	say "neither perf with tracepoints nor strace is here: nothing counted"
	exit 77
fi
raise_files 0 >/dev/null
bench_begin
start_postgres
status=0
echo "System calls (counted by $WITH)"
printf '%-11s %-8s %6s   %s\n' target each calls 'of which'
for t in "${TARGETS[@]}"; do
	start_target "$t" trust
	load "$PORT" 32 1 $DB -S -M simple || die "the warm-up of $t failed"
	counted_or_end "$t" query "$QUERY_LIMIT" 32 -S -M simple
	counted_or_end "$t" connect "$CONNECT_LIMIT" 32 -C -S -M simple
	stop "$PID"
done
exit $status
