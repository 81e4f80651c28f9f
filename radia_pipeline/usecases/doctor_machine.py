"""Checks of the machine: versions, disk, memory, GPU, clock, open doors, processes, and what the environment says."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from urllib.parse import urlparse

from packaging.requirements import InvalidRequirement, Requirement

from radia_pipeline.lake.keys import KEY_VARIABLE, MIN_KEY_CHARACTERS, NEW_KEY_VARIABLE
from radia_pipeline.lake.lake import LAKE_VARIABLE
from radia_pipeline.lake.versions import published_records
from radia_pipeline.processes.seen import Seen, doors, holders_of, processes, variable
from radia_pipeline.usecases.doctor import UNSAFE, WARNING, Asked, Check, Said, worse_in_production

_PYTHON = ((3, 11), (3, 13))
_GIB = 1 << 30
_DISK_LOW, _DISK_OUT = 10 * _GIB, 1 * _GIB
_MEMORY_LOW, _MEMORY_OUT = 2 * _GIB, _GIB // 2
_AHEAD_S = 300.0
"""So far may a clock of the lake's history lie ahead of this one's."""
_FIRST_DAY_S = 1_735_689_600.0  # 2025-01-01: no lake is older
_OURS = re.compile(r"radia_pipeline|/radia$|dagster|mlflow|/dg$")
_TRAINERS = re.compile(r"radia_pipeline\.(training|detection|defs\.training_process)")
_TELEMETRY_ON = {
    "DAGSTER_DISABLE_TELEMETRY": ("0", "false"),
    "MLFLOW_DISABLE_TELEMETRY": ("0", "false"),
    "DO_NOT_TRACK": ("0",),
    "ORT_DISABLE_TELEMETRY": ("0", "false"),
    "RAY_USAGE_STATS_ENABLED": ("1", "true"),
}
_UNPICKLES = {"MLFLOW_ALLOW_PICKLE_DESERIALIZATION": ("1", "true"), "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": ("1", "true")}


def versions(asked: Asked) -> Iterator[Said]:
    """Python, and whether what is installed is what the package asks for."""
    if not _PYTHON[0] <= sys.version_info[:2] <= _PYTHON[1]:
        said = ".".join(map(str, sys.version_info[:2]))
        yield UNSAFE, f"Python {said} is not one that is tested", "use Python 3.11, 3.12 or 3.13"
    wrong = sorted(name for name, is_right in _required() if not is_right)
    if wrong:
        shown = ", ".join(wrong[:6])
        yield UNSAFE, f"packages are absent or of another version than asked for: {shown}", "run `make` in the checkout"


def _required() -> Iterator[tuple[str, bool]]:
    try:
        lines = metadata.requires("radia-pipeline") or []
    except metadata.PackageNotFoundError:
        return
    for line in lines:
        try:
            asked = Requirement(line)
        except InvalidRequirement:
            continue
        if asked.marker is None or asked.marker.evaluate({"extra": ""}):
            try:
                yield asked.name, asked.specifier.contains(metadata.version(asked.name), prereleases=True)
            except metadata.PackageNotFoundError:
                yield asked.name, False


def disk(asked: Asked) -> Iterator[Said]:
    """Free space under the lake and its history."""
    for what, place in (("the lake", asked.lake.root), ("the lake's history", asked.lake.history_dir)):
        if not place.exists():
            continue
        free = shutil.disk_usage(place).free
        if free < _DISK_LOW:
            yield (
                UNSAFE if free < _DISK_OUT else WARNING,
                f"{free / _GIB:.1f} GiB are free under {what}",
                "free space: `radia tables collect`, then packed/, or a larger disk",
            )


def memory(asked: Asked) -> Iterator[Said]:
    """Memory that a run may take."""
    said = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    free = int(said[1]) * 1024 if said else _MEMORY_LOW
    if free < _MEMORY_LOW:
        severity = UNSAFE if free < _MEMORY_OUT else WARNING
        yield severity, f"{free / _GIB:.1f} GiB of memory are available", "end other programs, or use a larger machine"


def gpu(asked: Asked) -> Iterator[Said]:
    """A driver without a GPU that torch can use is a fault; no GPU at all is none."""
    if not Path("/proc/driver/nvidia/version").exists():
        return
    import torch

    if not torch.cuda.is_available():
        asks = torch.version.cuda or "no CUDA"
        yield (
            WARNING,
            f"there is an NVIDIA driver, and torch ({asks}) cannot use the GPU: trainings run on the CPU",
            "bring the driver up to what torch's CUDA asks for, or give this user rights on /dev/nvidia*",
        )


def clock(asked: Asked) -> Iterator[Said]:
    """Whether the clock runs behind what the lake has written already."""
    if asked.now_s < _FIRST_DAY_S:
        yield UNSAFE, "the clock stands before 2025", "set it and let NTP keep it (timedatectl set-ntp true)"
    newest = max((one.written_at for place in asked.lake.places() for one in published_records(place)), default=0.0)
    if newest > asked.now_s + _AHEAD_S:
        yield (
            UNSAFE,
            f"the lake's newest version lies {(newest - asked.now_s) / 3600:.1f} h in the future",
            "set the clock and let NTP keep it: days of deliveries and of drift are counted by it",
        )


def _ours(asked: Asked) -> list[Seen]:
    """Return the processes that work on this lake, this one left out."""
    here = os.fspath(asked.lake.root.absolute())
    found = []
    for one in processes():
        is_named = any(word == here or word.startswith(f"{asked.lake.history_dir.absolute()}") for word in one.words)
        is_other = one.pid != os.getpid() and any(_OURS.search(word) for word in one.words[:4])
        if is_other and (is_named or variable(one.pid, LAKE_VARIABLE) == here):
            found.append(one)
    return found


def open_ports(asked: Asked) -> Iterator[Said]:
    """Servers of this lake that others can reach without a proxy in between."""
    for door in doors({one.pid for one in _ours(asked)}):
        if not door.is_local:
            yield (
                UNSAFE,
                f"port {door.port} of a server of this lake is open on {door.address}",
                "bind it to 127.0.0.1 and put a proxy in front that asks who comes; the servers themselves do not",
            )


def orphaned_trainers(asked: Asked) -> Iterator[Said]:
    """Trainings whose parent is gone."""
    for one in _ours(asked):
        if one.parent == 1 and any(_TRAINERS.search(word) for word in one.words):
            yield WARNING, f"the training of process {one.pid} has lost its parent", f"end it: kill {one.pid}"


def stale_locks(asked: Asked) -> Iterator[Said]:
    """Locks whose holder is stopped and will never let go, and deletions that were begun and not ended."""
    states = {one.pid: one.state for one in processes()}
    for path in sorted((asked.lake.root / "_locks").glob("*.lock")):
        for pid in holders_of(path):
            if states.get(pid, "").upper() == "T":
                yield (
                    UNSAFE,
                    f"process {pid} is stopped and holds the lock {path.stem}: everybody else waits",
                    f"let it go on (kill -CONT {pid}) or end it (kill -KILL {pid})",
                )
    if (asked.lake.root / "_forgetting.json").exists():
        yield UNSAFE, "a forgetting was begun and not ended", "repeat the same `radia forget`"
    if any(asked.lake.root.glob("_retracting.*.json")):
        yield WARNING, "pictures that are refused now are still being taken out", "ingest that source once more"


def telemetry(asked: Asked) -> Iterator[Said]:
    """Whether something may report to its maker, or speak to others in the clear."""
    for name, on in _TELEMETRY_ON.items():
        if asked.environment.get(name, "").lower() in on:
            yield UNSAFE, f"{name} lets a library report to its maker", f"take {name} out of the environment"
    for name in ("RADIA_NOTICE_WEBHOOK", "MLFLOW_TRACKING_URI"):
        address = urlparse(asked.environment.get(name, ""))
        if address.scheme == "http" and address.hostname not in ("localhost", "127.0.0.1", "::1"):
            yield worse_in_production(asked), f"{name} speaks to another machine in the clear", "use https://"


def unpickling(asked: Asked) -> Iterator[Said]:
    """Whether the environment lets a library run what a file of a model says."""
    for name, on in _UNPICKLES.items():
        if asked.environment.get(name, "").lower() in on:
            yield UNSAFE, f"{name} lets a model's file run code", f"take {name} out of the environment"


def key(asked: Asked) -> Iterator[Said]:
    """Whether the pseudonym key is the lake's, secret, and long enough."""
    from radia_pipeline.lake.keys import Pseudonymizer, kept_fingerprint

    said, text = kept_fingerprint(asked.lake.root), asked.environment.get(KEY_VARIABLE)
    if Pseudonymizer.is_demo(asked.lake) and asked.is_production:
        yield (
            UNSAFE,
            "the lake was made with the public demo key: anybody can recompute its pseudonyms",
            f"draw a secret one, set {NEW_KEY_VARIABLE} to it, and `radia keys rotate`; or start a new lake with it",
        )
    if text is not None and len(text) < MIN_KEY_CHARACTERS:
        yield UNSAFE, f"{KEY_VARIABLE} is too short", f"use {MIN_KEY_CHARACTERS} characters or more, drawn at random"
    elif text is not None and said is not None:
        if Pseudonymizer(text.encode()).fingerprint != said:
            yield (
                UNSAFE,
                f"{KEY_VARIABLE} is not the key that the lake was made with: deliveries are refused",
                "set it to the lake's key, or name the lake that belongs to it",
            )
    elif text is None and said is not None and asked.is_production and not Pseudonymizer.is_demo(asked.lake):
        yield WARNING, f"{KEY_VARIABLE} is not set here: deliveries are refused", "set it where Dagster starts"


def user(asked: Asked) -> Iterator[Said]:
    """Whether servers and decoders run with more rights than they need."""
    if asked.is_production and os.geteuid() == 0:
        yield WARNING, "this runs as root", "make a user for it: a decoder's fault should not own the machine"


MACHINE: dict[str, Check] = {
    "versions": versions,
    "disk": disk,
    "memory": memory,
    "gpu": gpu,
    "clock": clock,
    "open_ports": open_ports,
    "orphaned_trainers": orphaned_trainers,
    "stale_locks": stale_locks,
    "telemetry": telemetry,
    "unpickling": unpickling,
    "key": key,
    "user": user,
}
"""Name of a check → the check."""
