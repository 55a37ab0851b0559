"""The programs of the measurements, each with its configuration filled in: the upstream and the
proxies. What cannot be started ends the measurement."""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from harness import HERE, KEY, WORKERS, Failed, Server, free_port

RELEASE = Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent / "target")) / "release"


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

    def _fill(self, template, folder, port, upstream):
        text = (HERE / template).read_text()
        values = {
            "DIR": folder,
            "PORT": port,
            "UPSTREAM": upstream,
            "WORKERS": self.workers,
            "KEY": KEY,
            "KEY_HASH": hashlib.sha256(KEY.encode()).hexdigest(),
        }
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        file = folder / template
        file.write_text(text)
        return file

    def upstream(self):
        port = free_port()
        program = _program("examples/bench_upstream")
        command = [program, f"127.0.0.1:{port}", self.workers]
        return Server("the upstream", command, port, self._folder("upstream"))

    def floor(self, upstream):
        port = free_port()
        program = _program("examples/tcp_forwarder")
        command = [program, f"127.0.0.1:{port}", f"127.0.0.1:{upstream}", self.workers]
        return Server("floor", command, port, self._folder("floor"))

    def tollgate(self, upstream):
        port, folder = free_port(), self._folder("tollgate")
        config = self._fill("tollgate.toml", folder, port, upstream)
        return Server("tollgate", [_program("tollgate"), "run", "-c", config], port, folder)

    def nginx(self, upstream):
        port, folder = free_port(), self._folder("nginx")
        config = self._fill("nginx.conf", folder, port, upstream)
        # Workers that can read the scratch folder; without root nginx changes no user anyway.
        user = ["-g", "user root;"] if os.geteuid() == 0 else []
        command = [_installed("nginx"), "-p", folder, "-e", folder / "nginx.err", "-c", config]
        return Server("nginx", command + user, port, folder)


def _program(name):
    program = RELEASE / name
    if not program.exists():
        raise Failed(f"{program} is missing; `make bench` builds it")
    return program


def _installed(name):
    program = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
    if program is None:
        raise Failed(f"{name} is missing; `make bench` installs it where it can")
    return program
