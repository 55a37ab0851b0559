#!/usr/bin/env python3
"""Headless Chromium calls a gateway from a page at another port, as a web application would.

PROGRAM is a built tollgate. Needs chromium and chromedriver, and no Python package: WebDriver is JSON
over HTTP. Everything listens on free ports of the loopback, and is ended by its process id.
"""

import hashlib
import http.server
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

KEY = "the-key-of-the-page"

# What a page does, each step in words that its result is compared with.
PAGE_CALLS = """
const [url, options, done] = arguments;
fetch(url, options).then(async answer => done({
    status: answer.status,
    body: await answer.text(),
    retryAfter: answer.headers.get('retry-after'),
    rateLimit: answer.headers.get('ratelimit'),
    policy: answer.headers.get('ratelimit-policy'),
    requestId: answer.headers.get('x-request-id'),
})).catch(error => done({ failed: String(error) }));
"""


class Quiet(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, kind, body):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Page(Quiet):
    """The web application: an empty page."""

    def do_GET(self):
        self.answer("text/html", b"<!doctype html><title>app</title>")


class Service(Quiet):
    """The service behind the gateway; it remembers what it was asked."""

    seen = []

    def any(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        Service.seen.append((self.command, self.path))
        self.answer("application/json", b'{"hello":"page"}')

    do_GET = do_PUT = do_POST = do_OPTIONS = any


def serve(handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def wait_for(what, look, longest=20.0):
    end = time.monotonic() + longest
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise SystemExit(f"waited in vain for {what}")


class Gateway:
    def __init__(self, program, folder, config):
        path = pathlib.Path(folder, "tollgate.toml")
        path.write_text(config)
        self.log = pathlib.Path(folder, "log")
        self.access = pathlib.Path(folder, "access.log")
        with self.log.open("w") as log:
            self.process = subprocess.Popen([program, "run", "-c", str(path)], stderr=log)
        self.port = wait_for("the gateway to listen", self.listens)

    def listens(self):
        if self.process.poll() is not None:
            raise SystemExit(f"the gateway did not start:\n{self.log.read_text()}")
        for line in self.log.read_text().splitlines():
            told = json.loads(line)
            fields = told.get("fields", told)
            if fields.get("message") == "listening":
                return int(fields["address"].rsplit(":", 1)[1])
        return None

    def end(self):
        self.process.terminate()
        self.process.wait(20)
        return [json.loads(line) for line in self.access.read_text().splitlines()]


class Browser:
    def __init__(self, folder):
        self.log = pathlib.Path(folder, "driver.log")
        with self.log.open("w") as log:
            self.driver = subprocess.Popen(
                [shutil.which("chromedriver"), "--port=0"], stdout=log, stderr=log
            )
        self.base = f"http://127.0.0.1:{wait_for('chromedriver', self.listens)}"
        options = {
            "args": ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage",
                     f"--user-data-dir={folder}/profile"],
            "binary": shutil.which("chromium"),
        }
        capabilities = {"browserName": "chrome", "goog:chromeOptions": options}
        session = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})
        self.session = f"/session/{session['sessionId']}"
        self.ask("POST", self.session + "/timeouts", {"script": 20000})

    def listens(self):
        for line in self.log.read_text().splitlines():
            if "started successfully on port" in line:
                return int(line.rstrip(".").rsplit(" ", 1)[1])
        return None

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def go(self, url):
        self.ask("POST", self.session + "/url", {"url": url})

    def run(self, script, *args):
        body = {"script": script, "args": list(args)}
        return self.ask("POST", self.session + "/execute/async", body)

    def call(self, url, **options):
        return self.run(PAGE_CALLS, url, options)

    def end(self):
        self.ask("DELETE", self.session)
        self.driver.terminate()
        self.driver.wait(20)


def check(what, fits, told):
    if not fits:
        raise SystemExit(f"FAILED: {what}: {told}")
    print(f"ok: {what}")


CONFIG = """
listen = "127.0.0.1:0"
[log]
format = "json"
access = "access.log"
[routes]
"/api" = "http://127.0.0.1:{service}"
[access]
protected = ["/api"]
[access.cors]
origins = ["http://127.0.0.1:{app}"]
[clients.page]
keys = ["sha256:{hash}"]
[limits]
identified = {{ requests = 2, per = "1h" }}
"""


def main(program):
    app, other, service = serve(Page), serve(Page), serve(Service)
    with tempfile.TemporaryDirectory() as folder:
        digest = hashlib.sha256(KEY.encode()).hexdigest()
        config = CONFIG.format(service=service, app=app, hash=digest)
        gateway = Gateway(program, folder, config)
        browser = Browser(folder)
        try:
            calls(browser, gateway, app, other)
        finally:
            browser.end()
            lines = gateway.end()
        preflights = [line for line in lines if line["method"] == "OPTIONS"]
        answered = {line["status"] for line in preflights}
        check("every preflight was answered by the gateway", answered == {204}, preflights)
        check("the service got no preflight",
              all(method != "OPTIONS" for method, _ in Service.seen), Service.seen)


def calls(browser, gateway, app, other):
    api = f"http://127.0.0.1:{gateway.port}/api/orders/7"
    browser.go(f"http://127.0.0.1:{app}/")
    told = browser.call(api)
    check("the page reads a 401",
          told.get("status") == 401 and "api_key_required" in told["body"] and told["requestId"], told)
    keyed = {"headers": {"x-api-key": KEY, "content-type": "application/json"}}
    told = browser.call(api, method="PUT", body="{}", **keyed)
    check("the page calls with its key", told.get("body") == '{"hello":"page"}', told)
    check("it reads what is left of its limit",
          (told.get("rateLimit") or "").startswith('"identified";r=1'), told)
    told = browser.call(api, method="PUT", body="{}", **keyed)
    check("the preflight has spent nothing", told.get("status") == 200, told)
    told = browser.call(api, method="PUT", body="{}", **keyed)
    check("the page reads a 429 and its Retry-After",
          told.get("status") == 429 and int(told["retryAfter"]) > 0 and told["policy"], told)
    Service.seen.clear()
    browser.go(f"http://127.0.0.1:{other}/")
    told = browser.call(api)
    check("a page that is not listed reads nothing", "failed" in told, told)
    told = browser.call(api, method="PUT", body="{}", **keyed)
    check("nor does it send what needs a preflight", "failed" in told and not Service.seen, told)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(f"usage: {sys.argv[0]} PROGRAM")
    main(sys.argv[1])
