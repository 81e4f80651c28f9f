"""How a training process begins and ends: exclusive lock, signals, death of the process that started it."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator

from radia_pipeline.errors import AlreadyRunning, LakeLocked

PARENT_VARIABLE = "RADIA_PARENT_PID"
"""Process that the training must not outlive, besides its parent (torchrun stands between)."""
PARENT_POLL_S = 1.0
LAST_RESORT_S = 25.0
"""After this long a stopping process ends without a checkpoint: Dagster promises 30 s."""


class StopRequest:
    """Set once by a signal or by the death of the parent; looked at after each step."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.reason = ""

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
    """SIGINT and SIGTERM ask for a checkpoint; a second SIGINT interrupts at once. Only the main thread can listen."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(number: int, _frame: object) -> None:
        if stop and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set(signal.Signals(number).name)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def watch_parents(stop: StopRequest) -> threading.Thread:
    """Ask to stop when the parent, or the process named by RADIA_PARENT_PID, has died; then end by force."""
    parent = os.getppid()
    named = int(os.environ.get(PARENT_VARIABLE, "0"))

    def watch() -> None:
        while os.getppid() == parent and (not named or _is_alive(named)):
            time.sleep(PARENT_POLL_S)
        stop.set("parent died")
        time.sleep(LAST_RESORT_S)
        os._exit(1)

    thread = threading.Thread(target=watch, name="parent watch", daemon=True)
    thread.start()
    return thread


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
