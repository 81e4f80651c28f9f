"""What adapters share about folders: listing the files of a layout's image folders, and tables of boxes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from radia_pipeline.sources.base import BOX_SCHEMA, Delivered, DeliveredFile


def files_below(root: Path, folders: Iterable[str]) -> Iterator[DeliveredFile]:
    """Yield every file, of any kind, below these folders of ``root``, by relative path, each once.

    A folder that cannot be listed stands for its files, so that it is counted, as unreadable, and not passed over. One
    folder's names are in memory at a time, not the delivery's.
    """
    last = ""
    for folder in sorted(set(folders), key=lambda name: f"{name}/"):
        for path in _paths_below(root, folder):
            if path > last:
                yield DeliveredFile(path)
                last = path


def _paths_below(root: Path, folder: str) -> Iterator[str]:
    """Yield the files' relative paths in their order: a folder sorts as its name with the slash that follows it."""
    try:
        with os.scandir(root / folder) as found:
            names = sorted(f"{one.name}/" if _is_folder(one) else one.name for one in found if not _is_linked(one))
    except OSError:
        if (root / folder).exists():
            yield folder
        return
    for name in names:
        path = f"{folder}/{name}"
        if name.endswith("/"):
            yield from _paths_below(root, path.removesuffix("/"))
        else:
            yield path


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_linked(entry: os.DirEntry[str]) -> bool:
    """Tell whether a name is a link to a folder, which may lead in a circle."""
    return entry.is_symlink() and _is_folder(entry)


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
