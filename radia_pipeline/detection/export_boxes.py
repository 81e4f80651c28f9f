"""Boxes in the formats that other tools read: COCO, YOLO, Label Studio; for pseudo boxes and radiologists' boxes.

Only what the reader of such a file may see goes in: keyed ids, pools and paths inside the lake. Not here: making boxes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import yaml

from radia_pipeline.contracts.choices import Table
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadTable
from radia_pipeline.lake import atomic
from radia_pipeline.lake.lake import Lake

DECIMALS = 6
_COCO_IMAGE = {"file_name": "path", "width": "width_px", "height": "height_px", "pool": "pool"}
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
    write = FORMATS[form]
    pictures = images.select(["image_id", "path", "pool", "width_px", "height_px"]).to_pylist()
    pictures.sort(key=lambda row: row["image_id"])
    members: dict[str, list[dict[str, Any]]] = {row["image_id"]: [] for row in pictures}
    rows = boxes.to_pylist()
    if strangers := sum(row["image_id"] not in members for row in rows):
        raise BadTable(f"{strangers} boxes are on images that were not given", do="pass all images of these boxes")
    for row in rows:
        members[row["image_id"]].append(row)
    return ExportResult(write(pictures, members, Path(out_dir)), len(pictures), len(rows))


def _coco(pictures: Sequence[dict], members: dict[str, list[dict]], out_dir: Path) -> Path:
    """One ``boxes.coco.json``: bbox is (x, y, width, height) in pixels; category ids count from 1."""
    words = vocabulary()
    number = {name: index + 1 for index, name in enumerate(words.classes)}
    annotations = []
    for image_number, picture in enumerate(pictures, start=1):
        for row in members[picture["image_id"]]:
            edges = [row[name] for name in ("x_px", "y_px", "width_px", "height_px")]
            annotations.append({
                "id": len(annotations) + 1, "image_id": image_number, "category_id": number[row["class"]],
                "bbox": edges, "area": edges[2] * edges[3], "iscrowd": 0,
                **({"score": row["score"]} if "score" in row else {}),
            })  # fmt: skip
    parents = {name: next(iter(words.parents(name)), "") for name in words.classes}
    content = {
        "info": {"description": "RadIA boxes", "vocabulary_version": words.version},
        "images": [
            {"id": index, **{ours: row[theirs] for ours, theirs in _COCO_IMAGE.items()}}
            for index, row in enumerate(pictures, start=1)
        ],
        "categories": [{"id": number[name], "name": name, "supercategory": parents[name]} for name in words.classes],
        "annotations": annotations,
    }
    path = out_dir / "boxes.coco.json"
    atomic.write_text(path, json.dumps(content) + "\n")
    return path


def _yolo(pictures: Sequence[dict], members: dict[str, list[dict]], out_dir: Path) -> Path:
    """``labels/<image_id>.txt``, a line per box: class number, centre x, centre y, width, height as shares of the image
    (and the score, if there is one); ``data.yaml`` names the classes, and each image's path and pool."""
    place = {name: index for index, name in enumerate(vocabulary().classes)}
    for picture in pictures:
        wide, high, lines = picture["width_px"], picture["height_px"], []
        for row in members[picture["image_id"]]:
            shares = [
                (row["x_px"] + row["width_px"] / 2) / wide, (row["y_px"] + row["height_px"] / 2) / high,
                row["width_px"] / wide, row["height_px"] / high,
            ]  # fmt: skip
            shares += [row["score"]] if "score" in row else []
            lines.append(" ".join([str(place[row["class"]]), *(f"{share:.{DECIMALS}f}" for share in shares)]) + "\n")
        atomic.write_text(out_dir / "labels" / f"{picture['image_id']}.txt", "".join(lines))
    path = out_dir / "data.yaml"
    listing = {picture["image_id"]: {"path": picture["path"], "pool": picture["pool"]} for picture in pictures}
    names = {index: name for name, index in place.items()}
    atomic.write_text(path, yaml.safe_dump({"names": names, "images": listing}, sort_keys=False))
    return path


def _label_studio(pictures: Sequence[dict], members: dict[str, list[dict]], out_dir: Path) -> Path:
    """One ``tasks.json``: boxes are predictions, x, y, width and height in percent; images are local files."""
    tasks = []
    for picture in pictures:
        wide, high, results = picture["width_px"], picture["height_px"], []
        for row in members[picture["image_id"]]:
            value = {
                "x": 100 * row["x_px"] / wide, "y": 100 * row["y_px"] / high, "width": 100 * row["width_px"] / wide,
                "height": 100 * row["height_px"] / high, "rotation": 0, "rectanglelabels": [row["class"]],
            }  # fmt: skip
            results.append({
                "id": f"{picture['image_id'][:8]}-{len(results)}", "type": "rectanglelabels", "from_name": "finding",
                "to_name": "image", "original_width": wide, "original_height": high, "value": value,
                **({"score": row["score"]} if "score" in row else {}),
            })  # fmt: skip
        data = {
            "image": f"/data/local-files/?d={picture['path']}", "image_id": picture["image_id"],
            "pool": picture["pool"],
        }  # fmt: skip
        tasks.append({"data": data, "predictions": [{"model_version": "radia", "result": results}]})
    path = out_dir / "tasks.json"
    atomic.write_text(path, json.dumps(tasks) + "\n")
    return path


FORMATS = Table("format", {"coco": _coco, "yolo": _yolo, "labelstudio": _label_studio})
"""Who reads the boxes, and what writes them: (pictures, boxes by image_id, folder) -> main file."""
