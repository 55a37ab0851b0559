#!/usr/bin/env python3
"""Memory of an idle keep-alive connection: many connections, each with one request behind it.

Environment: IDLE_CONNECTIONS (8000), PROXIES (nginx,tollgate; others have no part in this).
"""

import os
import socket
import time
from contextlib import ExitStack

import harness
from harness import Failed
from programs import Bench

CONNECTIONS = int(os.environ.get("IDLE_CONNECTIONS", "8000"))
ASKED = (os.environ.get("PROXIES") or "nginx,tollgate").split(",")
PROXIES = [name for name in ("nginx", "tollgate") if name in ASKED]
WARM_UP = 64
# Long enough for buffers to be given back, far shorter than any idle timeout.
REST = 3


def open_idle(proxy, count, kept):
    """Opens connections that `kept` keeps open, each after one answered request."""
    opened = []
    for _ in range(count):
        connection = kept.enter_context(socket.create_connection(("127.0.0.1", proxy.port), 10))
        opened.append(connection)
        status = harness.exchange(connection, harness.request())
        if status != 200:
            raise Failed(f"{proxy.name} answered {status}")
    return opened


def require_open(proxy, opened):
    """Fails if the proxy has closed one: its memory would then say nothing."""
    for connection in opened:
        connection.setblocking(False)
        try:
            connection.recv(1)
        except BlockingIOError:
            continue
        raise Failed(f"{proxy.name} closed a connection that was to rest")


def bytes_each(proxy):
    with ExitStack() as kept:
        open_idle(proxy, WARM_UP, kept)
    time.sleep(REST)
    before = proxy.memory()
    with ExitStack() as kept:
        opened = open_idle(proxy, CONNECTIONS, kept)
        time.sleep(REST)
        after = proxy.memory()
        require_open(proxy, opened)
    return (after - before) / CONNECTIONS


def main():
    if not PROXIES:
        return
    if harness.raise_file_limit() < CONNECTIONS + 1000:
        raise Failed(
            f"{CONNECTIONS} connections need a higher hard limit of open files (ulimit -Hn)"
        )
    lines = ["| proxy | KiB an idle connection |", "|---|--:|"]
    with Bench() as bench, bench.upstream() as upstream:
        for name in PROXIES:
            with bench.proxy(name, upstream.port) as proxy:
                lines.append(f"| {name} | {bytes_each(proxy) / 1024:.2f} |")
    print("\n" + "\n".join(lines))
    print(f"\n{CONNECTIONS} keep-alive connections, each after one request. {harness.machine()}.")


if __name__ == "__main__":
    harness.main(main)
