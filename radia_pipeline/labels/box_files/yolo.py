"""YOLO: ``labels/<image_id>.txt``, a line a box: class number, centre x, centre y, width, height as shares of the image
(and the score, if there is one); ``data.yaml`` names the classes, and each image's path and pool."""

from __future__ import annotations

from pathlib import Path

import yaml

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.labels.box_files.shared import FileBox, FileBoxes, Members, Pictures, files_under, read_text, unfit
from radia_pipeline.lake import atomic

FILE, LABELS = "data.yaml", "labels"
_NUMBERS = (5, 6)
"""Of a line, without and with a score."""


def write(pictures: Pictures, members: Members, out_dir: Path) -> Path:
    """Write a file for each image, also for those that show nothing."""
    place = {name: index for index, name in enumerate(vocabulary().classes)}
    for picture in pictures:
        wide, high, lines = picture["width_px"], picture["height_px"], []
        for row in members[picture["image_id"]]:
            shares = [
                (row["x_px"] + row["width_px"] / 2) / wide,
                (row["y_px"] + row["height_px"] / 2) / high,
                row["width_px"] / wide,
                row["height_px"] / high,
            ]
            shares += [row["score"]] if "score" in row else []
            lines.append(" ".join([str(place[row["class"]]), *(repr(float(share)) for share in shares)]) + "\n")
        atomic.write_text(out_dir / LABELS / f"{picture['image_id']}.txt", "".join(lines))
    path = out_dir / FILE
    listing = {picture["image_id"]: {"path": picture["path"], "pool": picture["pool"]} for picture in pictures}
    names = {index: name for name, index in place.items()}
    atomic.write_text(path, yaml.safe_dump({"names": names, "images": listing}, sort_keys=False))
    return path


def read(path: Path) -> FileBoxes:
    """Read the folder with ``data.yaml`` (or that file) and ``labels``."""
    folder = path if path.is_dir() else path.parent
    try:
        names = yaml.safe_load(read_text(folder / FILE))["names"]
        names = dict(enumerate(names)) if isinstance(names, list) else {int(key): name for key, name in names.items()}
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError):
        raise unfit("no names of classes in data.yaml", "names: {0: …, 1: …}") from None
    boxes, images = [], set()
    for file in files_under(folder / LABELS, "*.txt", "labels"):
        images.add(file.stem)
        for line in filter(str.strip, read_text(file).splitlines()):
            boxes.append(_box(file.stem, line.split(), names))
    return FileBoxes(frozenset(images), tuple(boxes))


def _box(image_id: str, words: list[str], names: dict[int, str]) -> FileBox:
    try:
        numbers = [float(word) for word in words]
        name = str(names.get(int(words[0]), ""))
    except (ValueError, IndexError):
        numbers = []
    if len(numbers) not in _NUMBERS:
        raise unfit("a line that is no box", "class, centre x, centre y, width, height, perhaps a score")
    _, x, y, width, height = numbers[:5]
    return FileBox(image_id, name, (x - width / 2, y - height / 2, width, height), (1.0, 1.0))
