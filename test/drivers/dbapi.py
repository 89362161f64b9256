"""dbapi.py - PyMySQL, which is Python alone, and mysqlclient, which is libmariadb: dbapi.py pymysql|MySQLdb MODE."""
import concurrent.futures
import datetime
import decimal
import importlib
import os
import sys
import tempfile

from cases import CONSOLE, POOLED, case, run, same

driver = importlib.import_module(sys.argv.pop(1))
CLIENT = importlib.import_module(driver.__name__ + ".constants.CLIENT")
Error = driver.Error


def connect(**how):
    how.setdefault("autocommit", True)
    how.setdefault("charset", "utf8mb4")
    how.setdefault("user", os.environ["MYSQL_USER"])
    how.setdefault("password", os.environ["MYSQL_PASSWORD"])
    if not how.pop("nowhere", False):
        how.setdefault("database", os.environ["MYSQL_DATABASE"])
    return driver.connect(host=os.environ["MYSQL_HOST"], port=int(os.environ["MYSQL_TCP_PORT"]), **how)


def ask(c, text, values=None):
    cur = c.cursor()
    cur.execute(text, values)
    rows = list(cur.fetchall()) if cur.description else cur.rowcount
    cur.close()
    return rows


def fails(code, work, *args):
    try:
        work(*args)
    except Error as e:
        same(e.args[0], code)
    else:
        raise AssertionError("it was run")


@case(CONSOLE)
def show():
    c = connect()
    same(ask(c, "SHOW VERSION")[0][0].split()[0], "Sluice")
    row = [r for r in ask(c, "SHOW DATABASES") if r[0] == "test"][0]
    same(row[0], "test")
    ask(c, "SHOW POOLS")
    fails_somehow(c)
    same(ask(c, "SHOW STATE")[0][1], "yes")
    c.close()


def fails_somehow(c):
    try:
        ask(c, "SHOW NONSENSE")
    except Error:
        return
    raise AssertionError("it was run")


@case(*POOLED)
def types_and_back():
    c = connect()
    ask(c, "create temporary table t (a int, b bigint, c varchar(40), d decimal(10,2), e datetime(6), f blob, g double)")
    row = (7, 2**40, "h\u00e4'\\ \U0001f600", decimal.Decimal("12.50"), datetime.datetime(2024, 2, 3, 4, 5, 6, 7), b"\0\1\xff", 1.5)
    ask(c, "insert into t values (%s, %s, %s, %s, %s, %s, %s)", row)
    ask(c, "insert into t values (%s, %s, %s, %s, %s, %s, %s)", (None,) * 7)
    same(ask(c, "select * from t order by a is null"), [row, (None,) * 7])
    c.close()


@case(*POOLED)
def transactions():
    c = connect(autocommit=False)
    d = connect()
    ask(d, "create table if not exists dbapi_tx (n int) engine=innodb")
    ask(d, "delete from dbapi_tx")
    ask(c, "insert into dbapi_tx values (1)")
    same(ask(d, "select count(*) from dbapi_tx"), [(0,)])
    c.rollback()
    same(ask(c, "select count(*) from dbapi_tx"), [(0,)])
    ask(c, "insert into dbapi_tx values (2)")
    c.commit()
    same(ask(d, "select n from dbapi_tx"), [(2,)])
    c.close()  # with a transaction begun by nothing but autocommit=0
    c = connect(autocommit=False)
    ask(c, "update dbapi_tx set n = 3")
    c.close()
    same(ask(d, "select n from dbapi_tx for update"), [(2,)])
    d.close()


@case(*POOLED)
def errors():
    c = connect()
    for _ in range(3):
        fails(1146, ask, c, "select * from nowhere")
        fails(1064, ask, c, "selec")
        same(ask(c, "select %s", (1,)), [(1,)])
    fails(1045, lambda: connect(password="wrong"))
    fails(1049, lambda: connect(database="nowhere"))
    c.close()


@case(*POOLED)
def ids_and_counts():
    clients = [connect() for _ in range(8)]
    ask(clients[0], "create table if not exists dbapi_ids (id int auto_increment primary key, who int) engine=innodb")
    ask(clients[0], "delete from dbapi_ids")
    for i in range(24):
        for n, c in enumerate(clients):
            cur = c.cursor()
            cur.execute("insert into dbapi_ids (who) values (%s)", (n,))
            mine = cur.lastrowid
            cur.close()
            if i % 8 == n:
                same(ask(c, "select last_insert_id()"), [(mine,)])
                same(ask(c, "select who from dbapi_ids where id = %s", (mine,)), [(n,)])
    cur = clients[1].cursor()
    same(cur.execute("update dbapi_ids set who = 100 where who = 1"), 24)
    again = "update dbapi_ids set who = 100 where who = 100"
    same(cur.execute(again), 0)
    found = connect(client_flag=CLIENT.FOUND_ROWS)  # which counts rows that are as they should be already
    for _ in range(3):
        same(ask(found, again), 24)
        same(ask(clients[2], again), 0)
    found.close()
    for c in clients:
        c.close()


@case(*POOLED)
def settings_of_each():
    zones = ["+01:00", "-03:00", "+05:30", "+00:00"]
    clients = [connect(init_command="set time_zone = '%s'" % zones[i % 4]) for i in range(8)]
    modes = ["", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES"]
    for i, c in enumerate(clients):
        ask(c, "set session sql_mode = %s, max_join_size = %s", (modes[i % 3], 1000 + i))
        ask(c, "set names latin1" if i % 2 else "set names utf8mb4 collate utf8mb4_bin")
    for _ in range(3):
        for i, c in enumerate(clients):
            same(ask(c, "select @@time_zone, @@sql_mode, @@max_join_size, @@collation_connection"),
                 [(zones[i % 4], modes[i % 3], 1000 + i, "latin1_swedish_ci" if i % 2 else "utf8mb4_bin")])
    for c in clients:
        c.close()


@case(*POOLED)
def schema_of_each():
    clients = [connect() for _ in range(6)]
    for i in range(3):
        ask(clients[0], "create database if not exists dbapi_%d" % i)
    for i, c in enumerate(clients):
        if i < 3:
            c.select_db("dbapi_%d" % i)
        else:
            ask(c, "use dbapi_%d" % (i - 3))
    for _ in range(3):
        for i, c in enumerate(clients):
            same(ask(c, "select database()"), [("dbapi_%d" % (i % 3),)])
    none = connect(nowhere=True)
    same(ask(none, "select database()"), [(None,)])
    fails(1046, ask, none, "select * from t")
    for c in clients + [none]:
        c.close()


@case(*POOLED)
def what_stays_with_a_server():
    c, d = connect(), connect()
    for i in range(3):
        ask(c, "set @a = %s", (i,))
        ask(d, "set @a = %s", (100 + i,))
        same(ask(c, "select @a"), [(i,)])
        same(ask(d, "select @a"), [(100 + i,)])
    ask(c, "create temporary table tt (n int)")
    ask(c, "insert into tt values (1), (2)")
    fails(1146, ask, d, "select * from tt")
    same(ask(c, "select sum(n) from tt"), [(3,)])
    same(ask(c, "select get_lock('dbapi', 0)"), [(1,)])
    same(ask(d, "select get_lock('dbapi', 0)"), [(0,)])
    c.close()
    same(ask(d, "select get_lock('dbapi', 10), release_lock('dbapi')"), [(1, 1)])
    d.close()


@case(*POOLED)
def after_a_statement():
    c, d = connect(), connect()
    same(ask(c, "select sql_calc_found_rows 1 union select 2 union select 3 limit 1"), [(1,)])
    ask(d, "select 1")
    same(ask(c, "select found_rows()"), [(3,)])
    ask(c, "create temporary table w (n tinyint)")
    ask(c, "set sql_mode = ''")
    ask(c, "insert into w values (1000)")
    ask(d, "select 1")
    same([r[1] for r in ask(c, "show warnings")], [1264])
    ask(c, "update w set n = 1")
    ask(d, "select 1")
    same(ask(c, "select row_count()"), [(1,)])
    c.close()
    d.close()


@case(*POOLED)
def procedures():
    c = connect()
    for text in ("drop procedure if exists dbapi_p",
                 "create procedure dbapi_p(in a int, out b int) begin set b = a + 1; select a; select a * 2, 'x'; end"):
        ask(c, text)
    cur = c.cursor()
    cur.callproc("dbapi_p", (20, 0))
    same(list(cur.fetchall()), [(20,)])
    cur.nextset()
    same(list(cur.fetchall()), [(40, "x")])
    cur.nextset()
    cur.close()
    same(ask(c, "select @_dbapi_p_1"), [(21,)])
    c.close()


@case(*POOLED)
def many_statements():
    c = connect(client_flag=CLIENT.MULTI_STATEMENTS)
    cur = c.cursor()
    cur.execute("select 1; do 2; select 3, 4")
    got = [list(cur.fetchall())]
    while cur.nextset():
        got.append(list(cur.fetchall()) if cur.description else [])
    same(got, [[(1,)], [], [(3, 4)]])
    cur.close()
    c.close()


@case(*POOLED)
def local_infile():
    c = connect(local_infile=True)
    ask(c, "create temporary table l (n int, s varchar(40))")
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as f:
        f.write("".join("%d\trow %d\n" % (i, i) for i in range(20000)))
        f.flush()
        same(ask(c, "load data local infile %s into table l", (f.name,)), 20000)
    same(ask(c, "select count(*), sum(n) from l"), [(20000, 19999 * 10000)])
    c.close()


@case(*POOLED)
def large():
    c = connect(max_allowed_packet=64 << 20) if driver.__name__ == "pymysql" else connect()
    big = "x" * (17 << 20)
    same(ask(c, "select length(%s)", (big,)), [(len(big),)])
    same(len(ask(c, "select repeat('y', %s)", (17 << 20,))[0][0]), 17 << 20)
    cur = c.cursor(driver.cursors.SSCursor)
    cur.execute("select seq.n, repeat('x', 100) from (with recursive s(n) as (select 1 union all select n + 1 from s "
                "where n < 900) select a.n + b.n * 1000 n from s a join s b on b.n < 20) seq")
    same(sum(1 for _ in cur), 900 * 19)
    cur.close()
    c.close()


@case(*POOLED)
def ping_and_kill():
    c, d = connect(), connect()
    c.ping()
    me = ask(c, "select connection_id()")[0][0]
    same(me, c.thread_id())
    for _ in range(3):
        same(ask(c, "select connection_id()"), [(me,)])
    ask(d, "kill query %d" % me)
    c.ping()
    same(ask(c, "select 1"), [(1,)])
    ask(d, "kill %d" % me)
    for _ in range(2):
        try:
            ask(c, "select 1")
        except Error as e:
            same(e.args[0] in (2006, 2013, 1053, 1927, 3169, 1317), True)
            break
    else:
        raise AssertionError("it lives")
    d.close()


@case(*POOLED)
def clients_over_few_servers():
    clients = [connect() for _ in range(10)]
    for i in range(60):
        same(ask(clients[i % 10], "select %s", (i,)), [(i,)])
    for c in clients:
        c.close()


@case(*POOLED)
def all_at_once():
    c = connect()
    ask(c, "create table if not exists dbapi_all (n int, i int) engine=innodb")
    ask(c, "delete from dbapi_all")

    def work(n):
        d = connect(autocommit=False)
        for i in range(25):
            ask(d, "insert into dbapi_all values (%s, %s)", (n, i))
            same(ask(d, "select max(i) from dbapi_all where n = %s", (n,)), [(i,)])
            if i % 2:
                d.rollback()
            else:
                d.commit()
        d.close()

    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        list(pool.map(work, range(12)))
    same(ask(c, "select count(*), sum(i), count(distinct n) from dbapi_all"), [(12 * 13, 12 * 156, 12)])
    c.close()


run()
