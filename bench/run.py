#!/usr/bin/env python3
"""Compares Tollgate with nginx doing the same work and with a bare TCP forwarder as the floor.

Same load (wrk), same upstream, in turns, several rounds; medians. The CPU time is that of the
proxy's own processes, from /proc. Needs wrk and nginx and the release build: `make bench`.
Environment: ROUNDS (5), ROUND_SECONDS (4), CONNECTIONS (64), PROXIES (floor,nginx,tollgate).
"""

import json
import os
import statistics
import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass

import harness
from harness import Failed
from programs import Bench

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SECONDS = int(os.environ.get("ROUND_SECONDS", "4"))
CONNECTIONS = int(os.environ.get("CONNECTIONS", "64"))
PROXIES = os.environ.get("PROXIES", "floor,nginx,tollgate").split(",")
LOG_TIMEOUT = 5

TITLES = {
    "floor": "TCP forwarder (the floor)",
    "nginx": "nginx: keys, limit, JSON log",
    "tollgate": "Tollgate: keys, limit, JSON log",
}


@dataclass
class Run:
    """What one load told about one proxy."""

    user_us: float
    system_us: float
    per_second: float
    p50_ms: float
    p99_ms: float
    memory_mib: float

    @property
    def cpu_us(self):
        return self.user_us + self.system_us


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


def load(proxy, seconds):
    """Puts load on a proxy; returns what wrk measured."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", harness.HERE / "report.lua"]
    command += ["-H", f"x-api-key: {harness.KEY}", f"http://127.0.0.1:{proxy.port}{harness.PATH}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    reports = [line[7:] for line in done.stdout.splitlines() if line.startswith("REPORT ")]
    if done.returncode != 0 or len(reports) != 1:
        raise Failed(f"wrk: {done.stderr or done.stdout}")
    report = json.loads(reports[0])
    if report["refused"] or report["broken"] or not report["requests"]:
        raise Failed(f"{proxy.name}: not every request was answered: {report}")
    return report


def warm_up(proxy):
    """Sees that a proxy does its work; returns its access log, which the floor does not have."""
    if proxy.name == "floor":
        load(proxy, 1)
        return None
    proxy.check_pipeline()
    load(proxy, 1)
    return AccessLog(proxy)


def measure(proxy, log):
    user_before, system_before = proxy.cpu_seconds()
    report = load(proxy, SECONDS)
    user, system = proxy.cpu_seconds()
    memory = proxy.memory()
    if log is not None:
        log.require(report["requests"])
    each = 1e6 / report["requests"]
    return Run(
        user_us=(user - user_before) * each,
        system_us=(system - system_before) * each,
        per_second=report["requests"] / (report["duration_us"] / 1e6),
        p50_ms=report["p50_us"] / 1e3,
        p99_ms=report["p99_us"] / 1e3,
        memory_mib=memory / 2**20,
    )


def table(runs):
    """The medians as a Markdown table."""
    medians = {
        name: Run(*(statistics.median(values) for values in zip(*(vars(r).values() for r in some))))
        for name, some in runs.items()
    }
    cpu = {name: statistics.median(run.cpu_us for run in some) for name, some in runs.items()}

    def ratio(name, to):
        """Of one round each: what else the machine does changes from round to round."""
        if to not in runs:
            return ""
        pairs = zip(runs[name], runs[to], strict=True)
        return f"{statistics.median(run.cpu_us / other.cpu_us for run, other in pairs):.2f}"

    columns = ["proxy", "CPU µs a request", "user", "system", "to the floor", "to nginx"]
    columns += ["requests/s", "p50 ms", "p99 ms", "memory MiB"]
    lines = [f"| {' | '.join(columns)} |", "|---" + "|--:" * (len(columns) - 1) + "|"]
    for name, run in medians.items():
        cells = [TITLES[name], f"{cpu[name]:.1f}", f"{run.user_us:.1f}", f"{run.system_us:.1f}"]
        cells += [ratio(name, "floor"), ratio(name, "nginx"), f"{run.per_second:,.0f}"]
        cells += [f"{run.p50_ms:.2f}", f"{run.p99_ms:.2f}", f"{run.memory_mib:.1f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def spread(runs):
    """The lowest and highest CPU time of each proxy: how far to trust a median."""
    parts = []
    for name, some in runs.items():
        cpu = [run.cpu_us for run in some]
        parts.append(f"{name} {min(cpu):.1f} to {max(cpu):.1f}")
    return "CPU µs over the rounds: " + ", ".join(parts) + "."


def main():
    if unknown := set(PROXIES) - set(TITLES):
        raise Failed(f"there is no proxy {', '.join(unknown)}")
    with Bench() as bench, ExitStack() as running:
        upstream = running.enter_context(bench.upstream())
        proxies = {name: getattr(bench, name)(upstream.port) for name in PROXIES}
        logs = {name: warm_up(running.enter_context(proxies[name])) for name in PROXIES}
        runs = {name: [] for name in proxies}
        for number in range(ROUNDS):
            for name, proxy in proxies.items():
                run = measure(proxy, logs[name])
                runs[name].append(run)
                each = f"{run.cpu_us:5.1f} µs, {run.per_second:,.0f}/s"
                print(f"round {number + 1}: {name:9} {each}", flush=True)
    print(f"\n{table(runs)}\n\n{spread(runs)}")
    print(
        f"{harness.machine()}; {CONNECTIONS} connections, {ROUNDS} rounds of {SECONDS} s, "
        f"{harness.WORKERS} workers each, medians, also of the ratios within a round."
    )


if __name__ == "__main__":
    harness.main(main)
