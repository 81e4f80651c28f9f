"""How much is done at once: so many predictions at a time, so many that wait, and everybody else is told to come again.

A place is taken before a body is read, so that what waits in memory is bounded too.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from starlette.concurrency import run_in_threadpool

from radia_pipeline.review.problems import Problem

T = TypeVar("T")
_USUAL_S = 1.0
"""What one prediction takes before any was measured."""


class Gate:
    """A door for ``at_once`` computations, with room for ``waiting`` more."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self._room, self._inside = at_once + waiting, 0
        self._at_once = at_once
        self._turn = asyncio.Semaphore(at_once)
        self._usual_s = _USUAL_S

    @contextlib.asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold a place while a body is read and answered; raises Problem ``busy`` where there is none."""
        if self._inside >= self._room:
            wait_s = max(1, round(self._room / self._at_once * self._usual_s))
            raise Problem("busy", do="ask again after Retry-After seconds", retry_after_s=wait_s)
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

    async def run(self, work: Callable[[], T]) -> T:
        """Do a computation in a thread, in its turn."""
        async with self._turn:
            loop = asyncio.get_running_loop()
            since = loop.time()
            result = await run_in_threadpool(work)
            self._usual_s += 0.2 * (loop.time() - since - self._usual_s)
            return result
