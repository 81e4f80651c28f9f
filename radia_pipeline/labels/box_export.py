"""Boxes of a lake in the formats that other tools read; for pseudo boxes and radiologists' boxes.

Only what the reader of such a file may see goes in: keyed ids, pools and paths inside the lake. Not here: formats
(``box_files``), making boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from radia_pipeline.contracts.choices import Table
from radia_pipeline.errors import BadTable
from radia_pipeline.labels.box_files.formats import FORMATS
from radia_pipeline.lake.lake import Lake

TABLES = Table("table of boxes", {"pseudo_boxes": True, "box_annotations": False})
"""Tables whose boxes are exported, and whether every image of a source was looked at for them: only then an image
without a box says that nothing was found on it."""


@dataclass(frozen=True)
class ExportResult:
    """What was written: the format's main file, images and boxes in it."""

    path: Path
    images: int
    boxes: int


def export_table(lake: Lake, name: str, form: str, out_dir: Path, *, sources: Sequence[str] = ()) -> ExportResult:
    """Write the boxes of one of ``TABLES`` of some sources (default: all that have them) below ``out_dir``.

    Images are those of the manifest that no late link excludes. Raises UnknownName for another table or format,
    MissingTable where there are no boxes or no manifest.
    """
    is_complete = TABLES[name]
    boxes = pa.concat_tables([lake.read(name, source) for source in sources]) if sources else lake.read(name)
    chosen = sources or lake.partitions(name)
    columns = ["image_id", "path", "pool", "width_px", "height_px", "excluded"]
    images = pa.concat_tables([lake.read("manifest", source, columns=columns) for source in chosen])
    images = images.filter(pc.is_null(images["excluded"]))
    if not is_complete:
        images = images.filter(pc.is_in(images["image_id"], value_set=pc.unique(boxes["image_id"])))
    boxes = boxes.filter(pc.is_in(boxes["image_id"], value_set=images["image_id"].combine_chunks()))
    return export_boxes(boxes, images, out_dir, form)


def export_boxes(boxes: pa.Table, images: pa.Table, out_dir: Path, form: str = "coco") -> ExportResult:
    """Write boxes in one of ``FORMATS`` below ``out_dir``.

    ``boxes``: image_id, class, x_px, y_px, width_px, height_px and, if it has one, score. ``images``: image_id, path,
    pool, width_px, height_px; images without boxes are written too, as images that show nothing. Raises UnknownName
    for another format and BadTable for a box whose image is not among ``images``.
    """
    write = FORMATS[form].write
    pictures = images.select(["image_id", "path", "pool", "width_px", "height_px"]).to_pylist()
    pictures.sort(key=lambda row: row["image_id"])
    members: dict[str, list[dict[str, Any]]] = {row["image_id"]: [] for row in pictures}
    rows = boxes.to_pylist()
    if strangers := sum(row["image_id"] not in members for row in rows):
        raise BadTable(f"{strangers} boxes are on images that were not given", do="pass all images of these boxes")
    for row in rows:
        members[row["image_id"]].append(row)
    return ExportResult(write(pictures, members, Path(out_dir)), len(pictures), len(rows))
