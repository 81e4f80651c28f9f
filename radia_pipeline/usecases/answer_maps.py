"""Pictures beside an answer: where each class that was called is seen, the detector's boxes, the outline of the thorax.

Written only where ``--maps`` names a folder, and never of identified films. Needs torch. Not here: the maps themselves
(``film_maps``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from radia_pipeline.dicom.thorax import Thorax
from radia_pipeline.errors import BadInput
from radia_pipeline.lake import atomic
from radia_pipeline.localisation.benchmark import boxed_classes
from radia_pipeline.training.studies import LATERAL
from radia_pipeline.usecases.film_maps import FilmMaps
from radia_pipeline.usecases.looking import Looked

_BLEND, _OUTLINE, _BOX = 0.45, (230, 230, 230), (0, 220, 255)
"""Share of the colours at a map's peak; colours as OpenCV writes them, blue first."""
MOST_BOXES = 3
LEGEND = (
    "colours: where the models see it; white: thorax; yellow: the detector's best boxes and their scores",
    "research, not for diagnosis",
)
_FONT, _LETTERS = cv2.FONT_HERSHEY_SIMPLEX, 0.001
"""Size of letters over the film's longest side."""


def pictures(
    maps: FilmMaps, answer: Mapping[str, Any], found: Sequence[tuple[str, Looked]]
) -> Iterator[tuple[int, dict[str, Any], bytes]]:
    """Yield (place of the film from 1, what is told of its map, PNG) for each called class with a place.

    Of each frontal film that was used for an answer. What is told lacks where the picture lies.
    """
    called = [name for name in answer["called"] if name in boxed_classes()]
    for place, ((name, looked), file) in enumerate(zip(found, answer["files"], strict=True), 1):
        if not called or not file["used"] or looked.view == LATERAL or looked.picture is None:
            continue
        seen = maps.of(looked, called)
        for one in seen.maps:
            mine = [box for box in answer["boxes"] if (box["file"], box["class"]) == (name, one.class_name)]
            best = sorted(mine, key=lambda box: -box["score"])[:MOST_BOXES]
            picture = _captioned(drawn(looked, one.shown, seen.thorax, best), one.class_name, one.warning)
            told = {
                "file": name,
                "class": one.class_name,
                "warning": one.warning,
                "outside_thorax": None if one.outside is None else round(one.outside, 4),
            }
            yield place, told, cv2.imencode(".png", picture)[1].tobytes()


class Mapper:
    """Draws the maps of one call's answers into a folder, which is made."""

    def __init__(self, maps: FilmMaps, folder: Path) -> None:
        self._folder = folder
        if folder.exists() and not folder.is_dir():
            raise BadInput("--maps names a file", accepted="a folder")
        folder.mkdir(parents=True, exist_ok=True)
        self._maps = maps

    def draw(self, answer: dict[str, Any], found: Sequence[tuple[str, Looked]]) -> list[dict[str, Any]]:
        """Write a picture for each called class with a place on each frontal film that was used; say what they show."""
        told = []
        for place, one, png in pictures(self._maps, answer, found):
            stem = f"study_{answer['study']:05d}_film_{place}"
            path = self._folder / f"{stem}_{one['class'].replace(' ', '_')}.png"
            atomic.write_bytes(path, png)
            told.append({**one, "picture": str(path)})
        return told


def drawn(looked: Looked, shown: np.ndarray, thorax: Thorax | None, boxes: list[dict[str, Any]]) -> np.ndarray:
    """Return the film in grey with the map over it, the thorax's outline and boxes: (H, W, 3) uint8."""
    height, width = looked.stored
    grey = cv2.cvtColor((looked.stored_picture() >> 8).astype(np.uint8), cv2.COLOR_GRAY2BGR).astype(np.float32)
    level = cv2.resize(np.clip(shown / max(float(shown.max()), 1e-9), 0, 1), (width, height))
    colours = cv2.applyColorMap((level * 255).astype(np.uint8), cv2.COLORMAP_INFERNO).astype(np.float32)
    weight = (_BLEND * level)[..., None]
    picture = (grey * (1 - weight) + colours * weight).astype(np.uint8)
    thick = max(1, max(height, width) // 400)
    if thorax is not None:
        cv2.polylines(picture, [np.rint(thorax.outline).astype(np.int32)], True, _OUTLINE, thick)
    across, down = width / looked.native[1], height / looked.native[0]
    for box in boxes:
        low = round(box["x_px"] * across), round(box["y_px"] * down)
        high = round((box["x_px"] + box["width_px"]) * across), round((box["y_px"] + box["height_px"]) * down)
        cv2.rectangle(picture, low, high, _BOX, thick)
        size = _LETTERS * max(height, width)
        place = low[0] + 2 * thick, max(low[1] + round(26 * size), round(26 * size))
        cv2.putText(picture, f"{box['score']:.2f}", place, _FONT, size, _BOX, thick, cv2.LINE_AA)
    return picture


def _captioned(picture: np.ndarray, label: str, warning: str | None) -> np.ndarray:
    """Return a picture (H, W, 3) under a band that says what it shows."""
    height, width = picture.shape[:2]
    lines = [(label, 1.3), *((words, 1.0) for words in (*LEGEND, *(() if warning is None else (warning,))))]
    sizes = [(words, min(scale * _LETTERS * max(height, width), _fitting(words, width))) for words, scale in lines]
    band = np.zeros((sum(round(38 * size) for _, size in sizes) + 4, width, 3), dtype=np.uint8)
    at = 0
    for words, size in sizes:
        at += round(38 * size)
        colour = _BOX if words == warning else _OUTLINE
        cv2.putText(band, words, (4, at - round(10 * size)), _FONT, size, colour, 1, cv2.LINE_AA)
    return np.concatenate([band, picture])


def _fitting(words: str, width: int) -> float:
    """Return the size of letters at which words fill a width, less a margin."""
    return (width - 8) / cv2.getTextSize(words, _FONT, 1.0, 1)[0][0]
