"""What was published before: the list of a partition's versions, and the file in which one of them is kept.

A partition's versions lie in a folder of their own, ``_versions/<table>/<partition>``, each under its content hash. Not
here: how a version comes to be published (``publishing``), which may be deleted (``collect``).
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from radia_pipeline.errors import BadInput, DamagedFile, MissingTable
from radia_pipeline.lake import atomic, renamed
from radia_pipeline.lake.lines import LineForm, LinesFile, Mark, as_it_stands
from radia_pipeline.lake.table_file import HASH_CHARACTERS, readable

_VERSION = re.compile(rf"[0-9a-f]{{4,{HASH_CHARACTERS}}}")


@dataclass(frozen=True)
class VersionRecord:
    """One entry of a table's history; ``written_at`` is seconds since the epoch.

    ``sha256``: of the bytes of the file that was published; None in lines of the first releases.
    """

    version: str
    rows: int
    written_at: float
    sha256: str | None = None


@dataclass(frozen=True)
class Place:
    """Where one partition lies: ``path`` is its published file, ``folder`` holds its versions.

    ``name``: ``table/partition``.
    """

    name: str
    path: Path
    folder: Path

    @property
    def next(self) -> Path:
        """A version that is in the history and on its way to ``path``: a writer that was cut off left it."""
        return self.path.with_name(f".{self.path.name}.next")

    def kept(self, version: str) -> Path:
        """The file of a version, whether it is kept or not."""
        return self.folder / f"{version}.parquet"


_known: dict[Path, tuple[os.stat_result, Mark | None, list[VersionRecord]]] = {}
"""Path of a history → the file when it was read, the place after its last line, and its lines."""
_FORM = LineForm("line of a history", lambda record: VersionRecord(**record), as_it_stands, drops_cut_end=True)


def history_of(place: Place) -> LinesFile[VersionRecord]:
    """Return the list of what was published under a partition's name, oldest first."""

    def damaged(number: int, what: str) -> DamagedFile:
        return DamagedFile(
            f"The list of versions of {place.name} is damaged at line {number}: {what}",
            do=f"restore _versions/{place.name}/history.jsonl from a backup, or let the next write mend it: it sets "
            "the file aside and goes on after its sound lines; tables and versions are whole without it",
        )

    return LinesFile(place.folder / "history.jsonl", _FORM, damaged)


def sound_records(place: Place) -> tuple[Sequence[VersionRecord], bool]:
    """Return the history up to its first fault, and whether it has none; one that is gone counts as one with a fault.

    What this process has read of it is not read again, as long as nothing but new lines came. Raises LakeUnreadable.
    """
    history = history_of(place)
    try:
        with readable(place.name):
            at = history.path.stat()
            found, mark = _read_before(history.path, at)
            for here, record in history.follow(mark):
                mark = here
                if record is not None:
                    found.append(record)
    except MissingTable:
        return [], False
    except DamagedFile:
        return found, False
    _known[history.path] = (at, mark, found)
    return found, True


def _read_before(path: Path, at: os.stat_result) -> tuple[list[VersionRecord], Mark | None]:
    """Return what is known of a history that only grew since, and where it goes on."""
    before, mark, found = _known.get(path, (None, None, []))
    if before is None or not os.path.samestat(before, at):
        return [], None
    is_same = (before.st_size, before.st_mtime_ns) == (at.st_size, at.st_mtime_ns)
    return (list(found), mark) if is_same or at.st_size > before.st_size else ([], None)


def published_records(place: Place) -> list[VersionRecord]:
    """Return the history without lines that only say the bytes of the publication before them; raises DamagedFile."""
    found: list[VersionRecord] = []
    for record in history_of(place):
        if (
            record is not None
            and found
            and (record.version, record.written_at) == (found[-1].version, found[-1].written_at)
        ):
            found[-1] = record
        elif record is not None:
            found.append(record)
    return found


def mended_history(place: Place) -> LinesFile[VersionRecord]:
    """Return a history that can be appended to: a damaged one is set aside, its sound lines go on.

    The caller holds the partition's lock.
    """
    history = history_of(place)
    records, is_whole = sound_records(place)
    if not is_whole and history.path.exists():
        digest = hashlib.sha256(history.path.read_bytes()).hexdigest()[:8]
        atomic.move_files([(history.path, history.path.with_name(f"history.damaged-{digest}.jsonl"))])
        history.append(map(asdict, records))
    return history


def kept_file(place: Place, version: str) -> Path:
    """Return the file of the one version whose hash is ``version`` or begins with it.

    Raises BadInput for what is no such beginning, MissingTable where the version was never kept or was collected.
    """
    version = renamed.after(place.folder.parents[2], version)
    if not _VERSION.fullmatch(version):
        raise BadInput(
            f"{version!r} is no version of {place.name}",
            accepted="4 to 32 of the characters 0-9 and a-f",
            do="take one from `radia tables history`",
        )
    found = sorted(place.folder.glob(f"{version}*.parquet"))
    if not found:
        raise MissingTable(f"Version {version} of {place.name} is not kept any more")
    if len(found) > 1:
        raise BadInput(f"{len(found)} versions of {place.name} begin with {version}", do="give more of it")
    return found[0]
