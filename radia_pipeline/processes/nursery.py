"""The process that forks the workers of one work: this is the pool's end of it, ``worker`` the other.

Forking from a small process that has imported what the work needs is quick, and inherits no lock of ours. One nursery
lives per work and process of ours, from the first worker that is needed until this process ends.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import os
import socket
import subprocess
import threading
from collections.abc import Iterator

from radia_pipeline.errors import RadiaError, RunFailed
from radia_pipeline.processes import children
from radia_pipeline.processes.channel import Channel
from radia_pipeline.processes.failures import from_record
from radia_pipeline.processes.frames import Caps, Frame, encode

ENTRY = "radia_pipeline.processes.worker"


_NOT_FOR_WORKERS = ("RAY_", "RADIA_PSEUDONYM", "RADIA_NEW_PSEUDONYM")
"""How variables begin that a process has no use for which reads what strangers made: a cluster's token, keys."""


class Nursery:
    """A nursery of workers that call ``function`` (``package.module:function``), after ``warm_up``, named alike."""

    def __init__(self, function: str, warm_up: str | None = None) -> None:
        ours, theirs = socket.socketpair()
        arguments = (theirs.fileno(), function, *([warm_up] if warm_up else []))
        env = _without_secrets(children.environment(children.threads(1) | {"OMP_THREAD_LIMIT": "1"}))
        with theirs:
            self.process = children.start(
                children.module(ENTRY, *arguments), env, pass_fds=(theirs.fileno(),), stdout=subprocess.DEVNULL
            )
        self.owner = os.getpid()
        self._channel = Channel(ours)
        self._is_ready = False
        self._lock = threading.Lock()

    def start(self, memory_bytes: int, caps: Caps) -> tuple[int, socket.socket]:
        """Return a fresh worker's pid and our end of its socket; ``caps`` bound tasks and answers.

        Raises RunFailed where the nursery has ended, or could not import what the work needs.
        """
        order = encode(Frame({"start": memory_bytes, "caps": dataclasses.asdict(caps)}))
        ours, theirs = socket.socketpair()
        try:
            with theirs, self._lock, self._watched():
                self._wait_until_ready()
                socket.send_fds(self._channel.socket, [order], [theirs.fileno()])
                return self._channel.receive().body, ours
        except BaseException:
            ours.close()
            raise

    def end(self, pid: int) -> None:
        """End a worker at once, whatever it does; raises RunFailed where the nursery has ended."""
        with self._lock, self._watched():
            self._channel.send(Frame({"end": pid}))
            self._channel.receive()

    def stop(self) -> None:
        """End the nursery, and with it every worker."""
        if self.owner == os.getpid():
            self._channel.close()
            children.end(self.process, grace_s=0.0)

    def is_usable(self) -> bool:
        """Whether it lives and belongs to this process, not to one that this one was forked from."""
        return self.owner == os.getpid() and self.process.poll() is None

    def _wait_until_ready(self) -> None:
        if not self._is_ready:
            said = self._channel.receive().body
            if isinstance(said, dict):
                raise from_record(said["failure"])
            self._is_ready = True

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except RadiaError:
            self.stop()
            raise
        except (EOFError, OSError):
            self.stop()
            raise RunFailed(
                f"The process that starts workers ended (status {self.process.returncode})",
                do="check that the package is installed whole and that memory is left, then run again",
            ) from None


def _without_secrets(env: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if not name.startswith(_NOT_FOR_WORKERS)}


_nurseries: dict[tuple[str, str | None], Nursery] = {}
_nurseries_lock = threading.Lock()


def nursery_of(function: str, warm_up: str | None = None) -> Nursery:
    """Return this process's nursery for a work, started if need be."""
    with _nurseries_lock:
        found = _nurseries.get((function, warm_up))
        if found is None or not found.is_usable():
            found = _nurseries[function, warm_up] = Nursery(function, warm_up)
        return found


@atexit.register
def _stop_all() -> None:
    for nursery in _nurseries.values():
        nursery.stop()
