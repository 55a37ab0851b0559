#!/usr/bin/env python3
"""What many client keys cost: a gateway with ten and one with 100,000, each request with one of
them at random. CPU time a request, in turns; the median of the ratios within a round.

Environment: ROUNDS (5), ROUND_SECONDS (4), MANY (100000).
"""

import os
import statistics
from contextlib import ExitStack

import harness
import run
from programs import Bench

MANY = int(os.environ.get("MANY", "100000"))
FEW = 10


def cpu_us(proxy, keys):
    watch = run.Watch(proxy)
    report = run.load(proxy, run.SECONDS, keys)
    return sum(watch.cpu_seconds()) * 1e6 / report["requests"]


def main():
    with Bench() as bench, ExitStack() as running:
        upstream = running.enter_context(bench.upstream())
        proxies = {}
        for count in (FEW, MANY):
            keys = [f"client-{number}" for number in range(count)]
            gateway = bench.tollgate_of(keys, upstream.port)
            proxies[count] = running.enter_context(gateway)
            cpu_us(proxies[count], count)
        ratios = []
        for number in range(run.ROUNDS):
            few, many = (cpu_us(proxies[count], count) for count in (FEW, MANY))
            ratios.append(many / few)
            print(f"round {number + 1}: {few:.1f} µs, {many:.1f} µs", flush=True)
    print(f"\n{MANY} client keys to {FEW}: {statistics.median(ratios):.3f} times the CPU a request")
    print(f"{run.ROUNDS} rounds of {run.SECONDS} s. {harness.machine()}.")


if __name__ == "__main__":
    harness.main(main)
