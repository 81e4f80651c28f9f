"""Debian's Postgres, started in a temporary folder as a user without rights, ended and killed as a test wants."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

USER, PASSWORD = "radia", "a password that only this test uses"
PROGRAMS = Path("/usr/lib/postgresql")
_NOBODY = "nobody"


def programs() -> Path | None:
    """Return the folder of the newest server's programs; None where Postgres is not installed."""
    found = sorted(PROGRAMS.glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


class Cluster:
    """One server of Postgres on this machine."""

    def __init__(self, folder: Path, bin: Path) -> None:
        self.folder, self._bin, self._process = folder, bin, None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        secret = folder / "secret"
        secret.write_text(PASSWORD)
        if os.geteuid() == 0:  # Postgres refuses to run as root
            user = pwd.getpwnam(_NOBODY)
            for path in (folder, secret):
                os.chown(path, user.pw_uid, user.pw_gid)
        self._run(
            "initdb",
            "-D",
            folder / "data",
            "-U",
            USER,
            "--auth",
            "scram-sha-256",
            "--pwfile",
            secret,
            "-N",
            "--encoding",
            "UTF8",
            "--locale",
            "C.UTF-8",
        )

    def _as_nobody(self) -> dict:
        return {"user": _NOBODY, "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}

    def _run(self, program: str, *words: object) -> None:
        subprocess.run(
            [self._bin / program, *map(str, words)],
            check=True,
            capture_output=True,
            cwd=self.folder,
            env={**os.environ, "PGPASSWORD": PASSWORD},
            **self._as_nobody(),
        )

    def start(self) -> None:
        """Start the server and wait until it answers."""
        words = ("-D", self.folder / "data", "-p", self.port, "-k", self.folder, "-c", "listen_addresses=127.0.0.1")
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._bin / "postgres", *map(str, words)], stdout=log, stderr=log, cwd=self.folder, **self._as_nobody()
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(subprocess.CalledProcessError):
                return self._run("pg_isready", "-h", "127.0.0.1", "-p", self.port)
            time.sleep(0.1)
        raise AssertionError((self.folder / "log").read_text()[-2000:])

    def make(self, name: str) -> str:
        """Make an empty database; returns its address as a person writes it."""
        self._run("createdb", "-h", "127.0.0.1", "-p", self.port, "-U", USER, name)
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{name}"

    def kill(self) -> None:
        """Kill the server's first process; the others end by themselves, as in a crash."""
        self._process.kill()
        self._process.wait()

    def crash(self) -> None:
        """Kill the server and start it again."""
        self.kill()
        self.start()

    def end(self) -> None:
        """End the server at once, in order."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)


@contextlib.contextmanager
def running() -> Iterator[Cluster]:
    """Yield a running server; skips the test where Postgres is not installed."""
    found = programs()
    if found is None:
        pytest.skip("Postgres is not installed (Debian: apt install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="radia-pg-"))  # the user without rights must reach it
    cluster = None
    try:
        cluster = Cluster(folder, found)
        cluster.start()
        yield cluster
    finally:
        if cluster is not None:
            cluster.end()
        shutil.rmtree(folder, ignore_errors=True)
