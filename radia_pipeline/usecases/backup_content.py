"""What of a lake and its history belongs in a backup, and in which state it is read.

What is derived stays out: packed images, previews, pages, locks, what a killed process left half written. A database is
not a file to be copied while somebody writes: it is asked for a copy of itself (``backup_databases``). Not here: where
copies lie (``backup_store``), the order of a backup (``backup``).
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from radia_pipeline.contracts.tables import contract_names
from radia_pipeline.errors import BadInput, LakeLocked
from radia_pipeline.lake import atomic
from radia_pipeline.lake.lake import Lake

LAKE, HISTORY = "lake", "history"
"""The two halves of a set: the lake's folder, and Dagster's and MLflow's beside it."""
CACHE = "_backup"
"""A folder of the lake: which of its files lie in which backup already."""
DERIVED = frozenset({"packed", "previews", "_locks", CACHE})
"""Folders at the lake's root that are made again from the rest when they are needed."""
_STAGED = frozenset({".staged", ".logs_queue", "__pycache__"})
_LEFT_OUT = (".tmp", ".lock", ".next", "-wal", "-shm", "-journal", ".sock")
_PAGE = ".html"
_POLL_S = 0.2


@dataclass(frozen=True)
class Found:
    """A file to back up. ``name``: its path in the set, ``lake/…`` or ``history/…``, with forward slashes."""

    name: str
    path: Path
    size: int
    mtime_ns: int
    ctime_ns: int
    mode: int

    @property
    def stamp(self) -> tuple[int, int, int]:
        """What changes when somebody writes to the file."""
        return self.size, self.mtime_ns, self.ctime_ns


def files_of(lake: Lake) -> Iterator[Found]:
    """Yield every file that belongs in a backup, by name; links are followed, nothing twice."""
    yield from _walk(lake.root, LAKE, DERIVED)
    yield from _walk(lake.history_dir, HISTORY, frozenset())


def _walk(root: Path, half: str, derived: frozenset[str]) -> Iterator[Found]:
    been: set[tuple[int, int]] = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        here = Path(folder)
        known = here.stat()
        is_root = here == root
        if (known.st_dev, known.st_ino) in been:
            folders.clear()
            continue
        been.add((known.st_dev, known.st_ino))
        folders[:] = sorted(name for name in folders if name not in _STAGED and not (is_root and name in derived))
        for name in sorted(names):
            is_page = is_root and half == LAKE and name.endswith(_PAGE)
            if is_page or name.endswith(_LEFT_OUT) or (name == "lock" and here.name == "_spool"):
                continue
            with contextlib.suppress(FileNotFoundError):  # gone since it was listed: who took it away knew why
                yield from _found(here / name, f"{half}/{(here / name).relative_to(root).as_posix()}")


def _found(path: Path, name: str) -> Iterator[Found]:
    if "\n" in name or "\\" in name or any(ord(character) < 32 for character in name):
        raise BadInput(
            "A file of the lake bears a name with control characters or a backslash",
            do="rename it; the lake itself makes no such names",
        )
    said = path.stat()
    if stat.S_ISREG(said.st_mode):
        yield Found(name, path, said.st_size, said.st_mtime_ns, said.st_ctime_ns, stat.S_IMODE(said.st_mode))


@contextlib.contextmanager
def standing_still(lake: Lake, wait_s: float) -> Iterator[None]:
    """Hold every lock under which the lake changes, so that what is read belongs to one moment.

    All are taken or none, so that nobody waits for us who holds what we wait for. Raises LakeLocked after ``wait_s``.
    """
    deadline = time.monotonic() + wait_s
    while True:
        with contextlib.ExitStack() as held:
            try:
                for name in _locks(lake):
                    held.enter_context(lake.lock(name, wait_s=0.0))
            except LakeLocked as error:
                if time.monotonic() >= deadline:
                    raise LakeLocked(
                        f"The lake did not stand still for {wait_s:.0f} s: {error.received}",
                        do="let the ingest or the run that works on it end; the same command continues, and what was "
                        "copied so far is not copied again",
                    ) from None
            else:
                yield
                return
        time.sleep(_POLL_S)


def _locks(lake: Lake) -> list[str]:
    journals = sorted(path.stem for path in (lake.root / "_ingest").glob("*.sqlite"))
    tables = [f"{name}.{partition}" for name in contract_names() for partition in lake.partitions(name)]
    wide = ("forget", "vocabulary", "champion", "ledger", "key", "notices", "api_answers", "reviews")
    return [*wide, *(f"ingest.{name}" for name in journals), *tables]


def locked_while_read(found: Found) -> contextlib.AbstractContextManager:
    """Return what holds off whoever appends to a file of lines while it is read; nothing for any other."""
    if found.path.suffix == ".jsonl" and os.access(found.path, os.W_OK):
        return atomic.file_lock(found.path)
    return contextlib.nullcontext()
