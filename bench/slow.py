#!/usr/bin/env python3
"""Slow clients: thousands that send heads, send bodies and read answers by a byte a second, beside a
few good ones. The slow ones must be cut in time, memory stays bounded, the good ones hardly notice,
and a silent event stream and a silent WebSocket live on.

Environment: SLOW_CLIENTS (2000 of each kind), TOLLGATE (another program than the release build).
"""

import json
import multiprocessing
import os
import select
import socket
import statistics
import time

import harness
from harness import Failed
from programs import Bench, program

EACH = int(os.environ.get("SLOW_CLIENTS", "2000"))
MIB = 1 << 20
CUT_WITHIN = 20
MOST_MEMORY = 128 * MIB
SILENCE = 50
GOOD = 8
PARTS = 100
LARGE = 8 * MIB
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE + bytes(LARGE)
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
SWITCH = b"HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
CONFIG = """
listen = "127.0.0.1:{port}"
[routes]
"/a" = "http://127.0.0.1:{upstream}"
[limits]
anonymous = {{ requests = 1_000_000_000, per = "1h" }}
[server]
workers = {workers}
[admin]
listen = "off"
[log]
format = "json"
access = "{log}"
"""


class Service:
    """The service, on one thread: it must not be what is slow."""

    def __init__(self, listener):
        self.listener, self.poll = listener, select.epoll()
        # What has been read of the head, what is still to be written, when to speak.
        self.heads, self.rest, self.silent = {}, {}, {}
        self.open = {}
        self.poll.register(listener, select.EPOLLIN)
        listener.setblocking(False)

    def run(self):
        while True:
            for number, event in self.poll.poll(0.5):
                if number == self.listener.fileno():
                    self.accept()
                elif event & select.EPOLLOUT and number in self.rest:
                    self.write(number)
                else:
                    self.read(number)
            for number, (due, said) in list(self.silent.items()):
                if time.monotonic() > due:
                    del self.silent[number]
                    self.open[number].send(said)

    def accept(self):
        try:
            while True:
                connection, _ = self.listener.accept()
                connection.setblocking(False)
                number = connection.fileno()
                self.open[number], self.heads[number] = connection, b""
                self.poll.register(number, select.EPOLLIN)
        except BlockingIOError:
            pass

    def read(self, number):
        try:
            data = self.open[number].recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.open.pop(number).close()
            for of_it in (self.heads, self.rest, self.silent):
                of_it.pop(number, None)
            return
        self.heads[number] += data
        head = self.heads[number]
        if b"\r\n\r\n" not in head or head.startswith(b"POST"):
            return
        self.heads[number] = b""
        target = head.split(b" ", 2)[1]
        if target == b"/large":
            self.rest[number] = memoryview(ANSWER)
            self.poll.modify(number, select.EPOLLIN | select.EPOLLOUT)
            self.write(number)
        elif target in (b"/events", b"/websocket"):
            self.open[number].send(EVENTS if target == b"/events" else SWITCH)
            self.silent[number] = (time.monotonic() + SILENCE, b"5\r\nhello\r\n")
        else:
            self.open[number].send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    def write(self, number):
        try:
            self.rest[number] = self.rest[number][self.open[number].send(self.rest[number]) :]
        except BlockingIOError:
            return
        except OSError:
            self.rest[number] = b""
        if not self.rest[number]:
            del self.rest[number]
            self.poll.modify(number, select.EPOLLIN)


def serve(listener):
    harness.raise_file_limit()
    Service(listener).run()


def request(target, method="GET", fields=""):
    return f"{method} /a/{target} HTTP/1.1\r\nHost: x\r\n{fields}\r\n".encode()


KINDS = {
    "slow heads": b"GET /a/x HTTP/1.1\r\nX: ",
    "slow bodies": request("x", "POST", "Content-Length: 100000\r\n"),
    "slow readers": request("large"),
}


def attack(port, results):
    """All slow clients, in one process: for each kind, after how long they were cut."""
    harness.raise_file_limit()
    poll, clients, cut = select.epoll(), {}, {kind: [] for kind in KINDS}
    # Not closed before the end: their numbers would stand for others.
    ended = []
    for nth in range(EACH):
        for kind, first in KINDS.items():
            connection = socket.socket()
            # As those have who attack in this way: little fits into their kernels.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
            connection.settimeout(20)
            connection.connect(("127.0.0.1", port))
            connection.setblocking(False)
            connection.send(first)
            events = select.EPOLLRDHUP
            poll.register(connection, events)
            clients[connection.fileno()] = (connection, kind, time.monotonic())
        if nth % 20 == 0:
            time.sleep(0.005)
    deadline = time.monotonic() + 2 * CUT_WITHIN
    # Each has its own second: a hundredth of them moves at a time.
    parts = [list(clients)[part::PARTS] for part in range(PARTS)]
    part, beat = 0, time.monotonic()
    while clients and time.monotonic() < deadline:
        for number, event in poll.poll(max(0.0, beat - time.monotonic())):
            if event & (select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR):
                connection, kind, begun = clients.pop(number)
                cut[kind].append(time.monotonic() - begun)
                poll.unregister(connection)
                ended.append(connection)
        if time.monotonic() < beat:
            continue
        beat += 1 / PARTS
        part = (part + 1) % PARTS
        for number in parts[part]:
            if number not in clients:
                continue
            connection, kind, _ = clients[number]
            try:
                connection.recv(1) if kind == "slow readers" else connection.send(b"x")
            except OSError:
                pass
    results.put((cut, {k: sum(1 for c in clients.values() if c[1] == k) for k in KINDS}))


def good(port, ended, results):
    """A few clients that ask fifty times a second each; the time of each answer, and when."""
    open_ = [socket.create_connection(("127.0.0.1", port), 20) for _ in range(GOOD)]
    times = []
    while not ended.is_set():
        for connection in open_:
            begun = time.monotonic()
            status = harness.exchange(connection, request("good"))
            times.append((begun, time.monotonic() - begun, status))
        time.sleep(0.02)
    results.put(times)


def begin_silence(port):
    """An event stream and a WebSocket on which nothing is said."""
    upgrade = "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n"
    quiet = {}
    for name, fields in [("events", ""), ("websocket", upgrade)]:
        quiet[name] = socket.create_connection(("127.0.0.1", port), SILENCE + 20)
        quiet[name].sendall(request(name, fields=fields))
        harness.read_head(quiet[name])
    return quiet


def p99(times):
    return statistics.quantiles(times, n=100)[98]


def measure(gateway, pid, log):
    port = gateway.port
    quiet, begun = begin_silence(port), time.monotonic()
    ended, good_results, slow_results = (
        multiprocessing.Event(),
        multiprocessing.Queue(),
        multiprocessing.Queue(),
    )
    few = multiprocessing.Process(target=good, args=(port, ended, good_results))
    few.start()
    time.sleep(10)
    harness.forget_highest(pid)
    attacked = time.monotonic()
    many = multiprocessing.Process(target=attack, args=(port, slow_results))
    many.start()
    cut, left = slow_results.get()
    memory, ceased = harness.highest_resident(pid), time.monotonic()
    many.join()
    time.sleep(max(0.0, begun + SILENCE + 2 - time.monotonic()))
    ended.set()
    times = good_results.get()
    few.join()
    said = {name: connection.recv(100) for name, connection in quiet.items()}
    before = p99([took for at, took, _ in times if at < attacked])
    during = p99([took for at, took, _ in times if attacked <= at < ceased])
    bad = [status for *_, status in times if status != 200]
    print(f"| {EACH} of each | cut after | the last | not cut |\n|---|--:|--:|--:|")
    for kind, after in cut.items():
        last = f"{max(after):.1f} s" if after else "-"
        middle = f"{statistics.median(after):.1f} s" if after else "-"
        print(f"| {kind} | {middle} | {last} | {left[kind]} |")
    lines = [json.loads(line) for line in open(log)]
    codes = {}
    for line in lines:
        codes[line["code"]] = codes.get(line["code"], 0) + 1
    print(f"\nmemory at most {memory / MIB:.1f} MiB; good clients: {len(times)} requests, {len(bad)} not answered")
    print(f"with 200, p99 {1000 * before:.1f} ms before, {1000 * during:.1f} ms during; said at the end: {said}; codes: {codes}.")
    late = [kind for kind, after in cut.items() if left[kind] or max(after) > CUT_WITHIN]
    wrong = {
        f"late: {late}": late,
        f"memory: {memory / MIB:.1f} MiB": memory > MOST_MEMORY,
        f"not answered with 200: {len(bad)}": bad,
        f"said: {said}": not all(said.values()),
        "a circuit opened": "circuit_open" in codes,
        "p99 of good clients more than doubled": during > 2 * before,
    }
    if any(wrong.values()):
        raise Failed("; ".join(what for what, is_so in wrong.items() if is_so))


def main():
    if harness.raise_file_limit() < 3 * EACH + 1000:
        raise Failed("that many connections need a higher hard limit of open files (ulimit -Hn)")
    tollgate = os.environ.get("TOLLGATE") or program("tollgate")
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    # What the service's kernel holds is not what is measured, but there is not room for it all.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
    upstream = listener.getsockname()[1]
    service = multiprocessing.Process(target=serve, args=(listener,), daemon=True)
    service.start()
    with Bench() as bench:
        port, folder = harness.free_port(), bench._folder("slow")
        log, config = folder / "access.log", folder / "slow.toml"
        values = {"port": port, "upstream": upstream, "workers": bench.workers, "log": log}
        config.write_text(CONFIG.format(**values))
        command = [tollgate, "run", "-c", config]
        with harness.Server("tollgate", command, port, folder) as gateway:
            measure(gateway, gateway.process.pid, log)
            print(f"\n{harness.machine()}.")
    service.terminate()


if __name__ == "__main__":
    harness.main(main)
