"""The table of formats: what writes each, what reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from radia_pipeline.contracts.choices import Table
from radia_pipeline.labels.box_files import coco, label_studio, pascal_voc, yolo
from radia_pipeline.labels.box_files.shared import FileBoxes, Members, Pictures


@dataclass(frozen=True)
class Format:
    """``write``: (pictures, boxes by image_id, folder) -> main file or folder; ``read``: that path -> boxes."""

    write: Callable[[Pictures, Members, Path], Path]
    read: Callable[[Path], FileBoxes]


FORMATS = Table(
    "format",
    {
        "coco": Format(coco.write, coco.read),
        "yolo": Format(yolo.write, yolo.read),
        "labelstudio": Format(label_studio.write, label_studio.read),
        "voc": Format(pascal_voc.write, pascal_voc.read),
    },
)
