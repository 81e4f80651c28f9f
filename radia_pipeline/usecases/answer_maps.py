"""Pictures beside an answer: where each class that was called is seen, the detector's boxes, the outline of the thorax.

Written only where ``--maps`` names a folder, and never of identified films. Needs torch. Not here: the maps themselves
(``localisation``).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.dicom.thorax import Thorax, thorax_of
from radia_pipeline.errors import BadInput
from radia_pipeline.lake import atomic
from radia_pipeline.lake.lake import Lake
from radia_pipeline.localisation.benchmark import boxed_classes, read_choice
from radia_pipeline.localisation.boxes import Frame
from radia_pipeline.localisation.maps import explain
from radia_pipeline.localisation.within import MOST_OUTSIDE, on_image, outside_share
from radia_pipeline.training.inference import load_classifier
from radia_pipeline.training.inputs import GREY_MAX, to_channels
from radia_pipeline.training.studies import LATERAL
from radia_pipeline.usecases.answers import Reader
from radia_pipeline.usecases.looking import Looked

OUTSIDE = "more than half of this map lies outside the thorax"
NOT_FOUND = "no thorax was found on this film, so nobody knows whether this map lies inside it"
_BLEND, _OUTLINE, _BOX = 0.45, (230, 230, 230), (0, 220, 255)
"""Share of the colours at a map's peak; colours as OpenCV writes them, blue first."""


class Mapper:
    """Draws the maps of one call's answers into a folder, which is made."""

    def __init__(self, lake: Lake, reader: Reader, folder: Path) -> None:
        self._folder, self._reader = folder, reader
        if folder.exists() and not folder.is_dir():
            raise BadInput("--maps names a file", accepted="a folder")
        folder.mkdir(parents=True, exist_ok=True)
        self._methods = {name: read_choice(lake, name).method for name in reader.ready.models}
        self._classifiers = {name: load_classifier(reader.ready.using.folder(name)) for name in self._methods}

    def draw(self, answer: dict[str, Any], found: Sequence[tuple[str, Looked]]) -> list[dict[str, Any]]:
        """Write a picture for each called class with a place on each frontal film that was used; say what they show."""
        called = [name for name in answer["called"] if name in boxed_classes()]
        told = []
        for place, ((name, looked), file) in enumerate(zip(found, answer["files"], strict=True), 1):
            if not called or not file["used"] or looked.view == LATERAL or looked.picture is None:
                continue
            boxes = [box for box in answer["boxes"] if box["file"] == name]
            told += self._film(f"study_{answer['study']:05d}_film_{place}", name, looked, called, boxes)
        return told

    def _film(
        self, stem: str, name: str, looked: Looked, called: Sequence[str], boxes: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        thorax, told = thorax_of(looked.picture), []
        for label, (saliency, frame) in zip(called, self._maps(looked, called)):
            share = None if thorax is None else outside_share(saliency, frame, thorax)
            warning = NOT_FOUND if share is None else OUTSIDE if share > MOST_OUTSIDE else None
            path = self._folder / f"{stem}_{label.replace(' ', '_')}.png"
            mine = [box for box in boxes if box["class"] == label]
            picture = _drawn(looked, on_image(saliency, frame), thorax, mine)
            atomic.write_bytes(path, cv2.imencode(".png", picture)[1].tobytes())
            told.append({
                "file": name, "class": label, "picture": str(path), "warning": warning,
                "outside_thorax": None if share is None else round(share, 4),
            })  # fmt: skip
        return told

    def _maps(self, looked: Looked, called: Sequence[str]) -> list[tuple[np.ndarray, Frame]]:
        """Return the mean of the models' maps, each over its peak, for each class, at the largest of their sizes."""
        columns = [vocabulary().index(name) for name in called]
        height, width = looked.stored
        side = max(classifier.input.size_px for classifier in self._classifiers.values())
        total = np.zeros((len(called), side, side), dtype=np.float32)
        for name, classifier in self._classifiers.items():
            square = self._reader.square(looked, classifier.input.size_px)
            tensor = torch.from_numpy(to_channels(square.astype(np.float32) / GREY_MAX, classifier.input))[None]
            method = self._methods[name]
            seen = explain(classifier, tensor, (method,))[1][method][0].numpy()
            for row, column in enumerate(columns):
                fine = cv2.resize(seen[column], (side, side), interpolation=cv2.INTER_LINEAR)
                total[row] += fine / max(float(fine.max()), 1e-9) / len(self._classifiers)
        return [(total[row], Frame(width, height, side)) for row in range(len(called))]


def _drawn(looked: Looked, shown: np.ndarray, thorax: Thorax | None, boxes: list[dict[str, Any]]) -> np.ndarray:
    """Return the film in grey with the map over it, the thorax's outline and boxes: (H, W, 3) uint8."""
    height, width = looked.stored
    grey = cv2.cvtColor((looked.picture >> 8).astype(np.uint8), cv2.COLOR_GRAY2BGR).astype(np.float32)
    level = cv2.resize(np.clip(shown / max(float(shown.max()), 1e-9), 0, 1), (width, height))
    colours = cv2.applyColorMap((level * 255).astype(np.uint8), cv2.COLORMAP_INFERNO).astype(np.float32)
    weight = (_BLEND * level)[..., None]
    picture = (grey * (1 - weight) + colours * weight).astype(np.uint8)
    thick = max(1, max(height, width) // 400)
    if thorax is not None:
        cv2.polylines(picture, [np.rint(thorax.outline).astype(np.int32)], True, _OUTLINE, thick)
    scale = width / looked.native[1]
    for box in boxes:
        low = round(box["x_px"] * scale), round(box["y_px"] * scale)
        high = round((box["x_px"] + box["width_px"]) * scale), round((box["y_px"] + box["height_px"]) * scale)
        cv2.rectangle(picture, low, high, _BOX, thick)
    return picture
