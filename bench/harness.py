"""What the measurements share: a program as processes on a loopback port, and what Linux tells
about a process (/proc): CPU time and memory."""

import os
import platform
import random
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
KEY = "bench-key"
PATH = "/api/inventory/7"
WORKERS = len(os.sched_getaffinity(0))
TICK = os.sysconf("SC_CLK_TCK")
START_TIMEOUT = 10


class Failed(Exception):
    """A measurement that would say something untrue."""


def free_port():
    """A port that nothing has; outside the range from which connections get theirs, which a load
    with a connection for each request uses up."""
    while True:
        with socket.socket() as probe:
            port = random.randrange(20000, 32768)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def raise_file_limit():
    """Thousands of connections need as many descriptors, here and in the proxies."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def request(key=KEY):
    """The request of every measurement, as bytes."""
    field = f"x-api-key: {key}\r\n" if key else ""
    return f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\n{field}\r\n".encode()


def read_head(connection):
    """Reads to the end of an answer's head; what has arrived of the body comes with it."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            raise Failed(f"closed in the middle of an answer: {data!r}")
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def exchange(connection, data):
    """Sends one request and reads its whole answer; returns the status."""
    connection.sendall(data)
    head, body = read_head(connection)
    fields = [line.partition(b":") for line in head.lower().split(b"\r\n")[1:]]
    length = next(int(value) for name, _, value in fields if name == b"content-length")
    while len(body) < length:
        body += connection.recv(65536)
    return int(head.split(b" ", 2)[1])


class Server:
    """One program with all its processes, stopped by its process id at the end of a `with`."""

    def __init__(self, name, command, port, scratch):
        self.name, self.command, self.port = name, [str(part) for part in command], port
        self.scratch = Path(scratch)
        self.output = self.scratch / "output"

    def __enter__(self):
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.__exit__()
                    raise Failed(f"{self.name} did not start: {self.words()}") from None
                time.sleep(0.05)

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def words(self):
        return self.output.read_text(errors="replace").strip() or "it said nothing"

    def processes(self):
        """This process and its children (nginx' workers)."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *map(int, children)]

    def cpu_seconds(self):
        """User and system time of all threads of all its processes so far."""
        user = system = 0
        for pid in self.processes():
            # The second field is a name in parentheses that may contain anything.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            user, system = user + int(fields[11]), system + int(fields[12])
        return user / TICK, system / TICK

    def memory(self):
        """Resident bytes; pages that several processes share are counted once."""
        return sum(_memory_field(pid, "smaps_rollup", "Pss") for pid in self.processes())

    def check_pipeline(self):
        """Answers the key, refuses another one and none: the work that is measured is done.

        Some listen before they know their routes, so an answer may become right within a while.
        """
        deadline = time.monotonic() + START_TIMEOUT
        for key, expected in [(KEY, 200), ("another", 401), (None, 401)]:
            while (status := self.ask(key)) != expected:
                if time.monotonic() > deadline:
                    said = f"{self.name} answered {status} to the key {key!r}, not {expected}"
                    raise Failed(f"{said}: {self.words()}")
                time.sleep(0.05)

    def ask(self, key):
        """The status that a request with this key gets."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
            return exchange(connection, request(key))


def _memory_field(pid, file, name):
    for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
        field, _, value = line.partition(":")
        if field == name:
            return int(value.split()[0]) * 1024
    raise Failed(f"/proc/{pid}/{file} has no {name}")


def resident(pid):
    """Resident bytes of a process now."""
    return _memory_field(pid, "status", "VmRSS")


def highest_resident(pid):
    """The most resident bytes that a process had since `forget_highest`."""
    return _memory_field(pid, "status", "VmHWM")


def forget_highest(pid):
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def machine():
    """What the numbers were measured on."""
    cpu = "unknown CPU"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    date = time.strftime("%Y-%m-%d")
    return f"{cpu}, {WORKERS} cores, Linux {platform.release()}, {date}"


def main(measure):
    """Runs a measurement; what would make it untrue ends it with one line."""
    try:
        measure()
    except Failed as failed:
        sys.exit(f"bench: {failed}")
    except KeyboardInterrupt:
        sys.exit(130)
