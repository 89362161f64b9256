#!/usr/bin/env bash
# What an idle client costs: the growth of the proxy's PSS over N clients that have logged in, after each of them has run
# one query, and once they have left.
#
#   idle.sh [-n CLIENTS] [-l BYTES] [-a trust|scram|tls|mysql] [-o] [TARGET...]
#     -n  clients (5000; as many as there are descriptors for)
#     -l  most bytes for each client of sluice, logged in and after a query; exit status 1 above it (1024)
#     -a  how they log in (trust; tls is trust, encrypted: no limit but -l's then), or mysql: clients of MySQL, to MariaDB
#     -o  each has an application_name of its own
# Targets: sluice, pgbouncer (those there are); with mysql: sluice, and if they are named haproxy and mysqlrouter, which have
# a server connection for each client: a few hundred (-n) are enough for these.
# SLUICE: the daemon to measure; SLUICE_OLD: another one beside it (target sluice-old).

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

N=5000 LIMIT='' AUTH=trust OWN=''
while getopts n:l:a:oh o; do
	case $o in
	n) N=$OPTARG ;;
	l) LIMIT=$OPTARG ;;
	a) AUTH=$OPTARG ;;
	o) OWN=own-names ;;
	h) usage 0 ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
case $AUTH in trust | scram | mysql) LIMIT=${LIMIT:-1024} ;; tls) LIMIT=${LIMIT:-1000000} ;; *) usage ;; esac
if [ "$AUTH" = mysql ]; then
	# shellcheck source-path=SCRIPTDIR source=my_lib.sh
	. "$BENCH/my_lib.sh"
fi
raise_files 0 >/dev/null
asked=$N N=$(raise_files "$N")
[ "$N" = "$asked" ] || say "descriptors are limited (ulimit -n): $N clients"
[ "$N" -gt 0 ] || die "too few descriptors"
MAX_CLIENTS=$((N + 100))
TARGETS=("$@")
if [ $# = 0 ]; then
	TARGETS=(sluice)
	[ -z "$SLUICE_OLD" ] || TARGETS+=(sluice-old)
	[ "$AUTH" = mysql ] || ! has_pgbouncer || TARGETS+=(pgbouncer)
fi

warm_up=(-S -M simple)
if [ "$AUTH" = mysql ]; then
	warm_up=(oltp_point_select --db-ps-mode=disable) OWN=mysql
	bench_begin find_mysql
	case " ${TARGETS[*]} " in *" mysqlrouter "*) get_mysql || die "no mysqlrouter" ;; esac
	start_mysql
else
	bench_begin
	start_postgres
fi
db=$DB
[ "$AUTH" != scram ] || db=$DB_SCRAM
status=0
echo "PSS for each of $N idle clients, bytes ($AUTH$([ "$OWN" != own-names ] || echo ', own names'))"
printf '%-11s %10s %12s %10s %10s\n' target 'logged in' 'after query' 'left' 'before, KB'
for t in "${TARGETS[@]}"; do
	start_target "$t" "$AUTH"
	# The pool is full and the usual buffers are there before anything is counted.
	load "$PORT" 64 1 "$db" "${warm_up[@]}" || die "the warm-up of $t failed"
	got=$(tool idle "$PID" "$PORT" "$N" "$ROLE" "$PASSWORD" "$db" $OWN) || die "$t: the clients did not get through"
	read -r before in asked left <<<"$got"
	printf '%-11s %10s %12s %10s %10s\n' "$t" "$in" "$asked" "$left" $((before / 1024))
	if [ "$t" = sluice ] && { [ "$in" -gt "$LIMIT" ] || [ "$asked" -gt "$LIMIT" ]; }; then
		echo "sluice is above the limit of $LIMIT bytes"
		status=1
	fi
	stop "$PID"
done
exit $status
