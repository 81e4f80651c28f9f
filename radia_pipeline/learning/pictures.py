"""A picture of a training batch exactly as the model sees it. It shows pixels, so it belongs in the lake's previews."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.lake.atomic import write_bytes
from radia_pipeline.learning.inputs import normalisation
from radia_pipeline.learning.recipe_schema import Recipe
from radia_pipeline.learning.tasks import Batch

TILE_PX, CAPTION_PX, COLUMNS, STUDIES = 192, 44, 4, 16


def save_batch_picture(batch: Batch, recipe: Recipe, path: Path) -> Path:
    """Write a PNG with the first studies of a batch: one row of tiles per study's views, its targets beneath."""
    mean, deviation = normalisation(recipe.input)
    tiles = []
    for study in range(min(STUDIES, len(batch.images))):
        views = []
        for slot in range(batch.present.shape[1]):
            if batch.present[study, slot]:
                tensor = batch.images[study, slot].numpy()
                views.append(_tile(tensor * deviation[:, None, None] + mean[:, None, None]))
            else:
                views.append(_empty_tile())
        tiles.append(np.vstack([np.hstack(views), _caption(batch, study, TILE_PX * len(views))]))
    blank = np.zeros_like(tiles[0])
    tiles += [blank] * (-len(tiles) % COLUMNS)
    rows = [np.hstack(tiles[start : start + COLUMNS]) for start in range(0, len(tiles), COLUMNS)]
    write_bytes(path, cv2.imencode(".png", np.vstack(rows))[1].tobytes())
    return path


def _tile(planes: np.ndarray) -> np.ndarray:
    """(C, S, S) in 0..1 -> (TILE, TILE, 3) uint8; three channels are shown as colours."""
    shown = np.clip(planes, 0, 1).transpose(1, 2, 0)
    shown = np.repeat(shown, 3, axis=2) if shown.shape[2] == 1 else shown
    return cv2.resize((shown * 255).astype(np.uint8), (TILE_PX, TILE_PX), interpolation=cv2.INTER_AREA)


def _empty_tile() -> np.ndarray:
    tile = np.zeros((TILE_PX, TILE_PX, 3), dtype=np.uint8)
    return cv2.putText(tile, "no view", (48, TILE_PX // 2), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (90, 90, 90), 1)


def _caption(batch: Batch, study: int, width: int) -> np.ndarray:
    strip = np.zeros((CAPTION_PX, width, 3), dtype=np.uint8)
    words = [
        f"{name} {float(target):.2g}"
        for name, target, kept in zip(vocabulary().classes, batch.targets[study], batch.mask[study])
        if kept and target > 0
    ] or ["all 0"]
    for line, start in enumerate(range(0, min(len(words), 9), 3)):
        text = ", ".join(words[start : start + 3])
        cv2.putText(strip, text, (3, 12 + 14 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.34, (0, 220, 220), 1, cv2.LINE_AA)
    return strip
