"""The normal chest seen from the front: outlines, ribs, vessels, and how they add up to optical thickness.

Thickness is in arbitrary units: soft tissue adds, air takes away, bone adds; whatever fills a lung replaces its air.
Signs of disease are in ``signs``; the film's response (window, noise) is in ``exposure``. ``side`` is −1 for the
patient's right lung (small x) and +1 for the left.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from radia_pipeline.phantom.canvas import Frame, generator, smooth_outline

RIGHT, LEFT = -1, 1
SIDES = (RIGHT, LEFT)
RIBS = 9
AIR_DEPTH = 0.66
"""Thickness that a fully aerated lung takes away at its deepest."""
HILUM = (0.075, 0.43)
"""Distance from the midline and height of each hilum."""
VESSEL_HEADINGS = np.array([-1.35, -1.0, -0.6, -0.2, 0.2, 0.6, 0.95, 1.3])
"""Directions in which vessels leave a hilum, in radians below the horizontal."""


@dataclass(frozen=True)
class Break:
    """A displaced fracture: the bone (rib index, or CLAVICLE), the share of its length, and the step of its far end."""

    side: int
    bone: int
    share: float
    step: float


CLAVICLE = -1


@dataclass(frozen=True)
class Anatomy:
    """One person's frontal chest in canonical units; ``dome`` is the height of each diaphragm over its angle."""

    wall: float = 0.36
    apex: float = 0.14
    base: float = 0.80
    dome: tuple[float, float] = (0.085, 0.075)
    lift: tuple[float, float] = (0.0, -0.015)
    cardiothoracic: float = 0.45
    heart_top: float = 0.42
    knob: float = 0.032
    rib_gap: float = 0.060
    rib_slope: float = 0.10
    fat: float = 0.0
    breast: float = 0.0
    air_gain: float = 1.0
    vessel_gain: float = 1.0
    bubble: float = 0.0
    vessel_seed: int = 0
    breaks: tuple[Break, ...] = ()

    def base_of(self, side: int) -> float:
        """Height of the costophrenic angle on a side; ``lift`` moves it up."""
        return self.base - self.lift[0 if side == RIGHT else 1]

    def dome_of(self, side: int) -> float:
        """Height of the dome above the angle on a side."""
        return self.dome[0 if side == RIGHT else 1]


def draw_anatomy(rng: np.random.Generator, *, is_female: bool, age_years: int, is_supine: bool) -> Anatomy:
    """Draw one person's chest; an AP film of a lying patient magnifies the heart and raises the diaphragm."""
    ratio = rng.uniform(0.41, 0.48) + (0.02 if is_supine else 0.0)
    dome = rng.uniform(0.07, 0.10)
    return Anatomy(
        wall=rng.uniform(0.335, 0.375),
        apex=rng.uniform(0.12, 0.155),
        base=rng.uniform(0.775, 0.825) - (0.02 if is_supine else 0.0),
        dome=(dome, dome * rng.uniform(0.8, 0.95)),
        lift=(rng.uniform(-0.004, 0.012), -rng.uniform(0.006, 0.02)),
        cardiothoracic=ratio,
        heart_top=rng.uniform(0.40, 0.44),
        knob=0.026 + 0.0002 * max(0, age_years - 30) + rng.uniform(0, 0.006),
        rib_gap=rng.uniform(0.056, 0.064),
        rib_slope=rng.uniform(0.08, 0.12),
        fat=rng.uniform(0.0, 0.10),
        breast=rng.uniform(0.05, 0.12) if is_female else 0.0,
        bubble=rng.uniform(0.0, 0.05),
        vessel_seed=int(rng.integers(1 << 31)),
    )


def lung_outline(a: Anatomy, side: int) -> np.ndarray:
    """Return the outline of one lung, the heart not yet taken out of it."""
    base, dome, wall = a.base_of(side), a.dome_of(side), a.wall
    reach = [
        (0.115, a.apex),
        (0.175, a.apex + 0.02),
        (0.235, a.apex + 0.075),
        (wall * 0.82, a.apex + 0.17),
        (wall * 0.93, a.apex + 0.30),
        (wall * 0.99, a.apex + 0.45),
        (wall, base - 0.10),
        (wall * 0.985, base - 0.02),
        (wall * 0.965, base),
        (wall * 0.90, base - dome * 0.42),
        (wall * 0.78, base - dome * 0.80),
        (wall * 0.58, base - dome),
        (wall * 0.36, base - dome * 0.92),
        (0.06, base - dome * 0.66),
        (0.05, base - 0.24),
        (0.048, 0.45),
        (0.046, 0.36),
        (0.058, 0.26),
        (0.075, a.apex + 0.035),
    ]
    return smooth_outline([(0.5 + side * x, y) for x, y in reach], steps=6)


def squeezed_lung_outline(a: Anatomy, side: int, share: float) -> np.ndarray:
    """Return a lung that has fallen towards its hilum to ``share`` of its size (pneumothorax)."""
    anchor = np.array([0.5 + side * 0.06, 0.55])
    return anchor + (lung_outline(a, side) - anchor) * np.array([share, 0.25 + 0.75 * share])


def heart_outline(a: Anatomy) -> np.ndarray:
    """Return the heart; its greatest width is ``cardiothoracic`` times that of the chest."""
    width = 2 * a.wall * a.cardiothoracic
    right, left = 0.31 * width, 0.69 * width
    floor = a.base_of(LEFT) - 0.02
    middle = floor - 0.115
    points = [
        (-0.045, a.heart_top),
        (0.04, a.heart_top),
        (0.24 * left + 0.045, a.heart_top + 0.05),
        (0.76 * left, middle - 0.09),
        (0.96 * left, middle - 0.01),
        (left, middle + 0.05),
        (0.90 * left, floor - 0.02),
        (0.45 * left, floor + 0.01),
        (-0.4 * right, floor + 0.005),
        (-0.88 * right, floor - 0.045),
        (-right, middle),
        (-0.88 * right, middle - 0.09),
        (-0.055, a.heart_top + 0.05),
    ]
    return smooth_outline([(0.5 + x, y) for x, y in points], steps=6)


def posterior_ribs(a: Anatomy, side: int) -> np.ndarray:
    """Return the centre lines of the posterior ribs, the highest first, from the spine to the wall: (RIBS, k, 2)."""
    index = np.arange(RIBS)[:, None]
    reach = np.minimum(1.0, 0.52 + 0.075 * index) * (a.wall + 0.012)
    x = 0.5 + side * np.maximum(np.array([0.10, 0.28, 0.5, 0.72, 0.9, 1.0]) * reach, 0.03)
    y = a.apex - 0.012 + index * a.rib_gap + np.array([-0.10, -0.26, -0.22, 0.12, 0.62, 1.0]) * a.rib_slope
    return smooth_outline(np.stack([x, y], axis=-1), closed=False, steps=6)


def anterior_ribs(posterior: np.ndarray, side: int) -> np.ndarray:
    """Return the anterior ribs that go on from the posterior ones, from the wall down to the cartilage."""
    start = posterior[1:7, -1]
    reach = np.abs(start[:, 0] - 0.5)[:, None]
    inner = np.maximum(0.11, 0.45 * reach)
    x = 0.5 + side * np.concatenate([reach, 0.88 * reach, 0.5 * (reach + inner), inner], axis=1)
    y = start[:, 1:] + np.array([[0.0, 0.055, 0.115, 0.135]])
    return smooth_outline(np.stack([x, y], axis=-1), closed=False, steps=6)


def clavicle(a: Anatomy, side: int) -> np.ndarray:
    """Return the centre line of a clavicle from the sternum outwards."""
    y = a.apex + 0.035
    points = [(0.035, y + 0.02), (0.10, y + 0.005), (0.18, y - 0.012), (0.26, y - 0.035), (0.33, y - 0.045)]
    return smooth_outline([(0.5 + side * x, py) for x, py in points], closed=False, steps=6)


def body_outline(a: Anatomy) -> np.ndarray:
    """Return neck, shoulders and trunk."""
    wall = a.wall + 0.045 + 0.25 * a.fat
    half = [
        (0.085, -0.1),
        (0.085, 0.03),
        (0.14, 0.075),
        (0.30, 0.085),
        (0.43, 0.13),
        (0.52, 0.24),
        (0.52, 0.42),
        (wall + 0.02, 0.44),
        (wall, 0.60),
        (wall, 0.80),
        (wall + 0.01, 1.1),
    ]
    return smooth_outline([(0.5 + x, y) for x, y in half] + [(0.5 - x, y) for x, y in half[::-1]], steps=5)


def _undrawn() -> np.ndarray:
    return np.zeros((0, 0), np.float32)


@dataclass
class Chest:
    """Rasters of one exposure while it is drawn; signs change them before ``thickness`` adds them up."""

    frame: Frame
    anatomy: Anatomy
    lungs: dict[int, np.ndarray] = field(default_factory=dict)
    heart: np.ndarray = field(default_factory=_undrawn)
    air: np.ndarray = field(default_factory=_undrawn)
    vessels: np.ndarray = field(default_factory=_undrawn)
    bones: np.ndarray = field(default_factory=_undrawn)
    extra: np.ndarray = field(default_factory=_undrawn)
    body: np.ndarray = field(default_factory=_undrawn)
    rib_lines: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)
    visibility: float = 1.0
    """How much of its full contrast the sign that is being painted has."""

    @property
    def both_lungs(self) -> np.ndarray:
        """Both lungs' masks together."""
        return np.maximum(self.lungs[RIGHT], self.lungs[LEFT])

    def opacify(self, mask: np.ndarray, amount: float) -> None:
        """Replace ``amount`` (0..1) of the air under ``mask`` by something as dense as soft tissue."""
        self.air *= 1 - np.float32(amount * self.visibility) * mask

    def add(self, mask: np.ndarray, thickness: float) -> None:
        """Add thickness under ``mask``."""
        self.extra += np.float32(thickness * self.visibility) * mask

    def thickness(self) -> np.ndarray:
        """Add everything up."""
        return self.body - self.air + self.vessels * self.air + self.bones + self.extra


def lung_depth(lung: np.ndarray, frame: Frame) -> np.ndarray:
    """Return how deep the lung is along the beam, 0..1: the distance to its edge, rounded off like a vault."""
    inside = (lung > 0.5).astype(np.uint8)
    distance = cv2.distanceTransform(inside, cv2.DIST_L2, 3) / np.float32(frame.length_px(0.075))
    vault = np.sqrt(np.clip(distance * (2 - np.minimum(distance, 1)), 0, 1))
    return frame.soften(np.minimum(vault, 1) * (0.25 + 0.75 * lung), 0.004)


def _branches(rng: np.random.Generator, side: int) -> list[tuple[np.ndarray, float, float]]:
    """Return one lung's vessels as bundles: lines that leave the hilum, fork and taper."""
    heading = VESSEL_HEADINGS + rng.uniform(-0.12, 0.12, len(VESSEL_HEADINGS))
    place = np.tile([0.5 + side * HILUM[0], HILUM[1] + (0.0 if side == RIGHT else -0.02)], (len(heading), 1))
    count, width, lines = len(heading), 0.0135, []

    def ahead(angle: np.ndarray, length: np.ndarray) -> np.ndarray:
        return np.stack([side * np.cos(angle) * length, np.sin(angle) * length], axis=-1)

    for _ in range(5):
        length = rng.uniform(0.045, 0.075, count)
        heading = heading + rng.uniform(-0.25, 0.25, count)
        bend = heading + rng.uniform(-0.2, 0.2, count)
        middle = place + ahead(heading, length / 2)
        end = middle + ahead(bend, length / 2)
        lines.append((np.stack([place, middle, end], axis=1), width, 0.25 + 38 * width))
        for fork in (-1, 1):
            tip = end + ahead(bend + fork * rng.uniform(0.4, 0.9, count), rng.uniform(0.03, 0.07, count))
            lines.append((np.stack([end, tip], axis=1), width * 0.55, 0.2 + 38 * width * 0.5))
        place, width = end, width * 0.72
    return lines


def draw_vessels(a: Anatomy, frame: Frame) -> np.ndarray:
    """Return the vascular markings of both lungs, 0..1; the same person's vessels run the same way each time."""
    rng = generator(a.vessel_seed, "vessels")
    lines = [line for side in SIDES for line in _branches(rng, side)]
    raster = frame.strokes(sorted(lines, key=lambda line: line[2]), soft=0.0016)
    hila = sum(frame.blob(0.5 + s * 0.07, HILUM[1], 0.035, 0.065, angle=s * 0.3, edge=1.2) for s in SIDES)
    return np.clip(raster * np.float32(0.75) + hila * np.float32(0.5), 0, 1)


def broken(line: np.ndarray, a: Anatomy, side: int, bone: int) -> list[np.ndarray]:
    """Return a bone's centre line in one piece, or in two with a gap and a step where this anatomy breaks it."""
    for fracture in a.breaks:
        if (fracture.side, fracture.bone) == (side, bone):
            cut = max(2, min(len(line) - 3, round(fracture.share * (len(line) - 1))))
            far = line[cut + 1 :] + np.array([-0.35 * side * abs(fracture.step), fracture.step])
            return [line[:cut], far]
    return [line]


def draw_bones(a: Anatomy, frame: Frame) -> tuple[np.ndarray, dict[tuple[int, int], np.ndarray]]:
    """Return bone thickness and the posterior ribs' centre lines by (side, index), breaks displaced."""
    lines = []
    ribs: dict[tuple[int, int], np.ndarray] = {}
    for side in SIDES:
        posterior = posterior_ribs(a, side)
        ribs |= {(side, index): rib for index, rib in enumerate(posterior)}
        lines.append((anterior_ribs(posterior, side), 0.024, 0.30))
    pieces = [part for (side, index), rib in ribs.items() for part in broken(rib, a, side, index)]
    whole = np.stack([part for part in pieces if len(part) == len(posterior[0])])
    parts = [part for part in pieces if len(part) != len(posterior[0])]
    for width, level in ((0.0235, 0.66), (0.0150, 0.46)):
        lines += [(bundle, width, level) for bundle in (whole, *parts)]
    raster = frame.strokes(lines, soft=0.0018)
    collar = frame.strokes(
        [
            (part, *shell)
            for side in SIDES
            for part in broken(clavicle(a, side), a, side, CLAVICLE)
            for shell in [(0.028, 0.9), (0.017, 0.7)]
        ],
        soft=0.002,
    )
    spine_x = np.exp(-np.square(np.square((frame.xs - 0.5) * np.float32(1 / 0.034))))
    vertebrae = 0.65 + 0.35 * np.cos(2 * np.pi * (frame.ys - a.apex) / a.rib_gap) ** 2
    return 0.25 * raster + 0.19 * collar + 0.12 * spine_x * vertebrae, ribs


def _body_thickness(a: Anatomy, frame: Frame) -> np.ndarray:
    body = frame.fill(body_outline(a), 0.004)
    profile = 0.80 + 0.6 * a.fat - 0.55 * (frame.xs - 0.5) ** 2
    below = np.clip((frame.ys - a.base) * 6 + 0.5, 0, 1)
    thickness = body * (profile + 0.12 * below)
    if a.breast:
        for side in SIDES:
            thickness += a.breast * frame.blob(0.5 + side * 0.21, 0.66, 0.15, 0.14, edge=0.35)
    for side in SIDES:
        scapula = [
            (0.5 + side * x, y) for x, y in [(0.30, 0.13), (0.40, 0.17), (0.36, 0.33), (0.30, 0.47), (0.27, 0.30)]
        ]
        thickness += 0.045 * frame.fill(smooth_outline(scapula), 0.006)
    return thickness


def _mediastinum(a: Anatomy, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    """Return the mediastinum with the aortic knob (0..1), and the airways (0..1)."""
    half = [(0.075, 0.0), (0.055, 0.12), (0.058, 0.24), (0.062, 0.36), (0.06, 0.5), (0.05, 0.9)]
    outline = smooth_outline([(0.5 + x, y) for x, y in half] + [(0.5 - x, y) for x, y in half[::-1]], steps=5)
    knob = frame.blob(0.5 + 0.038 + 0.5 * a.knob, 0.31, a.knob, a.knob * 1.25, edge=0.18)
    trachea = smooth_outline([(0.5, -0.02), (0.502, 0.18), (0.497, 0.355)], closed=False)
    bronchi = [
        smooth_outline([(0.497, 0.35), (0.5 + s * 0.045, 0.40), (0.5 + s * 0.085, 0.43)], closed=False) for s in SIDES
    ]
    airways = frame.strokes([(trachea, 0.036, 1.0)] + [(line, 0.021, 0.7) for line in bronchi], soft=0.003)
    return np.maximum(frame.fill(outline, 0.005), knob), airways


def draw_chest(a: Anatomy, frame: Frame) -> Chest:
    """Draw the rasters of a chest of this anatomy."""
    chest = Chest(frame, a)
    chest.body = _body_thickness(a, frame)
    chest.extra = frame.zeros()
    for side in SIDES:
        chest.lungs[side] = frame.fill(lung_outline(a, side), 0.002)
    chest.heart = frame.fill(heart_outline(a), 0.003)
    middle, airways = _mediastinum(a, frame)
    hidden = np.maximum(chest.heart, middle)
    chest.air = (
        np.float32(AIR_DEPTH * a.air_gain) * lung_depth(chest.both_lungs, frame) * (1 - np.float32(0.93) * hidden)
    )
    chest.vessels = draw_vessels(a, frame) * np.float32(0.42 * a.vessel_gain)
    chest.bones, chest.rib_lines = draw_bones(a, frame)
    chest.extra += 0.10 * chest.heart + 0.08 * middle - 0.16 * airways
    if a.bubble > 0.02:
        bubble = frame.blob(
            0.5 + 0.17, a.base_of(LEFT) - a.dome_of(LEFT) + 0.025 + a.bubble, 1.6 * a.bubble, a.bubble, edge=0.2
        )
        chest.extra -= 0.28 * bubble * (1 - chest.lungs[LEFT])
    return chest
