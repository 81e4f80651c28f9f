"""What the workers of these tests do: named as ``radia_pipeline_tests.processes.work:function``."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from pathlib import Path

import numpy as np

from radia_pipeline.errors import LakeLocked
from radia_pipeline.processes.frames import Frame

_warmed: list[str] = []


def warm_up() -> None:
    """Remember that it was called, once, in the nursery."""
    _warmed.append("once")


def fail_to_warm_up() -> None:
    """Stand for a package that is not whole."""
    raise ImportError("no codec here")


def act(task: Frame) -> Frame:
    """Do what the task's body says: [verb, argument]."""
    verb, argument = task.body
    return Frame(_VERBS[verb](argument), task.arrays)


def double(task: Frame) -> Frame:
    """Return the arrays doubled."""
    return Frame(task.body, tuple(array * 2 for array in task.arrays))


def _crash_once(path: str) -> str:
    """Crash at the first attempt, which leaves a file behind."""
    if not Path(path).exists():
        Path(path).write_text("tried")
        os.kill(os.getpid(), signal.SIGKILL)
    return "second attempt"


def _locked(words: str) -> None:
    raise LakeLocked(words, do="wait")


def _quote(words: str) -> None:
    raise ValueError(words)


def _babble(_: object) -> None:
    """Write bytes that are no frame to every socket at hand, as a decoder that was taken over might."""
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, b"\x80\x04c__builtin__\neval\n" * 40)
        except OSError:
            continue


def _answer_for_another(_: object) -> None:
    """Answer a task that was not asked."""
    from radia_pipeline.processes.frames import encode

    for descriptor in range(3, 64):
        try:
            os.write(descriptor, encode(Frame([10**6, "answered", "mine"])))
        except OSError:
            continue


def _speak(words: str) -> int:
    """Print as codecs written in C do."""
    return ctypes.CDLL(None).puts(words.encode())


def _linger(argument: object) -> object:
    """Take as long as the node's environment says."""
    time.sleep(float(os.environ.get("SECONDS_A_TASK", "0")))
    return argument


def _touch_and_linger(argument: list) -> None:
    """Leave a file named after this process in a folder, then take so many seconds."""
    folder, seconds = argument
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(seconds)


def _nap(argument: object) -> object:
    """Take a moment in which others can work."""
    time.sleep(0.1)
    return argument


_VERBS = {
    "nap": _nap,
    "touch and linger": _touch_and_linger,
    "linger": _linger,
    "variables": lambda _: sorted(os.environ),
    "echo": lambda argument: argument,
    "pid": lambda _: os.getpid(),
    "warmed": lambda _: _warmed,
    "crash": lambda _: os.abort(),
    "crash once": _crash_once,
    "hang": lambda _: time.sleep(3600),
    "eat": lambda gibibytes: int(np.ones(gibibytes << 27).sum()),
    "locked": _locked,
    "quote": _quote,
    "babble": _babble,
    "answer for another": _answer_for_another,
    "speak": _speak,
    "object": lambda _: object(),
    "long": lambda count: "x" * count,
}
