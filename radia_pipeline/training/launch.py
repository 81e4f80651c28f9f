"""Starts a training in processes of its own and hands on what they say: one process, or ``torchrun`` over GPUs.

The caller only supervises. Stopping ends every child within 30 seconds, with a checkpoint; if the caller
is killed, the children notice (``parents.watch_parents``) and end by themselves.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from radia_pipeline.errors import BadInput, RadiaError, RunFailed
from radia_pipeline.processes import children
from radia_pipeline.processes.failures import from_record
from radia_pipeline.processes.lifecycle import StopRequest, stop_on_signals
from radia_pipeline.processes.parents import named
from radia_pipeline.training.outcome import OnEvent, TrainResult, read_result
from radia_pipeline.training.recipe_schema import Recipe

if TYPE_CHECKING:
    from radia_pipeline.lake.lake import Lake

GRACE_S = 22.0
"""Between asking the children to stop and killing them: before ``lifecycle.LAST_RESORT_S`` ends this process."""
ENTRY = "radia_pipeline.training.run"


@dataclass(frozen=True)
class Seat:
    """The part of the machine that one of several trainings has: threads of arithmetic, and a GPU if there is one."""

    threads: int
    gpu: str | None


@dataclass(frozen=True)
class Processes:
    """The processes of one training. ``count``: default one per visible GPU, one without. ``threads``: of arithmetic in
    each. ``seat``: one process that keeps to it, whatever the others say. ``stop``: set it to end them with a
    checkpoint.
    """

    count: int | None = None
    threads: int | None = None
    seat: Seat | None = None
    stop: StopRequest = field(default_factory=StopRequest)


def seats(count: int, threads: int | None = None) -> list[Seat]:
    """Divide the machine; ``threads``: of each seat, an equal share of the processors by default.

    Raises BadInput where more seats than visible GPUs are asked for.
    """
    names = _gpu_names()
    if names and count > len(names):
        raise BadInput(
            f"{count} trainings at once on {len(names)} visible GPUs",
            accepted=f"at most {len(names)}",
            do="let fewer run at once, or set CUDA_VISIBLE_DEVICES to nothing to train on the processors",
        )
    share = threads or max(1, (os.cpu_count() or 1) // count)
    return [Seat(share, names[at] if names else None) for at in range(count)]


def train_recipe(
    recipe: Recipe,
    lake: Lake,
    *,
    on_event: OnEvent = lambda _event: None,
    force: bool = False,
    stop: StopRequest | None = None,
    seat: Seat | None = None,
) -> TrainResult:
    """Train in this process, or through ``torchrun`` where several GPUs are visible; the result is the same.

    ``seat``: train in a process of its own that keeps to this part of the machine.
    """
    stop = StopRequest() if stop is None else stop  # an unset request is false
    if seat or visible_gpus() > 1:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{recipe.name}.yaml"
            path.write_text(yaml.safe_dump(recipe.model_dump(mode="json")), encoding="utf-8")
            processes = Processes(seat=seat, stop=stop)
            return train_in_processes(path, lake, on_event=on_event, force=force, processes=processes)
    from radia_pipeline.training.trainer import Runtime, train

    return train(recipe, lake, on_event=on_event, force=force, runtime=Runtime(stop=stop))


def train_in_processes(
    recipe: str | Path,
    lake: Lake,
    *,
    on_event: OnEvent = lambda _event: None,
    force: bool = False,
    processes: Processes | None = None,
) -> TrainResult:
    """Train a recipe (name or file) in its own processes; returns what ``trainer.train`` would have returned.

    Errors of the children are raised here, as they were.
    """
    arguments = ["--recipe", str(recipe), "--lake", str(lake.root)]
    arguments += ["--force"] if force else []
    done = run_in_processes(ENTRY, arguments, on_event, processes)
    return read_result(lake, Path(done["model_dir"]), reused=done["reused"])


def run_in_processes(
    entry: str, arguments: list[str], on_event: OnEvent, processes: Processes | None = None
) -> dict[str, Any]:
    """Run a training's entry (a module) in its own processes; returns its last event, ``done``.

    The entry takes ``--threads`` and speaks events as ``training.run`` does.
    """
    processes = processes or Processes()
    seat, stop = processes.seat, processes.stop
    count = 1 if seat else processes.count or visible_gpus() or 1
    threads = seat.threads if seat else processes.threads
    command = [*_launcher(count, entry), *arguments, *(["--threads", str(threads)] if threads else [])]
    done: dict[str, Any] | None = None
    failure: dict[str, Any] | None = None
    group = children.running(
        command,
        children.environment({**named(), **_kept_to(seat)}),
        grace_s=GRACE_S,
        stop=stop,
        stdout=subprocess.PIPE,
        text=True,
    )
    with stop_on_signals(stop), group as child:
        for event in _events(child):
            if event["event"] == "error":
                failure = failure or event["failure"]
            elif event["event"] == "done":
                done = event
            on_event(event)
        code = child.wait()
    if done is None or code != 0:
        raise _as_raised(failure, code, stop)
    return done


def visible_gpus() -> int:
    """Count GPUs without importing torch: CUDA_VISIBLE_DEVICES if set, else the driver's device files."""
    return len(_gpu_names())


def _gpu_names() -> list[str]:
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if listed is not None:
        return [part.strip() for part in listed.split(",") if part.strip() and part.strip() != "-1"]
    numbers = sorted(int(path.name[6:]) for path in Path("/dev").glob("nvidia[0-9]*") if path.name[6:].isdigit())
    return [str(place) for place in range(len(numbers))]


def _kept_to(seat: Seat | None) -> dict[str, str]:
    return {**children.threads(seat.threads), "CUDA_VISIBLE_DEVICES": seat.gpu or ""} if seat else {}


def _launcher(count: int, entry: str) -> list[str]:
    if count == 1:
        return children.module(entry)
    return children.module("torch.distributed.run", "--standalone", f"--nproc-per-node={count}", "-m", entry)


def _events(child: subprocess.Popen) -> Iterator[dict[str, Any]]:
    for line in child.stdout or ():
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict) and "event" in event:
                yield event


def _as_raised(failure: dict[str, Any] | None, code: int, stop: StopRequest) -> RadiaError:
    # Of several children that are stopped, one may be torn away from the others before it hears of it.
    if stop and (failure is None or failure["kind"] != RunFailed.__name__):
        return RunFailed(
            f"The training was stopped ({stop.reason})", do="train it again: it continues from its checkpoint"
        )
    if failure is None:
        return RunFailed(f"The training process ended with code {code}", do="look at its standard error")
    return from_record(failure)
