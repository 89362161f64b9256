"""psycopg3.py - psycopg 3, which speaks the extended protocol for whatever has parameters, and prepares what it runs often."""
import concurrent.futures
import contextlib
import decimal

import psycopg
from psycopg.rows import dict_row

from cases import CONSOLE, POOLED, TRANSACTION, case, run, same


def connect(**how):
    how.setdefault("autocommit", True)
    return psycopg.connect("", **how)


# --- The console


@case(CONSOLE)
def simple_show():
    with connect() as c:
        rows = c.execute("SHOW VERSION").fetchall()
        same(len(rows), 1)
        same(rows[0][0].split()[0], "Sluice")


@case(CONSOLE)
def columns_have_types():
    with connect(row_factory=dict_row) as c:
        row = [r for r in c.execute("SHOW DATABASES") if r["name"] == "test"][0]
        same(type(row["port"]), int)
        same(row["force_user"], None)
        row = c.execute("SHOW STATS").fetchone()
        same(type(row["total_query_count"]), decimal.Decimal)


@case(CONSOLE)
def binary():
    with connect(row_factory=dict_row) as c:
        text = c.execute("SHOW CONFIG", prepare=True).fetchall()
        same(c.execute("SHOW CONFIG", prepare=True, binary=True).fetchall(), text)
        for what in "DATABASES", "POOLS", "USERS", "LISTS", "MEM", "DNS_HOSTS", "TOTALS", "STATS_TOTALS":
            names = [d.name for d in c.execute("SHOW " + what).description]
            rows = c.execute("SHOW " + what, binary=True, prepare=True).fetchall()
            for row in rows:
                same(list(row), names)
        row = [r for r in c.execute("SHOW DATABASES", binary=True, prepare=True) if r["name"] == "pgbouncer"][0]
        same(row["port"], c.info.port)


@case(CONSOLE)
def prepared_many_times():
    with connect() as c:
        for _ in range(20):
            same(c.execute("SHOW STATE", prepare=True).fetchall()[0][0], "active")


@case(CONSOLE)
def in_a_transaction_of_the_driver():
    with connect(autocommit=False) as c:
        same(c.execute("SHOW STATE").fetchone()[0], "active")
        c.commit()
        c.execute("SHOW LISTS")
        c.rollback()


@case(CONSOLE)
def parameters_are_refused():
    with connect() as c:
        try:
            c.execute("PAUSE %s", ("test",))
        except psycopg.errors.FeatureNotSupported as e:
            same("parameters" in str(e), True)
        else:
            raise AssertionError("it was run")
        same(c.execute("SHOW STATE").fetchone()[1], "yes")
        cursor = psycopg.ClientCursor(c)  # which writes them into the text
        cursor.execute("SET log_stats = %s", ("0",))


@case(CONSOLE)
def an_error_keeps_the_connection():
    with connect() as c:
        for prepare in False, True:
            try:
                c.execute("SHOW NONSENSE", prepare=prepare)
            except psycopg.Error as e:
                same(e.sqlstate, "08P01")
            else:
                raise AssertionError("it was run")
        same(c.execute("SHOW STATE").fetchone()[0], "active")


@case(CONSOLE)
def commands():
    with connect() as c:
        for prepare in False, True:
            same(c.execute("RELOAD", prepare=prepare).statusmessage, "RELOAD")
            same(c.execute("PAUSE test", prepare=prepare).statusmessage, "PAUSE")
            same(c.execute("RESUME test", prepare=prepare).statusmessage, "RESUME")


@case(CONSOLE)
def pipeline():
    if not psycopg.Pipeline.is_supported():
        return
    with connect() as c, c.pipeline():
        cursors = [c.execute("SHOW LISTS") for _ in range(30)]
        same(len({len(x.fetchall()) for x in cursors}), 1)


# --- Through a pool


@case(*POOLED)
def types_and_back():
    with connect() as c:
        values = (7, 2**40, "h\u00e4", decimal.Decimal("12.50"), True, None, b"\0\1", [1, 2])
        for is_binary in False, True:
            got = c.execute("select %s::int, %s::int8, %s::text, %s::numeric, %s::bool, %s::text, %s::bytea, %s::int[]",
                            values, binary=is_binary).fetchone()
            same(got, values)


@case(*POOLED)
def transactions():
    with connect(autocommit=False) as c:
        c.execute("create temp table t (n int) on commit drop")
        c.execute("insert into t values (%s)", (1,))
        same(c.execute("select n from t").fetchone(), (1,))
        c.rollback()
        same(c.execute("select to_regclass('pg_temp.t')").fetchone(), (None,))


@case(*POOLED)
def errors():
    with connect() as c:
        for _ in range(3):
            try:
                c.execute("select 1 / %s", (0,))
            except psycopg.errors.DivisionByZero:
                pass
            same(c.execute("select %s::int", (1,)).fetchone(), (1,))


@case(*POOLED)
def many_rows():
    with connect() as c:
        n = 0
        for row in c.execute("select n, repeat('x', 100) from generate_series(1, %s) n", (20000,)):
            n += row[0]
        same(n, 20000 * 20001 // 2)


@case(*POOLED)
def copy():
    with connect(autocommit=False) as c:
        c.execute("create temp table t (n int, s text) on commit drop")
        with c.cursor().copy("copy t from stdin") as to:
            for i in range(5000):
                to.write_row((i, "row %d" % i))
        same(c.execute("select count(*), max(s) from t").fetchone(), (5000, "row 999"))
        with c.cursor().copy("copy (select * from t order by n) to stdout") as out:
            same(sum(1 for _ in out.rows()), 5000)


@case(*POOLED)
def server_side_cursor():
    with connect(autocommit=False) as c, c.cursor(name="cur") as cur:
        cur.itersize = 100
        cur.execute("select n from generate_series(1, 1000) n")
        same(sum(r[0] for r in cur), 500500)


@case(*POOLED)
def a_pipeline():
    if not psycopg.Pipeline.is_supported():
        return
    with connect() as c, c.pipeline():
        cursors = [c.execute("select %s::int", (i,)) for i in range(200)]
        same([x.fetchone()[0] for x in cursors], list(range(200)))


@case(*POOLED)
def clients_over_few_servers():
    clients = [connect() for _ in range(8)]
    for i in range(40):
        same(clients[i % 8].execute("select %s::int", (i,)).fetchone(), (i,))
    for c in clients:
        c.close()


@case(*POOLED)
def prepared():
    clients = [connect(prepare_threshold=0) for _ in range(8)]
    for i in range(80):
        c = clients[i % 8]
        same(c.execute("select %s::int + " + str(i // 8 % 3), (i,)).fetchone(), (i + i // 8 % 3,))
    for c in clients:
        c.close()


@case(*POOLED)
def prepared_and_given_up():
    # What is over the limit is given up by the SQL statement DEALLOCATE (libpq before 17) or by Close.
    clients = [connect(prepare_threshold=0) for _ in range(5)]
    for c in clients:
        c.prepared_max = 2
    for i in range(60):
        same(clients[i % 5].execute("select %s::int * " + str(i // 5 % 4), (i,)).fetchone(), (i * (i // 5 % 4),))
    for c in clients:
        same(c.execute("select 1").fetchone(), (1,))
        c.close()


@case(*POOLED)
def prepared_and_the_table_changes():
    with connect(autocommit=False, prepare_threshold=0) as c:
        c.execute("create table psycopg3_changes (a int)")
        c.execute("insert into psycopg3_changes values (1)")
        same(c.execute("select * from psycopg3_changes").fetchall(), [(1,)])
        c.rollback()  # by which the driver forgets all it has prepared
        c.execute("create table psycopg3_changes (b text, c text)")
        same(c.execute("select * from psycopg3_changes").fetchall(), [])
        c.rollback()


@case(TRANSACTION)
def notifications():
    clients = [connect() for _ in range(8)]
    heard = [[] for _ in clients]
    for c, h in zip(clients, heard):
        c.add_notify_handler(h.append)
        c.execute("listen psycopg3")
    for i, c in enumerate(clients):
        c.execute("notify psycopg3, '%d'" % i)
        same(len(heard[i]), i + 1)  # its own is here
        for d, h in zip(clients, heard):
            while len(h) <= i:
                d.execute("select 1")
            same((h[i].channel, h[i].payload, h[i].pid == d.pgconn.backend_pid), ("psycopg3", str(i), c is d))
    for c in clients:
        c.close()


@case(*POOLED)
def all_at_once():
    def work(n):
        with connect(autocommit=False, prepare_threshold=1) as c:
            for i in range(25):
                with c.transaction():
                    c.execute("create temp table t (n int) on commit drop")
                    c.execute("insert into t select %s::int from generate_series(1, 10)", (n,))
                    same(c.execute("select sum(n), count(*) from t where n = %s", (n,)).fetchone(), (10 * n, 10))
                with c.pipeline() if psycopg.Pipeline.is_supported() else contextlib.nullcontext():
                    cursors = [c.execute("select %s::int, %s::text", (n, str(i))) for _ in range(5)]
                    same([x.fetchone() for x in cursors], [(n, str(i))] * 5)
                c.commit()

    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        list(pool.map(work, range(12)))


run()
