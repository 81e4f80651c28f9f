"""Starting a process in a group of its own, and ending that group whole. Nothing here knows what it does.

Whatever starts a process of ours starts it here, so that all of them find the same modules and none is left behind.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from radia_pipeline.processes.lifecycle import StopRequest
from radia_pipeline.processes.parents import started_at

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_LOOK_EVERY_S = 0.1


def module(name: str, *arguments: object) -> list[str]:
    """Return the command that runs a module with this interpreter; modules of the current folder do not count."""
    return [sys.executable, "-P", "-m", name, *map(str, arguments)]


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment for a child that must find the same modules, with more variables."""
    python_path = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
    return {**os.environ, "PYTHONPATH": python_path, **(more or {})}


def threads(count: int) -> dict[str, str]:
    """Return the variables by which arithmetic libraries take no more threads than these."""
    return dict.fromkeys(_THREAD_VARIABLES, str(count))


def start(command: Sequence[str], env: Mapping[str, str] | None = None, **pipes: Any) -> subprocess.Popen:
    """Start a process in a group of its own, without input; ``pipes`` as for ``subprocess.Popen``.

    An interrupt at the terminal does not reach it: whoever starts a process says how it ends. It is no session of its
    own: Linux shares processors out by session, and two that talk to each other would wait for their turns.
    """
    pipes.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.Popen(list(command), env=dict(env or environment()), process_group=0, **pipes)


@contextlib.contextmanager
def running(
    command: Sequence[str],
    env: Mapping[str, str] | None = None,
    *,
    grace_s: float,
    stop: StopRequest | None = None,
    **pipes: Any,
) -> Iterator[subprocess.Popen]:
    """Run a process group that ends when ``stop`` is set; nothing of it is left when the context is left."""
    process = start(command, env, **pipes)
    if stop is not None:
        threading.Thread(target=_end_when_asked, args=(process, stop, grace_s), daemon=True).start()
    try:
        yield process
    finally:
        try:
            end(process, grace_s=grace_s)
        finally:
            for pipe in filter(None, (process.stdin, process.stdout, process.stderr)):
                pipe.close()


def _end_when_asked(process: subprocess.Popen, stop: StopRequest, grace_s: float) -> None:
    while process.poll() is None:
        if stop:
            end(process, grace_s=grace_s)
            return
        time.sleep(_LOOK_EVERY_S)


def end(process: subprocess.Popen, *, grace_s: float) -> None:
    """Ask a process's whole group to end (SIGTERM), and kill what is left of it after the grace."""
    try:
        _end_group(process.pid, grace_s, process.poll)
    finally:
        process.wait()


def end_left(leader: int, *, grace_s: float) -> None:
    """End what a dead process left of its group, as ``end`` does; nothing where its number was given again."""
    if started_at(leader) is None:
        _end_group(leader, grace_s, lambda: 0)


def _end_group(group: int, grace_s: float, poll: Callable[[], int | None]) -> None:
    try:
        _tell(group, signal.SIGTERM)
        deadline = time.monotonic() + grace_s
        while (poll() is None or _lives(group)) and time.monotonic() < deadline:
            time.sleep(_LOOK_EVERY_S)
    finally:  # also when a person does not wait for the grace
        _tell(group, signal.SIGKILL)


def _tell(group: int, what: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, what)


def _lives(group: int) -> bool:
    """Whether anything of a group still runs; a zombie that nobody waits for does not."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return any(_group_of(path) == group for path in Path("/proc").glob("[0-9]*/stat"))


def carrying(name: str, value: str) -> list[int]:
    """Return the processes, but for this one, that were started with a variable; a zombie has no environment."""
    wanted, found = f"{name}={value}".encode(), []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if wanted in path.read_bytes().split(b"\0") and int(path.parent.name) != os.getpid():
                found.append(int(path.parent.name))
    return found


def end_carrying(name: str, value: str, *, grace_s: float) -> int:
    """End every process that was started with a variable, wherever it stands now; returns how many had to be killed."""
    _tell_each(carrying(name, value), signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    while (left := carrying(name, value)) and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY_S)
    killed = set(left)
    while left := carrying(name, value):  # what is started in this moment comes next
        killed.update(left)
        _tell_each(left, signal.SIGKILL)
        time.sleep(_LOOK_EVERY_S)
    return len(killed)


def _tell_each(processes: Sequence[int], what: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process, what)


def _group_of(stat: Path) -> int | None:
    """Return a living process's group from its line in /proc (proc(5): state is field 3, pgrp field 5)."""
    try:
        fields = stat.read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[2])
