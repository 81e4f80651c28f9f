"""Files that a person names, and all that lies inside the folders that a person names.

Belongs here: which files those are, and a path as text. Does not belong here: opening them (``dicom.delivered``), the
layout of a delivery (``sources``).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from radia_pipeline.errors import BadInput


def files_below(paths: Iterable[Path]) -> list[Path]:
    """Return the files named and all that lies inside folders, of whatever kind, in order; links are not followed into
    folders, and a folder that cannot be listed stands for its files. Raises BadInput for a path that is not there."""
    found: list[Path] = []
    for path in paths:
        if not os.path.lexists(path):
            raise BadInput(f"{shown(path)} cannot be read", accepted="files, or folders of files")
        found += sorted(_inside(path)) if path.is_dir() else [path]
    return found


def shown(path: Path) -> str:
    """Return a path as any output can hold it, in one line: what is no text, or would end it, becomes an escape."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def _inside(folder: Path) -> Iterator[Path]:
    closed: list[OSError] = []
    for here, folders, names in os.walk(folder, onerror=closed.append):
        linked = [name for name in folders if Path(here, name).is_symlink()]
        yield from (Path(here, name) for name in (*names, *linked))
    yield from (Path(one.filename) for one in closed)
