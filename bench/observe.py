#!/usr/bin/env python3
"""What it costs to be watched: metrics, log lines, traces and an open dashboard, in turns with a gateway
that nobody watches; scrapes of thousands of routes; many viewers of whom some do not read; how exact the
durations are; and what 100,000 names that strangers make up leave behind.

Environment: ONLY (names of scenarios, with commas), ROUNDS (9), ROUND_SECONDS (4), BEFORE (for `cost`, a
program without metrics to compare with; without it what metrics alone cost is not measured, and that is said),
RATE (1000), ROUTES (5000), DISTINCT (100000).
"""

import hashlib
import http.client
import json
import os
import socket
import statistics
import subprocess
import threading
import time
from contextlib import ExitStack

import harness
import run
from harness import Failed
from programs import Bench, before, program
from services import Collector, collector, sleeper, with_any_status

ROUNDS = int(os.environ.get("ROUNDS", "9"))
SECONDS = int(os.environ.get("ROUND_SECONDS", "4"))
ONLY = [name for name in os.environ.get("ONLY", "").split(",") if name]
RATE = int(os.environ.get("RATE", "1000"))
ROUTES = int(os.environ.get("ROUTES", "5000"))
DISTINCT = int(os.environ.get("DISTINCT", "100000"))
MIB = 1 << 20
VIEWERS, SILENT = 64, 20
# As Prometheus does.
ASKS = {"Accept-Encoding": "gzip", "Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}
FAILED, SKIPPED = [], []


def skip(what, why):
    """A bar that is not looked at; said again at the end."""
    print(f"    SKIPPED: {what}: {why}", flush=True)
    SKIPPED.append(what)


def holds(what, is_so):
    print(f"    {'holds' if is_so else 'FAILS'}: {what}", flush=True)
    if not is_so:
        FAILED.append(what)


class Operator:
    """The operator's port of a gateway."""

    def __init__(self, port):
        self.port = port

    def get(self, target, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", target, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if answer.status != 200:
            raise Failed(f"{target}: {answer.status} {body[:300]!r}")
        return body

    def series(self):
        text = self.get("/metrics").decode()
        return [line for line in text.splitlines() if line and line[0] != "#"]

    def stream(self):
        """A viewer of the live stream; it is up to the caller to read."""
        viewer = socket.create_connection(("127.0.0.1", self.port), 10)
        viewer.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        return viewer


def status_of(viewer):
    return int(harness.read_head(viewer)[0].split(b" ", 2)[1])


def gateway(bench, name, upstream, operator=None, more="", tables="", command=None):
    """A gateway as in `make bench`, with these routes and tables besides."""
    port, folder = harness.free_port(), bench._folder(name)
    config = bench._fill("tollgate.toml", folder, port, upstream.port)
    text = config.read_text().replace("[routes]\n", "[routes]\n" + more)
    # An earlier program may know no such table.
    unwatched = "" if command else '[admin]\nlisten = "off"'
    watched = f'[admin]\nlisten = "127.0.0.1:{operator}"'
    text = text.replace('[admin]\nlisten = "off"', watched if operator else unwatched)
    config.write_text(text + tables)
    command = [command or program("tollgate"), "run", "-c", config]
    return harness.Server(name, command, port, folder)


def drain(viewer, ended):
    """Reads what a viewer is sent, as a browser does."""
    viewer.settimeout(0.5)
    while not ended.is_set():
        try:
            if not viewer.recv(65536):
                raise Failed("the dashboard's stream has ended")
        except TimeoutError:
            continue


def cost(bench, running, upstream):
    """Metrics alone, and with 1 % of traces and a dashboard, beside a gateway of which nothing is asked. All
    of them write an access log, as in `make bench`."""
    port = running.enter_context(collector())
    traces = f'\n[traces]\nendpoint = "http://127.0.0.1:{port}"\nsample = 0.01\n'
    earlier = before() if os.environ.get("BEFORE") else None
    operators = [Operator(harness.free_port()) for _ in range(2)]
    gateways = {
        "unwatched": gateway(bench, "unwatched", upstream, command=earlier),
        "metrics": gateway(bench, "metrics", upstream, operators[0].port),
        "watched": gateway(bench, "watched", upstream, operators[1].port, tables=traces),
    }
    for one in gateways.values():
        running.enter_context(one)
        one.check_pipeline()
        run.load(one, 1)
    ended = threading.Event()
    viewer = operators[1].stream()
    reader = threading.Thread(target=drain, args=(viewer, ended), daemon=True)
    reader.start()
    ratios = {"metrics": [], "watched": []}
    for number in range(ROUNDS):
        took = {}
        for name, one in list(gateways.items())[:: -1 if number % 2 else 1]:
            watch = run.Watch(one)
            report = run.load(one, SECONDS)
            took[name] = sum(watch.cpu_seconds()) * 1e6 / report["requests"]
        for name in ratios:
            ratios[name].append(took[name] / took["unwatched"])
        each = ", ".join(f"{name} {us:.1f} µs" for name, us in took.items())
        print(f"  round {number + 1}: {each}", flush=True)
    if not reader.is_alive() or Collector.taken == 0:
        raise Failed("nobody watched, or no spans came")
    ended.set()
    for name, most in (("metrics", 1.02), ("watched", 1.04)):
        if not earlier:
            skip(f"what {name} costs", "this program always counts; set BEFORE to one that does not")
            continue
        ratio = statistics.median(ratios[name])
        spread = f"{min(ratios[name]):.3f} to {max(ratios[name]):.3f}"
        holds(f"{name}: {ratio:.3f} times the CPU a request ({spread}), at most {most}", ratio <= most)


def times(one, seconds):
    """Sorted times in ms of requests at the fixed rate."""
    command = [program("examples/bench_load"), "pace", f"127.0.0.1:{one.port}", "32", RATE, seconds]
    command = [str(part) for part in [*command, harness.KEY]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(done.stderr)
    requests = json.loads(done.stdout)["requests"]
    if wrong := [status for _, _, status in requests if status != 200]:
        raise Failed(f"{len(wrong)} answers were not 200")
    return sorted(took / 1000 for _, took, _ in requests)


def p99(one, seconds):
    took = times(one, seconds)
    return took[int(len(took) * 0.99)]


def in_turns(one, begin, end, rounds=ROUNDS, allowed_ms=0.0):
    """The median of 99th percentiles, without and with what `begin` starts and `end` stops: 5 % more at most,
    or so many milliseconds."""
    plain, beside = [], []
    times(one, 1)
    for _ in range(rounds):
        plain.append(p99(one, SECONDS))
        begin()
        beside.append(p99(one, SECONDS))
        end()
    plain, beside = statistics.median(plain), statistics.median(beside)
    most = f"5 % or {allowed_ms} ms" if allowed_ms else "5 %"
    what = f"p99 of requests {plain:.2f} ms, beside it {beside:.2f} ms: {most} more at most"
    holds(what, beside <= max(plain * 1.05, plain + allowed_ms))


def scrapes(bench, running, upstream):
    """A scrape a second of thousands of routes."""
    more = "".join(f'"/r{n}" = {{ respond = {{ status = 200 }} }}\n' for n in range(ROUTES))
    operator = Operator(harness.free_port())
    one = running.enter_context(gateway(bench, "scraped", upstream, operator.port, more))
    # Each worker has a row for each route.
    for _ in range(8):
        with socket.create_connection(("127.0.0.1", one.port), 5) as connection:
            for n in range(ROUTES):
                asked = f"GET /r{n} HTTP/1.1\r\nHost: localhost\r\n\r\n"
                harness.exchange(connection, asked.encode())
    took, sizes, wanted = [], [], threading.Event()
    ended = threading.Event()

    def scrape():
        while not ended.is_set():
            if not wanted.wait(0.1):
                continue
            begun = time.monotonic()
            body = operator.get("/metrics", **ASKS)
            took.append((time.monotonic() - begun) * 1000)
            sizes.append(len(body))
            time.sleep(max(0, 1 - (time.monotonic() - begun)))

    scraper = threading.Thread(target=scrape, daemon=True)
    scraper.start()
    in_turns(one, wanted.set, wanted.clear, allowed_ms=0.2)
    ended.set()
    scraper.join()
    print(f"  {len(took)} scrapes, {statistics.median(sizes) / 1e6:.2f} MB each with gzip")
    median, most = statistics.median(took), max(took)
    holds(f"a scrape takes {median:.0f} ms, at most {most:.0f}: 150 at most", most <= 150)


def viewers(bench, running, upstream):
    """As many viewers as may be, of whom some do not read."""
    operator = Operator(harness.free_port())
    one = running.enter_context(gateway(bench, "viewed", upstream, operator.port))
    times(one, 1)
    operator.get("/")
    quiet = harness.resident(one.process.pid)
    watching, ended = [], threading.Event()

    def begin():
        ended.clear()
        for nth in range(VIEWERS):
            viewer = operator.stream()
            watching.append(viewer)
            if nth >= SILENT:
                threading.Thread(target=drain, args=(viewer, ended), daemon=True).start()

    memory = []

    def end():
        memory.append(harness.resident(one.process.pid) - quiet)
        ended.set()
        time.sleep(0.6)
        while watching:
            watching.pop().close()
        # Whoever has left is noticed with the next frame.
        time.sleep(2.5)

    # A median of more rounds spreads less, for there is no allowance beside the 5 %.
    in_turns(one, begin, end, rounds=2 * ROUNDS)
    more = max(memory) / MIB
    holds(f"{VIEWERS} viewers, of whom {SILENT} do not read, take {more:.1f} MiB: 16 at most", more <= 16)
    begin()
    with operator.stream() as late:
        status = status_of(late)
    holds(f"the viewer after them gets {status}: 503", status == 503)
    end()


def exact(bench, running, upstream):
    """A service that sleeps 300 ms, as clients and as the gateway measure it."""
    slow = running.enter_context(sleeper(0.3))
    operator = Operator(harness.free_port())
    more = f'"/api/slow" = "http://127.0.0.1:{slow}"\n'
    one = running.enter_context(gateway(bench, "exact", upstream, operator.port, more))
    took, lock = [], threading.Lock()

    def ask():
        with socket.create_connection(("127.0.0.1", one.port), 5) as connection:
            for _ in range(10):
                begun = time.monotonic()
                asked = f"GET /api/slow HTTP/1.1\r\nHost: localhost\r\nx-api-key: {harness.KEY}\r\n\r\n"
                harness.exchange(connection, asked.encode())
                with lock:
                    took.append(time.monotonic() - begun)

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    time.sleep(1.5)
    clients = sorted(took)[int(len(took) * 0.99)] * 1000
    item = next(it for it in json.loads(operator.get("/api/v1/routes?q=slow"))["items"])
    told, overhead = item["p99_ms"], item["gateway_p99_ms"]
    print(f"  {len(took)} requests: p99 of clients {clients:.1f} ms, of the route {told:.1f} ms")
    holds("within 9 %", abs(told - clients) <= 0.09 * clients)
    holds(f"p99 of the overhead {overhead:.2f} ms: below 5", overhead < 5)


def distinct(bench, running, upstream):
    """Paths, hosts, methods, agents and keys, each another one, and 300 statuses of a service."""
    operator = Operator(harness.free_port())
    service = running.enter_context(with_any_status())
    more = f'"/open" = "http://127.0.0.1:{service}"\n'
    tables = '[upstream_defaults]\nbreaker = "off"\nretry = "off"\n'
    one = running.enter_context(gateway(bench, "distinct", upstream, operator.port, more, tables))
    answered = set()

    def ask(first, count, statuses):
        with socket.create_connection(("127.0.0.1", one.port), 5) as connection:
            for n in range(first, first + count):
                name = hashlib.sha256(str(n).encode()).hexdigest()[:16]
                # A key that nobody has is refused, so what goes to the service has a good one.
                path, sent = f"/{name}", name
                if n % 2 == 0:
                    path, sent = f"/open/{name}/{statuses[n // 2 % len(statuses)]}", harness.KEY
                head = f"M{name} {path} HTTP/1.1\r\nHost: {name}.test\r\nUser-Agent: {name}\r\n"
                asked = f"{head}x-api-key: {sent}\r\nContent-Length: 0\r\n\r\n"
                answered.add(harness.exchange(connection, asked.encode()))

    ask(0, 2000, [200])
    time.sleep(1.5)
    series, memory = len(operator.series()), harness.resident(one.process.pid)
    ask(10_000, DISTINCT, range(300, 600))
    time.sleep(1.5)
    more, bytes_more = len(operator.series()) - series, harness.resident(one.process.pid) - memory
    if DISTINCT >= 600 and not answered.issuperset(range(300, 600)):
        raise Failed(f"{len(set(range(300, 600)) - answered)} statuses of the service have not come")
    holds(f"{DISTINCT} distinct requests leave {more} more series: 100 at most", more <= 100)
    holds(f"and {bytes_more / MIB:.1f} MiB: 5 at most", bytes_more <= 5 * MIB)


SCENARIOS = {
    "cost": cost,
    "scrapes": scrapes,
    "viewers": viewers,
    "exact": exact,
    "distinct": distinct,
}


def main():
    if unknown := set(ONLY) - set(SCENARIOS):
        raise Failed(f"there is no scenario {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
    for name, scenario in SCENARIOS.items():
        if ONLY and name not in ONLY:
            continue
        print(f"{name}: {scenario.__doc__}", flush=True)
        with Bench() as bench, ExitStack() as running:
            scenario(bench, running, running.enter_context(bench.upstream()))
    print(f"\n{ROUNDS} rounds of {SECONDS} s. {harness.machine()}.")
    for what in SKIPPED:
        print(f"SKIPPED: {what}", flush=True)
    if FAILED:
        raise Failed(f"{len(FAILED)} bars do not hold")


if __name__ == "__main__":
    harness.raise_file_limit()
    harness.main(main)
