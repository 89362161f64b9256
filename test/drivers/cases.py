"""cases.py - runs a table of cases and prints a line for each."""
import sys

CONSOLE, SESSION, TRANSACTION = "console", "session", "transaction"
POOLED = (SESSION, TRANSACTION, "straight")  # straight: at the server, to know that the case is right
cases = []


def case(*modes):
    """Marks a function as a case of these modes; it fails by raising."""

    def add(fn):
        cases.append((fn, modes))
        return fn

    return add


def same(got, want):
    if got != want:
        raise AssertionError("got %r, want %r" % (got, want))


def run():
    mode = sys.argv[1]
    for fn, modes in cases:
        if mode not in modes:
            continue
        try:
            fn()
            print("ok " + fn.__name__, flush=True)
        except Exception as e:  # whatever it is, it is this case's
            print("not ok %s: %s" % (fn.__name__, " ".join(("%s: %s" % (type(e).__name__, e)).split())), flush=True)
