"""Not outliving the process that one was started for: how it names itself to those it starts, and how they watch it.

Two ways, for two kinds of process: ``watch_parents`` lets one that can still act end in order (a checkpoint);
``die_with_parent`` asks the kernel, for one that may hang in C code where no thread of its own would run.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from radia_pipeline.processes.lifecycle import LAST_RESORT_S

PARENT_VARIABLE = "RADIA_PARENT_PID"
"""Processes, by comma, that a process must not outlive, besides its parent: torchrun, or Dagster's step, may stand
between."""
PARENT_POLL_S = 1.0
_PR_SET_PDEATHSIG = 1


def named(process: int | None = None) -> dict[str, str]:
    """Return the variable that names a process (this one if not given) to those that must not outlive it."""
    return {PARENT_VARIABLE: str(os.getpid() if process is None else process)}


def watch_parents(tell: Callable[[str], object]) -> threading.Thread:
    """Call ``tell`` with the reason when the parent, or a process named by RADIA_PARENT_PID, has died.

    What has not ended LAST_RESORT_S later ends by force.
    """
    others = os.environ.get(PARENT_VARIABLE, "")
    parents = {pid: started_at(pid) for pid in (os.getppid(), *map(int, filter(None, others.split(","))))}

    def watch() -> None:
        while all(started is not None and started_at(pid) == started for pid, started in parents.items()):
            time.sleep(PARENT_POLL_S)
        tell("parent died")
        time.sleep(LAST_RESORT_S)
        os._exit(1)

    thread = threading.Thread(target=watch, name="parent watch", daemon=True)
    thread.start()
    return thread


def die_with_parent() -> None:
    """Ask Linux to end this process when its parent ends, even by SIGKILL in the middle of a decode."""
    parent = os.getppid()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def started_at(process: int) -> str | None:
    """Return when a process started, in clock ticks since boot: a number may be given again. None if it is gone.

    A zombie is gone: its parent may never ask for it.
    """
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]  # proc(5): state is field 3, starttime field 22
