"""Starts a training in processes of its own and hands on what they say: one process, or ``torchrun`` over GPUs.

The caller keeps no torch in its memory. Stopping ends every child within 30 seconds, with a checkpoint; if the caller
is killed, the children notice (``lifecycle.watch_parents``) and end by themselves.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from radia_pipeline import errors
from radia_pipeline.errors import RadiaError, RunFailed
from radia_pipeline.learning.lifecycle import PARENT_VARIABLE
from radia_pipeline.learning.outcome import OnEvent, TrainResult, read_result

GRACE_S = 27.0
"""Between asking the children to stop and killing them; Dagster promises its users 30 s."""
ENTRY = "radia_pipeline.learning.run"


def train_in_processes(
    recipe: str | Path,
    lake,
    *,
    processes: int | None = None,
    on_event: OnEvent = lambda _event: None,
    resume: bool = True,
    force: bool = False,
    threads: int | None = None,
) -> TrainResult:
    """Train a recipe (name or file) in its own processes; returns what ``trainer.train`` would have returned.

    ``processes``: default one per visible GPU, one without. Errors of the children are raised here, as they were.
    """
    count = processes or visible_gpus() or 1
    command = [*_launcher(count), "--recipe", str(recipe), "--lake", str(lake.root)]
    command += ["--force"] if force else []
    command += [] if resume else ["--no-resume"]
    command += ["--threads", str(threads)] if threads else []
    environment = {**os.environ, PARENT_VARIABLE: str(os.getpid())}
    done: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    with _children(command, environment) as child:
        for event in _events(child):
            if event["event"] == "error":
                error = error or event
            elif event["event"] == "done":
                done = event
            on_event(event)
        code = child.wait()
    if done is None or code != 0:
        raise _as_raised(error, code)
    return read_result(lake, Path(done["model_dir"]), reused=done["reused"])


def visible_gpus() -> int:
    """Count GPUs without importing torch: CUDA_VISIBLE_DEVICES if set, else the driver's device files."""
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if listed is not None:
        return len([part for part in listed.split(",") if part.strip() and part.strip() != "-1"])
    return len([path for path in Path("/dev").glob("nvidia[0-9]*") if path.name[6:].isdigit()])


def _launcher(count: int) -> list[str]:
    if count == 1:
        return [sys.executable, "-m", ENTRY]
    return [
        sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}", "-m", ENTRY,
    ]  # fmt: skip


@contextlib.contextmanager
def _children(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen]:
    """Run a process group; SIGINT and SIGTERM are passed on; nothing of it is left when the context is left."""
    child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True)

    def pass_on(_number: int, _frame: object) -> None:
        _end(child, wait=False)

    is_main = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)} if is_main else {}
    try:
        yield child
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _end(child, wait=True)


def _end(child: subprocess.Popen, *, wait: bool) -> None:
    with contextlib.suppress(ProcessLookupError):
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGTERM)
    if not wait:
        threading.Timer(GRACE_S, _kill, args=(child,)).start()
        return
    deadline = time.monotonic() + GRACE_S
    while child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    _kill(child)


def _kill(child: subprocess.Popen) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def _events(child: subprocess.Popen) -> Iterator[dict[str, Any]]:
    for line in child.stdout:
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict) and "event" in event:
                yield event


def _as_raised(error: dict[str, Any] | None, code: int) -> RadiaError:
    if error is None:
        return RunFailed(f"The training process ended with code {code}", do="look at its standard error")
    kind = getattr(errors, error["kind"], RunFailed)
    if not (isinstance(kind, type) and issubclass(kind, RadiaError)):
        kind = RunFailed
    return kind(error["message"])
