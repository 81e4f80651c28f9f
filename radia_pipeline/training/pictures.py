"""Pictures of a training: a batch exactly as the model sees it (pixels: it belongs in the lake's previews), and the
model's answer to an empty image (nobody's pixels).

What does not belong here: how pictures and captions are put on a sheet (``drawing.montage``).
Legend: C channels, S side, 21 classes, h × w positions.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.drawing.montage import Caption, Tile, empty_picture, fitted, montage
from radia_pipeline.lake.atomic import write_bytes
from radia_pipeline.training.choices import CHANNELS, Channels
from radia_pipeline.training.inputs import normalisation
from radia_pipeline.training.recipe_schema import Recipe
from radia_pipeline.training.tasks import Batch

TILE_PX, STUDIES = 192, 16
COLOURS = ("blue", "green", "red")
"""Of three planes, in the order in which OpenCV writes them."""
MAP_TILE_PX, MAPS_PX = 128, 930
"""A class's map, and the width of the sheet of all of them."""


def save_batch_picture(batch: Batch, recipe: Recipe, path: Path, study_ids: np.ndarray | None = None) -> Path:
    """Write a PNG with the first studies of a batch: what the tensor is, then each study's views with its targets.

    ``study_ids``: keyed ids by study number; their first digits let a person find the study in the manifest.
    """
    shown = min(STUDIES, len(batch.images))
    tiles = [Tile(_views(batch, study, recipe), _captions(batch, study, study_ids)) for study in range(shown)]
    write_bytes(path, montage(tiles, heading=_heading(batch, recipe)))
    return path


def save_empty_picture(probabilities: dict[str, float], maps: np.ndarray, recipe: Recipe, path: Path) -> Path:
    """Write a PNG with each class's map (21, h, w), logits, and probability for an image that shows nothing.

    Colours from blue (sigmoid 0) to yellow (1): what is bright here, the model sees without evidence.
    """
    tiles = [
        Tile([fitted(_coloured(plane), MAP_TILE_PX)], [(name, "plain"), (f"P {probabilities[name]:.3f}", "plain")])
        for name, plane in zip(probabilities, maps)
    ]
    heading = [f"{recipe.name}: the answer to an empty image. Maps: sigmoid of the head's logits, blue 0, yellow 1"]
    write_bytes(path, montage(tiles, heading=heading, width_px=MAPS_PX))
    return path


def _coloured(plane: np.ndarray) -> np.ndarray:
    """Return a map of logits (h, w) as colours (h, w, 3)."""
    level = (255 / (1 + np.exp(-plane.astype(np.float64)))).astype(np.uint8)
    return cv2.cvtColor(cv2.applyColorMap(level, cv2.COLORMAP_CIVIDIS), cv2.COLOR_BGR2RGB)


def _heading(batch: Batch, recipe: Recipe) -> list[str]:
    values = batch.images[batch.present]
    shown, count, section = min(STUDIES, len(batch.images)), len(batch.images), recipe.input
    return [
        f"{recipe.name}: the first {shown} of {count} studies of a training batch, as the model sees them, "
        f"{section.size_px} px, {_planes(CHANNELS[section.channels])}",
        f"tensor {tuple(batch.images.shape)}, {str(batch.images.dtype)[6:]}, normalised "
        f"({section.normalisation_words}): values {float(values.min()):.2f} to {float(values.max()):.2f}, "
        f"mean {float(values.mean()):.2f}; yellow: targets above 0; grey: classes that the loss does not see",
    ]


def _planes(channels: Channels) -> str:
    """Which plane is shown in which colour."""
    names = channels.words.split(", ")
    if channels.count == 1:
        return f"1 channel ({names[0]})"
    shown = ", ".join(f"{colour}: {name}" for colour, name in zip(COLOURS, names, strict=True))
    return f"{channels.count} channels ({shown})"


def _views(batch: Batch, study: int, recipe: Recipe) -> list[np.ndarray]:
    """Return a study's views as the tensor holds them; a place without a view says so."""
    mean, deviation = (part[:, None, None] for part in normalisation(recipe.input))
    return [
        _picture(batch.images[study, slot].numpy() * deviation + mean)
        if batch.present[study, slot]
        else empty_picture("no view", TILE_PX)
        for slot in range(batch.present.shape[1])
    ]


def _picture(planes: np.ndarray) -> np.ndarray:
    """(C, S, S) in 0..1 -> uint8 at the tile's size; three channels are shown as colours, the first of them blue."""
    shown = (np.clip(planes, 0, 1) * 255).astype(np.uint8)
    return fitted(shown[0] if len(shown) == 1 else shown[::-1].transpose(1, 2, 0), TILE_PX)


def _captions(batch: Batch, study: int, study_ids: np.ndarray | None) -> list[Caption]:
    """Return a study's id, its targets and what is masked."""
    classes = vocabulary().classes
    words = [
        f"{name} {float(target):.2g}"
        for name, target, kept in zip(classes, batch.targets[study], batch.mask[study])
        if kept and target > 0
    ]
    masked = [name for name, kept in zip(classes, batch.mask[study]) if not kept]
    identity = f"study {str(study_ids[int(batch.index[study])])[:8]}" if study_ids is not None else f"study {study}"
    return [
        (identity, "muted"),
        (", ".join(words) or "all targets 0", "accent"),
        (f"masked: {', '.join(masked)}" if masked else "nothing masked", "muted"),
    ]
