"""A gateway, pages and services on free ports of the loopback, and headless Chromium: what the browser
tests share. Needs chromium and chromedriver, and no Python package: WebDriver is JSON over HTTP. All that
is started is ended by its process id.
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
HASH = hashlib.sha256(KEY.encode()).hexdigest()


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
        if "[admin]" not in config:
            config += '\n[admin]\nlisten = "off"\n'
        path.write_text(config)
        self.log = pathlib.Path(folder, "log")
        self.access = pathlib.Path(folder, "access.log")
        with self.log.open("w") as log:
            self.process = subprocess.Popen([program, "run", "-c", str(path)], stderr=log)
        self.port = wait_for("the gateway to listen", self.listens)

    def listens(self):
        return self.port_of("listening")

    def admin_port(self):
        return wait_for("the admin port", lambda: self.port_of("admin port open"))

    def port_of(self, message):
        if self.process.poll() is not None:
            raise SystemExit(f"the gateway did not start:\n{self.log.read_text()}")
        for line in self.log.read_text().splitlines():
            told = json.loads(line)
            fields = told.get("fields", told)
            if fields.get("message") == message:
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
        self.base = f"http://127.0.0.1:{wait_for('chromedriver', self.listens, 60.0)}"
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

    def sync(self, script, *args):
        body = {"script": script, "args": list(args)}
        return self.ask("POST", self.session + "/execute/sync", body)

    def devtools(self, command, **parameters):
        body = {"cmd": command, "params": parameters}
        return self.ask("POST", self.session + "/goog/cdp/execute", body)

    def console(self):
        return self.ask("POST", self.session + "/se/log", {"type": "browser"})

    def press(self, key):
        """A key, to whatever has the focus."""
        actions = [{"type": kind, "value": key} for kind in ("keyDown", "keyUp")]
        body = {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]}
        self.ask("POST", self.session + "/actions", body)

    def windows(self):
        return self.ask("GET", self.session + "/window/handles")

    def open_tab(self):
        self.switch(self.ask("POST", self.session + "/window/new", {"type": "tab"})["handle"])

    def switch(self, handle):
        self.ask("POST", self.session + "/window", {"handle": handle})

    def close_tab(self):
        self.ask("DELETE", self.session + "/window")

    def element(self, selector):
        body = {"using": "css selector", "value": selector}
        (key,) = self.ask("POST", self.session + "/element", body).values()
        return f"{self.session}/element/{key}"

    def type(self, selector, text):
        self.ask("POST", self.element(selector) + "/value", {"text": text})

    def click(self, selector):
        self.ask("POST", self.element(selector) + "/click", {})

    def text(self, selector):
        return self.ask("GET", self.element(selector) + "/text")

    def title(self):
        return self.ask("GET", self.session + "/title")

    def url(self):
        return self.ask("GET", self.session + "/url")

    def cookies(self):
        return self.ask("GET", self.session + "/cookie")

    def end(self):
        self.ask("DELETE", self.session)
        self.driver.terminate()
        self.driver.wait(20)


def check(what, fits, told):
    if not fits:
        raise SystemExit(f"FAILED: {what}: {told}")
    print(f"ok: {what}")


def run(calls, service, config):
    """Starts what is needed, and lets `calls` do what a user would; returns the access log."""
    if len(sys.argv) != 2:
        raise SystemExit(f"usage: {sys.argv[0]} PROGRAM")
    app, other, behind = serve(Page), serve(Page), serve(service)
    with tempfile.TemporaryDirectory() as folder:
        config = config.format(service=behind, app=app, hash=HASH)
        gateway = Gateway(sys.argv[1], folder, config)
        try:
            browser = Browser(folder)
            try:
                calls(browser, gateway, app, other)
            finally:
                browser.end()
        finally:
            lines = gateway.end()
    return lines
