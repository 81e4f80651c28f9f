"""What adapters share about folders: finding a layout under a root and listing the files of its image folders."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa

from radia_pipeline.sources.base import BOX_SCHEMA, Delivered, DeliveredFile


def locate(sources_root: Path, folder_names: Iterable[str], has_layout: Callable[[Path], bool]) -> Path | None:
    """Return the first folder with the layout: a sub-folder of these names (case aside), else the root itself."""
    root = Path(sources_root)
    if not root.is_dir():
        return None
    wanted = [name.casefold() for name in folder_names]
    children = sorted(child for child in root.iterdir() if child.is_dir() and child.name.casefold() in wanted)
    for child in sorted(children, key=lambda child: wanted.index(child.name.casefold())):
        if has_layout(child):
            return child
    return root if has_layout(root) else None


def files_below(root: Path, folders: Iterable[str]) -> list[DeliveredFile]:
    """List every regular file, of any kind, below these folders of ``root``, sorted by relative path, each once."""
    found: set[str] = set()
    for folder in folders:
        for here, _, names in os.walk(root / folder):
            relative = Path(here).relative_to(root)
            found.update((relative / name).as_posix() for name in names)
    return [DeliveredFile(path) for path in sorted(found)]


def by_file_name(files: Iterable[DeliveredFile]) -> dict[str, list[str]]:
    """Return the relative paths of each file name."""
    paths: dict[str, list[str]] = {}
    for file in files:
        paths.setdefault(file.relative_path.rsplit("/", 1)[-1], []).append(file.relative_path)
    return paths


def no_boxes() -> Delivered:
    """Return the empty answer of a source without hand-drawn boxes."""
    return Delivered(BOX_SCHEMA.empty_table())


def box_table(columns: dict[str, list], problems: dict[str, int]) -> Delivered:
    """Return boxes from columns named as BOX_SCHEMA."""
    return Delivered(pa.table(columns, schema=BOX_SCHEMA), problems)
