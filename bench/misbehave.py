#!/usr/bin/env python3
"""A service that misbehaves on purpose: `misbehave.py PORT MODE`.

GET /-/mode/MODE changes what it does with requests from then on, GET /-/seen answers with how many
it has got, but for /health, and on how many connections, and begins to count anew. Modes:

    ok          200 after 1 ms          delay=S     200 after S seconds
    status=N    status N at once        shed=N,P    status N for that share of requests, else 200
    silent      no answer, ever         reset       half a head, then the connection is reset
    garbage     not HTTP
"""

import asyncio
import random
import socket
import struct
import sys

BODY = b"ok"


def answer(status, body=BODY):
    head = f"HTTP/1.1 {status} Status\r\nContent-Length: {len(body)}\r\nX-Own: yes\r\n\r\n"
    return head.encode() + body


class Service(asyncio.Protocol):
    mode = "ok"
    requests = 0
    connections = 0

    def connection_made(self, transport):
        self.transport, self.data = transport, b""
        Service.connections += 1

    def data_received(self, data):
        self.data += data
        while b"\r\n\r\n" in self.data:
            head, _, rest = self.data.partition(b"\r\n\r\n")
            length = 0
            for line in head.lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    length = int(line[15:])
            if len(rest) < length:
                return
            self.data = rest[length:]
            self.request(head.split(b" ", 2)[1].decode())

    def request(self, target):
        if target.startswith("/-/mode/"):
            Service.mode = target.removeprefix("/-/mode/")
            return self.transport.write(answer(200))
        if target == "/-/seen":
            seen = f"{Service.requests} {Service.connections}".encode()
            Service.requests = Service.connections = 0
            return self.transport.write(answer(200, seen))
        Service.requests += target != "/health"
        name, _, value = Service.mode.partition("=")
        later = asyncio.get_running_loop().call_later
        if name == "ok":
            later(0.001, self.transport.write, answer(200))
        elif name == "delay":
            later(float(value), self.transport.write, answer(200))
        elif name == "status":
            self.transport.write(answer(value))
        elif name == "shed":
            status, share = value.split(",")
            shed = random.random() < float(share)
            self.transport.write(answer(status if shed else 200))
        elif name == "reset":
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Le")
            later(0.001, self.reset)
        elif name == "garbage":
            self.transport.write(b"what is this?\r\n\r\n")
            self.transport.close()

    def reset(self):
        linger = struct.pack("ii", 1, 0)
        self.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, linger
        )
        self.transport.abort()


async def main():
    port, Service.mode = int(sys.argv[1]), sys.argv[2]
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Service, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
