# shellcheck shell=bash
# What the benchmarks of the mysql door share: a server of their own and the proxies in front of it. Sourced; on top of lib.sh.
#
# From the environment: what lib.sh takes; MY_SERVER (mariadb, of the PATH, or mysql, of Debian sid: ../servers).

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
: "${MY_SERVER:=mariadb}"
TABLES=4 ROWS=50000 # of sysbench
MYSQL_DIR=          # of what ../servers/get.sh gives

find_mysql() {
	local p
	for p in sysbench mariadb; do command -v $p >/dev/null || die "no $p: install it (Debian: sysbench, mariadb-client)"; done
	if [ "$MY_SERVER" = mariadb ]; then
		MYSQLD=$(PATH=$PATH:/usr/sbin command -v mariadbd) || die "no mariadbd: install mariadb-server"
		command -v mariadb-install-db >/dev/null || die "no mariadb-install-db: install mariadb-server"
	fi
}

# Debian sid's, with its router. Says why it cannot be had.
get_mysql() {
	[ -z "$MYSQL_DIR" ] || return 0
	mkdir -p "$TMP/mysql" && "$BENCH/../servers/get.sh" mysql "$TMP/mysql" >"$TMP/get.log" && MYSQL_DIR=$(tail -n 1 "$TMP/get.log")
}

is_up() { # DATABASE
	mariadb --no-defaults -h "$HOST" -P "$PORT" -u "$ROLE" -p"$PASSWORD" -D "$1" -N -e 'select 1' >"$TMP/up.out" 2>&1
}

mysql_on_port() {
	local words=(--no-defaults --datadir="$TMP/mydata" --port="$PORT" --bind-address="$HOST" --socket="$TMP/my.sock" --pid-file="$TMP/my.pid"
		--init-file="$TMP/init.sql" --skip-name-resolve --max-connections=$((MAX_CLIENTS + 200)) --innodb-buffer-pool-size=256M --innodb-flush-log-at-trx-commit=0
		--innodb-doublewrite=0 --innodb-flush-method=nosync --performance-schema=0 --max-prepared-stmt-count=200000 --back-log=1000)
	if [ "$MY_SERVER" = mariadb ]; then
		words+=(--skip-log-bin --innodb-log-file-size=128M --query-cache-type=0)
	else
		words+=(--disable-log-bin --mysqlx=0 --innodb-redo-log-capacity=256M --secure-file-priv= --basedir="$MYSQL_DIR/.."
			--plugin-dir="$MYSQL_DIR/../lib/mysql/plugin" --lc-messages-dir="$MYSQL_DIR/../share/mysql")
	fi
	spawn "$MY_SERVER" "$MYSQLD" "${words[@]}"
}

# A server with sysbench's tables in $DB, and $ROLE who may do all. Sets MY_PORT.
start_mysql() {
	local make
	if [ "$MY_SERVER" = mariadb ]; then
		make=(mariadb-install-db --no-defaults --datadir="$TMP/mydata" --auth-root-authentication-method=normal --skip-test-db)
	else
		get_mysql || die "no MySQL"
		MYSQLD=$MYSQL_DIR/mysqld
		make=("$MYSQLD" --no-defaults --initialize-insecure --datadir="$TMP/mydata")
	fi
	(cd "$TMP" && run_as_user "${make[@]}") >"$TMP/init.log" 2>&1 || { tail -5 "$TMP/init.log" >&2; die "${make[0]} failed"; }
	cat >"$TMP/init.sql" <<-C
		create database $DB;
		create user '$ROLE'@'%' identified by '$PASSWORD';
		grant all on *.* to '$ROLE'@'%';
	C
	start_on_port "$MY_SERVER" "$DB" mysql_on_port
	MY_PORT=$PORT
	sb "$PORT" 2 oltp_common --tables=$TABLES --table-size=$ROWS prepare >"$TMP/load.log" 2>&1 ||
		{ tail -5 "$TMP/load.log" >&2; die "loading failed"; }
}

# sysbench at a port.
sb() { # PORT THREADS SCRIPT ARGS...
	local port=$1 threads=$2 script=$3
	shift 3
	sysbench "$script" --db-driver=mysql --mysql-host="$HOST" --mysql-port="$port" --mysql-user="$ROLE" --mysql-password="$PASSWORD" \
		--mysql-db="$DB" --threads="$threads" "$@"
}

write_sluice() { # FILE
	echo "\"$ROLE\" \"$PASSWORD\"" >"$1.users"
	cat >"$1" <<-C
		[databases]
		$DB = kind=mysql host=$HOST port=$MY_PORT dbname=$DB
		[sluice]
		listen_addr =
		unix_socket_dir =
		mysql_listen_addr = $HOST
		mysql_listen_port = $PORT
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
}

write_haproxy() { # FILE
	cat >"$1" <<-C
		global
		    nbthread 1
		    maxconn $MAX_CLIENTS
		defaults
		    mode tcp
		    timeout connect 10s
		    timeout client 1h
		    timeout server 1h
		listen my
		    bind $HOST:$PORT
		    server s $HOST:$MY_PORT
	C
}

write_router() { # FILE
	mkdir -p "$TMP/router"
	chmod 777 "$TMP/router"
	cat >"$1" <<-C
		[DEFAULT]
		logging_folder=
		runtime_folder=$TMP/router
		data_folder=$TMP/router
		plugin_folder=$MYSQL_DIR/../lib/mysqlrouter/plugin
		max_total_connections=$MAX_CLIENTS
		[logger]
		level=fatal
		[io]
		threads=1
		[connection_pool]
		max_idle_server_connections=$POOL
		[routing:classic]
		bind_address=$HOST
		bind_port=$PORT
		destinations=$HOST:$MY_PORT
		routing_strategy=first-available
		protocol=classic
		max_connections=$MAX_CLIENTS
		client_ssl_mode=PASSTHROUGH
		server_ssl_mode=AS_CLIENT
	C
}

my_target_on_port() { # NAME
	case $1 in
	direct) PID=$$ ;;
	relay) spawn "$1" "$TMP/relay" "$PORT" "$MY_PORT" ;;
	haproxy)
		write_haproxy "$TMP/haproxy.cfg"
		spawn "$1" "$HAPROXY" -db -f "$TMP/haproxy.cfg"
		;;
	mysqlrouter)
		write_router "$TMP/router.conf"
		spawn "$1" "$MYSQL_DIR/mysqlrouter" -c "$TMP/router.conf"
		;;
	sluice*)
		write_sluice "$TMP/my-$1.ini"
		spawn "$1" "$TMP/bench-$1" -q "$TMP/my-$1.ini"
		;;
	esac
}

HAPROXY=$(PATH=$PATH:/usr/sbin command -v haproxy)
has_haproxy() { [ -n "$HAPROXY" ]; }

start_target() { # NAME AUTH
	[ "$1" != relay ] || make_relay
	start_on_port "$1" "$DB" my_target_on_port "$1"
}

# sysbench on PORT for SECS; ARGS begin with the script. What it says is in $TMP/sysbench.out.
load() { # PORT CLIENTS SECS DB ARGS...
	local port=$1 clients=$2 secs=$3
	shift 4
	timeout -k 5 $((secs + 60)) sysbench "$1" --db-driver=mysql --mysql-host="$HOST" --mysql-port="$port" --mysql-user="$ROLE" \
		--mysql-password="$PASSWORD" --mysql-db="$DB" --threads="$clients" --time="$secs" --tables=$TABLES --table-size=$ROWS "${@:2}" run \
		>"$TMP/sysbench.out" 2>&1 && ! grep -q '^FATAL' "$TMP/sysbench.out" && return 0
	grep -m3 -iE 'error|fatal' "$TMP/sysbench.out" >&2
	return 1
}
