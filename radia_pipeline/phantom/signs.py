"""Signs of pathologies: which parameters a sign has in a study, and how it bends the anatomy before that is drawn.

Parameters are drawn once for a study, so that each of its films shows the same disease. How a sign is painted is in
``frontal_signs`` and ``lateral``. A pathology of the vocabulary without a sign here is drawn as nothing, and whoever
writes a phantom says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.phantom.canvas import generator
from radia_pipeline.phantom.frontal import CLAVICLE, RIGHT, SIDES, Anatomy, Break

ORDER = (
    "Emphysema",
    "Cardiomegaly",
    "Edema",
    "Infiltration",
    "Pneumonia",
    "Consolidation",
    "Atelectasis",
    "Mass",
    "Nodule",
    "Pneumothorax",
    "Pleural Effusion",
    "Pleural Other",
    "Fracture",
    "Hernia",
)
"""Order of bending and painting: what lies over what."""


def drawn() -> tuple[str, ...]:
    """Return the vocabulary's pathologies that have a sign, in its order."""
    return tuple(name for name in vocabulary().pathologies if name in ORDER)


def undrawn() -> tuple[str, ...]:
    """Return those that are drawn as nothing."""
    return tuple(name for name in vocabulary().pathologies if name not in ORDER)


ZONES = tuple((side, height) for side in SIDES for height in ("upper", "middle", "lower"))
ZONE_CENTRES = {"upper": (0.20, 0.30), "middle": (0.235, 0.45), "lower": (0.25, 0.63)}
"""Distance from the midline and height of a zone's middle, in canonical units."""


@dataclass(frozen=True)
class Sign:
    """One pathology's parameters in a study; ``strength`` 0..1 runs from small to gross, ``visibility`` is contrast."""

    name: str
    side: int
    zone: str
    strength: float
    seed: int
    is_bilateral: bool = False
    visibility: float = 1.0

    def generator(self, part: str) -> np.random.Generator:
        """Return this sign's own random stream for a part of its drawing."""
        return generator(self.seed, self.name, part)

    @property
    def centre(self) -> tuple[float, float]:
        """Canonical middle of the sign's zone."""
        distance, height = ZONE_CENTRES[self.zone]
        return 0.5 + self.side * distance, height

    def between(self, low: float, high: float) -> float:
        """Return the value at this sign's strength."""
        return low + self.strength * (high - low)


def draw_signs(names: set[str], rng: np.random.Generator, kept: Sequence[Sign] = ()) -> list[Sign]:
    """Draw the parameters of a study's pathologies, each in a zone of its own as far as there are free ones.

    ``kept``: signs of earlier studies that are still there; they keep their place. A pathology without a sign has none
    in the result.
    """
    free = list(ZONES)
    rng.shuffle(free)
    free = [(int(side), str(zone)) for side, zone in free]
    for sign in kept:
        free = _without(free, sign)
    signs = list(kept)
    for name in sorted((names & set(ORDER)) - {sign.name for sign in kept}, key=PLACING.index):
        accepted = FITTING_ZONES.get(name, tuple(ZONE_CENTRES))
        fitting = [place for place in free if place[1] in accepted]
        side, zone = (
            fitting[0] if fitting else (SIDES[int(rng.integers(2))], accepted[int(rng.integers(len(accepted)))])
        )
        strength = float(np.clip(rng.beta(2.2, 1.6), 0.08, 1.0))
        is_bilateral = bool(rng.random() < BILATERAL.get(name, 0.0))
        visibility = float(rng.uniform(*FAINT)) if rng.random() < FAINT_SHARE else 1.0
        signs.append(Sign(name, side, zone, strength, int(rng.integers(1 << 31)), is_bilateral, visibility))
        free = _without(free, signs[-1])
    return sorted(signs, key=lambda sign: ORDER.index(sign.name))


def _without(free: list[tuple[int, str]], sign: Sign) -> list[tuple[int, str]]:
    """Return the places that a sign leaves free; a pneumothorax takes its whole side."""
    if sign.name in WHOLE_CHEST:
        return free
    return [(s, z) for s, z in free if not (s == sign.side and (z == sign.zone or sign.name == "Pneumothorax"))]


FAINT_SHARE, FAINT = 0.15, (0.4, 0.75)
"""Share of signs that are hard to see, and how much of their contrast is left."""
BILATERAL = {"Pleural Effusion": 0.3, "Infiltration": 0.5, "Pleural Other": 0.4}
WHOLE_CHEST = ("Cardiomegaly", "Emphysema", "Edema", "Hernia", "Fracture")
PLACING = (
    "Pneumothorax",
    "Pleural Effusion",
    "Pleural Other",
    "Consolidation",
    "Mass",
    "Atelectasis",
    "Pneumonia",
    "Infiltration",
    "Nodule",
    "Fracture",
    "Hernia",
    "Edema",
    "Cardiomegaly",
    "Emphysema",
)
FITTING_ZONES = {
    "Pleural Effusion": ("lower",),
    "Atelectasis": ("lower", "middle"),
    "Pneumothorax": ("upper",),
    "Pleural Other": ("middle",),
}


def bend(anatomy: Anatomy, sign: Sign) -> Anatomy:
    """Return the anatomy as this sign changes it."""
    change = BENDS.get(sign.name)
    return change(anatomy, sign) if change else anatomy


def _bend_cardiomegaly(a: Anatomy, sign: Sign) -> Anatomy:
    return replace(a, cardiothoracic=sign.between(0.58, 0.70), heart_top=a.heart_top - 0.015)


def _bend_emphysema(a: Anatomy, sign: Sign) -> Anatomy:
    return replace(
        a,
        base=min(0.86, a.base + sign.between(0.035, 0.055)),
        dome=(0.022, 0.018),
        wall=a.wall + 0.012,
        apex=a.apex - 0.012,
        air_gain=sign.between(1.14, 1.26),
        vessel_gain=sign.between(0.62, 0.4),
        cardiothoracic=a.cardiothoracic - 0.05,
        rib_slope=a.rib_slope * 0.6,
        rib_gap=a.rib_gap * 1.07,
    )


def _bend_atelectasis(a: Anatomy, sign: Sign) -> Anatomy:
    (right, left), more = a.lift, sign.between(0.025, 0.05)
    return replace(a, lift=(right + more, left) if sign.side == RIGHT else (right, left + more))


def _bend_fracture(a: Anatomy, sign: Sign) -> Anatomy:
    rng = sign.generator("breaks")
    direction = 1 if rng.random() < 0.7 else -1
    if rng.random() < 0.12:
        step = direction * sign.between(0.028, 0.042)
        return replace(a, breaks=(Break(sign.side, CLAVICLE, rng.uniform(0.45, 0.6), step),))
    first, count = int(rng.integers(2, 5)), int(rng.integers(3, 5))
    share = rng.uniform(0.5, 0.75)
    step = direction * sign.between(0.017, 0.026)
    return replace(
        a,
        breaks=tuple(Break(sign.side, i, share + rng.uniform(-0.03, 0.03), step) for i in range(first, first + count)),
    )


BENDS: dict[str, Callable[[Anatomy, Sign], Anatomy]] = {
    "Cardiomegaly": _bend_cardiomegaly,
    "Emphysema": _bend_emphysema,
    "Atelectasis": _bend_atelectasis,
    "Fracture": _bend_fracture,
}
