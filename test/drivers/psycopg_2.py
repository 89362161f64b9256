"""psycopg_2.py - psycopg 2, which speaks the simple protocol only."""
import io
import select

import psycopg2
import psycopg2.extensions

from cases import CONSOLE, POOLED, TRANSACTION, case, run, same


def connect(autocommit=True):
    c = psycopg2.connect("")
    c.autocommit = autocommit
    return c


def ask(c, text, values=None):
    with c.cursor() as cur:
        cur.execute(text, values)
        return cur.fetchall() if cur.description else cur.statusmessage


@case(CONSOLE)
def show():
    c = connect()
    same(ask(c, "SHOW VERSION")[0][0].split()[0], "Sluice")
    same([r for r in ask(c, "SHOW DATABASES") if r[0] == "test"][0][4], None)
    c.close()


@case(CONSOLE)
def in_a_transaction_of_the_driver():
    c = connect(autocommit=False)
    same(ask(c, "SHOW STATE")[0][0], "active")
    c.commit()
    with c:
        ask(c, "SHOW LISTS")
    c.close()


@case(CONSOLE)
def values_and_commands():
    c = connect()
    same(ask(c, "SET log_stats = %s", ("0",)), "SET log_stats=0")
    same(ask(c, "PAUSE test"), "PAUSE")
    same(ask(c, "RESUME test"), "RESUME")
    try:
        ask(c, "SHOW NONSENSE")
    except psycopg2.Error as e:
        same(e.pgcode, "08P01")
    same(ask(c, "SHOW STATE")[0][1], "yes")
    c.close()


@case(*POOLED)
def queries():
    c = connect()
    same(ask(c, "select %s::int, %s::text, %s::text", (7, "h\u00e4'", None)), [(7, "h\u00e4'", None)])
    for _ in range(3):
        try:
            ask(c, "select 1 / 0")
        except psycopg2.errors.DivisionByZero:
            pass
        same(ask(c, "select 1"), [(1,)])
    c.close()


@case(*POOLED)
def transactions():
    c = connect(autocommit=False)
    ask(c, "create temp table t (n int) on commit drop")
    ask(c, "insert into t values (%s)", (1,))
    same(ask(c, "select n from t"), [(1,)])
    c.rollback()
    same(ask(c, "select to_regclass('pg_temp.t')"), [(None,)])
    same(c.get_transaction_status(), psycopg2.extensions.TRANSACTION_STATUS_INTRANS)
    c.close()


@case(*POOLED)
def copy():
    c = connect(autocommit=False)
    with c.cursor() as cur:
        cur.execute("create temp table t (n int, s text) on commit drop")
        cur.copy_expert("copy t from stdin", io.StringIO("".join("%d\trow %d\n" % (i, i) for i in range(5000))))
        out = io.StringIO()
        cur.copy_expert("copy t to stdout", out)
    same(out.getvalue().count("\n"), 5000)
    c.close()


@case(*POOLED)
def named_cursor():
    c = connect(autocommit=False)
    with c.cursor(name="cur") as cur:
        cur.itersize = 100
        cur.execute("select n from generate_series(1, 1000) n")
        same(sum(r[0] for r in cur), 500500)
    c.close()


@case(*POOLED)
def clients_over_few_servers():
    clients = [connect() for _ in range(8)]
    for i in range(40):
        same(ask(clients[i % 8], "select %s", (i,)), [(i,)])
    for c in clients:
        c.close()


@case(TRANSACTION)
def notifications():
    clients = [connect() for _ in range(4)]
    for c in clients:
        ask(c, "listen psycopg2")
    for i in range(20):
        c = clients[i % 4]
        ask(c, "notify psycopg2, '%d'" % i)
        for d in clients:
            while not d.notifies:
                select.select([d], [], [], 20)
                d.poll()
            n = d.notifies.pop(0)
            same((n.channel, n.payload, n.pid == d.info.backend_pid), ("psycopg2", str(i), c is d))
    for c in clients:
        c.close()


run()
