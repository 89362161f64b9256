#!/usr/bin/env bash
# CPU time of the proxy for each query of MySQL: sluice, mysqlrouter, haproxy and a bare relay in turn, round after round, and
# their ratios. cpu.sh is the same for PostgreSQL.
#
#   my_cpu.sh [-d SECS] [-r ROUNDS] [-s SCENARIOS] [-o FILE] [-l] [TARGET...]
#     -d  length of a measurement (2)        -r  rounds (5); many short ones say more than a few long ones
#     -s  names with commas: point prepared rw connect big
#     -o  appends the measurements to FILE, from which `tool.py report FILE` makes the table again
#     -l  ends with status 1 when sluice is above what is promised of it, in parts of the relay's: 1.15 for point, prepared
#         and rw, 0.6 for connect, 1.2 for big
#   Targets: sluice, sluice-old (when SLUICE_OLD names a binary), mysqlrouter and haproxy (when they are there), relay.
#
# 32 clients of sysbench over 20 servers, transaction pooling. point and prepared ask for one row, by its key, as a text and
# as a prepared statement; rw is sysbench's oltp_read_write, 20 statements a transaction; these count statements. connect
# counts connections with one query; big is a result of 1 MB in 5,000 rows, 8 clients. MY_SERVER=mysql has MySQL 9
# (../servers) instead of MariaDB. MySQL Router is from there too. It shares no servers before a MariaDB, and before a MySQL
# it does not let sysbench in, whose library does not give it a password in plain.

# shellcheck source-path=SCRIPTDIR source=my_lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/my_lib.sh"

ALL=(point prepared rw connect big)
SCENARIOS=("${ALL[@]}")
read_options d:r:s:o:lh "$@"

# Sets ARGS of sysbench, CLIENTS, EACH (what is counted in one of its events), AUTH and BASE.
scenario() {
	CLIENTS=32 EACH=1 AUTH=password BASE=$DB
	case $1 in
	point) ARGS=(oltp_point_select --db-ps-mode=disable) ;;
	prepared) ARGS=(oltp_point_select --db-ps-mode=auto) ;;
	rw) ARGS=(oltp_read_write --db-ps-mode=disable) EACH=20 ;;
	connect) ARGS=("$BENCH/my_connect.lua") ;;
	big) ARGS=("$BENCH/my_big.lua") CLIENTS=8 ;;
	esac
}
fits() { true; }
counted() { sed -n 's/^ *total number of events: *\([0-9]*\)$/\1/p' "$TMP/sysbench.out"; }

raise_files 0 >/dev/null
bench_begin find_mysql
if [ ${#TARGETS[@]} = 0 ]; then
	TARGETS=(sluice)
	[ -z "$SLUICE_OLD" ] || TARGETS+=(sluice-old)
	if [ "$MY_SERVER" = mysql ]; then
		say "no mysqlrouter before MySQL"
	elif get_mysql; then
		TARGETS+=(mysqlrouter)
	else
		say "no mysqlrouter: $(tail -n 1 "$TMP/get.log")"
	fi
	! has_haproxy || TARGETS+=(haproxy)
	TARGETS+=(relay)
else
	case " ${TARGETS[*]} " in *" mysqlrouter "*) get_mysql || die "no mysqlrouter" ;; esac
fi
start_mysql
measure_all
[ -z "$LIMITS" ] || tool limits "$RESULTS" sluice relay point=1.15 prepared=1.15 rw=1.15 connect=0.6 big=1.2
