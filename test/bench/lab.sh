#!/usr/bin/env bash
# Sluice as the system under test of a larger bench lab, where there is one.
#
#   LAB=/path/to/lab SLUICE=/path/to/sluice lab.sh [what the lab's bench.sh takes]
#
# The lab runs $SUT_CMD in the foreground with the servers' ports and users in LAB_*, and asks it on SUT_PG_PORT.

BENCH=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${SLUICE:=$BENCH/../../src/sluice}"
: "${SUT_PG_PORT:=22001}"
if [ ! -x "${LAB:-}/bench.sh" ] || [ ! -x "$SLUICE" ]; then
	echo "lab.sh: set LAB to the lab's directory, and SLUICE to the daemon" >&2
	exit 2
fi
if [ "$1" = --serve ]; then # called back by the lab
	cat >"$LAB_SUT_DIR/users" <<-C
		"$LAB_PG_USER" ""
		"$LAB_PG_SCRAM_USER" "$LAB_PASSWORD"
	C
	cat >"$LAB_SUT_DIR/sluice.ini" <<-C
		[databases]
		$LAB_PG_DB = host=127.0.0.1 port=$LAB_PG_PORT dbname=$LAB_PG_DB
		[sluice]
		listen_addr = 127.0.0.1
		listen_port = $SUT_PG_PORT
		unix_socket_dir =
		auth_type = ${SUT_AUTH:-trust}
		auth_file = $LAB_SUT_DIR/users
		pool_mode = transaction
		default_pool_size = $LAB_POOL
		max_client_conn = $LAB_MAXCONN
		server_idle_timeout = 3600
		server_lifetime = 36000
		log_connections = 0
		log_disconnections = 0
	C
	user=()
	if [ "$(id -u)" = 0 ]; then
		# The unprivileged user must be able to read all of it.
		cp "$SLUICE" "$LAB_SUT_DIR/sluice"
		chmod -R a+rX "$LAB_SUT_DIR"
		SLUICE=$LAB_SUT_DIR/sluice
		user=(setpriv --reuid="${BENCH_USER:-nobody}" --regid="$(id -g "${BENCH_USER:-nobody}")" --clear-groups --)
	fi
	exec "${user[@]}" "$SLUICE" -q "$LAB_SUT_DIR/sluice.ini"
fi
SLUICE=$(realpath "$SLUICE")
export LAB SLUICE SUT_PG_PORT SUT_CMD="$BENCH/lab.sh --serve"
exec "$LAB/bench.sh" "$@"
