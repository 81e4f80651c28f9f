"""One radiograph from one study's parameters: picks the view, draws, develops, and gives the boxes of what it drew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radia_pipeline.phantom.canvas import Frame, draw_waves, generator
from radia_pipeline.phantom.exposure import develop, draw_exposure
from radia_pipeline.phantom.frontal import SIDES, Anatomy, draw_anatomy, draw_chest, lung_outline
from radia_pipeline.phantom.frontal_signs import Box, paint
from radia_pipeline.phantom.lateral import draw_lateral_chest, paint_lateral
from radia_pipeline.phantom.signs import Sign, bend

BUILD, BREATH = 0.004, 0.005
"""Heights of the waves by which one person's chest differs from the template, and one exposure from the next by
breath, stance and heartbeat: films of one patient are different exposures down to their finest detail.
"""


@dataclass(frozen=True)
class Radiograph:
    """Grey values 0..1 (height, width), bright = dense, and (class, box in pixels) of each sign that shows."""

    grey: np.ndarray
    boxes: tuple[tuple[str, Box], ...]


@dataclass(frozen=True)
class Film:
    """What decides one picture. ``seeds``: person (anatomy) and exposure (position, noise)."""

    view: str
    person_seed: int
    exposure_seed: int
    is_female: bool
    age_years: int
    signs: tuple[Sign, ...]
    size_px: int = 320
    is_square: bool = False


def _frame(film: Film, rng: np.random.Generator) -> Frame:
    aspect = 1.0 if film.is_square else float(rng.choice([1.0, 0.95, 0.9]))
    portrait = rng.random() < 0.85
    width, height = round(film.size_px * (aspect if portrait else 1)), round(film.size_px * (1 if portrait else aspect))
    tilt = 0.055 if film.view == "AP" else 0.03
    shift = (float(rng.uniform(-0.015, 0.015)), float(rng.uniform(-0.02, 0.02)))
    build = draw_waves(generator(film.person_seed, "build"), BUILD)
    breath = draw_waves(generator(film.exposure_seed, "breath"), BREATH)
    return Frame(width, height, float(rng.uniform(-tilt, tilt)), float(rng.uniform(0.95, 1.05)), shift, build + breath)


def person_anatomy(film: Film) -> Anatomy:
    """Return the anatomy of the film's person, its signs not yet bending it."""
    return draw_anatomy(
        generator(film.person_seed, "anatomy"),
        is_female=film.is_female,
        age_years=film.age_years,
        is_supine=film.view == "AP",
    )


def take(film: Film) -> Radiograph:
    """Draw a film: a pure function of its parameters."""
    anatomy = person_anatomy(film)
    for sign in film.signs:
        anatomy = bend(anatomy, sign)
    frame = _frame(film, generator(film.exposure_seed, "frame"))
    is_lateral = film.view == "LATERAL"
    chest = draw_lateral_chest(anatomy, frame) if is_lateral else draw_chest(anatomy, frame)
    boxes = []
    for sign in film.signs:
        painted = paint_lateral(chest, sign) if is_lateral else paint(chest, sign)
        boxes += [(sign.name, box) for box in painted]
    rng = generator(film.exposure_seed, "exposure")
    exposure = draw_exposure(rng, is_portable=film.view == "AP")
    return Radiograph(develop(chest.thickness(), frame, exposure, rng), tuple(boxes))


def thorax_of(film: Film) -> np.ndarray:
    """Return where the thorax of a frontal film lies, bool (height, width): both lungs and all that is between them."""
    import cv2

    anatomy = person_anatomy(film)
    for sign in film.signs:
        anatomy = bend(anatomy, sign)
    frame = _frame(film, generator(film.exposure_seed, "frame"))
    outlines = np.concatenate([lung_outline(anatomy, side) for side in SIDES])
    hull = cv2.convexHull(outlines.astype(np.float32))[:, 0].astype(np.float64)
    return frame.fill(hull) > 0.5
