#!/usr/bin/env python3
"""Sends a large upload and a large download through the gateway: both must arrive byte-identical
while the gateway's memory hardly grows; first in clear, then through TLS on both sides. Environment:
STREAM_MIB (1024), ALLOWED_MIB (16).
"""

import hashlib
import os
import queue
import random
import socket
import ssl
import threading

import harness
from harness import Failed
from programs import Bench

MIB = 1 << 20
SIZE = int(os.environ.get("STREAM_MIB", "1024")) * MIB
ALLOWED = int(os.environ.get("ALLOWED_MIB", "16")) * MIB
TIMEOUT = 60


def pieces(size):
    """Bytes that can be neither compressed nor mistaken for each other: each piece has its number."""
    noise = random.Random(size).randbytes(MIB)
    for number in range(size // MIB):
        yield number.to_bytes(8, "big") + noise[8:]


def send_body(connection, size):
    """Sends `size` bytes; returns their digest."""
    digest = hashlib.sha256()
    for piece in pieces(size):
        connection.sendall(piece)
        digest.update(piece)
    return digest.hexdigest()


def receive_body(connection, size, begun):
    """Reads `size` bytes, of which `begun` have arrived; returns their digest."""
    digest, left = hashlib.sha256(begun), size - len(begun)
    buffer = bytearray(MIB)
    while left:
        length = connection.recv_into(buffer, min(left, MIB))
        if length == 0:
            raise Failed(f"the body ended {left} bytes early")
        digest.update(memoryview(buffer)[:length])
        left -= length
    return digest.hexdigest()


class Upstream:
    """Answers an upload with the digest of what arrived; queues that of a download it sent."""

    def __init__(self, certificate=None):
        self.tls = None
        if certificate:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*certificate)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.sent = queue.Queue()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection):
        connection.settimeout(TIMEOUT)
        if self.tls:
            connection = self.tls.wrap_socket(connection, server_side=True)
        with connection:
            head, begun = harness.read_head(connection)
            method, target, _ = head.split(b"\r\n")[0].split(b" ")
            size = int(target.rpartition(b"/")[2])
            if method == b"PUT":
                answer = receive_body(connection, size, begun).encode()
                connection.sendall(_ok(len(answer)) + answer)
            else:
                connection.sendall(_ok(size))
                self.sent.put(send_body(connection, size))


def _ok(length):
    return f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n".encode()


def begin(gateway, method, size):
    """A connection to the gateway on which the head of a request has been sent."""
    connection = socket.create_connection(("127.0.0.1", gateway.port), TIMEOUT)
    if gateway.tls:
        connection = gateway.tls.wrap_socket(connection, server_hostname="127.0.0.1")
    length = size if method == "PUT" else 0
    connection.sendall(
        f"{method} /api/inventory/{size} HTTP/1.1\r\nHost: localhost\r\nx-api-key: {harness.KEY}\r\n"
        f"Content-Length: {length}\r\nConnection: close\r\n\r\n".encode()
    )
    return connection


def require_ok(head):
    if not head.startswith(b"HTTP/1.1 200 "):
        raise Failed(f"the gateway answered {head.splitlines()[0].decode()}")


def upload(gateway, _, size):
    """Returns the digests of what was sent and of what arrived."""
    with begin(gateway, "PUT", size) as connection:
        sent = send_body(connection, size)
        head, digest = harness.read_head(connection)
        require_ok(head)
        while len(digest) < 64:
            digest += connection.recv(64)
        return sent, digest.decode()


def download(gateway, upstream, size):
    """Returns the digests of what was sent and of what arrived."""
    with begin(gateway, "GET", size) as connection:
        head, begun = harness.read_head(connection)
        require_ok(head)
        arrived = receive_body(connection, size, begun)
        return upstream.sent.get(timeout=TIMEOUT), arrived


def stream(name, transfer, gateway, upstream):
    pid = gateway.process.pid
    # A first small one, so that what is bought once is not taken for growth.
    transfer(gateway, upstream, 8 * MIB)
    harness.forget_highest(pid)
    before = harness.resident(pid)
    sent, arrived = transfer(gateway, upstream, SIZE)
    grown = harness.highest_resident(pid) - before
    print(
        f"{name}: {SIZE // MIB} MiB, sha256 {arrived[:16]}..., memory grew by {grown / MIB:.2f} MiB"
    )
    if sent != arrived:
        raise Failed(f"{name}: {sent} was sent, {arrived} arrived")
    if grown >= ALLOWED:
        raise Failed(f"{name}: memory grew by {grown / MIB:.1f} MiB, allowed are {ALLOWED // MIB}")


def main():
    with Bench() as bench:
        upstream = Upstream()
        with bench.tollgate(upstream.port) as gateway:
            gateway.tls = None
            stream("upload", upload, gateway, upstream)
            stream("download", download, gateway, upstream)
        certificate = bench.certificate()
        upstream = Upstream(certificate)
        with bench.tollgate_tls(upstream.port, certificate) as gateway:
            gateway.tls = ssl.create_default_context(cafile=certificate[0])
            stream("upload through TLS", upload, gateway, upstream)
            stream("download through TLS", download, gateway, upstream)


if __name__ == "__main__":
    harness.main(main)
