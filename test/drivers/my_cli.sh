#!/usr/bin/env bash
# my_cli.sh - the command lines: mariadb or mysql, its dump read back and compared, sysbench.
#
# MYSQL_KIND says which; where is in the MYSQL_* variables, as for the other programs.
mode=$1
dir=$(mktemp -d "${TMPDIR:-/tmp}/sluice-cli.XXXXXX") || exit 2
trap 'rm -rf "$dir"' EXIT
if [ "$MYSQL_KIND" = mysql ]; then client=mysql dump=mysqldump; else client=mariadb dump=mariadb-dump; fi
at=(--no-defaults -h"$MYSQL_HOST" -P"$MYSQL_TCP_PORT" -u"$MYSQL_USER")
export MYSQL_PWD=$MYSQL_PASSWORD
own=() dumps=()
[ "$MYSQL_KIND" != mysql ] || at+=(--get-server-public-key) own=(--commands) dumps=(--set-gtid-purged=OFF)

q() { "$client" "${at[@]}" -N -B "$MYSQL_DATABASE" "$@" 2>>"$dir/err"; }
same() { # GOT WANT
	[ "$1" = "$2" ] || { echo "got $1, want $2" >>"$dir/err"; return 1; }
}
is_console() { [ "$mode" = console ]; }

show() {
	same "$(q -e 'SHOW VERSION' | cut -c1-6)" Sluice && q -e 'SHOW POOLS; SHOW CLIENTS' >/dev/null && ! q -e 'SHOW NONSENSE' && q -t <<<'SHOW DATABASES' >"$dir/out" && grep -q ' test ' "$dir/out"
}
texts() {
	same "$(q -e 'select 1; select 2, 3')" $'1\n2\t3' && ! q -e 'selec' && same "$(printf 'select 1;\nselect "a;b";\n' | q)" $'1\na;b' &&
		same "$(q -e 'use test; select database()')" test && q "${own[@]}" -e '\s' | grep -q "^Connection id" &&
		same "$("$client" "${at[@]}" -N -B -e 'select database()' 2>>"$dir/err")" NULL
}
delimiters() {
	q <<-'SQL' >"$dir/out" || return 1
		drop procedure if exists cli_p;
		delimiter //
		create procedure cli_p(n int) begin declare i int default 0; while i < n do set i = i + 1; end while; select i; end//
		delimiter ;
		call cli_p(7);
	SQL
	same "$(cat "$dir/out")" 7
}
warnings() {
	same "$(q --show-warnings -e "set sql_mode = ''; create temporary table w (n tinyint); insert into w values (1000)" | grep -c 1264)" 1
}
completion() { # what it asks for when it begins: all tables and their columns
	q -e "create table if not exists cli_fields (a int, b varchar(10))" && same "$(q --auto-rehash -e 'select 1')" 1
}
local_infile() {
	seq 1 20000 >"$dir/numbers"
	same "$(q --local-infile=1 -e "create temporary table l (n int); load data local infile '$dir/numbers' into table l; select count(*), sum(n) from l")" $'20000\t200010000'
}
compressed() {
	same "$(q --compress -e "select length(repeat('x', 100000)), 1")" $'100000\t1'
}
interrupted() { # a KILL QUERY from a second connection
	(exec "$client" "${at[@]}" -N -B -e 'select sleep(30)') >"$dir/out" 2>>"$dir/err" &
	local pid=$! id i
	for i in $(seq 1 200); do
		id=$(q -e "select id from information_schema.processlist where info = 'select sleep(30)' limit 1")
		[ -z "$id" ] || break
		sleep 0.05
	done
	kill -INT "$pid"
	wait "$pid"
	[ $? != 0 ] || same "$(grep -x 1 "$dir/out")" 1
}
dump_and_reload() {
	q <<-'SQL' || return 1
		create database if not exists cli_from; create database if not exists cli_to;
		use cli_from;
		create table if not exists a (id int auto_increment primary key, t text, b blob, d decimal(20,4), e enum('x','y'), f datetime(3)) engine=innodb;
		create table if not exists b (id int, a int, key (a)) engine=innodb;
		delete from a; delete from b;
		insert into a (t, b, d, e, f) with recursive s(n) as (select 1 union all select n + 1 from s where n < 900)
			select concat('row ', n, ' ''"\\', char(0)), unhex(sha2(n, 256)), n / 7, if(n % 2, 'x', 'y'), '2024-02-03 04:05:06.789' from s;
		insert into b select id, id % 10 from a;
		drop view if exists v; create view v as select a.id, b.a from a join b using (id);
		drop trigger if exists tr; create trigger tr before insert on b for each row set new.a = coalesce(new.a, 0);
	SQL
	local sums="checksum table a, b; select count(*) from v"
	"$dump" "${at[@]}" --single-transaction "${dumps[@]}" --routines --triggers cli_from >"$dir/dump.sql" 2>>"$dir/err" || return 1
	[ "$(grep -c 'INSERT INTO' "$dir/dump.sql")" -ge 2 ] || return 1
	"$client" "${at[@]}" cli_to <"$dir/dump.sql" 2>>"$dir/err" || return 1
	same "$("$client" "${at[@]}" -NB cli_to -e "$sums" 2>>"$dir/err" | sed s/cli_to/X/)" "$("$client" "${at[@]}" -NB cli_from -e "$sums" 2>>"$dir/err" | sed s/cli_from/X/)"
}
sysbench_with() { # PREPARED
	command -v sysbench >/dev/null || { echo "skip $FUNC: no sysbench" >&2; return 0; }
	local words=(--db-driver=mysql --mysql-host="$MYSQL_HOST" --mysql-port="$MYSQL_TCP_PORT" --mysql-user="$MYSQL_USER" --mysql-password="$MYSQL_PASSWORD"
		--mysql-db=test --tables=2 --table-size=2000 --threads=8)
	sysbench oltp_read_write "${words[@]}" prepare >>"$dir/err" 2>&1 &&
		sysbench oltp_read_write "${words[@]}" --db-ps-mode="$1" --time=0 --events=400 run >"$dir/out" 2>&1 &&
		grep -Eq 'transactions: +400 ' "$dir/out"
	local status=$?
	[ $status = 0 ] || cat "$dir/out" >>"$dir/err"
	sysbench oltp_read_write "${words[@]}" cleanup >>"$dir/err" 2>&1
	return $status
}
sysbench_texts() { sysbench_with disable; }
sysbench_prepared() { sysbench_with auto; }

if is_console; then all=(show); else all=(texts delimiters warnings completion local_infile compressed interrupted dump_and_reload sysbench_texts sysbench_prepared); fi
for FUNC in "${all[@]}"; do
	: >"$dir/err"
	if "$FUNC"; then echo "ok $FUNC"; else echo "not ok $FUNC: $(tr '\n' ' ' <"$dir/err" | tail -c 400)"; fi
done
