"""What stands behind a gateway that is watched: a collector of spans, and services whose time, or status, is known."""

import http.server
import socket
import threading
import time
from contextlib import contextmanager

import harness


class Collector(http.server.BaseHTTPRequestHandler):
    """Takes all spans."""

    protocol_version = "HTTP/1.1"
    taken = 0

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        Collector.taken += 1
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@contextmanager
def collector():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", harness.free_port()), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


@contextmanager
def sleeper(seconds):
    """A service that answers after this time."""

    class Service(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            time.sleep(seconds)
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", harness.free_port()), Service)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


@contextmanager
def with_any_status():
    """A service that answers with the status at the end of the path."""

    def serve(connection):
        with connection, connection.makefile("rb") as asked:
            while line := asked.readline():
                while asked.readline() not in (b"\r\n", b""):
                    pass
                status = line.split()[1].rsplit(b"/", 1)[1].decode()
                connection.sendall(f"HTTP/1.1 {status} Odd\r\nContent-Length: 0\r\n\r\n".encode())

    def accept():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
