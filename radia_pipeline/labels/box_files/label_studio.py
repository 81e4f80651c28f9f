"""Label Studio: one ``tasks.json``; boxes are predictions: x, y, width, height in percent; images are local files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from radia_pipeline.labels.box_files.shared import FileBox, FileBoxes, Members, Pictures, image_of, read_json, unfit
from radia_pipeline.lake import atomic

FILE, KIND = "tasks.json", "rectanglelabels"


def write(pictures: Pictures, members: Members, out_dir: Path) -> Path:
    """Write one task for each image."""
    tasks = []
    for picture in pictures:
        wide, high = picture["width_px"], picture["height_px"]
        results: list[dict[str, Any]] = []
        for row in members[picture["image_id"]]:
            value = {
                "x": 100 * row["x_px"] / wide,
                "y": 100 * row["y_px"] / high,
                "width": 100 * row["width_px"] / wide,
                "height": 100 * row["height_px"] / high,
                "rotation": 0,
                "rectanglelabels": [row["class"]],
            }
            results.append(
                {
                    "id": f"{picture['image_id'][:8]}-{len(results)}",
                    "type": KIND,
                    "from_name": "finding",
                    "to_name": "image",
                    "original_width": wide,
                    "original_height": high,
                    "value": value,
                    **({"score": row["score"]} if "score" in row else {}),
                }
            )
        data = {
            "image": f"/data/local-files/?d={picture['path']}",
            "image_id": picture["image_id"],
            "pool": picture["pool"],
        }
        tasks.append({"data": data, "predictions": [{"model_version": "radia", "result": results}]})
    path = out_dir / FILE
    atomic.write_text(path, json.dumps(tasks) + "\n")
    return path


def read(path: Path) -> FileBoxes:
    """Read tasks: of each what people annotated, where they did, else its predictions."""
    content = read_json(path / FILE if path.is_dir() else path)
    boxes, images = [], set()
    try:
        for task in content if isinstance(content, list) else [content]:
            image = str(task["data"].get("image_id") or image_of(task["data"]["image"]))
            images.add(image)
            boxes += [_box(image, one) for one in _results(task) if one.get("type") == KIND]
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        raise unfit("tasks of another form", "Label Studio's JSON with rectangle labels") from None
    return FileBoxes(frozenset(images), tuple(boxes))


def _results(task: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    people = [one for one in task.get("annotations") or () if not one.get("was_cancelled")]
    for one in people or task.get("predictions") or ():
        yield from one["result"]


def _box(image: str, result: Mapping[str, Any]) -> FileBox:
    value = result["value"]
    x, y, width, height = (float(value[name]) for name in ("x", "y", "width", "height"))
    problem = "turned" if float(value.get("rotation") or 0) % 360 else None
    return FileBox(image, str(value[KIND][0]), (x, y, width, height), (100.0, 100.0), problem)
