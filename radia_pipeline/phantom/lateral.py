"""The chest from the side, normal and with the signs that show there (sternum at small x, spine at large x).

The same ``Sign`` parameters as on the frontal film decide height and strength, so that both films of a study agree.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from radia_pipeline.phantom.canvas import Frame, generator, lobulated_outline, smooth_outline
from radia_pipeline.phantom.frontal import AIR_DEPTH, LEFT, RIGHT, Anatomy, Chest, lung_depth
from radia_pipeline.phantom.frontal_signs import Box, Painted
from radia_pipeline.phantom.signs import Sign

SPINE_X = 0.735


def lateral_lung_outline(a: Anatomy) -> np.ndarray:
    """Return both lungs' common outline; a flat dome and a wide retrosternal space mean hyperinflation."""
    base, dome = a.base, max(a.dome)
    bulge = 0.03 if dome < 0.04 else 0.0
    points = [
        (0.42, a.apex + 0.03),
        (0.345 - bulge, 0.24),
        (0.29 - bulge, 0.36),
        (0.255 - bulge, 0.50),
        (0.245 - bulge, 0.62),
        (0.25 - bulge, base - 0.10),
        (0.30, base - 0.045 - dome),
        (0.42, base - 0.05 - dome),
        (0.56, base - 0.02 - 0.8 * dome),
        (0.68, base + 0.015 - 0.3 * dome),
        (0.745, base + 0.035),
        (0.775, base - 0.02),
        (0.79, 0.62),
        (0.785, 0.46),
        (0.745, 0.30),
        (0.66, 0.19),
        (0.55, a.apex + 0.005),
    ]
    return smooth_outline(points, steps=6)


def lateral_heart_outline(a: Anatomy) -> np.ndarray:
    """Return the heart from the side, as deep as its cardiothoracic ratio asks for."""
    grow = a.cardiothoracic / 0.45
    floor = a.base - 0.06
    back = 0.265 + 0.235 * grow
    points = [
        (0.36, a.heart_top),
        (0.46, a.heart_top - 0.01),
        (0.40 + 0.1 * grow, 0.50),
        (back, 0.58),
        (back - 0.01, floor - 0.06),
        (back - 0.06, floor),
        (0.32, floor),
        (0.265, floor - 0.04),
        (0.265, floor - 0.13),
        (0.30, 0.50),
    ]
    return smooth_outline(points, steps=6)


def draw_lateral_chest(a: Anatomy, frame: Frame) -> Chest:
    """Draw the rasters of the same chest from the side."""
    chest = Chest(frame, a)
    trunk = [
        (0.36, -0.1),
        (0.37, 0.08),
        (0.27, 0.20),
        (0.205, 0.36),
        (0.185, 0.55),
        (0.20, 0.75),
        (0.17, 1.1),
        (0.86, 1.1),
        (0.86, 0.75),
        (0.875, 0.5),
        (0.85, 0.30),
        (0.76, 0.16),
        (0.60, 0.07),
        (0.60, -0.1),
    ]
    below = np.clip((frame.ys - a.base + 0.03) * 6 + 0.5, 0, 1)
    chest.body = frame.fill(smooth_outline(trunk, steps=5), 0.004) * (0.90 + 0.4 * a.fat + 0.12 * below)
    arm = smooth_outline([(0.30, -0.05), (0.42, 0.16), (0.55, 0.22), (0.66, 0.10), (0.70, -0.05)], steps=5)
    chest.body += 0.10 * frame.fill(arm, 0.01)
    lung = frame.fill(lateral_lung_outline(a), 0.002)
    chest.lungs = {RIGHT: lung, LEFT: lung}
    chest.heart = frame.fill(lateral_heart_outline(a), 0.004)
    arch = frame.strokes(
        [
            (
                smooth_outline([(0.44, 0.40), (0.47, 0.30), (0.56, 0.28), (0.63, 0.36), (0.67, 0.55)], closed=False),
                2 * a.knob,
                1.0,
            )
        ],
        soft=0.006,
    )
    chest.air = np.float32(AIR_DEPTH * a.air_gain) * lung_depth(lung, frame) * (1 - np.float32(0.8) * chest.heart)
    chest.vessels = _vessels(a, frame) * np.float32(0.42 * a.vessel_gain)
    chest.bones = _bones(a, frame)
    trachea = frame.strokes(
        [(smooth_outline([(0.50, -0.02), (0.525, 0.2), (0.55, 0.40)], closed=False), 0.034, 1.0)], soft=0.003
    )
    chest.extra = 0.08 * chest.heart + 0.10 * arch * lung - 0.14 * trachea
    return chest


def _vessels(a: Anatomy, frame: Frame) -> np.ndarray:
    rng = generator(a.vessel_seed, "lateral vessels")
    lines, origin = [], np.array([0.545, 0.43])
    for angle in np.linspace(0, 2 * np.pi, 15, endpoint=False):
        position, heading, width = origin.copy(), angle + rng.uniform(-0.15, 0.15), 0.012
        for _ in range(4):
            heading += rng.uniform(-0.3, 0.3)
            end = position + rng.uniform(0.04, 0.07) * np.array([np.cos(heading), np.sin(heading)])
            lines.append((np.stack([position, end]), width, 0.25 + 38 * width))
            position, width = end, width * 0.7
    raster = frame.strokes(sorted(lines, key=lambda line: line[2]), soft=0.0016)
    x, y = origin
    return np.clip(0.75 * raster + 0.6 * frame.blob(x, y, 0.045, 0.055, edge=1.0), 0, 1)


def _bones(a: Anatomy, frame: Frame) -> np.ndarray:
    lines = []
    for index in range(9):
        y = a.apex + 0.02 + index * a.rib_gap
        for depth in (0.0, 0.014):
            points = [
                (SPINE_X + 0.04, y + depth),
                (0.62, y + 0.05 + depth),
                (0.45, y + 0.13 + depth),
                (0.33, y + 0.20 + depth),
            ]
            lines.append((smooth_outline(points, closed=False, steps=5), 0.016, 0.35))
    ribs = frame.strokes(lines, soft=0.002)
    bow = SPINE_X + 0.10 * (frame.ys - 0.5) ** 2
    column = np.exp(-np.square(np.square((frame.xs - bow) * np.float32(1 / 0.036)))) * np.clip(
        (frame.ys - 0.10) / 0.05, 0, 1
    )
    vertebrae = 0.55 + 0.45 * np.cos(2 * np.pi * (frame.ys - a.apex) / (1.05 * a.rib_gap)) ** 2
    sternum = frame.strokes(
        [(smooth_outline([(0.315, 0.22), (0.25, 0.36), (0.215, 0.52)], closed=False), 0.022, 1.0)], soft=0.002
    )
    return 0.18 * ribs + 0.17 * column * vertebrae + 0.12 * sternum


def _depth(sign: Sign) -> float:
    """Where along the beam's cross-axis (front to back) this sign lies."""
    return float(sign.generator("depth").uniform(0.40, 0.66))


def _heart_box(chest: Chest, sign: Sign) -> Painted:
    return [chest.frame.box(chest.heart)]


def _lungs_box(chest: Chest, sign: Sign) -> Painted:
    return [chest.frame.box(chest.lungs[LEFT])]


def _effusion(chest: Chest, sign: Sign) -> Painted:
    frame, a = chest.frame, chest.anatomy
    back = np.clip((frame.xs - 0.45) / 0.33, 0, 1.05)
    surface = a.base + 0.03 - sign.between(0.05, 0.18) - 0.10 * (back**3 - 0.5)
    fluid = np.clip((frame.ys - surface) / 0.014, 0, 1) * chest.lungs[LEFT]
    chest.opacify(fluid, 0.95)
    chest.vessels *= 1 - fluid
    return [frame.box(fluid)]


def _haze(chest: Chest, sign: Sign) -> Painted:
    frame, rng = chest.frame, sign.generator("lateral haze")
    wings = frame.blob(0.53, 0.46, 0.15, 0.17, edge=0.9) * chest.lungs[LEFT]
    chest.opacify(np.clip(wings * (0.95 + 0.16 * frame.smooth_noise(rng, 0.03)), 0, 1), sign.between(0.45, 0.65))
    return [frame.box(wings)]


def _patch(chest: Chest, sign: Sign) -> Painted:
    frame, rng, x, y = chest.frame, sign.generator("lateral patch"), _depth(sign), sign.centre[1]
    reach = 0.085 if sign.name == "Pneumonia" else 0.11
    edge = 0.9 if sign.name == "Pneumonia" else 0.35
    patch = frame.blob(x, y, reach, reach * 0.9, edge=edge) * chest.lungs[LEFT]
    chest.opacify(np.clip(patch * (0.95 + 0.1 * frame.smooth_noise(rng, 0.02)), 0, 1), sign.between(0.55, 0.85))
    return [frame.box(patch)]


def _mesh(chest: Chest, sign: Sign) -> Painted:
    frame, rng = chest.frame, sign.generator("lateral streaks")
    patch = frame.blob(_depth(sign), sign.centre[1], 0.11, 0.11, edge=0.5) * chest.lungs[LEFT]
    mesh = np.exp(-((frame.smooth_noise(rng, 0.024) / 0.32) ** 2))
    chest.opacify(patch, sign.between(0.12, 0.24))
    chest.add(patch * mesh, sign.between(0.15, 0.24))
    return [frame.box(patch)]


def _plate(chest: Chest, sign: Sign) -> Painted:
    frame, rng, x, y = chest.frame, sign.generator("lateral plate"), _depth(sign), sign.centre[1] + 0.03
    ends = np.array([[x - 0.09, y + rng.uniform(-0.03, 0.03)], [x + 0.09, y + rng.uniform(-0.03, 0.03)]])
    plate = frame.strokes([(ends, 0.017, 1.0)], soft=0.002) * chest.lungs[LEFT]
    chest.add(plate, sign.between(0.15, 0.24))
    return [frame.box(plate)]


def _lump(chest: Chest, sign: Sign) -> Painted:
    frame, rng, x, y = chest.frame, sign.generator("lateral lump"), _depth(sign), sign.centre[1]
    if sign.name == "Nodule":
        r = sign.between(0.021, 0.032)
        lump = frame.blob(x, y, r, r, edge=0.22)
    else:
        lump = frame.fill(lobulated_outline(rng, x, y, sign.between(0.056, 0.085), 0.12), 0.003)
    chest.opacify(lump, 0.6)
    chest.add(lump, sign.between(0.20, 0.30))
    return [frame.box(lump)]


def _hernia(chest: Chest, sign: Sign) -> Painted:
    frame, a = chest.frame, chest.anatomy
    r, x, y = sign.between(0.07, 0.095), 0.60, a.base - 0.115
    sac, hollow = frame.blob(x, y, r * 1.05, r, edge=0.08), frame.blob(x, y, r * 0.92, r * 0.87, edge=0.08)
    level = np.clip((frame.ys - y) / 0.004, 0, 1)
    chest.opacify(sac, 0.85)
    chest.add(sac - hollow, 0.16)
    chest.add(hollow * level, 0.12)
    chest.add(hollow * (1 - level), -0.42)
    return [frame.box(sac)]


PAINTERS: dict[str, Callable[[Chest, Sign], Painted]] = {
    "Cardiomegaly": _heart_box,
    "Emphysema": _lungs_box,
    "Pleural Effusion": _effusion,
    "Edema": _haze,
    "Consolidation": _patch,
    "Pneumonia": _patch,
    "Infiltration": _mesh,
    "Atelectasis": _plate,
    "Nodule": _lump,
    "Mass": _lump,
    "Hernia": _hernia,
}
"""Pneumothorax, pleural plaques and rib fractures hide behind the other hemithorax from the side and are not drawn."""


def paint_lateral(chest: Chest, sign: Sign) -> list[Box]:
    """Paint the sign as it shows from the side; no boxes where it does not show."""
    painter = PAINTERS.get(sign.name)
    chest.visibility = sign.visibility
    boxes = painter(chest, sign) if painter else []
    return [box for box in boxes if box is not None and box[2] >= 2 and box[3] >= 2]
