#!/usr/bin/env python3
"""Holds the limits of a fleet to their bars: four gateways that count in one Redis, without leases
and with them.

Exactness: ten clients are offered ten times their limits within one window. Cost: how many scripts
Redis runs for a request. Failure: Redis is frozen at a steady pace, and the tail of the latencies
during that is compared with the tail before. Only a count that is not exact, or a measurement that
would be untrue, makes it fail; the other bars depend on what else the machine does, and are shown.
Environment: LEASES (off,auto).
"""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import harness
from harness import KEY, Failed
from programs import Bench, program

LEASES = os.environ.get("LEASES", "off,auto").split(",")
GATEWAYS = 4
CONNECTIONS = 256
WINDOW_SECONDS = 60
# Over how much of the window the clients come.
SPREAD_SECONDS = 45

# Requests a minute by key, which is the client's name, too.
RIVALS = {
    f"client-{limit}-{nth}": limit
    for limit, clients in [(10, 2), (100, 2), (1_000, 3), (10_000, 3)]
    for nth in range(clients)
}
OFFERED = 10
CALM = {f"calm-{nth}": 10_000_000 for nth in range(10)}
LIMITS = {**RIVALS, **CALM, KEY: 1_000_000, "million": 1_000_000, "over": 100}
REFUSED_REQUESTS = 100_000
BUSY_REQUESTS = 200_000

# Whatever Redis does not decide in time is refused with a status of its own, and seen.
STRICT = {"on_failure": "closed", "deadline": "2s"}
PER_SECOND = 5_000
SETTLE_SECONDS = 3
BEFORE_SECONDS = 10
FROZEN_SECONDS = 10
# How long after the freeze began the comparison begins: the breakers need that to open.
OPENS_SECONDS = 1
AFTER_SECONDS = 3
ALLOWED_MS = 2
MICROS = 1e6


@dataclass
class Row:
    """A bar, what was measured, and whether it holds."""

    lease: str
    bar: str
    measured: str
    holds: bool
    exactness: bool = False


class Fleet:
    """The gateways and what they count in."""

    def __init__(self, gateways, redis):
        self.gateways, self.redis = gateways, redis

    def load(self, how, *arguments):
        """The command of the load generator."""
        addresses = ",".join(f"127.0.0.1:{gateway.port}" for gateway in self.gateways)
        command = [program("examples/bench_load"), how, addresses, CONNECTIONS, *arguments]
        return [str(part) for part in command]

    def offer(self, requests, seconds=0):
        """Sends so many requests of each key, half of them at full speed, half spread over some
        seconds; what was answered, by key and status, how long it took, how many scripts ran."""
        before = self.redis.scripts()
        offered = (f"{key}={count}" for key, count in requests.items())
        command = self.load("all", seconds, *offered)
        report = json.loads(printed(subprocess.run(command, check=False, capture_output=True)))
        scripts = self.redis.scripts() - before
        statuses = {status for client in report["clients"].values() for status in client}
        if not statuses <= {"200", "429"}:
            raise Failed(f"answers other than 200 and 429: {report['clients']}")
        return report["clients"], report["seconds"], scripts


def printed(finished):
    if finished.returncode != 0:
        raise Failed(f"bench_load: {finished.stderr.decode().strip()}")
    return finished.stdout


@contextmanager
def fleet(lease, more):
    """A fleet whose every worker has asked Redis, so that connections and script are there."""
    with ExitStack() as stack:
        bench = stack.enter_context(Bench())
        upstream = stack.enter_context(bench.upstream())
        redis = stack.enter_context(bench.redis())
        settings = {"url": f"redis://127.0.0.1:{redis.port}", "lease": lease, **more}
        gateways = [
            stack.enter_context(bench.fleet_gateway(nth, upstream.port, LIMITS, settings))
            for nth in range(GATEWAYS)
        ]
        for gateway in gateways:
            gateway.check_pipeline()
        fleet = Fleet(gateways, redis)
        fleet.offer({KEY: 20 * CONNECTIONS})
        yield fleet


def exactness(fleet, lease):
    """Ten clients, ten times their limits, one window."""
    offered = {key: OFFERED * limit for key, limit in RIVALS.items()}
    clients, seconds, scripts = fleet.offer(offered, SPREAD_SECONDS)
    if seconds > WINDOW_SECONDS * 0.9:
        raise Failed(f"offering took {seconds:.0f} s, which may be more than one window")
    admitted = {key: clients[key].get("200", 0) for key in RIVALS}
    total = sum(offered.values())
    print(
        f"lease {lease}: {total:,} requests in {seconds:.1f} s, {scripts / total:.4f} calls to "
        f"Redis each; admitted: {' '.join(f'{key}:{count}' for key, count in admitted.items())}",
        flush=True,
    )
    least = min(admitted[key] / limit for key, limit in RIVALS.items())
    most = max(admitted[key] / limit for key, limit in RIVALS.items())
    if lease == "off":
        wrong = sum(admitted[key] != limit for key, limit in RIVALS.items())
        right = f"{len(RIVALS) - wrong} of {len(RIVALS)} clients"
        yield Row(lease, "admitted equals the limit, for 10 clients", right, wrong == 0, True)
    else:
        yield Row(lease, "admitted is never more than the limit", percent(most), most <= 1, True)
        bar = "admitted is at least 98 % of it, for each client"
        yield Row(lease, bar, percent(least), least >= 0.98)


def percent(share):
    return f"{100 * share:.2f} %"


def calls(fleet, lease):
    """How many scripts Redis runs for a request, of two clients on their own."""
    fleet.offer({"over": 10 * CONNECTIONS})
    clients, seconds, scripts = fleet.offer({"over": REFUSED_REQUESTS})
    if "200" in clients["over"]:
        raise Failed("a request of the client that is over its limit was admitted")
    yield cost(lease, "of a client far over its limit", 0.05, scripts, REFUSED_REQUESTS, seconds)
    clients, seconds, scripts = fleet.offer({"million": BUSY_REQUESTS})
    if "429" in clients["million"]:
        raise Failed("the client with a limit of a million was refused")
    most = 1 if lease == "off" else 0.1
    yield cost(lease, "with a limit of a million a minute", most, scripts, BUSY_REQUESTS, seconds)


def cost(lease, who, most, scripts, requests, seconds):
    each = scripts / requests
    measured = f"{each:.4f} ({requests / seconds:,.0f} requests/s)"
    return Row(lease, f"calls to Redis a request {who}: {most}", measured, each <= most)


def frozen(fleet, lease):
    """Redis is stopped for a while under a steady load."""
    seconds = SETTLE_SECONDS + BEFORE_SECONDS + FROZEN_SECONDS + AFTER_SECONDS
    command = fleet.load("pace", PER_SECOND, seconds, *CALM)
    redis = fleet.redis.process
    load = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        time.sleep(SETTLE_SECONDS + BEFORE_SECONDS)
        stopped = time.time()
        redis.send_signal(signal.SIGSTOP)
        time.sleep(FROZEN_SECONDS)
        resumed = time.time()
        redis.send_signal(signal.SIGCONT)
        output, errors = load.communicate(timeout=seconds)
    finally:
        redis.send_signal(signal.SIGCONT)
        if load.poll() is None:
            load.kill()
            load.wait()
    finished = subprocess.CompletedProcess(command, load.returncode, output, errors)
    report = json.loads(printed(finished))
    begun, requests = report["begun"], report["requests"]

    def between(start, end):
        return [took for due, took, _ in requests if start <= begun + due / MICROS < end]

    before = between(begun + SETTLE_SECONDS, stopped)
    opening = between(stopped, stopped + OPENS_SECONDS)
    during = between(stopped + OPENS_SECONDS, resumed)
    print(f"lease {lease}, Redis frozen, latencies in ms:", flush=True)
    for name, took in [("before", before), ("first second", opening), ("after that", during)]:
        times = ", ".join(f"p{share} {quantile(took, share):.2f}" for share in (50, 99, 99.9, 100))
        print(f"  {name:13} {len(took):6} requests, {times}", flush=True)
    others = sum(status != 200 for _, _, status in requests)
    yield Row(lease, "answers other than 200 with Redis frozen: none", str(others), others == 0)
    more = quantile(during, 99) - quantile(before, 99)
    bar = f"p99 with Redis frozen: at most {ALLOWED_MS} ms above that before"
    yield Row(lease, bar, f"{more:+.2f} ms", more <= ALLOWED_MS)


def quantile(took, share):
    """In milliseconds."""
    ordered = sorted(took)
    at = min(int(len(ordered) * share / 100), len(ordered) - 1)
    return ordered[at] / 1000


def main():
    harness.raise_file_limit()
    rows = []
    for lease in LEASES:
        with fleet(lease, STRICT) as running:
            rows += exactness(running, lease)
            rows += calls(running, lease)
        with fleet(lease, {}) as running:
            rows += frozen(running, lease)
    print(f"\n| lease | {'bar':65} | {'measured':28} |        |\n|---|---|---|---|")
    for row in rows:
        verdict = "holds" if row.holds else "missed"
        print(f"| {row.lease:5} | {row.bar:65} | {row.measured:28} | {verdict:6} |")
    print(
        f"\n{harness.machine()}; {GATEWAYS} gateways of {harness.WORKERS} workers, one Redis, "
        f"{CONNECTIONS} connections, {PER_SECOND:,} requests a second while Redis is frozen."
    )
    if not all(row.holds for row in rows if row.exactness):
        sys.exit(1)


if __name__ == "__main__":
    harness.main(main)
