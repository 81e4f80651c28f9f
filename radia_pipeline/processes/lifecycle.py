"""How a training process begins and ends: exclusive lock, signals, death of the process that started it."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from radia_pipeline.errors import AlreadyRunning, LakeLocked

PARENT_VARIABLE = "RADIA_PARENT_PID"
"""Processes, by comma, that the training must not outlive, besides its parent: torchrun, or Dagster's step, may stand
between."""
PARENT_POLL_S = 1.0
LAST_RESORT_S = 25.0
"""After this long a stopping process ends without a checkpoint of its own: Dagster promises 30 s."""


class StopRequest:
    """Set once by a signal or by the death of the parent; looked at after each step."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.reason = ""
        self.is_heard = False

    def set(self, reason: str) -> None:
        """Ask for a checkpoint and an end."""
        self.reason = self.reason or reason
        self._event.set()

    def __bool__(self) -> bool:
        return self._event.is_set()


class Stopped(Exception):
    """Unwinds from a place where no step is under way."""


@contextlib.contextmanager
def exclusive(lake, recipe_name: str) -> Iterator[None]:
    """Hold the recipe's training lock; raises AlreadyRunning at once when another process holds it."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(lake.lock(f"training.{recipe_name}", wait_s=0.0))
        except LakeLocked:
            raise AlreadyRunning(
                f"Recipe {recipe_name} is being trained by another process", do="wait for it, or stop it first"
            ) from None
        yield


@contextlib.contextmanager
def stop_on_signals(stop: StopRequest) -> Iterator[None]:
    """SIGINT and SIGTERM ask for a checkpoint; a second SIGINT interrupts at once, and so does time.

    Only the main thread can listen. Within another listening for the same request there is nothing to do.
    """
    if stop.is_heard or threading.current_thread() is not threading.main_thread():
        yield
        return
    timers: list[threading.Timer] = []

    def ask(number: int, _frame: object) -> None:
        if stop and number == signal.SIGINT:
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


def watch_parents(stop: StopRequest) -> threading.Thread:
    """Ask to stop when the parent, or a process named by RADIA_PARENT_PID, has died; then end by force."""
    named = os.environ.get(PARENT_VARIABLE, "")
    parents = {pid: started_at(pid) for pid in (os.getppid(), *map(int, filter(None, named.split(","))))}

    def watch() -> None:
        while all(started is not None and started_at(pid) == started for pid, started in parents.items()):
            time.sleep(PARENT_POLL_S)
        stop.set("parent died")
        time.sleep(LAST_RESORT_S)
        os._exit(1)

    thread = threading.Thread(target=watch, name="parent watch", daemon=True)
    thread.start()
    return thread


def started_at(process: int) -> str | None:
    """Return when a process started, in clock ticks since boot: a number may be given again. None if it is gone.

    A zombie is gone: its parent may never ask for it.
    """
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]  # proc(5): state is field 3, starttime field 22
