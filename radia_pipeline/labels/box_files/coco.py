"""COCO: one ``boxes.coco.json``; bbox is (x, y, width, height) in pixels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.labels.box_files.shared import (
    EDGES,
    FileBox,
    FileBoxes,
    Members,
    Pictures,
    image_of,
    read_json,
    unfit,
)
from radia_pipeline.lake import atomic

FILE = "boxes.coco.json"
_IMAGE = {"file_name": "path", "width": "width_px", "height": "height_px", "pool": "pool"}


def write(pictures: Pictures, members: Members, out_dir: Path) -> Path:
    """Write the one file; category ids count from 1."""
    words = vocabulary()
    number = {name: index + 1 for index, name in enumerate(words.classes)}
    annotations: list[dict[str, Any]] = []
    for image_number, picture in enumerate(pictures, start=1):
        for row in members[picture["image_id"]]:
            edges = [row[name] for name in EDGES]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_number,
                    "category_id": number[row["class"]],
                    "bbox": edges,
                    "area": edges[2] * edges[3],
                    "iscrowd": 0,
                    **({"score": row["score"]} if "score" in row else {}),
                }
            )
    parents = {name: next(iter(words.parents(name)), "") for name in words.classes}
    content = {
        "info": {"description": "RadIA boxes", "vocabulary_version": words.version},
        "images": [
            {"id": index, **{ours: row[theirs] for ours, theirs in _IMAGE.items()}}
            for index, row in enumerate(pictures, start=1)
        ],
        "categories": [{"id": number[name], "name": name, "supercategory": parents[name]} for name in words.classes],
        "annotations": annotations,
    }
    path = out_dir / FILE
    atomic.write_text(path, json.dumps(content) + "\n")
    return path


def read(path: Path) -> FileBoxes:
    """Read a COCO file, or the one of a folder that was exported."""
    content = read_json(path / FILE if path.is_dir() else path)
    try:
        images = {one["id"]: one for one in content["images"]}
        names = {one["id"]: str(one["name"]) for one in content["categories"]}
        boxes = []
        for one in content["annotations"]:
            image = images[one["image_id"]]
            frame = (float(image["width"]), float(image["height"]))
            x, y, width, height = (float(edge) for edge in one["bbox"])
            name = names.get(one["category_id"], "")
            boxes.append(FileBox(image_of(image["file_name"]), name, (x, y, width, height), frame))
        return FileBoxes(frozenset(image_of(one["file_name"]) for one in images.values()), tuple(boxes))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise unfit("images, categories or annotations of another form", "COCO's object detection") from None
