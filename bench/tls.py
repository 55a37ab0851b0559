#!/usr/bin/env python3
"""Compares TLS in Tollgate with nginx and HAProxy doing the same work: CPU time of a request on kept
connections, with TLS in front and with TLS in front and behind; of a connection with a full handshake
and with a resumed one; memory of an idle connection; handshakes that are begun and never finished.

TLS 1.3, ECDSA P-256, X25519. In turns, several rounds, medians, as run.py does it.
Environment: ROUNDS (5), ROUND_SECONDS (4), CONNECTIONS (64), IDLE_CONNECTIONS (4000),
PROXIES (nginx,haproxy,tollgate), ONLY (front,behind,full,resumed,idle,begun: all, separated by commas).
"""

import json
import os
import socket
import ssl
import statistics
import subprocess
import time
from contextlib import ExitStack

import harness
from harness import Failed, Server, free_port
from programs import Bench, _installed, program

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SECONDS = int(os.environ.get("ROUND_SECONDS", "4"))
CONNECTIONS = int(os.environ.get("CONNECTIONS", "64"))
IDLE = int(os.environ.get("IDLE_CONNECTIONS", "4000"))
BEGUN = int(os.environ.get("BEGUN", "10000"))
PROXIES = (os.environ.get("PROXIES") or "nginx,haproxy,tollgate").split(",")
ALL = ["front", "behind", "full", "resumed", "idle", "begun"]
ONLY = (os.environ.get("ONLY") or ",".join(ALL)).split(",")
# How many connections a round of resumed handshakes makes: the client is Python, and slower than they are.
RESUMED = 1500
REST = 3


class TlsBench(Bench):
    """The programs, with TLS in front, and with `behind` towards the service as well."""

    def __enter__(self):
        super().__enter__()
        folder = self._folder("certificate")
        self.cert, self.key, self.both = (folder / name for name in ("cert.pem", "key.pem", "both.pem"))
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        command += ["-nodes", "-days", "30", "-subj", "/CN=localhost", "-keyout", self.key, "-out", self.cert]
        command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        subprocess.run(command, check=True, capture_output=True)
        self.both.write_text(self.cert.read_text() + self.key.read_text())
        return self

    def secure_upstream(self):
        """A service that speaks TLS and answers as the upstream of the other measurements does."""
        port, folder = free_port(), self._folder("secure-upstream")
        body = '{\\"id\\":7,\\"name\\":\\"teapot\\",\\"stock\\":240,\\"price\\":\\"1.20\\",\\"currency\\":\\"EUR\\"}'
        config = folder / "nginx.conf"
        config.write_text(
            f"""daemon off; pid {folder}/pid; error_log {folder}/err warn; worker_processes {self.workers};
            worker_rlimit_nofile 20000; events {{ worker_connections 10000; }}
            http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 75s;
            client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
            uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
            server {{ listen 127.0.0.1:{port} ssl reuseport; ssl_certificate {self.cert};
            ssl_certificate_key {self.key}; ssl_protocols TLSv1.3; default_type application/json;
            location / {{ return 200 "{body}"; }} }} }}"""
        )
        return Server("the upstream", self._nginx_command(folder, config), port, folder)

    def _nginx_command(self, folder, config):
        user = ["-g", "user root;"] if os.geteuid() == 0 else []
        return [_installed("nginx"), "-p", folder, "-e", folder / "nginx.err", "-c", config, *user]

    def secure(self, name, upstream, behind):
        make = getattr(self, f"_secure_{name}")
        port, folder = free_port(), self._folder(f"{name}-{'behind' if behind else 'front'}")
        return Server(name, make(port, folder, upstream, behind), port, folder)

    def _edited(self, template, folder, port, upstream, edits, **more):
        config = self._fill(template, folder, port, upstream, **more)
        text = config.read_text()
        for old, new in edits:
            if old not in text:
                raise Failed(f"{template} has no {old!r}")
            text = text.replace(old, new)
        config.write_text(text)
        return config

    def _secure_nginx(self, port, folder, upstream, behind):
        tls = f"""listen 127.0.0.1:{port} ssl reuseport backlog=1024;
        ssl_certificate {self.cert}; ssl_certificate_key {self.key};
        ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:tls:10m; ssl_session_timeout 1h;"""
        edits = [(f"listen 127.0.0.1:{port} reuseport backlog=1024;", tls)]
        if behind:
            verified = f"""proxy_ssl_trusted_certificate {self.cert}; proxy_ssl_verify on;
            proxy_ssl_name localhost; proxy_ssl_server_name on; proxy_ssl_protocols TLSv1.3;
            proxy_pass https://inventory/;"""
            edits.append(("proxy_pass http://inventory/;", verified))
        config = self._edited("nginx.conf", folder, port, upstream, edits)
        return self._nginx_command(folder, config)

    def _secure_haproxy(self, port, folder, upstream, behind):
        more = {"BIND": f"ssl crt {self.both} alpn http/1.1", "SERVER": ""}
        if behind:
            more["SERVER"] = f"ssl verify required ca-file {self.cert} sni str(localhost)"
        config = self._edited("haproxy.cfg", folder, port, upstream, [], **more)
        return [_installed("haproxy"), "-db", "-f", config]

    def _secure_tollgate(self, port, folder, upstream, behind):
        address = f'listen = "127.0.0.1:{port}"'
        edits = [(address, f'listen = {{ address = "127.0.0.1:{port}", tls = true }}')]
        more = f'[[tls.certificates]]\ncert = "{self.cert}"\nkey = "{self.key}"\n'
        if behind:
            edits.append((f'"http://127.0.0.1:{upstream}"', f'"https://127.0.0.1:{upstream}"'))
            more += f'[upstream_defaults.tls]\nca = "{self.cert}"\n'
        config = self._edited("tollgate.toml", folder, port, upstream, edits)
        config.write_text(config.read_text() + more)
        return [program("tollgate"), "run", "-c", config]

    def context(self):
        context = ssl.create_default_context(cafile=str(self.cert))
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        return context


def wrk(proxy, close):
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s", harness.HERE / "report.lua"]
    command += ["-H", f"x-api-key: {harness.KEY}", f"https://localhost:{proxy.port}{harness.PATH}"]
    if close:
        command += ["-H", "Connection: close"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    reports = [line[7:] for line in done.stdout.splitlines() if line.startswith("REPORT ")]
    if done.returncode != 0 or len(reports) != 1:
        raise Failed(f"wrk: {done.stderr or done.stdout}")
    report = json.loads(reports[0])
    # wrk counts as broken what a close_notify ends after the answer.
    if report["refused"] or not report["requests"] or (report["broken"] and not close):
        raise Failed(f"{proxy.name}: not every request was answered: {report}")
    return report["requests"]


def ask(context, port, session=None):
    """One request on a connection of its own; the session of that."""
    raw = socket.create_connection(("127.0.0.1", port), 10)
    with context.wrap_socket(raw, server_hostname="localhost", session=session) as connection:
        status = harness.exchange(connection, harness.request())
        if status != 200:
            raise Failed(f"the answer was {status}")
        return connection.session, connection.session_reused


def resumed(context, proxy):
    """Connections that each go on with the session of the one before; how many did."""
    session, _ = ask(context, proxy.port)
    count = 0
    for _ in range(RESUMED):
        session, reused = ask(context, proxy.port, session)
        count += reused
    if count < 0.95 * RESUMED:
        raise Failed(f"{proxy.name}: only {count} of {RESUMED} sessions were resumed")
    return RESUMED


def rounds(bench, proxies, load):
    """CPU time of each unit of the load, in µs, by proxy."""
    costs = {name: [] for name in proxies}
    for number in range(ROUNDS):
        for name, proxy in list(proxies.items())[:: -1 if number % 2 else 1]:
            before = sum(proxy.cpu_seconds())
            units = load(proxy)
            costs[name].append((sum(proxy.cpu_seconds()) - before) * 1e6 / units)
    return costs


def report(title, costs):
    ours = costs.get("tollgate")
    print(f"\n{title}\n\n| proxy | CPU µs | least to most | Tollgate to it, in one round |\n|---|--:|--:|--:|")
    for name, each in costs.items():
        ratio = ""
        if ours and name != "tollgate":
            ratios = [a / b for a, b in zip(ours, each, strict=True)]
            ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        print(f"| {name} | {statistics.median(each):.1f} | {min(each):.1f} to {max(each):.1f} | {ratio} |")


def idle(bench, proxies):
    print("\nMemory of an idle connection, after one request\n\n| proxy | KiB |\n|---|--:|")
    context = bench.context()
    for name, proxy in proxies.items():
        def open_some(count, kept):
            for _ in range(count):
                raw = socket.create_connection(("127.0.0.1", proxy.port), 10)
                one = kept.enter_context(context.wrap_socket(raw, server_hostname="localhost"))
                if harness.exchange(one, harness.request()) != 200:
                    raise Failed(f"{name} refused")
        with ExitStack() as kept:
            open_some(64, kept)
        time.sleep(REST)
        before = proxy.memory()
        with ExitStack() as kept:
            open_some(IDLE, kept)
            time.sleep(REST)
            print(f"| {name} | {(proxy.memory() - before) / IDLE / 1024:.2f} |", flush=True)


def begun(bench, proxies):
    """Handshakes of which the client sends a half, and all but the end."""
    print(f"\n{BEGUN:,} handshakes that are begun and not finished\n")
    context = bench.context()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    half = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    try:
        half.do_handshake()
    except ssl.SSLWantReadError:
        pass
    hello = outgoing.read()
    for name, proxy in proxies.items():
        ask(context, proxy.port)
        time.sleep(REST)
        before, most, good = proxy.memory(), 0, []
        with ExitStack() as kept:
            for number in range(BEGUN):
                one = kept.enter_context(socket.create_connection(("127.0.0.1", proxy.port), 10))
                one.sendall(hello if number % 2 else hello[:100])
                if number % 500 == 499:
                    start = time.monotonic()
                    ask(context, proxy.port)
                    good.append(time.monotonic() - start)
                    most = max(most, proxy.memory())
        print(f"{name}: {(most - before) / 2**20:.1f} MiB more at most; a good client waited at most {max(good) * 1e3:.0f} ms")


def main():
    harness.raise_file_limit()
    with TlsBench() as bench, ExitStack() as running:
        plain = running.enter_context(bench.upstream())
        secure = running.enter_context(bench.secure_upstream()) if "behind" in ONLY else None

        def start(behind):
            port = (secure if behind else plain).port
            return {n: running.enter_context(bench.secure(n, port, behind)) for n in PROXIES}

        context = bench.context()
        front = start(False)
        for proxy in front.values():
            ask(context, proxy.port)
        if "front" in ONLY:
            report("A request on a kept connection, TLS in front", rounds(bench, front, lambda p: wrk(p, False)))
        if "behind" in ONLY:
            behind = start(True)
            for proxy in behind.values():
                ask(context, proxy.port)
            report("The same, TLS in front and behind", rounds(bench, behind, lambda p: wrk(p, False)))
        if "full" in ONLY:
            report("A connection with a full handshake and one request", rounds(bench, front, lambda p: wrk(p, True)))
        if "resumed" in ONLY:
            report("A connection with a resumed handshake and one request", rounds(bench, front, lambda p: resumed(context, p)))
        if "idle" in ONLY:
            idle(bench, front)
        if "begun" in ONLY:
            begun(bench, front)
    print(
        f"\n{harness.machine()}; TLS 1.3, ECDSA P-256; {CONNECTIONS} connections, {ROUNDS} rounds of {SECONDS} s, "
        f"{harness.WORKERS} workers each; medians."
    )


if __name__ == "__main__":
    harness.main(main)
