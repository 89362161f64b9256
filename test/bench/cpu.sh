#!/usr/bin/env bash
# CPU time of the proxy for each query: sluice, pgbouncer and a bare relay in turn, round after round, and their ratios.
#
#   cpu.sh [-d SECS] [-r ROUNDS] [-s SCENARIOS] [-o FILE] [TARGET...]
#     -d  length of a measurement (2)        -r  rounds (5); many short ones say more than a few long ones
#     -s  names with commas (all but bigval): simple extended prepared pipeline rw connect scram scram-plain big bigval tls
#         tls-big tls-connect
#     -o  appends the measurements to FILE, from which `tool.py report FILE` makes the table again
#   Targets: sluice, sluice-old (when SLUICE_OLD names a binary), pgbouncer (when it is there), pgbouncer-new (when
#   BENCH_PGBOUNCER_NEW names one), relay.
#
# prepared is over transaction pooling; a PgBouncer before 1.21, which cannot, has a server for each client.
# simple, extended, pipeline (10 statements a batch) and rw (pgbench's own transaction) count statements; connect, scram
# (the auth_file has a verifier) and scram-plain (it has the password) count connections with one query; big is a result of
# 1 MB in 10,000 rows, bigval one of 1 MB in one value. tls, tls-big and tls-connect are simple, big and connect with
# clients that encrypt to the proxy, which does not to the server; not for the relay, which does not encrypt.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

ALL=(simple extended prepared pipeline rw connect scram scram-plain big bigval tls tls-big tls-connect)
SCENARIOS=(simple extended prepared pipeline rw connect scram scram-plain big tls tls-big tls-connect)
read_options d:r:s:o:h "$@"
if [ ${#TARGETS[@]} = 0 ]; then
	TARGETS=(sluice)
	[ -z "$SLUICE_OLD" ] || TARGETS+=(sluice-old)
	! has_pgbouncer || TARGETS+=(pgbouncer)
	[ -z "$PGBOUNCER_NEW" ] || TARGETS+=(pgbouncer-new)
	TARGETS+=(relay)
fi

# Sets ARGS of pgbench, CLIENTS, EACH (what is counted in one of its transactions), AUTH and BASE (the database).
scenario() {
	CLIENTS=32 EACH=1 AUTH=trust BASE=$DB
	case $1 in
	simple) ARGS=(-S -M simple) ;;
	extended) ARGS=(-S -M extended) ;;
	prepared) ARGS=(-S -M prepared) AUTH=prepared ;;
	pipeline) ARGS=(-M extended -f "$TMP/pipeline.sql") EACH=10 ;;
	rw) ARGS=(-M simple) EACH=7 ;;
	connect) ARGS=(-C -S -M simple) ;;
	scram | scram-plain) ARGS=(-C -S -M simple) AUTH=$1 BASE=$DB_SCRAM ;;
	tls) ARGS=(-S -M simple) AUTH=tls ;;
	tls-big) ARGS=(-M simple -f "$TMP/big.sql") CLIENTS=8 AUTH=tls ;;
	tls-connect) ARGS=(-C -S -M simple) AUTH=tls ;;
	big) ARGS=(-M simple -f "$TMP/big.sql") CLIENTS=8 ;;
	bigval) ARGS=(-M simple -f "$TMP/bigval.sql") CLIENTS=8 ;;
	esac
}

write_scripts() {
	local rows=$((SCALE * 100000)) i
	{
		printf '%s\n' '\startpipeline'
		for i in {1..10}; do
			echo "\\set a random(1, $rows)"
			echo 'SELECT abalance FROM pgbench_accounts WHERE aid = :a;'
		done
		printf '%s\n' '\endpipeline'
	} >"$TMP/pipeline.sql"
	{
		echo "\\set a random(1, $((rows - 10000)))"
		echo 'SELECT aid, bid, abalance, filler FROM pgbench_accounts WHERE aid BETWEEN :a AND :a + 9999;'
	} >"$TMP/big.sql"
	echo "SELECT repeat('x', 1048576);" >"$TMP/bigval.sql"
}

fits() { # TARGET: the relay does not encrypt
	[ "$1" != relay ] || [ "$AUTH" != tls ]
}
counted() { sed -n 's/^number of transactions actually processed: \([0-9]*\).*/\1/p' "$TMP/pgbench.out"; }

raise_files 0 >/dev/null
bench_begin
write_scripts
start_postgres
measure_all
