#!/usr/bin/env python3
"""What clients see of services that fail: three endpoints, of which one is killed, hangs, resets,
answers 503, sends garbage or is slow, under 1,000 requests a second; and storms in which all fail.

Environment: SECONDS (10) of each scenario, RATE (1000), ONLY (names of scenarios, with commas).
"""

import asyncio
import http.client
import os
import signal
import sys
import time
from collections import Counter
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import harness
from programs import RELEASE

SECONDS = float(os.environ.get("SECONDS", "10"))
RATE = int(os.environ.get("RATE", "1000"))
ONLY = os.environ.get("ONLY", "").split(",")
PROGRAM = os.environ.get("PROGRAM", RELEASE / "tollgate")
MISBEHAVE = harness.HERE / "misbehave.py"


class Client(asyncio.Protocol):
    """One connection; one request at a time."""

    def __init__(self, load):
        self.load = load

    def connection_made(self, transport):
        self.transport, self.data = transport, b""
        self.load.idle.append(self)

    def ask(self, request):
        self.asked, self.data = time.monotonic(), b""
        self.transport.write(request)

    def data_received(self, data):
        self.data += data
        head, found, rest = self.data.partition(b"\r\n\r\n")
        if not found:
            return
        lower = head.lower()
        length = int(lower.partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(rest) < length:
            return
        status = head.split(b" ", 2)[1].decode()
        if b"x-own:" not in lower and status != "200":
            status += " " + rest.partition(b'"code":"')[2].partition(b'"')[0].decode()
        self.load.note(status, time.monotonic() - self.asked)
        if b"connection: close" in lower:
            self.transport.close()
        else:
            self.load.idle.append(self)

    def connection_lost(self, _):
        if self in self.load.idle:
            self.load.idle.remove(self)
        self.load.missing += 1


class Load:
    """Requests at a fixed rate, or as fast as so many clients get answers."""

    def __init__(self, port, request=b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n"):
        self.port, self.request = port, request
        self.idle, self.missing = [], 0
        self.statuses, self.times, self.started = Counter(), [], 0

    def note(self, status, took):
        self.statuses[status] += 1
        self.times.append(took)

    async def connect(self, count):
        loop = asyncio.get_running_loop()
        for _ in range(count):
            await loop.create_connection(lambda: Client(self), "127.0.0.1", self.port)

    async def pace(self, rate, seconds, at=()):
        """Asks at this rate; `at` are moments in seconds and what to do then."""
        await self.connect(64)
        begun, at = time.monotonic(), list(at)
        while (elapsed := time.monotonic() - begun) < seconds:
            if at and elapsed >= at[0][0]:
                at.pop(0)[1]()
            while self.started < elapsed * rate:
                if not self.idle:
                    await self.connect(16)
                self.idle.pop().ask(self.request)
                self.started += 1
            await asyncio.sleep(0.001)
        await self.settle()
        return self

    async def race(self, clients, seconds):
        """So many clients, each of which asks again once it is answered."""
        await self.connect(clients)
        begun = time.monotonic()
        while time.monotonic() - begun < seconds:
            while self.idle:
                self.idle.pop().ask(self.request)
                self.started += 1
            await asyncio.sleep(0)
            if self.missing:
                missing, self.missing = self.missing, 0
                await self.connect(missing)
        await self.settle()
        return self

    async def settle(self):
        deadline = time.monotonic() + 5
        while sum(self.statuses.values()) < self.started and time.monotonic() < deadline:
            await asyncio.sleep(0.01)

    def p(self, share):
        times = sorted(self.times)
        return times[int(len(times) * share)] * 1000 if times else float("nan")

    def errors(self):
        answered = sum(self.statuses.values())
        return sum(self.statuses.values()) - self.statuses["200"] + self.started - answered

    def __str__(self):
        statuses = ", ".join(f"{count} x {status}" for status, count in self.statuses.most_common())
        return f"{self.started} requests: {statuses}; p50 {self.p(0.5):.1f} ms, p99 {self.p(0.99):.1f} ms"


class Service(harness.Server):
    """A service that misbehaves."""

    def __init__(self, scratch, mode="ok", port=None):
        port = port or harness.free_port()
        super().__init__("service", [sys.executable, MISBEHAVE, port, mode], port, scratch)

    def get(self, target):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        connection.request("GET", target)
        body = connection.getresponse().read()
        connection.close()
        return body

    def becomes(self, mode):
        self.get(f"/-/mode/{mode}")

    def seen(self):
        return tuple(map(int, self.get("/-/seen").split()))

    def kill(self):
        self.process.kill()
        self.process.wait()


class Scenario:
    """Services and a gateway in front of them."""

    def __init__(self, modes, rules="", workers=2):
        self.modes, self.rules, self.workers = modes, rules, workers

    def __enter__(self):
        self.running = ExitStack()
        self.scratch = Path(self.running.enter_context(TemporaryDirectory(prefix="tollgate-bench-")))
        self.services = [self.service(f"service-{n}", mode) for n, mode in enumerate(self.modes)]
        urls = ", ".join(f'"http://127.0.0.1:{one.port}"' for one in self.services)
        port = harness.free_port()
        self.config = self.scratch / "tollgate.toml"
        self.text = (
            f'listen = "127.0.0.1:{port}"\n[server]\nworkers = {self.workers}\n'
            f'[routes]\n"/" = "up"\n[admin]\nlisten = "off"\n[log]\naccess = "{self.scratch}/access.log"\n'
            f"[upstreams.up]\nendpoints = [{urls}]\n{self.rules}\n"
        )
        self.config.write_text(self.text)
        command = [PROGRAM, "run", "-c", self.config]
        gateway = harness.Server("tollgate", command, port, self.scratch)
        self.gateway = self.running.enter_context(gateway)
        return self

    def reload(self, turn):
        """With another weight, and other times for each try and each check."""
        first = f'"http://127.0.0.1:{self.services[0].port}"'
        weighed = f"{{ url = {first}, weight = {2 + turn} }}"
        text = self.text.replace(first, weighed) + f'try_timeout = "{5 + turn}s"\n'
        text = text.replace('timeout = "200ms"', f'timeout = "{200 + turn}ms"')
        self.config.write_text(text)
        self.gateway.process.send_signal(signal.SIGHUP)

    def service(self, name, mode, port=None):
        folder = self.scratch / name
        folder.mkdir(exist_ok=True)
        return self.running.enter_context(Service(folder, mode, port))

    def __exit__(self, *_):
        self.running.close()

    def pace(self, *arguments, **named):
        return asyncio.run(Load(self.gateway.port, **named).pace(*arguments))

    def race(self, *arguments, **named):
        return asyncio.run(Load(self.gateway.port, **named).race(*arguments))


FAILED = []


def holds(what, is_so):
    print(f"    {'holds' if is_so else 'FAILS'}: {what}", flush=True)
    if not is_so:
        FAILED.append(what)


def one_of_three(mode, rules=""):
    """One endpoint changes after a fifth of the time."""
    with Scenario(["ok"] * 3, rules) as scenario:
        bad = scenario.services[0]
        change = bad.kill if mode == "killed" else lambda: bad.becomes(mode)
        load = scenario.pace(RATE, SECONDS, [(SECONDS / 5, change)])
        print(f"  {load}")
        holds("no client sees an error", load.errors() == 0)


def slow():
    with Scenario(["ok"] * 3) as scenario:
        base = scenario.pace(RATE, SECONDS / 2)
        scenario.services[0].becomes("delay=2")
        scenario.pace(RATE, 1)
        scenario.services[0].seen()
        load = scenario.pace(RATE, SECONDS)
        there = scenario.services[0].seen()[0]
        print(f"  before: {base}\n  slow: {load}; {there} requests to the slow endpoint")
        holds("p99 at most twice the baseline", load.p(0.99) <= 2 * base.p(0.99))
        holds("at most 0.5 % of requests there", there <= 0.005 * load.started)
        holds("no client sees an error", load.errors() == 0)


def sheds():
    post = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"
    with Scenario(["shed=503,0.1"]) as scenario:
        load = scenario.pace(RATE, SECONDS, request=post)
        print(f"  {load}")
        foreign = [status for status in load.statuses if status not in ("200", "503")]
        holds("every 503 is the service's own", not foreign and load.statuses["503"] > 0)


def fails_fast():
    with Scenario(["status=500", "delay=0.05", "delay=0.05"]) as scenario:
        load = scenario.race(64, SECONDS)
        there = scenario.services[0].seen()[0]
        print(f"  {load}; {there} to the failing one")
        holds("the failing endpoint gets at most 40 %", there <= 0.4 * load.started)


def all_fail():
    rules = 'breaker = { cool_down = "1s" }'
    with Scenario(["reset"] * 3, rules, workers=4) as scenario:
        scenario.race(16, 2)
        for service in scenario.services:
            service.seen()
        load = scenario.pace(RATE, SECONDS)
        connections = [service.seen()[1] - 1 for service in scenario.services]
        print(f"  {load}; connections {connections}")
        holds("p99 of refusals at most 5 ms", load.p(0.99) <= 5)
        holds("at most one connection an endpoint and cool-down", max(connections) <= SECONDS + 1)
        for service in scenario.services:
            service.becomes("ok")
        begun = time.monotonic()
        while scenario.pace(50, 0.1).errors() > 0 and time.monotonic() - begun < 10:
            pass
        took = time.monotonic() - begun
        holds(f"served again within 1.5 s ({took:.2f} s)", took <= 1.5)


def reloads():
    rules = 'breaker = { cool_down = "1s" }\nhealth = { path = "/health", interval = "1s", timeout = "200ms" }'
    with Scenario(["reset", "ok", "ok"], rules) as scenario:
        scenario.race(16, 1)
        scenario.services[0].seen()
        at = [(SECONDS * turn / 50, partial(scenario.reload, turn)) for turn in range(50)]
        load = scenario.pace(RATE, SECONDS, at)
        probes = scenario.services[0].seen()[0]
        print(f"  {load}; {probes} requests to the endpoint that resets, but for checks")
        # The cool-down doubles: 1, 2, 4, ... seconds.
        holds("nothing but probes reaches it", probes <= int(SECONDS).bit_length())
        holds("no client sees an error", load.errors() == 0)


def storm():
    with Scenario(["status=503"] * 3, 'breaker = "off"') as scenario:
        load = scenario.pace(RATE, SECONDS)
        there = sum(service.seen()[0] for service in scenario.services)
        print(f"  {load}; {there} requests to services")
        most = 1.2 * load.started + 10 * (SECONDS + 1)
        holds(f"services see at most 1.2 times the requests and 10 a second ({most:.0f})", there <= most)


SCENARIOS = {
    "killed": lambda: one_of_three("killed"),
    "silent": lambda: one_of_three("silent", 'try_timeout = "500ms"'),
    "reset": lambda: one_of_three("reset"),
    "busy": lambda: one_of_three("status=503"),
    "garbage": lambda: one_of_three("garbage"),
    "slow": slow,
    "sheds": sheds,
    "fails-fast": fails_fast,
    "all-fail": all_fail,
    "reloads": reloads,
    "storm": storm,
}


def main():
    for name, scenario in SCENARIOS.items():
        if ONLY != [""] and name not in ONLY:
            continue
        print(f"{name}:", flush=True)
        scenario()
    print(f"\n{SECONDS:.0f} s at {RATE} requests a second each. {harness.machine()}.")
    if FAILED:
        raise harness.Failed(f"{len(FAILED)} bars do not hold")


if __name__ == "__main__":
    harness.raise_file_limit()
    harness.main(main)
