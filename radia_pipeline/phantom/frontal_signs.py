"""How each pathology is painted on a frontal film, and the boxes (x, y, width, height in pixels) of what was painted.

Parameters and changed anatomy come from ``signs``; what is random here comes from the sign's own stream.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from radia_pipeline.phantom.canvas import lobulated_outline, smooth_outline
from radia_pipeline.phantom.frontal import (
    CLAVICLE,
    HILUM,
    LEFT,
    RIGHT,
    SIDES,
    Chest,
    broken,
    clavicle,
    lung_outline,
    squeezed_lung_outline,
)
from radia_pipeline.phantom.signs import Sign

Box = tuple[float, float, float, float]
Painted = Sequence[Box | None]
"""Boxes of what was painted, None where nothing of it reaches the film."""


def paint(chest: Chest, sign: Sign) -> list[Box]:
    """Paint the sign and return its boxes inside the image."""
    chest.visibility = sign.visibility
    boxes = PAINTERS[sign.name](chest, sign)
    return [box for box in boxes if box is not None and box[2] >= 2 and box[3] >= 2]


def _cardiomegaly(chest: Chest, sign: Sign) -> Painted:
    return [chest.frame.box(chest.heart)]


def _emphysema(chest: Chest, sign: Sign) -> Painted:
    rng, frame = sign.generator("bullae"), chest.frame
    lungs = chest.both_lungs
    for _ in range(int(rng.integers(2, 5))):
        side = SIDES[int(rng.integers(2))]
        x, y, r = 0.5 + side * rng.uniform(0.14, 0.24), rng.uniform(0.22, 0.40), rng.uniform(0.03, 0.06)
        bulla = frame.blob(x, y, r, r * 1.15, edge=0.12) * lungs
        wall = np.clip(bulla - frame.blob(x, y, r * 0.86, r, edge=0.12), 0, 1)
        chest.vessels *= 1 - bulla
        chest.add(bulla, -0.09)
        chest.add(wall * lungs, 0.16)
    return [frame.box(lungs)]


def _edema(chest: Chest, sign: Sign) -> Painted:
    rng, frame = sign.generator("haze"), chest.frame
    reach = sign.between(0.9, 1.15)
    wings = sum(
        frame.blob(0.5 + s * 0.145, HILUM[1] + 0.04, 0.105 * reach, 0.17 * reach, angle=-s * 0.25, edge=0.9)
        for s in SIDES
    )
    wings = np.minimum(wings, 1) * chest.both_lungs
    chest.opacify(np.clip(wings * (0.95 + 0.16 * frame.smooth_noise(rng, 0.03)), 0, 1), sign.between(0.46, 0.66))
    chest.vessels *= np.float32(1.35)
    lines = []
    for side in SIDES:
        for _ in range(int(rng.integers(5, 9))):
            y = chest.anatomy.base_of(side) - rng.uniform(0.06, 0.22)
            outer = chest.anatomy.wall - 0.006
            lines.append((np.array([[0.5 + side * outer, y], [0.5 + side * (outer - 0.035), y + 0.004]]), 0.004, 1.0))
    chest.add(frame.strokes(lines) * chest.both_lungs, 0.17)
    return [frame.box(wings, 0.5)]


def _infiltration(chest: Chest, sign: Sign) -> Painted:
    rng, frame, boxes = sign.generator("streaks"), chest.frame, []
    x, y = sign.centre
    for cx in (x, 1 - x)[: 2 if sign.is_bilateral else 1]:
        rx, ry = rng.uniform(0.10, 0.13), rng.uniform(0.13, 0.18)
        side = LEFT if cx > 0.5 else RIGHT
        patch = frame.blob(cx, y + rng.uniform(-0.02, 0.02), rx, ry, angle=rng.uniform(-0.3, 0.3), edge=0.5)
        patch *= chest.lungs[side] * (1 - chest.heart)
        mesh = np.maximum(*(np.exp(-((frame.smooth_noise(rng, 0.024) / 0.32) ** 2)) for _ in range(2)))
        chest.opacify(patch, sign.between(0.12, 0.24))
        chest.add(patch * mesh, sign.between(0.20, 0.30))
        boxes.append(frame.box(patch))
    return boxes


def _pneumonia(chest: Chest, sign: Sign) -> Painted:
    rng, frame = sign.generator("patches"), chest.frame
    x, y = sign.centre
    spread = sign.between(0.05, 0.072)
    cloud = frame.zeros()
    for _ in range(int(rng.integers(9, 14))):
        px, py = x + rng.normal(0, spread) * 0.8, y + rng.normal(0, spread)
        cloud = np.maximum(cloud, frame.blob(px, py, rng.uniform(0.025, 0.05), rng.uniform(0.02, 0.045), edge=1.0))
    cloud = frame.soften(cloud, 0.008) * chest.lungs[sign.side]
    cloud = np.clip(cloud * (0.95 + 0.12 * frame.smooth_noise(rng, 0.02)), 0, 1)
    chest.opacify(cloud, sign.between(0.66, 0.84))
    return [frame.box(cloud, 0.4)]


def _consolidation(chest: Chest, sign: Sign) -> Painted:
    """A lobe filled up to its fissure, with air-filled bronchi running through it."""
    rng, frame, side = sign.generator("lobe"), chest.frame, sign.side
    top, bottom = {"upper": (0.16, 0.42), "middle": (0.40, 0.60), "lower": (0.53, 0.80)}[sign.zone]
    slope = rng.uniform(-0.12, 0.12)
    fissure = bottom if sign.zone == "upper" else top
    tilt = frame.ys - fissure - slope * np.abs(frame.xs - 0.5 - side * 0.2)
    sharp = np.clip(tilt / 0.006 * (-1 if sign.zone == "upper" else 1), 0, 1)
    x, y = 0.5 + side * rng.uniform(0.17, 0.24), (top + bottom) / 2
    lobe = frame.blob(x, y, sign.between(0.13, 0.17), 0.6 * (bottom - top) + 0.05, edge=0.45) * sharp
    lobe *= chest.lungs[side]
    chest.opacify(np.clip(lobe * (0.97 + 0.05 * frame.smooth_noise(rng, 0.02)), 0, 1), sign.between(0.82, 0.94))
    root = np.array([0.5 + side * HILUM[0], HILUM[1]])
    tubes = []
    for _ in range(4):
        tip = np.array([x + rng.uniform(-0.06, 0.06), y + rng.uniform(-0.6, 0.6) * (bottom - top) / 2])
        end = root + (tip - root) * rng.uniform(1.1, 1.4)
        tubes.append((np.stack([root, (root + end) / 2 + rng.normal(0, 0.012, 2), end]), 0.0085, 1.0))
    chest.vessels *= 1 - lobe
    chest.add(frame.strokes(tubes, soft=0.0015) * lobe, -0.24)
    return [frame.box(lobe)]


def _atelectasis(chest: Chest, sign: Sign) -> Painted:
    """Plates of collapsed lung, or a collapsed lobe drawn up as a wedge against the mediastinum."""
    rng, frame, side = sign.generator("plates"), chest.frame, sign.side
    if rng.random() < 0.15:
        return [_collapsed_lobe(chest, sign)]
    x, y = sign.centre
    y += 0.03 - (0.02 if sign.zone == "lower" else 0.0)
    slope = rng.uniform(-0.3, 0.3)
    lines = []
    for index in range(3):
        half, py = rng.uniform(0.09, 0.125), y + (index - 1) * rng.uniform(0.042, 0.055)
        px = x + rng.uniform(-0.03, 0.02) * side
        ends = [(px - half, py - slope * half), (px, py + rng.uniform(-0.006, 0.006)), (px + half, py + slope * half)]
        lines.append((smooth_outline(ends, closed=False), rng.uniform(0.018, 0.026), 1.0))
    plates = frame.strokes(lines, soft=0.002) * chest.lungs[side]
    chest.opacify(plates, 0.5)
    chest.add(plates, sign.between(0.22, 0.34))
    return [frame.box(plates)]


def _collapsed_lobe(chest: Chest, sign: Sign) -> Box | None:
    a, frame, side = chest.anatomy, chest.frame, sign.side
    if side == RIGHT:
        wedge = [
            (0.04, a.apex + 0.01),
            (0.20, a.apex + 0.03),
            (0.19, a.apex + 0.12),
            (0.11, a.apex + 0.20),
            (0.05, a.apex + 0.27),
        ]
    else:
        base = a.base_of(side)
        wedge = [(0.035, 0.50), (0.09, 0.60), (0.15, base - 0.06), (0.19, base - 0.03), (0.035, base)]
    mask = frame.fill(np.array([(0.5 + side * x, y) for x, y in wedge]), 0.004)
    chest.opacify(mask, 0.92)
    chest.add(mask, 0.13)
    return frame.box(mask)


def _nodule(chest: Chest, sign: Sign) -> Painted:
    rng, frame, boxes = sign.generator("nodules"), chest.frame, []
    x, y = sign.centre
    for _ in range(int(rng.choice([1, 1, 2, 3]))):
        r = sign.between(0.021, 0.032) * rng.uniform(0.9, 1.1)
        cx = 0.5 + sign.side * float(np.clip(abs(x - 0.5) + rng.uniform(-0.07, 0.05), 0.11, 0.29))
        ball = frame.blob(cx, y + rng.uniform(-0.07, 0.07), r, r * rng.uniform(0.9, 1.1), edge=0.22)
        chest.opacify(ball, 0.5)
        chest.add(ball, sign.between(0.24, 0.34))
        boxes.append(frame.box(ball, margin=0.003))
    return boxes


def _mass(chest: Chest, sign: Sign) -> Painted:
    rng, frame = sign.generator("mass"), chest.frame
    x, y = sign.centre
    x, y, radius = x + rng.uniform(-0.04, 0.02) * sign.side, y + rng.uniform(-0.03, 0.03), sign.between(0.056, 0.085)
    lump = frame.fill(lobulated_outline(rng, x, y, radius, 0.12), 0.003)
    spikes = []
    for theta in rng.uniform(0, 2 * np.pi, 9):
        way = np.array([np.cos(theta), np.sin(theta)])
        spikes.append(
            (np.stack([[x, y] + way * radius * 0.9, [x, y] + way * radius * rng.uniform(1.2, 1.45)]), 0.005, 0.9)
        )
    chest.opacify(lump, 0.8)
    chest.add(lump, sign.between(0.20, 0.30))
    chest.add(frame.strokes(spikes, soft=0.001) * chest.lungs[sign.side], 0.14)
    return [frame.box(lump)]


def _pneumothorax(chest: Chest, sign: Sign) -> Painted:
    """Air between the chest wall and a lung that fell in: black, no markings, a thin white pleural line."""
    frame, side, a = chest.frame, sign.side, chest.anatomy
    outline = squeezed_lung_outline(a, side, sign.between(0.80, 0.58))
    fallen = frame.fill(outline, 0.0015)
    gap = np.clip(chest.lungs[side] - fallen, 0, 1) * (1 - chest.heart)
    chest.vessels *= 1 - gap
    chest.opacify(fallen, 0.18)
    chest.air *= 1 + np.float32(0.22) * gap
    chest.add(gap, -0.05)
    line = frame.strokes([(np.concatenate([outline, outline[:1]]), 0.006, 1.0)]) * chest.lungs[side]
    chest.add(line * (1 - chest.heart), 0.20)
    return [frame.box(gap)]


def _effusion(chest: Chest, sign: Sign) -> Painted:
    frame, a, rng, boxes = chest.frame, chest.anatomy, sign.generator("fluid"), []
    for index, side in enumerate((sign.side, -sign.side)[: 2 if sign.is_bilateral else 1]):
        depth = sign.between(0.075, 0.26) * (1.0 if index == 0 else rng.uniform(0.5, 0.9))
        rise = rng.uniform(0.07, 0.10)
        outward = np.clip((frame.xs - 0.5) * np.float32(side / a.wall), 0, 1.1)
        surface = a.base_of(side) - depth - rise * (outward * outward * outward - 0.4)
        fluid = np.clip((frame.ys - surface) / 0.014, 0, 1) * chest.lungs[side]
        chest.opacify(fluid, 0.97)
        chest.add(fluid, 0.05)
        chest.vessels *= 1 - fluid
        boxes.append(frame.box(fluid * (1 - 0.6 * chest.heart)))
    return boxes


def _pleural_other(chest: Chest, sign: Sign) -> Painted:
    """Thickened pleura along the lateral wall, set with calcified plaques."""
    rng, frame, a, boxes = sign.generator("pleura"), chest.frame, chest.anatomy, []
    for side in (sign.side, -sign.side)[: 2 if sign.is_bilateral else 1]:
        top = rng.uniform(0.26, 0.34)
        bottom = top + sign.between(0.30, 0.42)
        outline = lung_outline(a, side)
        wall = outline[(np.abs(outline[:, 0] - 0.5) > 0.6 * a.wall) & (outline[:, 1] > top) & (outline[:, 1] < bottom)]
        wall = wall[np.argsort(wall[:, 1])]
        thick = sign.between(0.036, 0.052) * np.sin(np.linspace(0.25, np.pi - 0.25, len(wall)))
        thick = thick * (1 + 0.25 * rng.standard_normal(len(wall)))
        inner = wall - np.stack([side * thick, np.zeros(len(wall))], axis=1)
        rind = frame.fill(np.concatenate([wall + np.array([side * 0.004, 0]), inner[::-1]]), 0.0015)
        chest.opacify(rind, 0.9)
        chest.add(rind, 0.14)
        plaques = frame.zeros()
        for _ in range(int(rng.integers(6, 10))):
            px, py = inner[int(rng.integers(len(inner)))]
            angle = rng.uniform(1.1, 2.0)
            plaques = np.maximum(
                plaques,
                frame.blob(px + side * 0.004, py, rng.uniform(0.020, 0.034), rng.uniform(0.007, 0.012), angle=angle),
            )
        chest.add(plaques, 0.42)
        boxes.append(frame.box(np.maximum(rind, plaques), 0.4, margin=0.006))
    return boxes


def _fracture(chest: Chest, sign: Sign) -> Painted:
    """Callus around each break; the displaced bone itself is drawn by the anatomy."""
    rng, frame, a = sign.generator("callus"), chest.frame, chest.anatomy
    spots = frame.zeros()
    for fracture in a.breaks:
        line = (
            clavicle(a, fracture.side) if fracture.bone == CLAVICLE else chest.rib_lines[fracture.side, fracture.bone]
        )
        near, far = broken(line, a, fracture.side, fracture.bone)
        ends = np.stack([near[-1], far[0]])
        middle = ends.mean(axis=0)
        x, y = middle
        cuff = frame.blob(x, y, 0.034, 0.024, angle=rng.uniform(-0.4, 0.4), edge=0.5)
        gap = frame.strokes([(middle + np.array([[-0.005, -0.024], [0.005, 0.024]]), 0.009, 1.0)], soft=0.001)
        chest.add(cuff, sign.between(0.26, 0.38))
        chest.add(gap, -0.34)
        spots = np.maximum(spots, frame.blob(x, y, 0.040, 0.034))
    return [frame.box(spots, 0.5)]


def _hernia(chest: Chest, sign: Sign) -> Painted:
    """The stomach behind the heart: a round wall, air above, a straight fluid level."""
    rng, frame, a = sign.generator("hernia"), chest.frame, chest.anatomy
    r = sign.between(0.078, 0.105)
    x, y = 0.5 + rng.uniform(0.01, 0.06), a.base_of(LEFT) - rng.uniform(0.11, 0.15)
    sac = frame.blob(x, y, r * 1.08, r, edge=0.08)
    hollow = frame.blob(x, y, r * 0.94, r * 0.87, edge=0.08)
    level = np.clip((frame.ys - y - rng.uniform(-0.01, 0.015)) / 0.004, 0, 1)
    chest.opacify(sac, 0.9)
    chest.add(sac - hollow, 0.17)
    chest.add(hollow * level, 0.14)
    chest.add(hollow * (1 - level), -0.46)
    return [frame.box(sac)]


PAINTERS: dict[str, Callable[[Chest, Sign], Painted]] = {
    "Cardiomegaly": _cardiomegaly,
    "Emphysema": _emphysema,
    "Pneumothorax": _pneumothorax,
    "Pleural Effusion": _effusion,
    "Edema": _edema,
    "Atelectasis": _atelectasis,
    "Consolidation": _consolidation,
    "Pneumonia": _pneumonia,
    "Infiltration": _infiltration,
    "Nodule": _nodule,
    "Mass": _mass,
    "Pleural Other": _pleural_other,
    "Fracture": _fracture,
    "Hernia": _hernia,
}
