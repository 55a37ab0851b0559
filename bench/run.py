#!/usr/bin/env python3
"""Compares Tollgate with nginx doing the same work and with a bare TCP forwarder as the floor; and
Tollgate that counts in Redis with Traefik and a Node gateway that count in the same Redis.

Same load (wrk), same upstream, in turns, several rounds; medians. The CPU time is that of the
proxy's own processes, from /proc; that of Redis stands apart. README.md says how it is measured.
Environment: ROUNDS (5), ROUND_SECONDS (4), CONNECTIONS (64), CLOSE (0; with 1 each
connection carries one request), PROXIES (all, separated by commas);
BEFORE, the program of an earlier commit, for the proxies before, before-redis, before-redis-exact.
"""

import json
import os
import subprocess
import time
from contextlib import ExitStack

import harness
import tables
from harness import Failed
from programs import Bench
from tables import Run

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SECONDS = int(os.environ.get("ROUND_SECONDS", "4"))
CONNECTIONS = int(os.environ.get("CONNECTIONS", "64"))
KNOWN = [*tables.TITLES, *tables.REDIS_TITLES]
USUAL = [name for name in KNOWN if not name.startswith("before")]
CLOSE = os.environ.get("CLOSE", "0") == "1"
PROXIES = (os.environ.get("PROXIES") or ",".join(USUAL)).split(",")
LOG_TIMEOUT = 5
WARM_UP_SECONDS = 1
# V8 compiles what it has seen often: before that a request costs it up to three times as much.
# Counted in requests, since on a busy machine seconds hold fewer of them.
WARM_UP_REQUESTS = {"node-redis": 200_000}
# It takes permits in batches where nobody can notice; all others ask Redis about each request.
LEASES = ("before-redis", "tollgate-redis")


class AccessLog:
    """Counts the lines that a proxy adds to its log."""

    def __init__(self, proxy):
        self.path = proxy.scratch / "access.log"
        self.offset = 0
        self.skip()

    def skip(self):
        """Passes over what is there once nothing more comes."""
        while self._new_lines():
            time.sleep(1.5)

    def _new_lines(self):
        with open(self.path, "rb") as log:
            log.seek(self.offset)
            lines = 0
            while piece := log.read(1 << 20):
                lines += piece.count(b"\n")
            self.offset = log.tell()
        return lines

    def require(self, requests):
        """Fails unless each request has its line.

        What is in flight on each connection when the load ends is logged by the proxy, but no
        longer counted by wrk.
        """
        lines, deadline = 0, time.monotonic() + LOG_TIMEOUT
        while lines < requests and time.monotonic() < deadline:
            time.sleep(0.2)
            lines += self._new_lines()
        time.sleep(1.5)
        lines += self._new_lines()
        if not requests <= lines <= requests + CONNECTIONS:
            raise Failed(f"{self.path.name}: {lines} lines for {requests} requests")


def load(proxy, seconds, keys=0):
    """Puts load on a proxy; returns what wrk measured. With `keys`, one of so many at random."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", harness.HERE / "report.lua"]
    command += ["-H", f"x-api-key: {harness.KEY}", f"http://127.0.0.1:{proxy.port}{harness.PATH}"]
    if CLOSE:
        command += ["-H", "Connection: close"]
    env = {**os.environ, "KEYS": str(keys)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    reports = [line[7:] for line in done.stdout.splitlines() if line.startswith("REPORT ")]
    if done.returncode != 0 or len(reports) != 1:
        raise Failed(f"wrk: {done.stderr or done.stdout}")
    report = json.loads(reports[0])
    if report["refused"] or report["broken"] or not report["requests"]:
        raise Failed(f"{proxy.name}: not every request was answered: {report}")
    return report


def warm_up(proxy):
    """Sees that a proxy does its work; returns its access log, which the floor does not have."""
    if proxy.name != "floor":
        proxy.check_pipeline()
    left = WARM_UP_REQUESTS.get(proxy.name, 1)
    while left > 0:
        left -= load(proxy, WARM_UP_SECONDS)["requests"]
    return None if proxy.name == "floor" else AccessLog(proxy)


class Watch:
    """What a program has used since the watch began."""

    def __init__(self, program):
        self.program = program
        self.user, self.system = program.cpu_seconds()

    def cpu_seconds(self):
        user, system = self.program.cpu_seconds()
        return user - self.user, system - self.system


def measure(proxy, log, redis):
    """`redis` is None for a proxy that does not count there."""
    watch, redis_watch = Watch(proxy), redis and Watch(redis)
    scripts = redis and redis.scripts()
    report = load(proxy, SECONDS)
    requests = report["requests"]
    user, system = watch.cpu_seconds()
    run = Run(
        user_us=user * 1e6 / requests,
        system_us=system * 1e6 / requests,
        per_second=requests / (report["duration_us"] / 1e6),
        p50_ms=report["p50_us"] / 1e3,
        p99_ms=report["p99_us"] / 1e3,
        memory_mib=proxy.memory() / 2**20,
    )
    if redis:
        run.redis_us = sum(redis_watch.cpu_seconds()) * 1e6 / requests
        run.redis_scripts = (redis.scripts() - scripts) / requests
        require_counted(proxy, run)
    if log is not None:
        log.require(requests)
    return run


def require_counted(proxy, run):
    """Fails unless Redis was asked: a proxy that passes requests without it measures nothing."""
    enough = 0 < run.redis_scripts if proxy.name in LEASES else 1 <= run.redis_scripts
    if not enough:
        raise Failed(f"{proxy.name} asked Redis {run.redis_scripts:.3f} times a request")


def main():
    if unknown := set(PROXIES) - set(KNOWN):
        raise Failed(f"there is no proxy {', '.join(unknown)}; there are {', '.join(KNOWN)}")
    with Bench() as bench, ExitStack() as running:
        upstream = running.enter_context(bench.upstream())
        redis = None
        if any(name in tables.REDIS_TITLES for name in PROXIES):
            redis = running.enter_context(bench.redis())
        proxies = {
            name: running.enter_context(bench.proxy(name, upstream.port, redis and redis.port))
            for name in PROXIES
        }
        logs = {name: warm_up(proxy) for name, proxy in proxies.items()}
        runs = {name: [] for name in proxies}
        for number in range(ROUNDS):
            # To and fro, so that none is always measured after the same neighbour.
            for name, proxy in list(proxies.items())[:: -1 if number % 2 else 1]:
                with_redis = name in tables.REDIS_TITLES
                run = measure(proxy, logs[name], redis if with_redis else None)
                runs[name].append(run)
                each = f"{run.cpu_us:6.1f} µs, {run.per_second:,.0f}/s"
                print(f"round {number + 1}: {name:20} {each}", flush=True)
    carry = ", each for one request" if CLOSE else ""
    print(f"\n{tables.tables(runs)}\n")
    print(
        f"{harness.machine()}; {CONNECTIONS} connections{carry}, one API key, a limit that refuses nobody; "
        f"{ROUNDS} rounds of {SECONDS} s, {harness.WORKERS} workers each, medians, also of the "
        "ratios within a round."
    )


if __name__ == "__main__":
    harness.main(main)
