"""What the formats share: the picture that is written, the box that is read, how files are opened.

Numbers are written with all their digits, so that what is read back is what was written. Not here: formats, and which
boxes a lake takes (``labels.box_import``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radia_pipeline.errors import BadTable

EDGES = ("x_px", "y_px", "width_px", "height_px")
Pictures = Sequence[Mapping[str, Any]]
"""Rows of image_id, path, pool, width_px, height_px."""
Members = Mapping[str, Sequence[Mapping[str, Any]]]
"""image_id -> its boxes: class, the four of ``EDGES`` and, if it has one, score."""


@dataclass(frozen=True)
class FileBox:
    """A box as a file has it: left, top, width and height in a frame of its own (width, height); None for a frame that
    is the stored image's. ``problem``: why it cannot be taken, whatever the image."""

    image_id: str
    name: str
    edges: tuple[float, float, float, float]
    frame: tuple[float, float] | None = None
    problem: str | None = None


@dataclass(frozen=True)
class FileBoxes:
    """What a file says: the images that it speaks of, with or without boxes, and their boxes."""

    images: frozenset[str]
    boxes: tuple[FileBox, ...]


def read_text(path: Path) -> str:
    """Read a file of the other tool; raises BadTable where there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        kind = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise BadTable(
            f"A file of boxes cannot be read: {kind}", do="name the file or folder it was exported to"
        ) from None


def read_json(path: Path) -> Any:
    """Read a JSON file; raises BadTable."""
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise BadTable(f"Line {error.lineno} of the file of boxes is not JSON", do="export it again") from None


def files_under(folder: Path, pattern: str, what: str) -> Iterable[Path]:
    """Return the files of a folder, sorted; raises BadTable where there is none."""
    found = sorted(folder.glob(pattern)) if folder.is_dir() else []
    if not found:
        raise BadTable(f"The folder has no {what}", accepted=f"a folder with {pattern}", do="name the exported folder")
    return found


def unfit(what: str, accepted: str) -> BadTable:
    """Return the error for content that is not of the format."""
    return BadTable(
        f"The file of boxes has {what}", accepted=accepted, do="export it again, or name its format with --from"
    )


def image_of(name: object) -> str:
    """Return the image that a file's name or path stands for: its stem."""
    return Path(str(name).replace("\\", "/")).stem
