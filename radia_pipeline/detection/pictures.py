"""A picture of a training batch as the detector sees it, with the boxes that it teaches (pixels: for the previews).

Not here: how pictures are put on a sheet (``drawing.montage``).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from radia_pipeline.detection.objective import ImageBatch
from radia_pipeline.drawing.montage import Tile, fitted, montage
from radia_pipeline.lake.atomic import write_bytes
from radia_pipeline.training.inputs import normalisation
from radia_pipeline.training.picture_sections import InputSection

SHOWN, TILE_PX = 16, 192
YELLOW = (255, 208, 0)


def save_batch_picture(
    batch: ImageBatch,
    section: InputSection,
    classes: Sequence[str],
    image_ids: Sequence[str] | np.ndarray,
    name: str,
    path: Path,
) -> None:
    """Write a PNG with the first images of a batch, their boxes in yellow, their classes below."""
    tiles = []
    mean, deviation = (part[:, None, None] for part in normalisation(section))
    for row in range(min(SHOWN, len(batch.images))):
        planes = np.clip(batch.images[row].numpy() * deviation + mean, 0, 1)
        picture = np.repeat((planes[0] * 255).astype(np.uint8)[..., None], 3, axis=2)
        taken = batch.targets.box_weight[row] > 0
        for box in np.unique(batch.targets.boxes[row][taken].numpy(), axis=0):
            left, top, right, bottom = (round(float(edge)) for edge in box)
            picture = cv2.rectangle(np.ascontiguousarray(picture), (left, top), (right, bottom), YELLOW, 1)
        seen = np.flatnonzero((batch.targets.wanted[row] > 0).any(dim=0).numpy())
        words = ", ".join(classes[place] for place in seen.tolist()) or "no box"
        identity = f"image {image_ids[int(batch.index[row])][:8]}"
        tiles.append(Tile([fitted(picture, TILE_PX)], [(identity, "muted"), (words, "accent")]))
    heading = [
        f"{name}: the first {len(tiles)} of {len(batch.images)} images of a training batch, as the detector sees them, "
        f"{section.size_px} px; yellow: boxes that positions learn"
    ]
    write_bytes(path, montage(tiles, heading=heading))
