#!/usr/bin/env python3
"""Small tools of the benchmarks.

  port                         a TCP port of 127.0.0.1 that was free
  janitor PID DIR              waits for the end of PID and removes DIR
  cpu PID                      CPU time used so far: nanoseconds, and how much of it in the kernel
  idle PID PORT N USER PASSWORD DB [own-names|mysql]
                               N clients (each with an application_name of its own, or of MySQL) log in, run one query
                               each, leave: PSS of PID at each step
  calls perf|strace FILE N     the calls counted in FILE for each of N queries
  report FILE                  the table of cpu.sh
  limits FILE TARGET BASE SCENARIO=LIMIT...
                               fails when TARGET costs more than so many times what BASE does
"""
import base64
import hashlib
import hmac
import os
import re
import select
import shutil
import socket
import ssl
import statistics
import struct
import sys
import time

HOST = "127.0.0.1"


def port():
    with socket.socket() as s:
        s.bind((HOST, 0))
        print(s.getsockname()[1])


def janitor(pid, directory):
    try:
        fd = os.pidfd_open(int(pid))
    except ProcessLookupError:
        fd = None
    if fd is not None:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        poll.poll()
    for _ in range(50):  # processes that are dying yet may write
        shutil.rmtree(directory, ignore_errors=True)
        if not os.path.exists(directory):
            return
        time.sleep(0.2)


# -- The proxy's process

def cpu_ns(pid):
    """Nanoseconds, of all threads that live. The kernel's utime + stime are the same sum, in steps of 10 ms."""
    total = 0
    for task in os.listdir("/proc/%s/task" % pid):
        with open("/proc/%s/task/%s/schedstat" % (pid, task)) as f:
            total += int(f.read().split()[0])
    return total


def cpu(pid):
    with open("/proc/%s/stat" % pid) as f:
        field = f.read().rsplit(")", 1)[1].split()
    tick = 10**9 // os.sysconf("SC_CLK_TCK")
    user, kernel = int(field[11]) * tick, int(field[12]) * tick
    try:
        total = cpu_ns(pid) or user + kernel
    except OSError:  # a kernel without these statistics
        total = user + kernel
    print(total, total * kernel // (user + kernel) if user + kernel else 0)


def pss(pid):
    with open("/proc/%s/smaps_rollup" % pid) as f:
        return int(re.search(r"^Pss:\s+(\d+) kB", f.read(), re.M).group(1)) * 1024


# -- Clients that do nothing

class Failed(Exception):
    pass


class Client:
    """As much of the protocol as a login and a simple query need."""

    def __init__(self, port):
        self.s = socket.create_connection((HOST, port), timeout=60)
        self.got = b""

    def message(self):
        while True:
            if len(self.got) >= 5:
                n = struct.unpack("!I", self.got[1:5])[0] + 1
                if len(self.got) >= n:
                    kind, body = self.got[:1], self.got[5:n]
                    self.got = self.got[n:]
                    if kind == b"E":
                        raise Failed(body.replace(b"\0", b" ").decode(errors="replace"))
                    return kind, body
            more = self.s.recv(8192)
            if not more:
                raise Failed("the connection was closed")
            self.got += more

    def send(self, kind, body):
        self.s.sendall(kind + struct.pack("!I", len(body) + 4) + body)

    def begin(self, user, db, app):
        body = struct.pack("!I", 3 << 16) + b"user\0" + user + b"\0database\0" + db + b"\0"
        if app:
            body += b"application_name\0" + app + b"\0"
        self.send(b"", body + b"\0")

    def finish_login(self, password):
        while True:
            kind, body = self.message()
            if kind == b"Z":
                return
            if kind != b"R":
                continue
            step = struct.unpack("!I", body[:4])[0]
            if step == 10:
                self.first = b"n=,r=" + base64.b64encode(os.urandom(18))
                first = b"n,," + self.first
                self.send(b"p", b"SCRAM-SHA-256\0" + struct.pack("!I", len(first)) + first)
            elif step == 11:
                self.send(b"p", self.scram_final(password, body[4:]))
            elif step not in (0, 12):
                raise Failed("authentication %d is not known here" % step)

    salted = {}

    def scram_final(self, password, server_first):
        part = dict(p.split(b"=", 1) for p in server_first.split(b","))
        what = (password, part[b"s"], part[b"i"])
        key = self.salted.get(what)
        if not key:
            key = hashlib.pbkdf2_hmac("sha256", password, base64.b64decode(part[b"s"]), int(part[b"i"]))
            self.salted[what] = key
        client_key = hmac.digest(key, b"Client Key", "sha256")
        final = b"c=biws,r=" + part[b"r"]
        signed = b",".join((self.first, server_first, final))
        proof = hmac.digest(hashlib.sha256(client_key).digest(), signed, "sha256")
        return final + b",p=" + base64.b64encode(bytes(a ^ b for a, b in zip(client_key, proof)))

    def ask(self):
        self.send(b"Q", b"SELECT 1\0")

    def until_ready(self):
        while self.message()[0] != b"Z":
            pass

    def leave(self):
        self.send(b"X", b"")
        self.s.close()


class MyClient:
    """The same of MySQL's, with mysql_native_password."""

    CAPS = 0x00000001 | 0x00000008 | 0x00000200 | 0x00002000 | 0x00008000 | 0x00080000
    PLUGIN = b"mysql_native_password"

    def __init__(self, port):
        self.s = socket.create_connection((HOST, port), timeout=60)
        self.got = b""

    def message(self):
        while True:
            if len(self.got) >= 4:
                n = int.from_bytes(self.got[:3], "little") + 4
                if len(self.got) >= n:
                    self.seq, body = self.got[3] + 1, self.got[4:n]
                    self.got = self.got[n:]
                    if body[:1] == b"\xff":
                        raise Failed(body[3:].decode(errors="replace"))
                    return body
            more = self.s.recv(8192)
            if not more:
                raise Failed("the connection was closed")
            self.got += more

    def send(self, body):
        self.s.sendall(len(body).to_bytes(3, "little") + bytes([self.seq]) + body)

    def begin(self, user, db, app):
        self.names = user + b"\0", db + b"\0"

    def proof(self, password, nonce):
        key = hashlib.sha1(password).digest()
        over = hashlib.sha1(nonce + hashlib.sha1(key).digest()).digest()
        return bytes(a ^ b for a, b in zip(key, over))

    def finish_login(self, password):
        greeting = self.message()
        at = greeting.index(b"\0", 1) + 5
        nonce = greeting[at:at + 8] + greeting[at + 27:at + 39]
        user, db = self.names
        self.send(struct.pack("<IIB23x", self.CAPS, 1 << 24, 45) + user + b"\x14" + self.proof(password, nonce) + db +
                  self.PLUGIN + b"\0")
        while True:
            body = self.message()
            if body[:1] == b"\0":
                return
            if body[:1] != b"\xfe" or not body[1:].startswith(self.PLUGIN + b"\0"):
                raise Failed("this way of authentication is not known here")
            self.send(self.proof(password, body[len(self.PLUGIN) + 2:][:20]))

    def ask(self):
        self.seq = 0
        self.send(b"\x03SELECT 1")

    def until_ready(self):
        ends = 0
        while ends < 2:  # of the columns, of the rows
            body = self.message()
            ends += body[:1] == b"\xfe" and len(body) < 9

    def leave(self):
        self.seq = 0
        self.send(b"\x01")
        self.s.close()


def encrypt(clients):
    """PGSSLMODE=require: their handshakes overlap, too."""
    if os.environ.get("PGSSLMODE") != "require":
        return
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname = False
    tls.verify_mode = ssl.CERT_NONE
    for c in clients:
        c.s.sendall(struct.pack("!II", 8, 80877103))
    for c in clients:
        if c.s.recv(1) != b"S":
            raise Failed("no TLS")
        c.s = tls.wrap_socket(c.s, do_handshake_on_connect=False)
        c.s.settimeout(0)
    shaking = clients
    while shaking:
        left = []
        for c in shaking:
            try:
                c.s.do_handshake()
                c.s.settimeout(60)
            except ssl.SSLWantReadError:
                left.append(c)
        shaking = left


AT_ONCE = 100  # as a crowd does: logins and queries overlap, and queries wait for one another


def crowds(clients):
    return (clients[i:i + AT_ONCE] for i in range(0, len(clients), AT_ONCE))


def idle(pid, port, n, user, password, db, how=""):
    n, own_names, Kind = int(n), how == "own-names", MyClient if how == "mysql" else Client
    clients = []
    before = pss(pid)
    while len(clients) < n:
        crowd = [Kind(int(port)) for _ in range(min(AT_ONCE, n - len(clients)))]
        encrypt(crowd)
        for i, c in enumerate(crowd):
            c.begin(user.encode(), db.encode(), b"app-%d" % (len(clients) + i) if own_names else b"")
        for c in crowd:
            c.finish_login(password.encode())
        clients += crowd
    logged_in = pss(pid)
    for crowd in crowds(clients):
        for c in crowd:
            c.ask()
        for c in crowd:
            c.until_ready()
    queried = pss(pid)
    for crowd in crowds(clients):
        for c in crowd:
            c.leave()
    # The proxy hears of them one by one; how long that takes is not measured.
    last = Kind(int(port))
    encrypt([last])
    last.begin(user.encode(), db.encode(), b"")
    last.finish_login(password.encode())
    left = pss(pid)
    print(before, (logged_in - before) // n, (queried - before) // n, (left - before) // n)


# -- System calls

def calls(kind, path, n):
    n, count = int(n), {}
    with open(path) as f:
        for line in f:
            if kind == "perf":
                m = re.match(r"(\d+),[^,]*,(raw_)?syscalls:sys_enter(?:_(\w+))?,", line)
                if m and m.group(2):
                    count["other"] = int(m.group(1))
                elif m:
                    count[m.group(3)] = int(m.group(1))
            else:
                m = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", line)
                if m and m.group(2) != "total":
                    count[m.group(2)] = int(m.group(1))
    if "other" in count:  # so far it is all of them
        count["other"] -= sum(c for name, c in count.items() if name != "other")
    parts = sorted(((c / n, name) for name, c in count.items()), reverse=True)
    print("%.2f" % (sum(count.values()) / n), " ".join("%s %.2f" % (name, c) for c, name in parts if c >= 0.005))


# -- The table of cpu.sh: lines of scenario, target, round, CPU ns, of it in the kernel, queries, seconds

def measurements(path):
    runs, scenarios, targets = {}, [], []
    with open(path) as f:
        for line in f:
            scenario, target, turn, ns, kernel_ns, queries, secs = line.split()
            runs.setdefault((scenario, target), {})[int(turn)] = \
                (int(ns) / int(queries) / 1e3, int(kernel_ns) / int(ns), int(queries) / float(secs))
            if scenario not in scenarios:
                scenarios.append(scenario)
            if target not in targets:
                targets.append(target)
    return runs, scenarios, targets


def ratios_to(runs, scenario, target, base):
    """Of the same round only: what the machine did meanwhile befell both."""
    mine, other = runs.get((scenario, target), {}), runs.get((scenario, base), {})
    return sorted(mine[i][0] / other[i][0] for i in mine if i in other)


def limits(path, target, base, *wanted):
    runs, above = measurements(path)[0], False
    for want in wanted:
        scenario, limit = want.split("=")
        ratios = ratios_to(runs, scenario, target, base)
        if ratios and statistics.median(ratios) > float(limit):
            above = True
            print("%s: %s is at %.2f of %s, above %s" % (scenario, target, statistics.median(ratios), base, limit))
    if above:
        sys.exit(1)


def report(path):
    runs, scenarios, targets = measurements(path)
    bases = [t for t in ("relay", "pgbouncer", "pgbouncer-new", "sluice-old") if t in targets]
    print("%-12s %-13s %9s %6s %8s" % ("scenario", "target", "us/query", "kernel", "query/s"), end="")
    print("".join("   %-20s" % ("/ " + b) for b in bases).rstrip())
    for scenario in scenarios:
        print()
        for target in targets:
            mine = runs.get((scenario, target))
            if not mine:
                continue
            us, kernel, rate = (statistics.median(r[i] for r in mine.values()) for i in range(3))
            line = "%-12s %-13s %9.2f %5.0f%% %8.0f" % (scenario, target, us, kernel * 100, rate)
            for base in bases:
                ratios = ratios_to(runs, scenario, target, base)
                if target == base or not ratios:
                    line += "   %-20s" % "-"
                elif len(ratios) < 4:
                    line += "   %-20s" % ("%.2f (%.2f..%.2f)" % (statistics.median(ratios), ratios[0], ratios[-1]))
                else:
                    low, middle, high = statistics.quantiles(ratios, n=4)
                    line += "   %-20s" % ("%.2f (%.2f..%.2f)" % (middle, low, high))
            print(line.rstrip())


def main():
    commands = {f.__name__: f for f in (port, janitor, cpu, idle, calls, report, limits)}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    try:
        commands[sys.argv[1]](*sys.argv[2:])
    except (Failed, OSError) as e:
        sys.exit("%s: %s" % (sys.argv[1], e))


if __name__ == "__main__":
    main()
