"""Worker processes with a memory limit and a deadline per file. A crash or a hang costs one file and not the run.

Knows nothing of files or verdicts: ``map_tasks`` hands tasks out and yields answers as they come. Ray could stand behind
the same function.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

from radia_pipeline.errors import RunFailed

CRASHED, TIMED_OUT = "crashed", "timed_out"
_AHEAD = 2
"""Tasks that wait at a worker, so that it never waits for the next."""
_ATTEMPTS = 2
"""A crash may be the machine's fault (the kernel kills the largest process); the second one is the file's."""
_START_S = 120.0
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_THREAD_LIMIT")


@dataclass
class _Worker:
    process: subprocess.Popen
    connection: Connection
    waiting: deque[int] = field(default_factory=deque)
    since: float = 0.0
    is_ready: bool = False


def default_workers() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0))


def map_tasks(
    tasks: Iterable[Any], *, workers: int, seconds: float, memory_bytes: int
) -> Iterator[tuple[int, Any]]:
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
            self._workers.append(_start(self._memory_bytes))

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
            worker.process.kill()
            worker.process.wait()
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
        while worker.is_ready and len(worker.waiting) < _AHEAD:
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
        if not worker.is_ready:
            worker.is_ready = True
            return
        worker.waiting.remove(number)
        worker.since = time.monotonic()
        self._failures.pop(number, None)
        del self._open[number]
        yield number, answer

    def _lose(self, worker: _Worker, how: str) -> Iterator[tuple[int, Any]]:
        """Replace a worker; its first task is the culprit, the others are handed out again."""
        worker.connection.close()
        worker.process.kill()
        worker.process.wait()
        self._workers.remove(worker)
        if not worker.is_ready:
            raise RunFailed(
                f"A worker process of the ingest ended while starting (status {worker.process.returncode})",
                do="check that the memory limit leaves room for the codecs, and that the package is installed whole",
            )
        self._workers.append(_start(self._memory_bytes))
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


def _start(memory_bytes: int) -> _Worker:
    ours, theirs = socket.socketpair()
    environment = os.environ | dict.fromkeys(_THREAD_VARIABLES, "1")
    environment["PYTHONPATH"] = os.pathsep.join(path or os.getcwd() for path in sys.path)
    with theirs:
        descriptor = theirs.fileno()
        process = subprocess.Popen(
            [sys.executable, "-m", "radia_pipeline.dicom.worker", str(descriptor), str(memory_bytes)],
            pass_fds=(descriptor,), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment,
        )  # fmt: skip
    return _Worker(process, Connection(ours.detach()))
