"""Pictures of a training: a batch exactly as the model sees it (pixels: it belongs in the lake's previews), and the
model's answer to an empty image (nobody's pixels).

Legend: C channels, S side, 21 classes, h × w positions.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.lake.atomic import write_bytes
from radia_pipeline.training.inputs import normalisation
from radia_pipeline.training.recipe_schema import Recipe
from radia_pipeline.training.tasks import Batch

TILE_PX, LINE_PX, STUDIES, WIDTH_PX, BORDER_PX = 192, 15, 16, 1600, 3
MAP_TILE_PX, MAP_COLUMNS = 128, 7
FONT, FONT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.38
INK, TARGET, MUTED, EDGE, EMPTY = (230, 230, 230), (0, 220, 220), (150, 150, 150), (70, 70, 70), (40, 30, 30)


def save_batch_picture(batch: Batch, recipe: Recipe, path: Path, study_ids: np.ndarray | None = None) -> Path:
    """Write a PNG with the first studies of a batch: what the tensor is, then each study's views with its targets.

    ``study_ids``: keyed ids by study number; their first digits let a person find the study in the manifest.
    """
    shown = min(STUDIES, len(batch.images))
    studies = [_study(batch, study, recipe, study_ids) for study in range(shown)]
    columns = max(1, WIDTH_PX // studies[0].shape[1])
    height = max(tile.shape[0] for tile in studies)
    tiles = [cv2.copyMakeBorder(tile, 0, height - tile.shape[0], 0, 0, cv2.BORDER_CONSTANT) for tile in studies]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)]
    body = np.vstack(rows)
    write_bytes(
        path, cv2.imencode(".png", np.vstack([_text(_heading(batch, recipe), body.shape[1], INK), body]))[1].tobytes()
    )
    return path


def save_empty_picture(probabilities: dict[str, float], maps: np.ndarray, recipe: Recipe, path: Path) -> Path:
    """Write a PNG with each class's map (21, h, w), logits, and probability for an image that shows nothing.

    Colours from blue (sigmoid 0) to yellow (1): what is bright here, the model sees without evidence.
    """
    tiles = []
    for name, plane in zip(probabilities, maps):
        level = (255 / (1 + np.exp(-plane.astype(np.float64)))).astype(np.uint8)
        tile = cv2.resize(level, (MAP_TILE_PX, MAP_TILE_PX), interpolation=cv2.INTER_NEAREST)
        caption = _text([name[:20], f"P {probabilities[name]:.3f}"], MAP_TILE_PX + 2 * BORDER_PX, INK)
        coloured = cv2.applyColorMap(tile, cv2.COLORMAP_CIVIDIS)
        tiles.append(np.vstack([_framed(coloured), caption]))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % MAP_COLUMNS)
    rows = [np.hstack(tiles[start : start + MAP_COLUMNS]) for start in range(0, len(tiles), MAP_COLUMNS)]
    body = np.vstack(rows)
    heading = [f"{recipe.name}: the answer to an empty image. Maps: sigmoid of the head's logits, blue 0, yellow 1"]
    write_bytes(path, cv2.imencode(".png", np.vstack([_text(heading, body.shape[1], INK), body]))[1].tobytes())
    return path


def _heading(batch: Batch, recipe: Recipe) -> list[str]:
    channels = {"gray": "1 channel (min-max)", "clahe": "3 channels (blue: min-max, green: CLAHE 2, red: CLAHE 4)"}
    values = batch.images[batch.present]
    shown, count, section = min(STUDIES, len(batch.images)), len(batch.images), recipe.input
    return [
        f"{recipe.name}: the first {shown} of {count} studies of a training batch, as the model sees them, "
        f"{section.size_px} px, {channels[section.channels]}",
        f"tensor {tuple(batch.images.shape)}, {str(batch.images.dtype)[6:]}, normalised ({section.normalisation}): "
        f"values {float(values.min()):.2f} to {float(values.max()):.2f}, mean {float(values.mean()):.2f}; "
        "yellow: targets above 0; grey: classes that the loss does not see",
    ]


def _study(batch: Batch, study: int, recipe: Recipe, study_ids: np.ndarray | None) -> np.ndarray:
    """One study: its views side by side, its id, its targets and what is masked beneath."""
    mean, deviation = normalisation(recipe.input)
    views = []
    for slot in range(batch.present.shape[1]):
        if batch.present[study, slot]:
            tensor = batch.images[study, slot].numpy()
            views.append(_framed(_tile(tensor * deviation[:, None, None] + mean[:, None, None])))
        else:
            views.append(_framed(_empty_tile()))
    picture = np.hstack(views)
    width = picture.shape[1]
    words = [
        f"{name} {float(target):.2g}"
        for name, target, kept in zip(vocabulary().classes, batch.targets[study], batch.mask[study])
        if kept and target > 0
    ]
    masked = [name for name, kept in zip(vocabulary().classes, batch.mask[study]) if not kept]
    identity = f"study {str(study_ids[int(batch.index[study])])[:8]}" if study_ids is not None else f"study {study}"
    parts = [
        _text([identity], width, MUTED),
        _text(_wrapped(words or ["all targets 0"], width), width, TARGET),
        _text(_wrapped(["masked: " + masked[0], *masked[1:]], width) if masked else ["nothing masked"], width, MUTED),
    ]
    return np.vstack([picture, *parts, np.zeros((LINE_PX // 2, width, 3), np.uint8)])


def _tile(planes: np.ndarray) -> np.ndarray:
    """(C, S, S) in 0..1 -> (TILE, TILE, 3) uint8; three channels are shown as colours."""
    shown = np.clip(planes, 0, 1).transpose(1, 2, 0)
    shown = np.repeat(shown, 3, axis=2) if shown.shape[2] == 1 else shown
    enlarges = planes.shape[1] < TILE_PX
    how = cv2.INTER_NEAREST if enlarges else cv2.INTER_AREA  # blur would hide what the model has to do with
    return cv2.resize((shown * 255).astype(np.uint8), (TILE_PX, TILE_PX), interpolation=how)


def _empty_tile() -> np.ndarray:
    tile = np.full((TILE_PX, TILE_PX, 3), EMPTY, dtype=np.uint8)
    return cv2.putText(tile, "no view", (64, TILE_PX // 2), FONT, 0.5, MUTED, 1, cv2.LINE_AA)


def _framed(tile: np.ndarray) -> np.ndarray:
    inner = tile[BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX] if tile.shape[0] == TILE_PX else tile
    return cv2.copyMakeBorder(inner, *[BORDER_PX] * 4, cv2.BORDER_CONSTANT, value=EDGE)


def _wrapped(words: list[str], width_px: int) -> list[str]:
    """Join words with commas into lines that fit."""
    lines, line = [], ""
    for word in words:
        longer = f"{line}, {word}" if line else word
        if line and cv2.getTextSize(longer, FONT, FONT_SCALE, 1)[0][0] > width_px - 8:
            lines.append(line + ",")
            longer = word
        line = longer
    return [*lines, line]


def _text(lines: list[str], width_px: int, colour: tuple[int, int, int]) -> np.ndarray:
    strip = np.zeros((LINE_PX * len(lines) + 3, width_px, 3), dtype=np.uint8)
    for number, line in enumerate(lines):
        cv2.putText(strip, line, (4, 12 + LINE_PX * number), FONT, FONT_SCALE, colour, 1, cv2.LINE_AA)
    return strip
