"""Thumbnails of stored images for the near-duplicate search: derived, kept in ``packed/``, made again when erased."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from radia_pipeline.cohort.near_duplicates import THUMBNAIL_PX, read_grey, thumbnail
from radia_pipeline.lake import atomic
from radia_pipeline.lake.lake import Lake

_FORMAT = 1
_MOST_THREADS = 8


def thumbnails_of(lake: Lake, source: str, paths: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return uint8 (n, 64, 64) of a source's stored images, and which could be read: bool (n,).

    ``paths``: relative to the lake's root. A thumbnail is made again when its file's size or time has changed.
    """
    file = lake.packed_dir / "thumbnails" / f"{source}.npz"
    known = _load(file)
    stamps = [_stamp(lake.root / path) for path in paths]
    pictures = np.zeros((len(paths), THUMBNAIL_PX, THUMBNAIL_PX), dtype=np.uint8)
    missing = []
    for place, (path, stamp) in enumerate(zip(paths, stamps)):
        held = known.get(path)
        if stamp and held is not None and held[0] == stamp:
            pictures[place] = held[1]
        elif stamp:
            missing.append(place)
    readable = np.array([stamp != 0 for stamp in stamps], dtype=bool)
    with ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1)) as pool:
        made = pool.map(lambda place: _make(lake.root / paths[place]), missing)
        for place, picture in zip(missing, made):
            readable[place] = picture is not None
            if picture is not None:
                pictures[place] = picture
    if missing or len(known) != int(readable.sum()):
        _save(
            file,
            [paths[p] for p in np.flatnonzero(readable)],
            [stamps[p] for p in np.flatnonzero(readable)],
            pictures[readable],
        )
    return pictures, readable


def _stamp(path: Path) -> int:
    """Return a number that changes when a file does; 0 where there is none."""
    try:
        status = path.stat()
    except OSError:
        return 0
    return (status.st_mtime_ns ^ (status.st_size << 1)) or 1


def _make(path: Path) -> np.ndarray | None:
    image = read_grey(path)
    return None if image is None else thumbnail(image)


def _load(file: Path) -> dict[str, tuple[int, np.ndarray]]:
    """Return what is kept, nothing where the file is absent, old or damaged: it is only a cache."""
    try:
        with np.load(file, allow_pickle=False) as held:
            if int(held["format"]) != _FORMAT:
                return {}
            return {
                path: (int(stamp), picture)
                for path, stamp, picture in zip(held["paths"].tolist(), held["stamps"], held["pictures"])
            }
    except (OSError, ValueError, KeyError, EOFError):
        return {}


def _save(file: Path, paths: list[str], stamps: list[int], pictures: np.ndarray) -> None:
    with atomic.replace_file(file) as temporary, temporary.open("wb") as handle:
        np.savez(
            handle,
            format=_FORMAT,
            paths=np.array(paths, dtype=str),
            stamps=np.array(stamps, dtype=np.int64),
            pictures=pictures,
        )
