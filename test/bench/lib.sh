# shellcheck shell=bash
# What the benchmarks share: a PostgreSQL of their own, the proxies in front of it, and the end of all of them. Sourced.
#
# Everything is in one temporary directory and on ports that the kernel picked. Run by root, all of it runs as an
# unprivileged user. When the script ends, however it ends, its processes end and the directory goes.
#
# From the environment: SLUICE (the daemon; default src/sluice of this tree), SLUICE_OLD (another one, to compare with),
# BENCH_PGBOUNCER (another one than the PATH's, which BENCH_USER can run), BENCH_PGBOUNCER_NEW (one more beside it, of 1.21
# or later: the target pgbouncer-new), PGBIN (PostgreSQL's programs), BENCH_USER (whom to become when root runs us; nobody),
# TMPDIR.

set -u
export LC_ALL=C
BENCH=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
HOST=127.0.0.1
DB=bench DB_SCRAM=bench_scram ROLE=bench PASSWORD=benchpw
: "${SLUICE:=$BENCH/../../src/sluice}"
: "${SLUICE_OLD:=}"
: "${BENCH_USER:=nobody}"
POOL=20        # server connections of a pool
SCALE=5        # of pgbench's tables: 500,000 rows
MAX_CLIENTS=200 # of the proxies; raised by who needs more
# libpq, as the measured clients use it: no encryption is tried first, and nothing of the caller's environment counts.
BIN_OF_PG=${PGBIN:-}
unset "${!PG@}"
PGBIN=$BIN_OF_PG
export PGSSLMODE=disable PGGSSENCMODE=disable PGCONNECT_TIMEOUT=30

die() { echo "${0##*/}: $*" >&2; exit 2; }
say() { echo "${0##*/}: $*" >&2; }
tool() { "$PYTHON" "$BENCH/tool.py" "$@"; }
# The script's own head comment is its help.
usage() { sed -n '2,/^$/{s/^# \{0,1\}//p}' "$0"; exit "${1:-2}"; }

# The files that N clients and a pool need open. Says how many clients that allows.
raise_files() { # N
	ulimit -Sn "$(ulimit -Hn)" 2>/dev/null
	local have
	have=$(ulimit -Sn)
	if [ "$have" != unlimited ] && [ "$have" -lt $(($1 + 200)) ]; then
		echo $((have - 200))
	else
		echo "$1"
	fi
}

# Becomes CMD: unprivileged, in a group of its own so that ^C does not reach it, and ending when this script does.
run_as_user() { # CMD...
	local u=()
	if [ "$(id -u)" = 0 ]; then
		u=(--reuid="$BENCH_USER" --regid="$(id -g "$BENCH_USER")" --clear-groups)
	fi
	exec setsid setpriv "${u[@]}" --pdeathsig KILL -- "$@"
}

# Starts CMD in the background, its output in a log. Sets PID.
spawn() { # LOG CMD...
	local log=$TMP/$1.log
	shift
	(cd "$TMP" && run_as_user "$@") >>"$log" 2>&1 </dev/null &
	PID=$!
	PIDS+=("$PID")
}

stop() { # PID...
	local p
	for p; do kill -INT "$p" 2>/dev/null; done
	for p; do
		for _ in {1..50}; do
			kill -0 "$p" 2>/dev/null || break
			sleep 0.1
		done
		kill -KILL "$p" 2>/dev/null
		wait "$p" 2>/dev/null
	done
}

bench_end() {
	trap - EXIT
	trap '' INT TERM HUP
	# The last one started goes first: PostgreSQL outlives its clients.
	while [ ${#PIDS[@]} -gt 0 ]; do
		stop "${PIDS[-1]}"
		unset 'PIDS[-1]'
	done
	rm -rf "$TMP"
}

# Makes TMP, and sees to its end.
bench_begin() { # [FUNCTION that finds the server]
	# A resolved name: a version manager's wrapper would be in the way of signals and of timing.
	PYTHON=$(python3 -c 'import sys; print(sys.executable)') || die "python3 is needed"
	local p
	for p in setpriv setsid; do command -v $p >/dev/null || die "$p (util-linux) is needed"; done
	"${1:-find_postgres}"
	[ -x "$SLUICE" ] || die "no daemon at $SLUICE: build it, or set SLUICE"
	PIDS=()
	TMP=$(mktemp -d "${TMPDIR:-/tmp}/sluice-bench.XXXXXX") || die "no temporary directory"
	trap bench_end EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	# If we are killed: the processes are by their death signal, and this removes the directory after them.
	setsid "$PYTHON" "$BENCH/tool.py" janitor $$ "$TMP" >/dev/null 2>&1 </dev/null &
	disown
	chmod 755 "$TMP"
	[ "$(id -u)" != 0 ] || chown "$BENCH_USER" "$TMP"
	# Copies: a build that goes on meanwhile changes nothing, and the unprivileged user can reach them. Of names of
	# their own: who kills daemons by name does not mean these.
	cp "$SLUICE" "$TMP/bench-sluice" || die "cannot copy $SLUICE"
	[ -z "$SLUICE_OLD" ] || cp "$SLUICE_OLD" "$TMP/bench-sluice-old" || die "cannot copy $SLUICE_OLD"
	chmod 755 "$TMP"/bench-*
	# The daemon reads settings from these.
	unset "${!SLUICE_@}"
}

find_postgres() {
	local d
	if [ -z "${PGBIN:-}" ]; then
		# shellcheck disable=SC2012 # sorted by version
		PGBIN=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
		[ -n "$PGBIN" ] || PGBIN=$(pg_config --bindir 2>/dev/null)
	fi
	for d in initdb postgres psql pgbench; do
		[ -x "$PGBIN/$d" ] || die "no $d in \"$PGBIN\": install postgresql, or set PGBIN"
	done
}

# Does what is on PORT answer? What it said is in $TMP/up.out. my_lib.sh has another one.
is_up() { # DATABASE
	PGPASSWORD=$PASSWORD "$PGBIN/psql" -XAtq -h "$HOST" -p "$PORT" -U "$ROLE" -d "$1" -c 'select 1' >"$TMP/up.out" 2>&1
}

# Starts a server with START PORT, which spawns it; again on another port when somebody was faster. Sets PORT and PID.
start_on_port() { # NAME DATABASE START ARGS...
	local name=$1 db=$2 start=$3
	shift 3
	for _ in 1 2 3; do
		PORT=$(tool port)
		"$start" "$@"
		for _ in {1..200}; do
			kill -0 "$PID" 2>/dev/null || continue 2
			if is_up "$db"; then
				return 0
			fi
			grep -q "Connection refused\|starting up\|Can't connect" "$TMP/up.out" || break
			sleep 0.05
		done
	done
	cat "$TMP/up.out" >&2
	tail -5 "$TMP/$name.log" >&2
	die "$name did not start"
}

postgres_on_port() {
	spawn postgres "$PGBIN/postgres" -D "$TMP/data" -p "$PORT"
}

# A PostgreSQL that trusts $ROLE in $DB, and asks it for SCRAM in $DB_SCRAM, with pgbench's tables in both.
start_postgres() {
	(cd "$TMP" && run_as_user "$PGBIN/initdb" -D "$TMP/data" -U "$ROLE" -A trust --no-sync -E UTF8 --locale=C) \
		>"$TMP/initdb.log" 2>&1 || { tail -5 "$TMP/initdb.log" >&2; die "initdb failed"; }
	cat >"$TMP/data/pg_hba.conf" <<-C
		host $DB_SCRAM all 127.0.0.1/32 scram-sha-256
		host all all 127.0.0.1/32 trust
	C
	cat >>"$TMP/data/postgresql.conf" <<-C
		listen_addresses = '$HOST'
		unix_socket_directories = ''
		max_connections = 400
		shared_buffers = 192MB
		fsync = off
		synchronous_commit = off
		full_page_writes = off
		wal_level = minimal
		max_wal_senders = 0
		max_wal_size = 2GB
		checkpoint_timeout = 1h
		autovacuum = off
		jit = off
		max_parallel_workers_per_gather = 0
		password_encryption = scram-sha-256
		log_min_messages = fatal
	C
	start_on_port postgres template1 postgres_on_port
	PG_PORT=$PORT
	local q=("$PGBIN/psql" -XAtq -v ON_ERROR_STOP=1 -h "$HOST" -p "$PG_PORT" -U "$ROLE")
	{
		"${q[@]}" -d template1 -c "alter role $ROLE password '$PASSWORD'" -c "create database $DB" &&
			"$PGBIN/pgbench" -i -q -s "$SCALE" -h "$HOST" -p "$PG_PORT" -U "$ROLE" "$DB" &&
			"${q[@]}" -d template1 -c "create database $DB_SCRAM template $DB" &&
			"${q[@]}" -d $DB -c 'vacuum analyze' -c checkpoint
	} >"$TMP/load.log" 2>&1
	# shellcheck disable=SC2181 # of four commands
	if [ $? != 0 ]; then
		tail -5 "$TMP/load.log" >&2
		die "loading failed"
	fi
	VERIFIER=$("${q[@]}" -d $DB -c "select rolpassword from pg_authid where rolname = '$ROLE'")
}

PGBOUNCER=${BENCH_PGBOUNCER:-$(PATH=$PATH:/usr/sbin command -v pgbouncer)}
PGBOUNCER_NEW=${BENCH_PGBOUNCER_NEW:-}
has_pgbouncer() { [ -n "$PGBOUNCER" ]; }
# From 1.21 on it follows prepared statements in transaction pooling.
pgbouncer_prepares() {
	local version
	version=$("$PGBOUNCER" --version | sed -n 's/^PgBouncer //p')
	[ "$(printf '%s\n' 1.21 "$version" | sort -V | head -1)" = 1.21 ]
}

# One configuration for whoever reads PgBouncer's: the same file, the same words.
write_ini() { # FILE AUTH
	local auth=$2 secret=$VERIFIER
	case $auth in tls | prepared) auth=trust ;; esac
	if [ "$auth" = scram-plain ]; then secret=$PASSWORD auth=scram-sha-256; fi
	if [ "$auth" = scram ]; then auth=scram-sha-256; fi
	echo "\"$ROLE\" \"$secret\"" >"$1.users"
	cat >"$1" <<-C
		[databases]
		$DB = host=$HOST port=$PG_PORT dbname=$DB
		$DB_SCRAM = host=$HOST port=$PG_PORT dbname=$DB
		[pgbouncer]
		listen_addr = $HOST
		listen_port = $PORT
		unix_socket_dir =
		auth_type = $auth
		auth_file = $1.users
		pool_mode = transaction
		default_pool_size = $POOL
		max_client_conn = $MAX_CLIENTS
		server_idle_timeout = 3600
		server_lifetime = 36000
		log_connections = 0
		log_disconnections = 0
		server_tls_sslmode = disable
	C
	if [ "$2" = prepared ]; then
		if [[ $1 == *pgbouncer-prepared.ini ]] && ! pgbouncer_prepares; then
			printf '%s\n' pool_mode=session "default_pool_size=$MAX_CLIENTS"
		else
			echo max_prepared_statements = 200
		fi >>"$1"
	fi
	[ "$2" != tls ] || cat >>"$1" <<-C
		client_tls_sslmode = require
		client_tls_key_file = $TMP/tls.key
		client_tls_cert_file = $TMP/tls.crt
	C
}

# What proxies show to clients that encrypt: on P-256, as one would make it today.
make_certificate() {
	[ ! -e "$TMP/tls.crt" ] || return 0
	command -v openssl >/dev/null || die "openssl is needed for TLS"
	(cd "$TMP" && run_as_user openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
		-subj /CN="$HOST" -keyout tls.key -out tls.crt) >"$TMP/openssl.log" 2>&1 || die "openssl made no certificate"
}

make_relay() {
	[ -x "$TMP/relay" ] || "${CC:-cc}" -std=c11 -D_GNU_SOURCE -O2 -o "$TMP/relay" "$BENCH/relay.c" || die "cannot compile relay.c"
}

target_on_port() { # NAME AUTH
	case $1 in
	relay) spawn "$1" "$TMP/relay" "$PORT" "$PG_PORT" ;;
	pgbouncer)
		write_ini "$TMP/$1-$2.ini" "$2"
		spawn "$1" "$PGBOUNCER" -q "$TMP/$1-$2.ini"
		;;
	pgbouncer-new)
		write_ini "$TMP/$1-$2.ini" "$2"
		spawn "$1" "$PGBOUNCER_NEW" -q "$TMP/$1-$2.ini"
		;;
	sluice*)
		write_ini "$TMP/$1-$2.ini" "$2"
		spawn "$1" "$TMP/bench-$1" -q "$TMP/$1-$2.ini"
		;;
	esac
}

# Starts sluice, sluice-old, pgbouncer or relay; AUTH: trust, tls (trust, and clients have to encrypt), scram (the
# auth_file has a verifier) or scram-plain (it has the password). Sets PORT and PID.
start_target() { # NAME AUTH
	local db=$DB_SCRAM
	case $2 in trust | tls | prepared) db=$DB ;; esac
	if [ "$2" = tls ]; then
		make_certificate
		export PGSSLMODE=require
	else
		export PGSSLMODE=disable
	fi
	[ "$1" != relay ] || make_relay
	start_on_port "$1" "$db" target_on_port "$1" "$2"
}

# pgbench with so many clients on PORT for SECS, over database DB; ARGS say what. What it says is in $TMP/pgbench.out.
load() { # PORT CLIENTS SECS DB ARGS...
	local port=$1 clients=$2 secs=$3 db=$4
	shift 4
	PGPASSWORD=$PASSWORD timeout -k 5 $((secs + 60)) "$PGBIN/pgbench" -n -h "$HOST" -p "$port" -U "$ROLE" -c "$clients" -j 2 -T "$secs" "$@" \
		"$db" >"$TMP/pgbench.out" 2>&1 && return 0
	grep -m3 -iE 'error|fatal|aborted' "$TMP/pgbench.out" >&2
	return 1
}

# --- Measurements in turn, round after round. Who calls has read_options, and the
# functions scenario NAME (sets CLIENTS, EACH, AUTH, BASE and ARGS of load), fits TARGET, start_target, load, and counted,
# which says how many transactions there were.

# Options of cpu.sh and my_cpu.sh, which say what they are; ALL: the scenarios that there are, SCENARIOS: those that are
# measured if none are named. Sets SECS, ROUNDS, SCENARIOS, OUT, LIMITS and TARGETS.
read_options() { # LETTERS ARGS...
	local letters=$1 o s
	shift
	SECS=2 ROUNDS=5 OUT='' LIMITS=''
	while getopts "$letters" o; do
		case $o in
		d) SECS=$OPTARG ;;
		r) ROUNDS=$OPTARG ;;
		s) IFS=, read -ra SCENARIOS <<<"$OPTARG" ;;
		o) OUT=$OPTARG ;;
		l) LIMITS=1 ;;
		h) usage 0 ;;
		*) usage ;;
		esac
	done
	shift $((OPTIND - 1))
	for s in "${SCENARIOS[@]}"; do
		case " ${ALL[*]} " in *" $s "*) ;; *) die "no scenario \"$s\" (there are: ${ALL[*]})" ;; esac
	done
	TARGETS=("$@")
}

# All of it, and its table.
measure_all() {
	RESULTS=$TMP/results
	interleave
	[ -z "$OUT" ] || cat "$RESULTS" >>"$OUT"
	tool report "$RESULTS"
}

declare -A PORT_OF PID_OF
# Starts what the scenario needs; it stays up for all rounds, as instances that are not used cost nothing.
started() { # TARGET
	local k=$1-$AUTH
	# For the relay the server asks for the password, whatever the auth_file would have had.
	[ "$1" != relay ] || k=relay
	if [ -z "${PORT_OF[$k]:-}" ]; then
		start_target "$1" "$AUTH"
		PORT_OF[$k]=$PORT PID_OF[$k]=$PID
	fi
	PORT=${PORT_OF[$k]} PID=${PID_OF[$k]}
	if [ "$AUTH" = tls ]; then PGSSLMODE=require; else PGSSLMODE=disable; fi
}

measure() { # SCENARIO TARGET ROUND
	local before after n
	before=$(tool cpu "$PID") || die "$2 died"
	load "$PORT" "$CLIENTS" "$SECS" "$BASE" "${ARGS[@]}" || die "$1 over $2: the load failed"
	after=$(tool cpu "$PID") || die "$2 died"
	n=$(counted)
	[ "${n:-0}" -gt 0 ] || die "$1 over $2: no transaction got through"
	echo "$1 $2 $3 $((${after% *} - ${before% *})) $((${after#* } - ${before#* })) $((n * EACH)) $SECS" >>"$RESULTS"
}

interleave() {
	local s t r i n for_it
	for s in "${SCENARIOS[@]}"; do
		scenario "$s"
		for_it=()
		for t in "${TARGETS[@]}"; do
			! fits "$t" || for_it+=("$t")
		done
		n=${#for_it[@]}
		for t in "${for_it[@]}"; do
			started "$t"
			load "$PORT" "$CLIENTS" 1 "$BASE" "${ARGS[@]}" || die "$s over $t: the warm-up failed"
		done
		for ((r = 0; r < ROUNDS; r++)); do
			# Each round begins with another one, so that no target always follows the same other.
			for ((i = 0; i < n; i++)); do
				t=${for_it[(i + r) % n]}
				started "$t"
				measure "$s" "$t" "$r"
			done
		done
		[ ! -t 2 ] || say "$s done"
	done
}
