"""Stopping a long work in order: a request that it looks at after each step, and the signals that make one.

Not here: who asks from outside (``children``), and the death of the process that it works for (``parents``).
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator

LAST_RESORT_S = 25.0
"""After this long a stopping process ends without a checkpoint of its own: Dagster promises 30 s."""
SAME_REQUEST_S = 2.0
"""Ctrl-C reaches a whole group, and whoever started a process may hand it on: one request, which comes twice."""


class StopRequest:
    """Set once by a signal or by the death of the parent; looked at after each step.

    ``above``: a request that counts for this one too, of a work of which this one is a part.
    """

    def __init__(self, above: StopRequest | None = None) -> None:
        self._event, self._above = threading.Event(), above
        self._reason = ""
        self.set_at_s = float("inf")
        self.is_heard = False

    @property
    def reason(self) -> str:
        """Why it was set, in words; empty before."""
        return self._reason or (self._above.reason if self._above else "")

    @property
    def is_heard_above(self) -> bool:
        """Whether signals reach it already, by itself or by the request above."""
        return self.is_heard or (self._above is not None and self._above.is_heard_above)

    def set(self, reason: str) -> None:
        """Ask for a checkpoint and an end."""
        self._reason = self._reason or reason
        self.set_at_s = min(self.set_at_s, time.monotonic())
        self._event.set()

    def __bool__(self) -> bool:
        return self._event.is_set() or bool(self._above)


class Stopped(Exception):
    """Unwinds from a place where no step is under way."""


@contextlib.contextmanager
def stop_on_signals(stop: StopRequest) -> Iterator[None]:
    """SIGINT and SIGTERM ask for a checkpoint; a SIGINT after that interrupts at once, and so does time.

    Only the main thread can listen. Within another listening for the same request there is nothing to do.
    """
    if stop.is_heard_above or threading.current_thread() is not threading.main_thread():
        yield
        return
    timers: list[threading.Timer] = []

    def ask(number: int, _frame: object) -> None:
        if stop and number == signal.SIGINT and time.monotonic() - stop.set_at_s > SAME_REQUEST_S:
            raise KeyboardInterrupt
        stop.set(signal.Signals(number).name)
        timers.append(threading.Timer(LAST_RESORT_S, os._exit, args=(1,)))
        timers[-1].daemon = True
        timers[-1].start()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    stop.is_heard = True
    try:
        yield
    finally:
        stop.is_heard = False
        for timer in timers:
            timer.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)
