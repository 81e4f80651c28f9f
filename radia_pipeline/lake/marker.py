"""``lake.json``: which vocabulary a lake speaks, and in which layout its files lie; a lake of an older layout follows.

Layout 2: the history knows the bytes of what is published, and no published file shares them with its kept version.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from radia_pipeline.contracts.tables import contract, contract_names
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import DamagedFile, LakeLocked, LakeUnreadable, LakeUnwritable, MissingTable
from radia_pipeline.lake import atomic, publishing
from radia_pipeline.lake.settings import keep_places_relative
from radia_pipeline.lake.table_file import VOCABULARY_KEY, TableFile
from radia_pipeline.lake.versions import Place

LAYOUT = 2
_VOCABULARY, _LAYOUT = "vocabulary_version", "layout"


def path_of(root: Path) -> Path:
    """Return the file that makes a folder a lake."""
    return root / "lake.json"


def stands(root: Path) -> bool:
    """Tell whether there is a lake, be it one that has lost its ``lake.json``."""
    return path_of(root).exists() or (root / "_versions").is_dir()


def begin(root: Path) -> None:
    """Make a folder a lake."""
    _write(root, {_VOCABULARY: vocabulary().version, _LAYOUT: LAYOUT})


def vocabulary_of(root: Path) -> str:
    """Return the version of the vocabulary that a lake speaks; raises MissingTable where there is no lake."""
    return read(root)[_VOCABULARY]


def read(root: Path) -> dict[str, Any]:
    """Return what ``lake.json`` says; one that is lost or damaged is made again from what the tables say of themselves.

    Raises MissingTable where there is no lake.
    """
    if not stands(root):
        raise MissingTable(f"There is no lake at {root}", do="name another with --lake")
    try:
        content = json.loads(path_of(root).read_text(encoding="utf-8"))
        if isinstance(content[_VOCABULARY], str):
            return content
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        pass
    content = {_VOCABULARY: _spoken(root)}
    with contextlib.suppress(LakeUnwritable):
        _write(root, content)
    return content


def note_migrations(root: Path, version: str, names: Iterable[str]) -> None:
    """Say that a lake speaks another version now, and which migrations led there."""
    content = read(root)
    _write(root, {**content, _VOCABULARY: version, "migrations": [*content.get("migrations", []), *names]})


def bring_up_to_date(root: Path, places: Iterable[Place]) -> None:
    """Bring a lake of an older layout to today's, once; one that cannot be written is read as it is.

    A table that does not hold the rows of its version is left alone: reading it names it.
    """
    if read(root).get(_LAYOUT, 1) >= LAYOUT:
        return
    with (
        contextlib.suppress(LakeUnwritable, LakeUnreadable, LakeLocked),
        atomic.file_lock(root / "_locks" / "layout.lock"),
    ):
        if read(root).get(_LAYOUT, 1) >= LAYOUT:
            return
        for place in places:
            with atomic.file_lock(root / "_locks" / f"{place.name.replace('/', '.')}.lock"):
                _bring_up(place)
        with contextlib.suppress(DamagedFile):  # who needs the settings is told of it
            keep_places_relative(root)
        _write(root, {**read(root), _LAYOUT: LAYOUT})


def _bring_up(place: Place) -> None:
    publishing.settle(place)
    version = publishing.standing(place)
    if version is None:
        return
    if place.path.stat().st_nlink > 1:
        with atomic.replace_file(place.path) as temporary:
            temporary.write_bytes(place.path.read_bytes())
    publishing.mend(place, version)


def _spoken(root: Path) -> str:
    """Return the oldest vocabulary that a table of the lake speaks; the installed one where none says so.

    The oldest: a migration that was cut goes on from there.
    """
    found = set()
    for table in (name for name in contract_names() if contract(name).speaks_vocabulary):
        for path in (root / table).glob("[!.]*.parquet"):
            with contextlib.suppress(DamagedFile, LakeUnreadable, MissingTable), TableFile(path) as file:
                found.add(file.stamps().get(VOCABULARY_KEY, b"").decode())
    known = sorted(found - {""}, key=lambda version: [int(part) for part in version.split(".") if part.isdigit()])
    return known[0] if known else vocabulary().version


def _write(root: Path, content: dict[str, Any]) -> None:
    atomic.write_text(path_of(root), json.dumps(content) + "\n")
