"""Worker processes with a memory limit and a deadline per task. A crash or a hang costs one task and not the run.

Knows nothing of what the tasks are: ``map_tasks`` hands frames out and yields answers as they come. Workers read what
strangers made: their answers are frames, and one that does not answer in form is ended like one that crashed. Ray could
stand behind the same function.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import selectors
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from radia_pipeline.errors import BadFrame, RadiaError, RunFailed
from radia_pipeline.processes.channel import PatientChannel
from radia_pipeline.processes.failures import from_record
from radia_pipeline.processes.frames import CAPS, Caps, Frame
from radia_pipeline.processes.nursery import nursery_of
from radia_pipeline.processes.worker import ANSWERED, FAILED, RAISED

T = TypeVar("T")
CRASHED, TIMED_OUT = "crashed", "timed_out"
_AHEAD = 2
"""Tasks that wait at a worker, so that it never waits for the next."""
_ATTEMPTS = 2
"""A crash may be the machine's fault (the kernel kills the largest process); the second one is the task's."""


@dataclass(frozen=True)
class Work:
    """What workers do with a task, and what one task may cost.

    ``function`` is named ``package.module:function``; it takes a Frame and returns one. ``warm_up``, named alike, is
    called once before the first task. ``caps`` bound a task and its answer.
    """

    function: str
    warm_up: str | None = None
    seconds: float = 120.0
    memory_bytes: int = 4 << 30
    caps: Caps = CAPS


@dataclass(frozen=True)
class Lost:
    """A task without an answer: CRASHED, TIMED_OUT, or the class of an error that nobody had foreseen."""

    how: str

    def __str__(self) -> str:
        return self.how


Answer = Frame | RadiaError | Lost
"""What came of a task; an error of the tree that the function raised is handed on, not raised."""


@dataclass(eq=False)
class _Worker:
    pid: int
    channel: PatientChannel
    waiting: deque[int] = field(default_factory=deque)
    since: float = 0.0


def default_workers() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0))


def map_tasks(
    work: Work, tasks: Iterable[Frame], *, workers: int, window: int | None = None
) -> Iterator[tuple[int, Answer]]:
    """Yield (number of the task, answer) in the order of completion.

    Tasks are drawn lazily, so that memory does not grow with their number. A task that took its worker down is tried a
    second time, alone in a fresh process. ``window``: how far beyond the oldest task without an answer tasks are drawn,
    for a consumer that wants them in order. Raises RunFailed where workers cannot be started.
    """
    pool = _Pool(work, iter(enumerate(tasks)), window)
    try:
        pool.grow(max(1, workers))
        yield from pool.answers()
    finally:
        pool.close()


def get_ready(work: Work) -> None:
    """Start the process that this work's workers will come from, which goes on importing what they need."""
    nursery_of(work.function, work.warm_up)


def in_order(answers: Iterator[tuple[int, T]]) -> Iterator[T]:
    """Yield answers in the order of their tasks, holding back those that come early."""
    early: dict[int, T] = {}
    for number in itertools.count():
        while number not in early:
            try:
                other, answer = next(answers)
            except StopIteration:
                return
            early[other] = answer
        yield early.pop(number)


class _Pool:
    def __init__(self, work: Work, numbered: Iterator[tuple[int, Frame]], window: int | None) -> None:
        self._work, self._numbered, self._window, self._drawn = work, numbered, window, 0
        self._nursery = nursery_of(work.function, work.warm_up)
        self._selector = selectors.DefaultSelector()
        self._workers: list[_Worker] = []
        self._open: dict[int, Frame] = {}
        self._failures: dict[int, int] = {}
        self._again: deque[int] = deque()
        self._is_drained = False

    def grow(self, count: int) -> None:
        for _ in range(count):
            pid, end = self._nursery.start(self._work.memory_bytes, self._work.caps)
            worker = _Worker(pid, PatientChannel(end, self._work.caps))
            self._selector.register(end, selectors.EVENT_READ, worker)
            self._workers.append(worker)

    def answers(self) -> Iterator[tuple[int, Answer]]:
        while True:
            for worker in self._workers:
                self._feed(worker)
            if self._is_drained and not self._open:
                return
            ready = self._wait()
            for worker in list(self._workers):
                if worker in ready:
                    yield from self._receive(worker)
                elif self._is_late(worker):
                    yield from self._lose(worker, TIMED_OUT)

    def close(self) -> None:
        with contextlib.suppress(RunFailed):  # the nursery has ended, and its workers with it
            while self._workers:
                self._end(self._workers[-1])
        self._selector.close()

    def _end(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        self._selector.unregister(worker.channel.socket)
        worker.channel.close()
        self._nursery.end(worker.pid)

    def _next(self, worker: _Worker) -> int | None:
        if self._again:
            # A task that failed once runs alone, so that nothing else is lost with it.
            return self._again.popleft() if not worker.waiting else None
        if any(number in self._failures for number in worker.waiting) or self._is_drained:
            return None
        if self._window is not None and self._open and self._drawn - min(self._open) >= self._window:
            return None
        for number, task in self._numbered:
            self._open[number], self._drawn = task, number + 1
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
            task = self._open[number]
            worker.channel.send(Frame([number, task.body], task.arrays))

    def _wait(self) -> set[_Worker]:
        """Wait until a worker has something to say, or is late; returns those that have, and sends what is pending."""
        for worker in self._workers:
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if worker.channel.pending else 0)
            if self._selector.get_key(worker.channel.socket).events != events:
                self._selector.modify(worker.channel.socket, events, worker)
        found = self._selector.select(self._patience())
        for key, events in found:
            if events & selectors.EVENT_WRITE:
                key.data.channel.flush()
        return {key.data for key, events in found if events & selectors.EVENT_READ}

    def _patience(self) -> float:
        busy = [worker.since for worker in self._workers if worker.waiting]
        return max(0.01, min(busy, default=time.monotonic()) + self._work.seconds - time.monotonic() + 0.01)

    def _is_late(self, worker: _Worker) -> bool:
        return bool(worker.waiting) and time.monotonic() - worker.since > self._work.seconds

    def _receive(self, worker: _Worker) -> Iterator[tuple[int, Answer]]:
        answers, is_lost = [], False
        try:
            worker.channel.fill()
            for frame in worker.channel.arrived():
                answers.append(self._accepted(worker, frame))
        except (EOFError, BadFrame):
            is_lost = True
        yield from answers
        if is_lost:
            yield from self._lose(worker, CRASHED)

    def _accepted(self, worker: _Worker, frame: Frame) -> tuple[int, Answer]:
        """Take an answer to the task that the worker was given first; raises BadFrame where it is none."""
        answer = _answer_of(frame, worker.waiting[0] if worker.waiting else None)
        number = worker.waiting.popleft()
        worker.since = time.monotonic()
        self._failures.pop(number, None)
        del self._open[number]
        return number, answer

    def _lose(self, worker: _Worker, how: str) -> Iterator[tuple[int, Answer]]:
        """Replace a worker; its first task is the culprit, the others are handed out again."""
        self._end(worker)
        self.grow(1)
        if not worker.waiting:
            return
        culprit = worker.waiting.popleft()
        self._again.extend(worker.waiting)
        self._failures[culprit] = self._failures.get(culprit, 0) + 1
        if self._failures[culprit] < _ATTEMPTS:
            self._again.append(culprit)
            return
        del self._failures[culprit], self._open[culprit]
        yield culprit, Lost(how)


def _answer_of(frame: Frame, expected: int | None) -> Answer:
    match frame.body:
        case [int(number), str(how), what] if number == expected and expected is not None:
            if how == ANSWERED:
                return Frame(what, frame.arrays)
            if how == FAILED:
                return from_record(what)
            if how == RAISED and isinstance(what, str) and what.isidentifier():
                return Lost(what)
    raise BadFrame("An answer that is none to the task at hand")
