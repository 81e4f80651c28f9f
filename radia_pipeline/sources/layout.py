"""What adapters share about folders: listing the files of a layout's image folders, and tables of boxes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from radia_pipeline.sources.base import BOX_SCHEMA, Delivered, DeliveredFile


def files_below(root: Path, folders: Iterable[str]) -> list[DeliveredFile]:
    """List every file, of any kind, below these folders of ``root``, sorted by relative path, each once.

    A folder that cannot be listed stands for its files, so that it is counted, as unreadable, and not passed over.
    """
    found: set[str] = set()
    for folder in folders:
        closed: list[OSError] = []
        for here, _, names in os.walk(root / folder, onerror=closed.append):
            relative = Path(here).relative_to(root)
            found.update((relative / name).as_posix() for name in names)
        found.update(Path(one.filename).relative_to(root).as_posix() for one in closed if Path(one.filename).exists())
    return [DeliveredFile(path) for path in sorted(found)]


def by_file_name(files: Iterable[DeliveredFile]) -> dict[str, list[str]]:
    """Return the relative paths of each file name."""
    paths: dict[str, list[str]] = {}
    for file in files:
        paths.setdefault(file.relative_path.rsplit("/", 1)[-1], []).append(file.relative_path)
    return paths


def stem(path: str) -> str:
    """Return the file name of a relative path without its suffix."""
    return path.rsplit("/", 1)[-1].rsplit(".", 1)[0]


def box_table(columns: dict[str, list], problems: dict[str, int]) -> Delivered:
    """Return boxes from columns named as BOX_SCHEMA."""
    return Delivered(pa.table(columns, schema=BOX_SCHEMA), problems)
