"""Who is examined and what they have: patients, their studies, the pathologies of each, and which films are taken.

Everything is a pure function of (seed, source, patient number), so that any worker can draw any patient. No pixels and
no sentences here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radia_pipeline.phantom.canvas import generator
from radia_pipeline.phantom.radiograph import Film
from radia_pipeline.phantom.signs import Sign, draw_signs

NORMAL_PATIENTS = 0.20
"""Share of patients without any pathology; with the normal studies of the others a quarter of all studies is normal."""
CHRONIC = {
    "Cardiomegaly": 0.13,
    "Emphysema": 0.11,
    "Pleural Other": 0.115,
    "Hernia": 0.115,
    "Mass": 0.11,
    "Nodule": 0.13,
}
"""Chance per patient who is not normal; these stay from study to study."""
ACUTE = {
    "Pneumothorax": 0.095,
    "Fracture": 0.105,
    "Edema": 0.07,
    "Pneumonia": 0.115,
    "Consolidation": 0.09,
    "Infiltration": 0.12,
    "Atelectasis": 0.11,
    "Pleural Effusion": 0.12,
}
"""Chance per study; drawn in this order, each after its causes."""
CAUSES = {
    ("Fracture", "Pneumothorax"): 0.12,
    ("Emphysema", "Pneumothorax"): 0.08,
    ("Cardiomegaly", "Edema"): 0.30,
    ("Edema", "Pleural Effusion"): 0.35,
    ("Cardiomegaly", "Pleural Effusion"): 0.12,
    ("Mass", "Pleural Effusion"): 0.10,
    ("Pneumonia", "Pleural Effusion"): 0.08,
    ("Pleural Effusion", "Atelectasis"): 0.18,
    ("Mass", "Nodule"): 0.15,
    ("Emphysema", "Mass"): 0.08,
}
"""Added chance of the second where the first is present."""
QUIET_STUDY = 0.06
"""Chance that a study of a patient with pathologies shows none of them."""


@dataclass(frozen=True)
class Image:
    """One film of a study and its number there."""

    number: int
    film: Film


@dataclass(frozen=True)
class Study:
    """One examination: its pathologies as drawn and its films."""

    number: int
    pathologies: frozenset[str]
    images: tuple[Image, ...]
    text_seed: int
    days: int


@dataclass(frozen=True)
class Patient:
    """One person of a source; ``number`` counts from 1."""

    source: str
    number: int
    is_female: bool
    age_years: int
    studies: tuple[Study, ...]


def draw_patient(seed: int, source: str, number: int, size_px: int) -> Patient:
    """Draw a patient of ``source``."""
    rng = generator(seed, source, number, "patient")
    is_female, age = bool(rng.random() < 0.48), int(np.clip(rng.normal(60, 17), 18, 98))
    is_normal = rng.random() < NORMAL_PATIENTS
    chronic = frozenset() if is_normal else _chronic(rng)
    lasting = {sign.name: sign for sign in draw_signs(set(chronic), rng)}
    person_seed = int(rng.integers(1 << 31))
    studies = []
    for study_number in range(int(rng.choice([1, 2, 3, 4], p=[0.58, 0.25, 0.11, 0.06]))):
        study_rng = generator(seed, source, number, "study", study_number)
        names = frozenset() if is_normal else _pathologies(chronic, study_rng)
        signs = _signs(names, lasting, study_rng)
        views = _views(source, study_rng)
        images = tuple(
            Image(
                i,
                Film(
                    view,
                    person_seed,
                    int(study_rng.integers(1 << 31)),
                    is_female,
                    age,
                    signs,
                    size_px,
                    source == "nih_cxr14",
                ),
            )
            for i, view in enumerate(views)
        )
        days = study_number * 211 + int(study_rng.integers(0, 200))
        studies.append(Study(study_number, names, images, int(study_rng.integers(1 << 31)), days))
    return Patient(source, number, is_female, age, tuple(studies))


def _chronic(rng: np.random.Generator) -> frozenset[str]:
    present: set[str] = set()
    for name, chance in CHRONIC.items():
        extra = sum(added for (cause, effect), added in CAUSES.items() if effect == name and cause in present)
        if rng.random() < chance + extra:
            present.add(name)
    return frozenset(present)


def _pathologies(chronic: frozenset[str], rng: np.random.Generator) -> frozenset[str]:
    """Draw a study's pathologies; a patient who is not normal shows at least one, a quiet study apart."""
    if rng.random() < QUIET_STUDY:
        return frozenset()
    present = set(chronic)
    while True:
        for name in _acute_order():
            extra = sum(added for (cause, effect), added in CAUSES.items() if effect == name and cause in present)
            if rng.random() < ACUTE[name] + extra:
                present.add(name)
        if present:
            return frozenset(present)


def _acute_order() -> tuple[str, ...]:
    return ("Fracture", *(name for name in ACUTE if name != "Fracture"))


def _signs(names: frozenset[str], lasting: dict[str, Sign], rng: np.random.Generator) -> tuple[Sign, ...]:
    """Keep the lasting signs as they were and give the acute ones zones beside them."""
    drawn = {sign.name: sign for sign in draw_signs(set(names), rng, [s for s in lasting.values() if s.name in names])}
    return tuple(drawn.values())


def _views(source: str, rng: np.random.Generator) -> tuple[str, ...]:
    is_portable = rng.random() < 0.3
    frontal = "AP" if is_portable else "PA"
    if source in ("nih_cxr14", "vindr_cxr"):
        return (frontal,)
    lateral = ("LATERAL",) if not is_portable and rng.random() < 0.55 else ()
    second = (frontal,) if rng.random() < 0.08 else ()
    return (frontal, *second, *lateral)
