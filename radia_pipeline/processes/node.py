"""What a node of a cluster does for a parent elsewhere: it says what it is, and works portions with its local pool.

Memory limits, deadlines and the isolation of crashes are the local pool's; its workers know nothing of a cluster. Light
and without Ray: the cluster calls this class in a process of its own.
"""

from __future__ import annotations

import hashlib
import os
import platform
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import radia_pipeline
from radia_pipeline.contracts.location import contracts_root
from radia_pipeline.lake.keys import DEMO_KEY, KEY_VARIABLE, Pseudonymizer
from radia_pipeline.processes import pool
from radia_pipeline.processes.portions import result_of, tasks_of

DECIDING = (
    "imagecodecs",
    "numpy",
    "onnxruntime",
    "opencv-python-headless",
    "pillow",
    "pyarrow",
    "pydicom",
    "pyjpegls",
    "pylibjpeg-openjpeg",
    "pylibjpeg-rle",
    "rapidocr",
    "scipy",
    "torch",
)
"""Packages whose version may change what comes of a file: codecs, arithmetic, the reader of print."""
_SKIPPED = ("__pycache__",)
_NAMES = 200


class NodeParent:
    """One node's parent of workers."""

    def __init__(self, workers: int) -> None:
        self._workers = max(1, min(workers, pool.default_workers()))

    def facts(self, salt: str, reads: list[str], probes: list[str]) -> dict[str, Any]:
        """Return what this node is (``facts_here``), and how many workers it gives."""
        return {**facts_here(salt, reads, probes), "workers": self._workers}

    def work(self, order: bytes) -> bytes:
        """Work a portion (``portions.order_of``); returns what came of it, each task once."""
        work, tasks = tasks_of(order)
        answers = pool.map_tasks(work, (task for _, task in tasks), workers=min(self._workers, len(tasks)))
        return result_of(((tasks[place][0], answer) for place, answer in answers), work.caps)


def facts_here(salt: str, reads: list[str], probes: list[str]) -> dict[str, Any]:
    """Return what must be the same on every node: version, packages, key, and how it sees folders.

    ``reads``: folders, told by a salted digest of the names in them; ``probes``: files that the asking machine has just
    made in folders to be written into.
    """
    return {
        "version": version(),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "packages": dict(packages()),
        "key": (Pseudonymizer.named(KEY_VARIABLE) or Pseudonymizer(DEMO_KEY)).fingerprint,
        "reads": {path: _seen(path, salt) for path in reads},
        "writes": {path: Path(path).exists() and os.access(Path(path).parent, os.W_OK) for path in probes},
        "authentication": os.environ.get("RAY_AUTH_MODE", "disabled"),
    }


@cache
def version() -> str:
    """Return a hash of the installed package and of its contracts, so that two that differ anywhere are told apart."""
    digest = hashlib.sha256(radia_pipeline.__version__.encode())
    for root in (Path(radia_pipeline.__file__).parent, contracts_root()):
        for path in sorted(root.rglob("*"), key=lambda path: path.relative_to(root).as_posix()):
            parts = path.relative_to(root).parts
            if path.is_file() and not any(part in _SKIPPED or part.startswith((".", "_data_")) for part in parts):
                digest.update(b"\0".join([path.relative_to(root).as_posix().encode(), path.read_bytes()]))
    return digest.hexdigest()


@cache
def packages() -> tuple[tuple[str, str], ...]:
    """Return the versions of the packages that decide; "absent" for one that is not installed."""
    return tuple((name, _version_of(name)) for name in DECIDING)


def _version_of(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"


def _seen(path: str, salt: str) -> str | None:
    """Return a salted digest of the first names in a folder; None where it cannot be listed."""
    try:
        names = sorted(child.name for child in Path(path).iterdir())[:_NAMES]
    except OSError:
        return None
    words = "\0".join(names).encode("utf-8", "surrogateescape")
    return hashlib.blake2b(words, key=salt.encode(), digest_size=16).hexdigest()
