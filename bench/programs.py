"""The programs of the measurements, each with its configuration filled in: the upstream, Redis,
and the proxies, without and with Redis. What cannot be started ends the measurement."""

import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from harness import HERE, KEY, WORKERS, Failed, Server, free_port

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent / "target"))
RELEASE = TARGET / "release"
# Where peers.sh puts Traefik.
TRAEFIK = TARGET / "bench" / "traefik" / "bin" / "traefik"
GATEWAY = HERE / "node" / "gateway.js"
# The upstream has these addresses; all but one proxy know the first alone.
ADDRESSES = [f"127.0.0.{nth}" for nth in range(1, 11)]


class Redis(Server):
    """A Redis of its own that keeps nothing on disk."""

    def scripts(self):
        """How many scripts clients have had it run to count: each of the proxies does so with one.

        Not those by which gateways say every two seconds that they are alive: each has a ZCARD.
        """
        signs = {"eval": 1, "evalsha": 1, "fcall": 1, "zcard": -1}
        calls = 0
        for line in self._info().splitlines():
            name, _, values = line.partition(":")
            number = values.partition(",")[0].removeprefix("calls=")
            calls += signs.get(name.removeprefix("cmdstat_"), 0) * int(number or 0)
        return calls

    def _info(self):
        with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
            connection.sendall(b"INFO commandstats\r\n")
            with connection.makefile("rb") as answers:
                length = answers.readline()
                if not length.startswith(b"$"):
                    raise Failed(f"Redis answered {length!r} to INFO")
                return answers.read(int(length[1:])).decode()


class Bench:
    """A scratch folder and the programs in it; a `with` removes the folder."""

    def __init__(self, workers=WORKERS):
        self.workers = workers

    def __enter__(self):
        self._scratch = tempfile.TemporaryDirectory(prefix="tollgate-bench-")
        return self

    def __exit__(self, *_):
        self._scratch.cleanup()

    def _folder(self, name):
        folder = Path(self._scratch.name) / name
        folder.mkdir(exist_ok=True)
        return folder

    def _fill(self, template, folder, port, upstream, **more):
        text = (HERE / template).read_text()
        values = {
            "DIR": folder,
            "PORT": port,
            "UPSTREAM": upstream,
            "WORKERS": self.workers,
            "KEY": KEY,
            "KEY_HASH": hashlib.sha256(KEY.encode()).hexdigest(),
            **more,
        }
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        file = folder / template
        file.write_text(text)
        return file

    def upstream(self):
        port = free_port()
        listen = ",".join(f"{address}:{port}" for address in ADDRESSES)
        command = [program("examples/bench_upstream"), listen, self.workers]
        return Server("the upstream", command, port, self._folder("upstream"))

    def floor(self, upstream):
        port = free_port()
        command = [program("examples/tcp_forwarder"), f"127.0.0.1:{port}"]
        command += [f"127.0.0.1:{upstream}", self.workers]
        return Server("floor", command, port, self._folder("floor"))

    def redis(self):
        port, folder = free_port(), self._folder("redis")
        command = [_installed("redis-server"), "--bind", "127.0.0.1", "--port", port]
        command += ["--dir", folder, "--save", "", "--appendonly", "no"]
        return Redis("redis", command, port, folder)

    def proxy(self, name, upstream, redis=None):
        """A proxy by its name; those that are called so count in the Redis on that port."""
        make = getattr(self, name.replace("before", "tollgate").replace("-", "_"))
        where = (upstream, redis) if "-redis" in name else (upstream,)
        if not name.startswith("before"):
            return make(*where)
        server = make(*where, name=name)
        server.command[0] = str(before())
        return server

    def tollgate(self, upstream, name="tollgate"):
        port, folder = free_port(), self._folder(name)
        config = self._fill("tollgate.toml", folder, port, upstream)
        return Server(name, [program("tollgate"), "run", "-c", config], port, folder)

    def tollgate_ten(self, upstream, name="tollgate-ten"):
        """A gateway with ten endpoints, all of which it checks each second."""
        port, folder = free_port(), self._folder(name)
        config = self._fill("tollgate.toml", folder, port, upstream)
        only = f'"http://127.0.0.1:{upstream}"'
        urls = ", ".join(f'"http://{address}:{upstream}"' for address in ADDRESSES)
        health = 'health = { path = "/health", interval = "1s" }'
        text = config.read_text().replace(only, '"ten"')
        config.write_text(f"{text}\n[upstreams.ten]\nendpoints = [{urls}]\n{health}\n")
        return Server(name, [program("tollgate"), "run", "-c", config], port, folder)

    def certificate(self):
        """A certificate for this machine that nobody else has signed, and its key."""
        folder = self._folder("certificate")
        cert, key = folder / "cert.pem", folder / "key.pem"
        command = [_installed("openssl"), "req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"]
        command += ["-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=bench"]
        command += ["-addext", "subjectAltName=IP:127.0.0.1", "-out", cert, "-keyout", key]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        return cert, key

    def tollgate_tls(self, upstream, certificate, name="tollgate-tls"):
        """A gateway with TLS on both sides, whose upstream has the same certificate."""
        port, folder = free_port(), self._folder(name)
        more = dict(zip(("CERT", "CERT_KEY"), certificate))
        config = self._fill("tollgate-tls.toml", folder, port, upstream, **more)
        return Server(name, [program("tollgate"), "run", "-c", config], port, folder)

    def tollgate_of(self, keys, upstream):
        """A gateway with a client for each of these keys."""
        name = f"tollgate with {len(keys)} keys"
        port, folder = free_port(), self._folder(name.replace(" ", "-"))
        config = self._fill("tollgate.toml", folder, port, upstream)
        with open(config, "a") as whole:
            for key in keys:
                hashed = hashlib.sha256(key.encode()).hexdigest()
                whole.write(f'[clients.{key}]\nkeys = ["sha256:{hashed}"]\n')
        return Server(name, [program("tollgate"), "run", "-c", config], port, folder)

    def nginx(self, upstream):
        port, folder = free_port(), self._folder("nginx")
        config = self._fill("nginx.conf", folder, port, upstream)
        # Workers that can read the scratch folder; without root nginx changes no user anyway.
        user = ["-g", "user root;"] if os.geteuid() == 0 else []
        command = [_installed("nginx"), "-p", folder, "-e", folder / "nginx.err", "-c", config]
        return Server("nginx", command + user, port, folder)

    def tollgate_redis(self, upstream, redis, name="tollgate-redis"):
        return self._tollgate_redis(name, upstream, redis, "auto")

    def tollgate_redis_exact(self, upstream, redis, name="tollgate-redis-exact"):
        return self._tollgate_redis(name, upstream, redis, "off")

    def _tollgate_redis(self, name, upstream, redis, lease):
        port, folder = free_port(), self._folder(name)
        more = {"REDIS": redis, "LEASE": lease, "PREFIX": name}
        config = self._fill("tollgate.toml", folder, port, upstream)
        addition = self._fill("tollgate-redis.toml", folder, port, upstream, **more)
        with open(config, "a") as whole:
            whole.write(addition.read_text())
        return Server(name, [program("tollgate"), "run", "-c", config], port, folder)

    def fleet_gateway(self, nth, upstream, limits, redis):
        """One of several gateways; the limits are clients' requests a minute by their keys."""
        port, folder = free_port(), self._folder(f"gateway-{nth}")
        config = self._fill("fleet.toml", folder, port, upstream)
        with open(config, "a") as whole:
            for tier in sorted(set(limits.values())):
                whole.write(f'[limits.tiers.per-{tier}]\nrequests = {tier}\nper = "1m"\n')
            for key, tier in limits.items():
                hashed = hashlib.sha256(key.encode()).hexdigest()
                keys = f'keys = ["sha256:{hashed}"]'
                whole.write(f'[clients.{key}]\n{keys}\ntier = "per-{tier}"\n')
            whole.write("[limits.redis]\n")
            whole.writelines(f'{name} = "{value}"\n' for name, value in redis.items())
        return Server(f"gateway {nth}", [program("tollgate"), "run", "-c", config], port, folder)

    def traefik_redis(self, upstream, redis):
        port, folder = free_port(), self._folder("traefik-redis")
        self._fill("traefik-routes.yml", folder, port, upstream, REDIS=redis)
        config = self._fill("traefik.yml", folder, port, upstream)
        command = [_peer(TRAEFIK), f"--configFile={config}"]
        return Server("traefik-redis", command, port, folder)

    def node_redis(self, upstream, redis):
        port, folder = free_port(), self._folder("node-redis")
        _peer(GATEWAY.parent / "node_modules" / "fastify")
        config = self._fill("node.json", folder, port, upstream, REDIS=redis)
        command = ["env", "NODE_ENV=production", _installed("node"), GATEWAY, config]
        return Server("node-redis", command, port, folder)


def program(name):
    """The path of one of our own programs."""
    path = RELEASE / name
    if not path.exists():
        raise Failed(f"{path} is missing; the targets of the Makefile build it")
    return path


def before():
    """The program that is compared with: another build of Tollgate."""
    path = os.environ.get("BEFORE")
    if not path or not os.access(path, os.X_OK):
        raise Failed("set BEFORE to the tollgate program of the commit to compare with")
    return Path(path).resolve()


def _installed(name):
    program = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
    if program is None:
        raise Failed(f"{name} is missing; `make bench` installs it where it can")
    return program


def _peer(path):
    if not path.exists():
        raise Failed(f"{path} is missing; `make bench` installs it")
    return path
