"""Films on which boxes meet the drawn ones best, middling and worst, on one sheet (pixels: for the previews).

Each film stands beside its map, with what radiologists drew in yellow and what was cut out of maps in cyan. Not here:
what is cut (``benchmark``), how pictures are put on a sheet (``drawing.montage``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np

from radia_pipeline.drawing.montage import Tile, fitted, montage
from radia_pipeline.lake.atomic import write_bytes
from radia_pipeline.lake.lake import Lake
from radia_pipeline.localisation.average_precision import Reference
from radia_pipeline.localisation.boxes import Boxes
from radia_pipeline.sources.overlap import iou

TILE_PX, OF_EACH = 224, 3
YELLOW, CYAN = (255, 208, 0), (0, 220, 255)
SHEETS = "saliency"
"""Folder of the previews."""


def agreement(boxes: Boxes, reference: Reference) -> dict[str, float]:
    """Return {image: mean over its drawn boxes of the highest IoU with a box of the class}, 0 where none is."""
    drawn, found = reference.boxes, {}
    for image in reference.image_ids:
        best = []
        for corners, name in zip(drawn.corners[drawn.image_id == image], drawn.label[drawn.image_id == image]):
            mine = boxes.corners[(boxes.image_id == image) & (boxes.label == name)]
            best.append(float(iou(corners, mine).max(initial=0.0)))
        if best:
            found[image] = float(np.mean(best))
    return found


def ranked(agreed: dict[str, float], of_each: int = OF_EACH) -> list[tuple[str, str]]:
    """Return (``best``, ``median`` or ``worst``, image), each image once, best first."""
    order = sorted(agreed, key=lambda image: (-agreed[image], image))
    middle = max(0, len(order) // 2 - of_each // 2)
    parts = {"best": order[:of_each], "median": order[middle : middle + of_each], "worst": order[-of_each:]}
    chosen: dict[str, str] = {}
    for word, images in parts.items():
        for image in images:
            chosen.setdefault(image, word)
    return [(word, image) for image, word in chosen.items()]


@dataclass(frozen=True)
class SheetFilm:
    """A stored image's file, and a map (h, w) over it to lay on it, None where there is none."""

    path: Path
    saliency: np.ndarray | None


def save_sheet(
    lake: Lake, name: str, method: str, boxes: Boxes, reference: Reference, films: Mapping[str, SheetFilm]
) -> Path:
    """Write the sheet of a recipe's method below the previews; ``films``: by image."""
    agreed = agreement(boxes, reference)
    tiles = [
        _tile(films[image], image, f"{word}, agreement {agreed[image]:.2f}", boxes, reference.boxes)
        for word, image in ranked(agreed)
    ]
    heading = [f"{name}, {method}: yellow is drawn by radiologists, cyan is cut out of maps; agreement is mean IoU"]
    path = lake.previews_dir / SHEETS / f"{name}.png"
    write_bytes(path, montage(tiles, heading=heading))
    return path


def _tile(one: SheetFilm, image: str, title: str, boxes: Boxes, drawn: Boxes) -> Tile:
    stored = cast(np.ndarray, cv2.imread(str(one.path), cv2.IMREAD_UNCHANGED))  # the lake's own picture
    grey = cv2.normalize(stored, np.empty_like(stored), 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    film = np.repeat(grey[..., None], 3, axis=2)
    side = max(film.shape[:2])
    mine, theirs = (some.take(some.image_id == image) for some in (boxes, drawn))
    named = set(theirs.label)
    mine = mine.take(np.array([name in named for name in mine.label], dtype=bool))
    pictures = []
    for ground in (film, film if one.saliency is None else _laid(film, one.saliency)):
        ground = np.ascontiguousarray(ground)
        for some, ink in ((mine, CYAN), (theirs, YELLOW)):
            for left, top, right, bottom in some.corners.round().astype(int).tolist():
                cv2.rectangle(ground, (left, top), (right, bottom), ink, max(1, side // 160))
        square = np.zeros((side, side, 3), dtype=np.uint8)
        square[: ground.shape[0], : ground.shape[1]] = ground
        pictures.append(fitted(square, TILE_PX))
    words = ", ".join(sorted(named))
    return Tile(pictures, [(title, "accent"), (f"{words}; image {image[:8]}", "muted")])


def _laid(film: np.ndarray, saliency: np.ndarray) -> np.ndarray:
    """Return a film with a map in colours over it, half and half where the map is highest."""
    level = np.clip(saliency, 0.0, None)
    level = level / max(float(level.max()), 1e-12)
    level = cv2.resize(level.astype(np.float32), film.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    colours = cv2.cvtColor(cv2.applyColorMap((level * 255).astype(np.uint8), cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    share = 0.6 * level[..., None]
    return (film * (1 - share) + colours * share).round().astype(np.uint8)
