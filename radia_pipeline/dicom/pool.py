"""Worker processes with a memory limit and a deadline per file. A crash or a hang costs one file and not the run.

Knows nothing of files or verdicts: ``map_tasks`` hands tasks out and yields answers as they come. Ray could stand
behind the same function.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import send_handle
from pathlib import Path
from typing import Any

from radia_pipeline.errors import RunFailed

CRASHED, TIMED_OUT = "crashed", "timed_out"
_AHEAD = 2
"""Tasks that wait at a worker, so that it never waits for the next."""
_ATTEMPTS = 2
"""A crash may be the machine's fault (the kernel kills the largest process); the second one is the file's."""
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_THREAD_LIMIT")


@dataclass
class _Worker:
    pid: int
    connection: Connection
    waiting: deque[int] = field(default_factory=deque)
    since: float = 0.0


def default_workers() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0))


def map_tasks(tasks: Iterable[Any], *, workers: int, seconds: float, memory_bytes: int) -> Iterator[tuple[int, Any]]:
    """Yield (number of the task, answer) in the order of completion; CRASHED or TIMED_OUT stand for a lost answer.

    Tasks are drawn lazily, so that memory does not grow with their number. A task that took its worker down is tried a
    second time, alone in a fresh process.
    """
    pool = _Pool(iter(enumerate(tasks)), seconds, memory_bytes)
    try:
        pool.grow(max(1, workers))
        yield from pool.answers()
    finally:
        pool.close()


class _Pool:
    def __init__(self, numbered: Iterator[tuple[int, Any]], seconds: float, memory_bytes: int) -> None:
        self._numbered, self._seconds, self._memory_bytes = numbered, seconds, memory_bytes
        self._workers: list[_Worker] = []
        self._open: dict[int, Any] = {}
        self._failures: dict[int, int] = {}
        self._again: deque[int] = deque()
        self._is_drained = False

    def grow(self, count: int) -> None:
        for _ in range(count):
            self._workers.append(_nursery().start(self._memory_bytes))

    def answers(self) -> Iterator[tuple[int, Any]]:
        while True:
            for worker in self._workers:
                self._feed(worker)
            if self._is_drained and not self._open:
                return
            ready = set(wait([worker.connection for worker in self._workers], timeout=self._patience()))
            for worker in list(self._workers):
                if worker.connection in ready:
                    yield from self._receive(worker)
                elif self._is_late(worker):
                    yield from self._lose(worker, TIMED_OUT)

    def close(self) -> None:
        for worker in self._workers:
            worker.connection.close()
            _nursery().end(worker.pid)
        self._workers = []

    def _next(self, worker: _Worker) -> int | None:
        if self._again:
            # A task that failed once runs alone, so that nothing else is lost with it.
            return self._again.popleft() if not worker.waiting else None
        if any(number in self._failures for number in worker.waiting) or self._is_drained:
            return None
        for number, task in self._numbered:
            self._open[number] = task
            return number
        self._is_drained = True
        return None

    def _feed(self, worker: _Worker) -> None:
        while len(worker.waiting) < _AHEAD:
            number = self._next(worker)
            if number is None:
                return
            if not worker.waiting:
                worker.since = time.monotonic()
            worker.waiting.append(number)
            try:
                worker.connection.send((number, self._open[number]))
            except (BrokenPipeError, ConnectionResetError):
                return

    def _patience(self) -> float:
        busy = [worker.since for worker in self._workers if worker.waiting]
        return max(0.01, min(busy, default=time.monotonic()) + self._seconds - time.monotonic() + 0.01)

    def _is_late(self, worker: _Worker) -> bool:
        return bool(worker.waiting) and time.monotonic() - worker.since > self._seconds

    def _receive(self, worker: _Worker) -> Iterator[tuple[int, Any]]:
        try:
            number, answer = worker.connection.recv()
        except (EOFError, ConnectionResetError):
            yield from self._lose(worker, CRASHED)
            return
        worker.waiting.remove(number)
        worker.since = time.monotonic()
        self._failures.pop(number, None)
        del self._open[number]
        yield number, answer

    def _lose(self, worker: _Worker, how: str) -> Iterator[tuple[int, Any]]:
        """Replace a worker; its first task is the culprit, the others are handed out again."""
        worker.connection.close()
        _nursery().end(worker.pid)
        self._workers.remove(worker)
        self._workers.append(_nursery().start(self._memory_bytes))
        if not worker.waiting:
            return
        culprit = worker.waiting.popleft()
        self._again.extend(worker.waiting)
        self._failures[culprit] = self._failures.get(culprit, 0) + 1
        if self._failures[culprit] < _ATTEMPTS:
            self._again.append(culprit)
            return
        del self._failures[culprit], self._open[culprit]
        yield culprit, how


class _Nursery:
    """The process that forks workers; one per process of ours, started when the first worker is needed."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        environment = os.environ | dict.fromkeys(_THREAD_VARIABLES, "1")
        environment["PYTHONPATH"] = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "radia_pipeline.dicom.worker", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment,
            )  # fmt: skip
        self.owner = os.getpid()
        self._connection = Connection(ours.detach())
        self._is_ready = False
        self._lock = threading.Lock()

    def start(self, memory_bytes: int) -> _Worker:
        """Return a fresh worker."""
        ours, theirs = socket.socketpair()
        with theirs, self._lock, self._watched():
            if not self._is_ready:
                self._is_ready = self._connection.recv() == "ready"
            self._connection.send(("start", memory_bytes))
            send_handle(self._connection, theirs.fileno(), self.process.pid)
            pid = self._connection.recv()
        return _Worker(pid, Connection(ours.detach()))

    def end(self, pid: int) -> None:
        """End a worker at once, whatever it does."""
        with self._lock, self._watched():
            self._connection.send(("end", pid))
            self._connection.recv()

    def stop(self) -> None:
        """End the nursery, and with it every worker."""
        self._connection.close()
        self.process.kill()
        self.process.wait()

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, OSError):
            self.process.kill()
            status = self.process.wait()
            raise RunFailed(
                f"The process that starts the ingest's workers ended (status {status})",
                do="check that the package is installed whole and that memory is left, then run again",
            ) from None


_the_nursery: _Nursery | None = None


def _nursery() -> _Nursery:
    global _the_nursery
    if _the_nursery is None or _the_nursery.owner != os.getpid() or _the_nursery.process.poll() is not None:
        _the_nursery = _Nursery()
        atexit.register(_the_nursery.stop)
    return _the_nursery
