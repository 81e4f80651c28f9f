"""Starts a training in processes of its own and hands on what they say: one process, or ``torchrun`` over GPUs.

The caller only supervises. Stopping ends every child within 30 seconds, with a checkpoint; if the caller
is killed, the children notice (``lifecycle.watch_parents``) and end by themselves.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from radia_pipeline import errors
from radia_pipeline.errors import RadiaError, RunFailed
from radia_pipeline.processes.lifecycle import PARENT_VARIABLE, StopRequest, stop_on_signals
from radia_pipeline.training.outcome import OnEvent, TrainResult, read_result
from radia_pipeline.training.recipe_schema import Recipe

GRACE_S = 22.0
"""Between asking the children to stop and killing them: before ``lifecycle.LAST_RESORT_S`` ends this process."""
LOOK_EVERY_S = 0.2
ENTRY = "radia_pipeline.training.run"


def train_recipe(
    recipe: Recipe,
    lake,
    *,
    on_event: OnEvent = lambda _event: None,
    force: bool = False,
    stop: StopRequest | None = None,
) -> TrainResult:
    """Train in this process, or through ``torchrun`` where several GPUs are visible; the result is the same."""
    stop = StopRequest() if stop is None else stop  # an unset request is false
    if visible_gpus() > 1:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{recipe.name}.yaml"
            path.write_text(yaml.safe_dump(recipe.model_dump(mode="json")), encoding="utf-8")
            return train_in_processes(path, lake, on_event=on_event, force=force, stop=stop)
    from radia_pipeline.training.trainer import Runtime, train

    return train(recipe, lake, on_event=on_event, force=force, runtime=Runtime(stop=stop))


def train_in_processes(
    recipe: str | Path,
    lake,
    *,
    processes: int | None = None,
    on_event: OnEvent = lambda _event: None,
    resume: bool = True,
    force: bool = False,
    threads: int | None = None,
    stop: StopRequest | None = None,
) -> TrainResult:
    """Train a recipe (name or file) in its own processes; returns what ``trainer.train`` would have returned.

    ``processes``: default one per visible GPU, one without. ``stop``: set it to end the children with a checkpoint.
    Errors of the children are raised here, as they were.
    """
    count = processes or visible_gpus() or 1
    command = [*_launcher(count), "--recipe", str(recipe), "--lake", str(lake.root)]
    command += ["--force"] if force else []
    command += [] if resume else ["--no-resume"]
    command += ["--threads", str(threads)] if threads else []
    environment = {**os.environ, PARENT_VARIABLE: str(os.getpid())}
    done: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    stop = StopRequest() if stop is None else stop
    with stop_on_signals(stop), _children(command, environment, stop) as child:
        for event in _events(child):
            if event["event"] == "error":
                error = error or event
            elif event["event"] == "done":
                done = event
            on_event(event)
        code = child.wait()
    if done is None or code != 0:
        raise _as_raised(error, code, stop)
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
def _children(command: list[str], environment: dict[str, str], stop: StopRequest) -> Iterator[subprocess.Popen]:
    """Run a process group that ends when ``stop`` is set; nothing of it is left when the context is left."""
    child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True)
    threading.Thread(target=_end_when_asked, args=(child, stop), daemon=True).start()
    try:
        yield child
    finally:
        _end(child)


def _end_when_asked(child: subprocess.Popen, stop: StopRequest) -> None:
    while child.poll() is None:
        if stop:
            _end(child)
            return
        time.sleep(LOOK_EVERY_S)


def _end(child: subprocess.Popen) -> None:
    """Ask the group to end with a checkpoint; kill what is left of it after the grace."""
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGTERM)
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


def _as_raised(error: dict[str, Any] | None, code: int, stop: StopRequest) -> RadiaError:
    if stop and (error is None or error["kind"] != "RunFailed"):  # several children, one of which was torn away
        return RunFailed(
            f"The training was stopped ({stop.reason})", do="train it again: it continues from its checkpoint"
        )
    if error is None:
        return RunFailed(f"The training process ended with code {code}", do="look at its standard error")
    kind = getattr(errors, error["kind"], RunFailed)
    if not (isinstance(kind, type) and issubclass(kind, RadiaError)):
        kind = RunFailed
    return kind(error["message"])
