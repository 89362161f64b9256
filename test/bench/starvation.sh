#!/usr/bin/env bash
# Two users who share ten server connections: one has 200 clients, the other two, all of whom run statements that take 20
# ms, one after another. What the second user's statements take (median and 99th percentile), alone and beside the first.
#
#   starvation.sh [-t SECS] [-c CLIENTS] [-f FACTOR] [TARGET...]      targets: sluice, pgbouncer (those there are)
#     -t  seconds of each measurement (10)
#     -c  clients of the first user (200)
#     -f  how much longer the 99th percentile may be beside the first, for sluice; exit status 1 above it (3)
# shared: one user is forced upon both, so that they stand in one line; max_db: each has a pool, and max_db_connections
# is for both.
# SLUICE: the daemon to measure; SLUICE_OLD: another one beside it (target sluice-old).

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

SECS=10 MANY=200 FACTOR=3
while getopts t:c:f:h o; do
	case $o in
	t) SECS=$OPTARG ;;
	c) MANY=$OPTARG ;;
	f) FACTOR=$OPTARG ;;
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
raise_files 0 >/dev/null
MAX_CLIENTS=$((MANY + 100))

# Databases and users of our own, in place of lib.sh's.
target_on_port() { # NAME AUTH
	local ini=$TMP/$1.ini
	printf '"%s" ""\n' "$ROLE" many few >"$ini.users"
	cat >"$ini" <<-C
		[databases]
		$DB = host=$HOST port=$PG_PORT dbname=$DB
		shared = host=$HOST port=$PG_PORT dbname=$DB user=$ROLE pool_size=10
		max_db = host=$HOST port=$PG_PORT dbname=$DB max_db_connections=10
		[pgbouncer]
		listen_addr = $HOST
		listen_port = $PORT
		unix_socket_dir =
		auth_type = trust
		auth_file = $ini.users
		pool_mode = transaction
		default_pool_size = 10
		max_client_conn = $MAX_CLIENTS
		log_connections = 0
		log_disconnections = 0
		server_tls_sslmode = disable
	C
	case $1 in
	pgbouncer) spawn "$1" "$PGBOUNCER" -q "$ini" ;;
	*) spawn "$1" "$TMP/bench-$1" -q "$ini" ;;
	esac
}

# What the statements of the few took, milliseconds: median, 99th percentile, and how many there were.
few() { # DATABASE
	rm -f "$TMP"/few.log*
	(cd "$TMP" && run_as_user "$PGBIN/pgbench" -n -h "$HOST" -p "$PORT" -U few -c 2 -T "$SECS" -f "$TMP/sleep.sql" \
		-l --log-prefix="$TMP/few.log" "$1") >"$TMP/few.out" 2>&1 || { tail -3 "$TMP/few.out" >&2; die "the load failed"; }
	cat "$TMP"/few.log* | sort -n -k3,3 |
		awk '{ us[NR] = $3 } END { if (NR) printf "%.1f %.1f %d\n", us[int((NR + 1) / 2)] / 1000, us[int(NR * 0.99)] / 1000, NR }'
}

bench_begin
start_postgres
"$PGBIN/psql" -XAtq -h "$HOST" -p "$PG_PORT" -U "$ROLE" -d "$DB" -c 'create role many login' -c 'create role few login' ||
	die "no roles"
echo 'select pg_sleep(0.02);' >"$TMP/sleep.sql"
status=0
echo "2 clients of one user beside $MANY of another: milliseconds of their statements of 20 ms, over 10 connections"
printf '%-11s %-7s %15s %15s %8s %7s\n' target share 'alone: p50, p99' 'beside: p50,p99' 'p99 x' served
for t in "${TARGETS[@]}"; do
	start_target "$t" trust
	for share in shared max_db; do
		read -r alone50 alone99 _ <<<"$(few "$share")"
		(cd "$TMP" && run_as_user "$PGBIN/pgbench" -n -h "$HOST" -p "$PORT" -U many -c "$MANY" -j 2 -T $((SECS + 4)) \
			-f "$TMP/sleep.sql" "$share") >"$TMP/many.out" 2>&1 &
		many=$!
		sleep 2 # all of them are in, and wait
		read -r with50 with99 served <<<"$(few "$share")"
		wait "$many" || { tail -3 "$TMP/many.out" >&2; die "the load of the many failed"; }
		times=$(awk "BEGIN { printf \"%.1f\", ${with99:-0} / ${alone99:-1} }")
		printf '%-11s %-7s %7s %7s %7s %7s %8s %7s\n' "$t" "$share" "$alone50" "$alone99" "${with50:--}" "${with99:--}" \
			"$times" "${served:-0}"
		if [ "$t" = sluice ] && awk "BEGIN { exit !($times > $FACTOR || ${served:-0} == 0) }"; then
			echo "above the factor of $FACTOR"
			status=1
		fi
	done
	stop "$PID"
done
exit $status
