"""What the neighbours make of the gateway's metrics: the official Python parsers of both text formats, a
decoder of protobuf, promtool, and a real Prometheus that asks what the dashboard for Grafana asks.

    python3 tests/metrics/check.py target/debug/tollgate
"""

import http.client
import http.server
import json
import math
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics

import exposition

ROOT = Path(__file__).resolve().parents[2]
PORTS = {"gateway": 13920, "admin": 13921, "redis": 13922, "service": 13923, "prometheus": 13924, "native": 13925}
CONFIG = f"""
listen = "127.0.0.1:{PORTS['gateway']}"
[admin]
listen = "127.0.0.1:{PORTS['admin']}"
[[route]]
name = "orders"
prefix = "/orders"
upstream = "orders"
limits = ["few"]
[[route]]
name = "open"
prefix = "/open"
respond = {{ status = 200, body = "hello" }}
[[route]]
name = "slow"
prefix = "/slow"
upstream = "http://127.0.0.1:{PORTS['service']}"
[upstreams.orders]
endpoints = ["http://127.0.0.1:{PORTS['service']}", "http://127.0.0.1:1"]
[access]
protected = ["/orders"]
[clients.app]
keys = ["sha256:2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683"]
[limits]
anonymous = {{ requests = 1000000, per = "1m" }}
[limits.policies.few]
requests = 20
per = "1s"
[limits.redis]
url = "redis://127.0.0.1:{PORTS['redis']}"
[log]
format = "json"
access = "off"
[server]
workers = 2
"""
# What may show nothing here: there is no TLS, nothing was lost, and nothing restarts.
QUIET = {
    "Certificates expire in",
    "Reloads",
    "Starts",
    "Circuits",
    "Further tries",
}
# How long the slow route takes, how many ask it at once, and how often each.
SLOW_SECONDS, SLOW_CLIENTS, SLOW_REQUESTS = 0.3, 4, 30


class Service(http.server.BaseHTTPRequestHandler):
    """Answers 200, and 500 to what ends in 7; `/slowly` after a time that is always the same."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = b"x" * 100
        if self.path.endswith("/slowly"):
            time.sleep(SLOW_SECONDS)
        self.send_response(500 if self.path.endswith("7") else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def ask(url, accept=None, key=None):
    request = urllib.request.Request(url)
    if accept:
        request.add_header("Accept", accept)
    if key:
        request.add_header("X-Api-Key", key)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def until(what, done, patience=60):
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            found = done()
        except OSError:
            found = None
        if found:
            return found
        time.sleep(0.2)
    raise SystemExit(f"waited {patience} s in vain for {what}")


def load(stop):
    """Requests of each kind, about a hundred a second."""
    nth = 0
    gateway = f"http://127.0.0.1:{PORTS['gateway']}"
    while not stop.wait(0.01):
        nth += 1
        ask(f"{gateway}/orders/{nth}", key="key")
        ask(f"{gateway}/open/{nth}")
        if nth % 10 == 0:
            ask(f"{gateway}/nowhere")
            ask(f"{gateway}/orders/{nth}")


def families_of(text, parse):
    families = {family.name: family for family in parse(text)}
    assert len(families) > 25, sorted(families)
    return families


def check_formats():
    """Each format parses, and all say the same of what stands still."""
    url = f"http://127.0.0.1:{PORTS['admin']}/metrics"
    _, headers, body = ask(url)
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4"), headers["Content-Type"]
    plain = families_of(body.decode(), parser.text_string_to_metric_families)
    check_histograms(plain)
    promtool("check", "metrics", stdin=body)

    _, headers, body = ask(url, "application/openmetrics-text; version=1.0.0")
    assert headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    text = body.decode()
    assert text.endswith("# EOF\n")
    opened = families_of(text, openmetrics.text_string_to_metric_families)
    check_histograms(opened)

    accept = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
    _, headers, body = ask(url, accept)
    assert headers["Content-Type"].startswith("application/vnd.google.protobuf"), headers["Content-Type"]
    decoded = {family.name: family for family in exposition.families(body)}
    names = lambda families: {name.removesuffix("_total") for name in families}
    assert names(plain) == names(opened) == names(decoded), (
        names(plain) ^ names(opened),
        names(plain) ^ names(decoded),
    )
    check_native(decoded["tollgate_request_duration_seconds"])
    print(f"formats: {len(plain)} families in text, OpenMetrics and protobuf")


def check_histograms(families):
    """The count of a histogram is that of its last bucket, and buckets do not go down."""
    seen = 0
    for family in families.values():
        if family.type != "histogram":
            continue
        buckets, counts = {}, {}
        for sample in family.samples:
            labels = tuple(sorted((k, v) for k, v in sample.labels.items() if k != "le"))
            if sample.name.endswith("_bucket"):
                buckets.setdefault(labels, []).append(sample.value)
            elif sample.name.endswith("_count"):
                counts[labels] = sample.value
        assert buckets.keys() == counts.keys(), family.name
        for labels, values in buckets.items():
            assert values == sorted(values), (family.name, labels, values)
            assert values[-1] == counts[labels], (family.name, labels)
            seen += 1
    assert seen > 4, seen


def check_native(family):
    """The native buckets of each series add up to its count."""
    seen = 0
    for metric in family.metric:
        native = metric.histogram
        assert native.schema == 3, native.schema
        count, total = 0, native.zero_count
        for delta in native.positive_delta:
            count += delta
            assert count >= 0
            total += count
        assert sum(span.length for span in native.positive_span) == len(native.positive_delta)
        assert total == native.sample_count, (total, native.sample_count)
        seen += native.sample_count > 0
    assert seen >= 2, seen


def promtool(*arguments, stdin=None):
    done = subprocess.run(
        ["promtool", *arguments], cwd=ROOT / "dashboards", input=stdin, capture_output=True, check=False
    )
    said = (done.stdout + done.stderr).decode()
    # `check metrics` ends with 3 for matters of taste; what is wrong is said, too.
    assert done.returncode == 0, f"promtool {' '.join(arguments)}: {said}"
    print(f"promtool {' '.join(arguments)}: good")


def prometheus(path, port="prometheus", **query):
    url = f"http://127.0.0.1:{PORTS[port]}{path}?{urllib.parse.urlencode(query)}"
    _, _, body = ask(url)
    answer = json.loads(body)
    assert answer["status"] == "success", answer
    return answer["data"]


def queries(interval="20s", route=".*"):
    """What the dashboard asks: a panel's title and a query with its variables filled in."""
    board = json.loads((ROOT / "dashboards" / "grafana.json").read_text())
    asked = [(panel["title"], target["expr"]) for panel in board["panels"] for target in panel.get("targets", [])]
    asked += [(one["name"], one["expr"]) for one in board["annotations"]["list"]]
    for title, query in asked:
        query = query.replace("$__rate_interval", interval).replace("$job", "tollgate")
        query = query.replace("$instance", ".*").replace("$route", route)
        assert "$" not in query, query
        yield title, query


def check_queries(port):
    """Each of the dashboard's queries is one, and has something to show where there is something."""
    asked = empty = 0
    for title, query in queries():
        asked += 1
        data = prometheus("/api/v1/query", port, query=query)
        if data["result"]:
            continue
        empty += 1
        assert title in QUIET, f"{title} shows nothing: {query}"
    if unknown := QUIET - {title for title, _ in queries()}:
        raise SystemExit(f"the dashboard has no {', '.join(unknown)}")
    board = json.loads((ROOT / "dashboards" / "grafana.json").read_text())
    for variable in board["templating"]["list"]:
        found = re.fullmatch(r"label_values\((\w+)(?:\{.*\})?, (\w+)\)", variable.get("definition", ""))
        if variable["type"] == "query":
            series = prometheus("/api/v1/series", port, **{"match[]": found[1]})
            # What has no route has the label `route=""`, which to Prometheus is none.
            assert any(found[2] in one for one in series), variable["name"]
    print(f"dashboard, {port}: {asked} queries, {empty} of them empty where nothing was to be shown")


def ask_slow():
    """Requests that the service takes a known time for; how long clients wait for them, in order."""
    took = []

    def client():
        connection = http.client.HTTPConnection("127.0.0.1", PORTS["gateway"], timeout=10)
        for _ in range(SLOW_REQUESTS):
            begun = time.monotonic()
            connection.request("GET", "/slow/slowly")
            answer = connection.getresponse()
            assert answer.status == 200 and answer.read()
            took.append(time.monotonic() - begun)
        connection.close()

    clients = [threading.Thread(target=client) for _ in range(SLOW_CLIENTS)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    assert len(took) == SLOW_CLIENTS * SLOW_REQUESTS
    return sorted(took)


def check_percentiles():
    """The dashboard's p99 is that of clients: within a bucket, which is 9 % with native histograms."""
    took = ask_slow()
    true = took[math.ceil(len(took) * 0.99) - 1]
    assert took[0] >= SLOW_SECONDS, took[0]
    counted = {
        "native": 'histogram_count(tollgate_request_duration_seconds{route="slow"})',
        "prometheus": 'tollgate_request_duration_seconds_count{route="slow"}',
    }
    (query,) = [query for title, query in queries("5m", "slow") if title == "p99"]
    for port, (least, most) in {"native": (true / 1.09, true * 1.09), "prometheus": (0.25, 1.0)}.items():
        asked = lambda query: float(prometheus("/api/v1/query", port, query=query)["result"][0]["value"][1])
        until("the slow requests", lambda: asked(counted[port]) == len(took))
        told = asked(query)
        assert least <= told <= most, f"{port}: the p99 is {true:.3f} s, and is said to be {told:.3f}"
        print(f"percentiles, {port}: the p99 of clients is {true:.3f} s, the dashboard's {told:.3f}")


def check_docs():
    """The examples of the documentation are queries."""
    rows = [line for line in (ROOT / "docs" / "metrics.md").read_text().splitlines() if line.startswith("| `")]
    for row in rows:
        query = row.replace("\\|", "\0").split(" | ")[-1].strip(" |").strip("`").replace("\0", "|")
        prometheus("/api/v1/query", query=query)
    print(f"documentation: {len(rows)} examples")


def main():
    program = Path(sys.argv[1]).resolve()
    folder = tempfile.TemporaryDirectory()
    where = Path(folder.name)
    (where / "tollgate.toml").write_text(CONFIG)
    (where / "prometheus.yml").write_text(
        json.dumps(
            {
                "global": {"scrape_interval": "2s", "evaluation_interval": "5s"},
                "rule_files": [str(ROOT / "dashboards" / "alerts.yml")],
                "scrape_configs": [
                    {"job_name": "tollgate", "static_configs": [{"targets": [f"127.0.0.1:{PORTS['admin']}"]}]}
                ],
            }
        )
    )
    service = http.server.ThreadingHTTPServer(("127.0.0.1", PORTS["service"]), Service)
    threading.Thread(target=service.serve_forever, daemon=True).start()
    log = open(where / "log", "w", encoding="utf-8")
    start = lambda *command: subprocess.Popen(command, cwd=where, stdout=log, stderr=log)
    options = lambda port: [
        f"--config.file={where / 'prometheus.yml'}",
        f"--storage.tsdb.path={where / port}",
        f"--web.listen-address=127.0.0.1:{PORTS[port]}",
    ]
    processes = [
        start("redis-server", "--port", str(PORTS["redis"]), "--save", "", "--bind", "127.0.0.1"),
        start(str(program), "run", "-c", str(where / "tollgate.toml")),
        start("prometheus", *options("prometheus")),
        # One that collects native histograms leaves out the buckets.
        start("prometheus", *options("native"), "--enable-feature=native-histograms"),
    ]
    stop = threading.Event()
    loading = None
    try:
        until("the gateway", lambda: ask(f"http://127.0.0.1:{PORTS['admin']}/readyz")[0] == 200)
        loading = threading.Thread(target=load, args=(stop,), daemon=True)
        loading.start()
        promtool("check", "rules", "alerts.yml")
        promtool("test", "rules", "alerts_test.yml")
        up = 'sum(rate(tollgate_requests_total{job="tollgate"}[20s])) > 0'
        for port in ("prometheus", "native"):
            until("Prometheus", lambda: prometheus("/api/v1/query", port, query=up)["result"])
        limited = 'sum(rate(tollgate_rejections_total{code="rate_limited"}[20s])) > 0'
        until("refusals", lambda: prometheus("/api/v1/query", query=limited)["result"])
        check_formats()
        for port in ("prometheus", "native"):
            check_queries(port)
            firing = prometheus("/api/v1/rules", port)["groups"][0]["rules"]
            assert all(rule["health"] == "ok" for rule in firing), firing
            print(f"alerts, {port}: {len(firing)} evaluated")
        check_docs()
        # It would make the clients' own times long.
        stop.set()
        loading.join(20)
        check_percentiles()
    except BaseException:
        log.flush()
        print((where / "log").read_text()[-3000:], file=sys.stderr)
        raise
    finally:
        stop.set()
        if loading:
            loading.join(20)
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(20)
        folder.cleanup()


if __name__ == "__main__":
    main()
