"""Boxes in the formats that other tools read: COCO, YOLO, Label Studio; for pseudo boxes, annotations, detections.

Only what the reader of such a file may see goes in: keyed ids and paths inside the lake. Not here: making boxes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadTable, UnknownName
from radia_pipeline.lake import atomic

FORMATS = ("coco", "yolo", "label_studio")
DECIMALS = 6


@dataclass(frozen=True)
class ExportResult:
    """What was written: the format's main file, images and boxes in it."""

    path: Path
    images: int
    boxes: int


def export_boxes(boxes: pa.Table, images: pa.Table, out_dir: Path, form: str = "coco") -> ExportResult:
    """Write boxes in one of ``FORMATS`` below ``out_dir``.

    ``boxes``: image_id, class, x_px, y_px, width_px, height_px and, if it has one, score. ``images``: image_id, path,
    width_px, height_px; images without boxes are written too, as images that show nothing. Raises UnknownName for
    another format and BadTable for a box whose image is not among ``images``.
    """
    if form not in FORMATS:
        raise UnknownName(f"Unknown format {form!r}", accepted=", ".join(FORMATS))
    pictures = images.select(["image_id", "path", "width_px", "height_px"]).to_pylist()
    pictures.sort(key=lambda row: row["image_id"])
    members: dict[str, list[dict[str, Any]]] = {row["image_id"]: [] for row in pictures}
    rows = boxes.to_pylist()
    if strangers := sum(row["image_id"] not in members for row in rows):
        raise BadTable(f"{strangers} boxes are on images that were not given", do="pass all images of these boxes")
    for row in rows:
        members[row["image_id"]].append(row)
    out_dir = Path(out_dir)
    write = {"coco": _coco, "yolo": _yolo, "label_studio": _label_studio}[form]
    return ExportResult(write(pictures, members, out_dir), len(pictures), len(rows))


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
            {"id": index, "file_name": row["path"], "width": row["width_px"], "height": row["height_px"]}
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
    (and the score, if there is one); ``data.yaml`` names the classes."""
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
    listing = {picture["image_id"]: picture["path"] for picture in pictures}
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
        data = {"image": f"/data/local-files/?d={picture['path']}", "image_id": picture["image_id"]}
        tasks.append({"data": data, "predictions": [{"model_version": "radia", "result": results}]})
    path = out_dir / "tasks.json"
    atomic.write_text(path, json.dumps(tasks) + "\n")
    return path
