#!/usr/bin/env python3
"""Runs an integration program as a very busy machine would: one of its processes after the other, its servers', Sluice's
and its own, stands still for a while. What fails then, and does not otherwise, fails by chance one day.

    test/jitter.py SEED MILLISECONDS build-asan/test/integration/test_copy [test...]

MILLISECONDS: the longest; 1 in 12 comes near it. From the environment: JITTER_SPARE, beginnings of names of processes that
are left alone. libmariadb takes a process that stood still for a connection that was lost: JITTER_SPARE=test_my."""

import os
import random
import signal
import subprocess
import sys
import time

ALONE = ("sh", "initdb", "cp", "openssl") + tuple(os.environ.get("JITTER_SPARE", "").split())


def below(pid):
    """All descendants."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            children = [int(word) for word in f.read().split()]
    except OSError:
        return []
    return children + [d for child in children for d in below(child)]


def name_and_state(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            stat = f.read()
    except OSError:
        return "", "Z"
    return stat[stat.index("(") + 1:stat.rindex(")")], stat[stat.rindex(")") + 2]


def send(pid, sig):
    try:
        os.kill(pid, sig)
    except OSError:
        pass  # it has ended


def how_long(chance, most):
    luck = chance.random()
    return chance.uniform(5, 40) if luck < 0.75 else chance.uniform(40, 250) if luck < 0.92 else chance.uniform(250, most)


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    chance, most = random.Random(int(sys.argv[1])), max(float(sys.argv[2]), 250)
    program = subprocess.Popen(sys.argv[3:])
    held = None
    try:
        while program.poll() is None:
            kinds = {}
            for pid in below(program.pid):
                name, state = name_and_state(pid)
                if state not in "TtZ" and not name.startswith(ALONE):  # one that stands still does so for the test
                    kinds.setdefault(name, []).append(pid)
            if kinds:
                held = chance.choice(kinds[chance.choice(sorted(kinds))])
                send(held, signal.SIGSTOP)
                time.sleep(how_long(chance, most) / 1000)
                send(held, signal.SIGCONT)
                held = None
            time.sleep(chance.uniform(0.005, 0.04))
    finally:
        if held:
            send(held, signal.SIGCONT)
        if program.poll() is None:
            program.terminate()
    sys.exit(program.returncode)


main()
