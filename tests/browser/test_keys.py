#!/usr/bin/env python3
"""A page opens a WebSocket and an EventSource, for which it can set no header, with a key in the query."""

import base64
import hashlib

from support import KEY, Quiet, check, run

LISTENS = """
const [url, done] = arguments;
const source = new EventSource(url);
source.onmessage = event => { source.close(); done(event.data); };
source.onerror = () => { source.close(); done('refused'); };
"""

TALKS = """
const [url, done] = arguments;
const socket = new WebSocket(url);
socket.onopen = () => socket.send('hello');
socket.onmessage = event => { socket.close(); done(event.data); };
socket.onerror = () => done('refused');
"""

CONFIG = """
listen = "127.0.0.1:0"
[log]
format = "json"
access = "access.log"
[routes]
"/live" = "http://127.0.0.1:{service}"
[access]
protected = ["/"]
key_sources = ["header", "query:api_key"]
cors = {{ origins = "http://127.0.0.1:{app}" }}
[clients.page]
keys = ["sha256:{hash}"]
"""


class Service(Quiet):
    """Sends one event, or echoes one message of a WebSocket (RFC 6455)."""

    seen = []

    def do_GET(self):
        Service.seen.append(self.path)
        if self.headers.get("Upgrade"):
            return self.talk()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"data: " + self.headers["X-Client-Id"].encode() + b"\n\n")
        self.wfile.flush()
        self.close_connection = True

    def talk(self):
        guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = hashlib.sha1((self.headers["Sec-WebSocket-Key"] + guid).encode()).digest()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(accept).decode())
        self.end_headers()
        self.wfile.flush()
        length = self.rfile.read(2)[1] & 0x7F
        mask = self.rfile.read(4)
        text = bytes(b ^ mask[at % 4] for at, b in enumerate(self.rfile.read(length)))
        self.wfile.write(bytes([0x81, len(text)]) + text)
        self.wfile.flush()
        self.rfile.read(1)
        self.close_connection = True


def calls(browser, gateway, app, _):
    live = f"127.0.0.1:{gateway.port}/live"
    browser.go(f"http://127.0.0.1:{app}/")
    told = browser.run(LISTENS, f"http://{live}/events?a=1&api_key={KEY}")
    check("an EventSource is identified by its key", told == "page", told)
    told = browser.run(LISTENS, f"http://{live}/events")
    check("and refused without one", told == "refused", told)
    told = browser.run(TALKS, f"ws://{live}/socket?api_key={KEY}")
    check("a WebSocket is identified by its key", told == "hello", told)
    told = browser.run(TALKS, f"ws://{live}/socket?api_key=wrong")
    check("and refused with another one", told == "refused", told)


if __name__ == "__main__":
    lines = run(calls, Service, CONFIG)
    check("no service got the key", Service.seen == ["/events?a=1", "/socket"], Service.seen)
    check("nor did the log", KEY not in str(lines), lines)
