#!/usr/bin/env bash
# Builds Sluice, starts a private PostgreSQL, a private MariaDB and Sluice in front of both, and shows that it works.
#
#   ./contrib/quickstart.sh          stays until Ctrl-C, for you to connect
#   ./contrib/quickstart.sh --once   ends after the demonstration; exit status 0 only if it worked
#
# Installs Debian's packages that are missing (as root, or by sudo). All it starts lives in a temporary directory, listens
# on 127.0.0.1 only, and is gone at the end.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=contrib/packages.sh
. "$top/contrib/packages.sh"
once=
case ${1:-} in
'') ;;
--once) once=1 ;;
*) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac

say() { printf '\n== %s\n' "$*"; }
fail() { printf 'quickstart: %s\n' "$*" >&2; exit 1; }

install_packages "${BUILD_PACKAGES[@]}" "${SERVER_PACKAGES[@]}"
say "Building Sluice"
build_sluice "$top" "$top/build"
echo "built: build/src/sluice ($("$top/build/src/sluice" --version))"

work=$(mktemp -d "${TMPDIR:-/tmp}/sluice-quickstart.XXXXXX")
sluice_pid='' pg_pid='' my_pid=''
cleanup() {
	trap - EXIT INT TERM
	if [ -n "$sluice_pid" ]; then kill -QUIT "$sluice_pid" 2>/dev/null && wait "$sluice_pid" 2>/dev/null || true; fi
	if [ -n "$my_pid" ]; then kill -KILL "$my_pid" 2>/dev/null && wait "$my_pid" 2>/dev/null || true; fi
	if [ -n "$pg_pid" ]; then kill -INT "$pg_pid" 2>/dev/null && wait "$pg_pid" 2>/dev/null || true; fi
	rm -rf "$work"
}
trap cleanup EXIT
trap 'echo; exit 0' INT TERM

# None of the three runs as root.
user=$(id -un)
[ "$(id -u)" != 0 ] || user=postgres
as_user() {
	if [ "$(id -u)" = 0 ]; then
		exec setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups -- env HOME="$work" "$@"
	fi
	exec "$@"
}
chmod 755 "$work"
cp "$top/build/src/sluice" "$work/sluice"
mkdir "$work/data" "$work/mydata" "$work/run"
[ "$(id -u)" != 0 ] || chown "$user" "$work/data" "$work/mydata" "$work/run"

# Free ports, by asking which are taken.
taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
free_port() {
	local p
	for p in $(seq "$1" "$(($1 + 200))"); do
		if ! taken "$p"; then echo "$p"; return; fi
	done
	fail "no free port from $1 on"
}
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -n "$bin" ] || bin=$(pg_config --bindir 2>/dev/null) || fail "PostgreSQL's server programs were not found"
export PATH=$PATH:/usr/sbin:/usr/local/sbin
command -v mariadbd >/dev/null || fail "MariaDB's server was not found"
pg_port=$(free_port 25432)
my_server_port=$(free_port 23306)
port=$(free_port 6432)
my_port=$(free_port 6033)

say "Starting PostgreSQL on port $pg_port"
echo quickstart >"$work/password"
(cd "$work" && as_user "$bin/initdb" -D "$work/data" -U postgres -A scram-sha-256 --pwfile="$work/password" --no-sync -E UTF8 --locale=C) \
	>"$work/initdb.log" 2>&1 || { cat "$work/initdb.log" >&2; fail "initdb failed"; }
(as_user "$bin/postgres" -D "$work/data" -p "$pg_port" -c listen_addresses=127.0.0.1 -c "unix_socket_directories=$work/run" -c fsync=off) \
	>"$work/postgres.log" 2>&1 &
pg_pid=$!
export PGPASSWORD=quickstart PGCONNECT_TIMEOUT=10
for i in $(seq 1 1200); do
	if psql -qXh 127.0.0.1 -p "$pg_port" -U postgres -c 'select 1' >/dev/null 2>&1; then break; fi
	kill -0 "$pg_pid" 2>/dev/null || { cat "$work/postgres.log" >&2; fail "PostgreSQL did not start"; }
	[ "$i" -lt 1200 ] || fail "PostgreSQL did not answer"
	sleep 0.1
done

say "Starting MariaDB on port $my_server_port"
(cd "$work" && as_user mariadb-install-db --no-defaults --datadir="$work/mydata" --auth-root-authentication-method=normal --skip-test-db) \
	>"$work/install-db.log" 2>&1 || { cat "$work/install-db.log" >&2; fail "mariadb-install-db failed"; }
cat >"$work/init.sql" <<SQL
create database shop;
create user 'shop'@'%' identified by 'quickstart';
grant all on shop.* to 'shop'@'%';
SQL
(as_user mariadbd --no-defaults --datadir="$work/mydata" --port="$my_server_port" --bind-address=127.0.0.1 --skip-name-resolve \
	--socket="$work/run/mariadb.sock" --pid-file="$work/run/mariadb.pid" --init-file="$work/init.sql" --innodb-flush-method=nosync) \
	>"$work/mariadb.log" 2>&1 &
my_pid=$!
export MYSQL_PWD=quickstart
for i in $(seq 1 1200); do
	if mariadb --no-defaults -h 127.0.0.1 -P "$my_server_port" -u shop -e 'select 1' shop >/dev/null 2>&1; then break; fi
	kill -0 "$my_pid" 2>/dev/null || { cat "$work/mariadb.log" >&2; fail "MariaDB did not start"; }
	[ "$i" -lt 1200 ] || fail "MariaDB did not answer"
	sleep 0.1
done

cat >"$work/sluice.ini" <<INI
[databases]
postgres = host=127.0.0.1 port=$pg_port
shop = kind=mysql host=127.0.0.1 port=$my_server_port

[sluice]
listen_addr = 127.0.0.1
listen_port = $port
unix_socket_dir = $work/run
mysql_listen_addr = 127.0.0.1
mysql_listen_port = $my_port
auth_type = scram-sha-256
auth_file = $work/userlist.txt
admin_users = postgres
pool_mode = transaction
default_pool_size = 5
INI
printf '"%s" "quickstart"\n' postgres shop >"$work/userlist.txt"
"$work/sluice" --check "$work/sluice.ini" || fail "the configuration is not valid"

say "Starting Sluice on port $port, and $my_port for MySQL's clients"
(as_user "$work/sluice" "$work/sluice.ini") >"$work/sluice.log" 2>&1 &
sluice_pid=$!
for i in $(seq 1 1200); do
	if taken "$port" && taken "$my_port"; then break; fi
	kill -0 "$sluice_pid" 2>/dev/null || { cat "$work/sluice.log" >&2; fail "Sluice did not start"; }
	[ "$i" -lt 1200 ] || fail "Sluice did not answer"
	sleep 0.1
done

say "A few queries of PostgreSQL through it"
q() { psql -X -h 127.0.0.1 -p "$port" -U postgres "$@"; }
q -d postgres <<'SQL' || fail "a query failed"
\set ON_ERROR_STOP on
create table greetings (id int primary key, said text);
insert into greetings values (1, 'hello'), (2, 'from a pooled connection');
begin;
update greetings set said = 'hello again' where id = 1;
commit;
select * from greetings order by id;
select 'server process' as what, pg_backend_pid() as pid;
SQL
[ "$(q -d postgres -Atc 'select count(*) from greetings')" = 2 ] || fail "two rows were expected"
pids=$(for i in 1 2 3 4 5; do q -d postgres -Atc 'select pg_backend_pid()'; done | sort -u | wc -l)
echo "Five clients, one after another, were served by $pids server connection(s)."
[ "$pids" = 1 ] || fail "one server connection was expected to serve them all"

say "A few queries of MariaDB through it"
m() { mariadb --no-defaults -h 127.0.0.1 -P "$my_port" "$@"; }
m -u shop -t shop <<'SQL' || fail "a query failed"
create table greetings (id int primary key, said varchar(40));
insert into greetings values (1, 'hello'), (2, 'from a pooled connection');
begin;
update greetings set said = 'hello again' where id = 1;
commit;
select * from greetings order by id;
SQL
for i in 1 2 3 4 5; do
	[ "$(m -u shop -N -B shop -e 'select count(*) from greetings')" = 2 ] || fail "two rows were expected"
done

say "SHOW POOLS, from Sluice's console, by both clients"
q -d sluice -c 'SHOW POOLS' || fail "the console did not answer"
m -u postgres -t sluice -e 'SHOW POOLS' || fail "the console did not answer to MySQL's client"
servers=$(m -u postgres -N -B sluice -e 'SHOW SERVERS' | grep -c shop)
echo "Six clients of MariaDB, one after another, were served by $servers server connection(s)."
[ "$servers" -le 2 ] || fail "fewer server connections were expected"

[ -z "$once" ] || { echo; echo "It works."; exit 0; }
say "Connect with"
cat <<TEXT
  PGPASSWORD=quickstart psql -h 127.0.0.1 -p $port -U postgres postgres    through Sluice
  MYSQL_PWD=quickstart mariadb -h 127.0.0.1 -P $my_port -u shop shop         through Sluice
  PGPASSWORD=quickstart psql -h 127.0.0.1 -p $port -U postgres sluice      the console: SHOW HELP;
  MYSQL_PWD=quickstart mariadb -h 127.0.0.1 -P $my_port -u postgres sluice   the console too
  configuration: $work/sluice.ini   log: $work/sluice.log
TEXT
echo
echo "Ctrl-C ends it."
wait "$sluice_pid"
