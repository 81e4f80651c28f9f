"""What was published before: the list of a partition's versions, and the file in which one of them is kept.

A partition's versions lie in a folder of their own, ``_versions/<table>/<partition>``, each under its content hash. Not
here: writing and reading tables (``lake``), which versions may be deleted (``collect``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from radia_pipeline.errors import BadInput, DamagedFile, MissingTable
from radia_pipeline.lake.lines import LineForm, LinesFile, as_it_stands

HASH_CHARACTERS = 32
_VERSION = re.compile(rf"[0-9a-f]{{4,{HASH_CHARACTERS}}}")


@dataclass(frozen=True)
class VersionRecord:
    """One entry of a table's history; ``written_at`` is seconds since the epoch."""

    version: str
    rows: int
    written_at: float


_FORM = LineForm("line of a history", lambda record: VersionRecord(**record), as_it_stands, drops_cut_end=True)


def name_of(folder: Path) -> str:
    """Return ``table/partition`` of a folder of versions."""
    return f"{folder.parent.name}/{folder.name}"


def history_of(folder: Path) -> LinesFile[VersionRecord]:
    """Return the list of what was published under a partition's name, oldest first."""

    def damaged(number: int, what: str) -> DamagedFile:
        return DamagedFile(
            f"The list of versions of {name_of(folder)} is damaged at line {number}: {what}",
            do=f"restore it from a backup, or delete _versions/{name_of(folder)}/history.jsonl: "
            "tables and versions are whole without it",
        )

    return LinesFile(folder / "history.jsonl", _FORM, damaged)


def kept_file(folder: Path, version: str) -> Path:
    """Return the file of the one version whose hash is ``version`` or begins with it.

    Raises BadInput for what is no such beginning, MissingTable where the version was never kept or was collected.
    """
    if not _VERSION.fullmatch(version):
        raise BadInput(
            f"{version!r} is no version of {name_of(folder)}", accepted="4 to 32 of the characters 0-9 and a-f",
            do="take one from `radia tables history`",
        )  # fmt: skip
    found = sorted(folder.glob(f"{version}*.parquet"))
    if not found:
        raise MissingTable(f"Version {version} of {name_of(folder)} is not kept any more")
    if len(found) > 1:
        raise BadInput(f"{len(found)} versions of {name_of(folder)} begin with {version}", do="give more of it")
    return found[0]
