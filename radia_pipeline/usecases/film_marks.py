"""What a film's objects show, in pixels of the delivered matrix: boxes with their side of the body, outlines of maps.

From the answer's boxes (pixels of the picture with square pixels) and maps (shares of the film) to columns and rows as
the file stores them: (0, 0) is the upper left corner of the first pixel (PS3.3 C.10.5, C.18.6). Grey is not concerned,
and no film is turned or cut on its way to the models, so that two factors are all there is. Not here: DICOM.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from radia_pipeline.dicom.thorax import Thorax
from radia_pipeline.usecases.looking import Looked

CONTOUR_LEVEL = 0.5
"""Of a map's peak: where its outline runs."""
MOST_BOXES, MOST_PARTS = 3, 5
"""Boxes of a class on a film, best first; parts of one map's outline, largest first."""
LEFT, RIGHT = "left", "right"
_FINE_PX = 512
_SMALLEST_PART = 0.0005
"""Of the film, below which a part of an outline is a speck."""
_WIGGLE_PX = 0.75
_MOST_ACROSS = 0.1
"""Share of a box's width that may lie beyond the middle of a thorax of which one side is named."""


@dataclass(frozen=True)
class Box:
    """A detector's box: (left, top, right, bottom) edges; ``side`` of the patient's body, None where it spans both."""

    class_name: str
    score: float
    corners: tuple[float, float, float, float]
    side: str | None


@dataclass(frozen=True)
class Outline:
    """Where the models look for a class: closed lines (n, 2) x, y; ``warning``: what a person should know of it."""

    class_name: str
    lines: tuple[np.ndarray, ...]
    warning: str | None


def boxes_of(looked: Looked, rows: Iterable[Mapping[str, Any]], thorax: Thorax | None) -> list[Box]:
    """Return the best boxes of each class, from an answer's rows about one film."""
    scale, found = _factors(looked), []
    counted: dict[str, int] = {}
    for row in sorted(rows, key=lambda row: -row["score"]):
        name = row["class"]
        counted[name] = counted.get(name, 0) + 1
        if counted[name] > MOST_BOXES:
            continue
        low = np.array([row["x_px"], row["y_px"]])
        edges = np.concatenate([low, low + np.array([row["width_px"], row["height_px"]])])
        side = None if thorax is None or _is_mirrored(looked) else side_of(edges * _to_stored(looked), thorax)
        rows_px, columns_px = looked.matrix
        corners = np.clip(edges * scale, 0, [columns_px, rows_px] * 2)
        left, top, right, bottom = (round(float(edge), 2) for edge in corners)
        found.append(Box(name, row["score"], (left, top, right, bottom), side))
    return found


def side_of(corners: np.ndarray, thorax: Thorax) -> str | None:
    """Return on which side of the body a box in stored pixels lies: a frontal film shows the patient's right on its
    left. None where the box reaches over the middle."""
    middle = (thorax.outline[:, 0].min() + thorax.outline[:, 0].max()) / 2
    width = max(corners[2] - corners[0], 1e-9)
    if (corners[2] - middle) / width <= _MOST_ACROSS:
        return RIGHT
    return LEFT if (middle - corners[0]) / width <= _MOST_ACROSS else None


def outline_of(shown: np.ndarray, matrix: tuple[int, int]) -> tuple[np.ndarray, ...]:
    """Return the closed lines around what of a map (h, w) over a whole film exceeds CONTOUR_LEVEL of its peak.

    In pixels of a ``matrix`` of (rows, columns); none of an empty map.
    """
    peak = float(shown.max())
    if not peak > 0:
        return ()
    scale = _FINE_PX / max(shown.shape)
    size = tuple(max(1, round(side * scale)) for side in shown.shape[::-1])
    fine = cv2.resize(shown, size, interpolation=cv2.INTER_LINEAR)
    found, _ = cv2.findContours(
        (fine >= CONTOUR_LEVEL * peak).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    found = [line for line in found if cv2.contourArea(line) >= _SMALLEST_PART * fine.size]
    largest = sorted(found, key=cv2.contourArea, reverse=True)[:MOST_PARTS]
    factors = np.array(matrix[::-1]) / np.array(size)
    return tuple(_closed(cv2.approxPolyDP(line, _WIGGLE_PX, True)[:, 0] + 0.5) * factors for line in largest)


def _closed(line: np.ndarray) -> np.ndarray:
    return np.concatenate([line, line[:1]])


def _factors(looked: Looked) -> np.ndarray:
    """Return what takes (x, y, x, y) of the picture with square pixels to the delivered matrix."""
    return np.array(looked.matrix[::-1] * 2) / np.array(looked.native[::-1] * 2)


def _to_stored(looked: Looked) -> np.ndarray:
    return np.array(looked.stored[::-1] * 2) / np.array(looked.native[::-1] * 2)


def _is_mirrored(looked: Looked) -> bool:
    return any(name == "mirrored" for name, _ in looked.doubts)


def told(boxes: Sequence[Box], outlines: Sequence[Outline]) -> dict[str, Any]:
    """Return marks as JSON data."""
    return {
        "boxes": [[box.class_name, box.score, list(box.corners), box.side] for box in boxes],
        "outlines": [
            [one.class_name, [np.round(line, 2).tolist() for line in one.lines], one.warning] for one in outlines
        ],
    }


def marks_of(data: Mapping[str, Any]) -> tuple[list[Box], list[Outline]]:
    """Return (boxes, outlines) of what ``told`` has said."""
    boxes = [Box(name, score, tuple(corners), side) for name, score, corners, side in data["boxes"]]
    outlines = [
        Outline(name, tuple(np.array(line) for line in lines), warning) for name, lines, warning in data["outlines"]
    ]
    return boxes, outlines
