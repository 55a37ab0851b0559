"""What was measured as two Markdown tables: without Redis, and with it."""

import statistics
from dataclasses import dataclass

TITLES = {
    "floor": "TCP forwarder (the floor)",
    "nginx": "nginx: keys, limit, JSON log",
    "before": "Tollgate before",
    "tollgate": "Tollgate: keys, limit, JSON log",
    "tollgate-ten": "Tollgate: the same, ten endpoints with checks",
}
REDIS_TITLES = {
    "before-redis": "Tollgate before, with Redis",
    "before-redis-exact": 'Tollgate before, with Redis, `lease = "off"`',
    "tollgate-redis": "Tollgate with Redis",
    "tollgate-redis-exact": 'Tollgate with Redis, `lease = "off"`',
    "traefik-redis": "Traefik with Redis",
    "node-redis": "Node (Fastify) with Redis",
}
# How many times Tollgate's CPU time with Redis each is to take at least.
GOALS = {"traefik-redis": 4, "node-redis": 10}


@dataclass
class Run:
    """What one load told about one proxy, and about the Redis behind it."""

    user_us: float
    system_us: float
    per_second: float
    p50_ms: float
    p99_ms: float
    memory_mib: float
    redis_us: float = 0.0
    redis_scripts: float = 0.0

    @property
    def cpu_us(self):
        return self.user_us + self.system_us


def tables(runs):
    """The tables of those that were measured, with what is to be said below each."""
    parts = []
    plain = {name: runs[name] for name in TITLES if name in runs}
    if plain:
        to = {"to the floor": "floor", "to nginx": "nginx"}
        parts += ["Without Redis:", table(plain, TITLES, to, {}), spread(plain), *pairs(plain)]
    redis = {name: runs[name] for name in REDIS_TITLES if name in runs}
    if redis:
        to = {"to Tollgate": "tollgate-redis"}
        own = {
            "Redis' CPU µs": lambda run: f"{run.redis_us:.1f}",
            "scripts in Redis": lambda run: f"{run.redis_scripts:.3f}",
        }
        parts += ["With Redis, one and the same:", table(redis, REDIS_TITLES, to, own)]
        parts += [spread(redis), *pairs(redis), *goals(redis)]
    return "\n\n".join(parts)


def table(runs, titles, to, own):
    """Medians. `to` has columns of ratios: whose CPU time each is divided by; `own` further ones."""
    columns = ["proxy", "CPU µs a request", "user", "system", *to, *own]
    columns += ["requests/s", "p50 ms", "p99 ms", "memory MiB"]
    lines = [f"| {' | '.join(columns)} |", "|---" + "|--:" * (len(columns) - 1) + "|"]
    for name, some in runs.items():
        run = Run(*(statistics.median(values) for values in zip(*(vars(r).values() for r in some))))
        cpu = statistics.median(run.cpu_us for run in some)
        cells = [titles[name], f"{cpu:.1f}", f"{run.user_us:.1f}", f"{run.system_us:.1f}"]
        cells += [f"{r:.2f}" if (r := ratio(runs, name, other)) else "" for other in to.values()]
        cells += [cell(run) for cell in own.values()]
        cells += [f"{run.per_second:,.0f}", f"{run.p50_ms:.2f}", f"{run.p99_ms:.2f}"]
        cells += [f"{run.memory_mib:.1f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def ratio(runs, name, to):
    """The median of the ratios of one round each: the machine changes from round to round."""
    if to not in runs:
        return None
    pairs = zip(runs[name], runs[to], strict=True)
    return statistics.median(run.cpu_us / other.cpu_us for run, other in pairs)


def spread(runs):
    """The lowest and highest CPU time of each proxy: how far to trust a median."""
    parts = []
    for name, some in runs.items():
        cpu = [run.cpu_us for run in some]
        parts.append(f"{name} {min(cpu):.1f} to {max(cpu):.1f}")
    return "CPU µs over the rounds: " + ", ".join(parts) + "."


def pairs(runs):
    """A line for each build of Tollgate that was measured beside an earlier one."""
    for name in runs:
        own = name.replace("tollgate", "before")
        earlier = own if own in runs else "before"
        if name.startswith("tollgate") and earlier in runs:
            each = [a.cpu_us / b.cpu_us for a, b in zip(runs[name], runs[earlier], strict=True)]
            each.sort()
            middle = statistics.median(each)
            yield f"{name} to {earlier}: {middle:.3f} ({each[0]:.3f} to {each[-1]:.3f})."


def goals(runs):
    """A line for each goal that this run can tell about."""
    for name, least in GOALS.items():
        if name in runs and (times := ratio(runs, name, "tollgate-redis")):
            verdict = "met" if times >= least else "missed"
            title = REDIS_TITLES[name]
            yield f"Goal: {title} takes at least {least} times Tollgate's: {times:.2f}, {verdict}."
