#!/usr/bin/env python3
"""Takes the pictures of the dashboard that the documentation shows: docs/dashboard-light.png and -dark.png.

Starts a gateway in front of invented services, sends it some traffic for MINUTES (5), lets an endpoint fail and a
reload be refused, and looks at the page with headless Chromium. `make screenshots`; needs chromium, chromedriver
and, for small files, pngquant.
"""

import base64
import hashlib
import http.client
import http.server
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "browser"))
from support import Browser, Gateway, Quiet, wait_for  # noqa: E402

SIZE = {"width": 1440, "height": 1330}
KEYS = {"mobile-app": "one", "partner": "two", "reports": "three"}

CONFIG = """
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"

[[route]]
name = "orders"
prefix = "/api/orders"
upstream = "orders"

[[route]]
name = "inventory"
prefix = "/api/inventory"
upstream = "inventory"

[[route]]
name = "payments"
prefix = "/api/payments"
upstream = "payments"

[upstreams.orders]
endpoints = [{orders}]
[upstreams.inventory]
endpoints = [{inventory}]
[upstreams.payments]
endpoints = [{payments}]

[access]
protected = ["/api/orders", "/api/payments"]

{clients}

[limits]
anonymous  = {{ requests = 120, per = "1m" }}
identified = {{ requests = 2400, per = "1m" }}

[log]
format = "json"
access = "access.log"
"""

# As most readers see it: not in the font that a server falls back to.
FONTS = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig><include>/etc/fonts/fonts.conf</include>
<match target="pattern"><test name="family"><string>system-ui</string></test>
<edit name="family" mode="prepend" binding="strong"><string>Inter</string></edit></match>
<match target="pattern"><test name="family"><string>sans-serif</string></test>
<edit name="family" mode="prepend" binding="strong"><string>Inter</string></edit></match></fontconfig>"""


def service(median_ms):
    """A service whose answers take about so long, some of them much longer."""

    class Answers(Quiet):
        def do_GET(self):
            if self.server.gone:
                self.close_connection = True
                return
            time.sleep(random.lognormvariate(0, 0.6) * median_ms / 1000)
            if "missing" in self.path:
                self.send_error(500)
            else:
                self.answer("application/json", b"{}")

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    server.gone = False
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def pick(second):
    """A path, and who asks for it."""
    path, client = random.choices(
        [("/api/inventory/7", "mobile-app"), ("/api/orders/12", "mobile-app"), ("/api/orders", "partner"),
         ("/api/inventory", None), ("/api/payments/3", "partner"), ("/api/orders", None), ("/wp-login.php", None)],
        [40, 25, 12, 9, 6, 1, 0.6])[0]
    if second % 97 == 3 and random.random() < 0.1:
        path = "/api/orders/missing"
    return path, KEYS.get(client)


def send(port, stop):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    begun = time.monotonic()
    while not stop.is_set():
        second = int(time.monotonic() - begun)
        # A tide, so that the charts are no flat lines.
        time.sleep(random.expovariate(9 + 3 * ((second // 40) % 3)))
        path, key = pick(second)
        try:
            connection.request("GET", path, headers={"x-api-key": key} if key else {})
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            connection.close()


def configuration(services):
    def urls(name):
        return ", ".join(f'"http://127.0.0.1:{server.server_address[1]}"' for server in services[name])

    clients = "\n".join(
        f'[clients.{name}]\nkeys = ["sha256:{hashlib.sha256(key.encode()).hexdigest()}"]' for name, key in KEYS.items())
    return CONFIG.format(clients=clients, **{name: urls(name) for name in services})


def main():
    program, minutes = sys.argv[1], float(os.environ.get("MINUTES", "5"))
    services = {"orders": [service(18) for _ in range(3)], "inventory": [service(4) for _ in range(2)], "payments": [service(35)]}
    stop = threading.Event()
    with tempfile.TemporaryDirectory() as folder:
        fonts = pathlib.Path(folder, "fonts.conf")
        fonts.write_text(FONTS)
        os.environ["FONTCONFIG_FILE"] = str(fonts)
        gateway = Gateway(program, folder, configuration(services))
        senders = [threading.Thread(target=send, args=(gateway.port, stop)) for _ in range(6)]
        for sender in senders:
            sender.start()
        try:
            stage(gateway, folder, services, 60 * minutes)
            look(gateway, folder)
        finally:
            stop.set()
            for sender in senders:
                sender.join()
            gateway.end()


def stage(gateway, folder, services, seconds):
    time.sleep(seconds * 0.55)
    path = pathlib.Path(folder, "tollgate.toml")
    good = path.read_text()
    path.write_text(good.replace('prefix = "/api/inventory"', 'prefix = "/api/inventory"\nstrip_prefix = false'))
    gateway.process.send_signal(signal.SIGHUP)
    time.sleep(seconds * 0.2)
    # Also for the connections that the gateway has kept.
    services["orders"][1].gone = True
    services["orders"][1].shutdown()
    services["orders"][1].server_close()
    time.sleep(seconds * 0.15)
    path.write_text(good.replace('upstream = "payments"', 'upstrem = "payments"'))
    gateway.process.send_signal(signal.SIGHUP)
    time.sleep(seconds * 0.1)


def look(gateway, folder):
    browser = Browser(folder)
    try:
        browser.devtools("Emulation.setDeviceMetricsOverride", deviceScaleFactor=1, mobile=False, **SIZE)
        browser.devtools("Emulation.setScrollbarsHidden", hidden=True)
        for theme in ("light", "dark"):
            browser.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
            browser.go(f"http://127.0.0.1:{gateway.admin_port()}/")
            wait_for("the page", lambda: browser.sync("return document.querySelectorAll('.endpoint').length > 0"))
            time.sleep(4)
            target = ROOT / "docs" / f"dashboard-{theme}.png"
            target.write_bytes(base64.b64decode(browser.devtools("Page.captureScreenshot", format="png")["data"]))
            if shutil.which("pngquant"):
                subprocess.run(["pngquant", "--force", "--ext", ".png", "64", str(target)], check=True)
            print(f"{target}: {target.stat().st_size // 1024} KiB")
    finally:
        browser.end()


if __name__ == "__main__":
    main()
