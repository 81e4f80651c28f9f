"""What a calibrated probability has meant so far: of validation studies given about as much, how many had it.

Here: the neighbours of one probability and the interval of their share. Not here: calibrating (``calibration``) and
judging a calibration as a whole (``metrics``).
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import numpy as np

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import LakeUnwritable
from radia_pipeline.evaluation.groups import MIN_PATIENTS
from radia_pipeline.evaluation.in_use import InUse, in_use
from radia_pipeline.evaluation.intervals import wilson
from radia_pipeline.evaluation.panel import ENSEMBLE, aligned
from radia_pipeline.lake import atomic
from radia_pipeline.lake.lake import Lake

NEIGHBOURS = 100
"""Most studies that are asked: the nearest."""
WIDTH = 0.1
"""How far a probability may lie from another and still be about as much."""
FEWEST = 10
"""Neighbours below which nothing is said."""
_PARTS = ("probability", "label", "patient")


@dataclass(frozen=True)
class Range:
    """Share with the finding among ``studies`` validation studies of about this probability, with its 95 % interval."""

    share: float
    low: float
    high: float
    studies: int


@dataclass(frozen=True)
class Reliability:
    """By class, in order of probability: probabilities, labels and patients (numbers) of validation studies."""

    by_class: tuple[tuple[np.ndarray, np.ndarray, np.ndarray], ...]

    def of(self, column: int, probability: float) -> Range | None:
        """Return what a probability of a class has meant; None where too few studies could say."""
        known, label, patient = self.by_class[column]
        low, high = np.searchsorted(known, [probability - WIDTH, probability + WIDTH])
        count = min(NEIGHBOURS, int(high - low))
        if count < FEWEST:
            return None
        start = int(low) + _nearest(known[low:high], probability, count)
        near = label[start : start + count]
        patients = len(np.unique(patient[start : start + count]))
        if patients < MIN_PATIENTS:
            return None
        share = float((near == 1).mean())
        return Range(share, *wilson(share, patients), count)


def _nearest(ordered: np.ndarray, value: float, count: int) -> int:
    """Return where the ``count`` values nearest to ``value`` begin."""
    start = int(np.clip(np.searchsorted(ordered, value) - count // 2, 0, len(ordered) - count))
    while start > 0 and value - ordered[start - 1] < ordered[start + count - 1] - value:
        start -= 1
    while start + count < len(ordered) and ordered[start + count] - value < value - ordered[start]:
        start += 1
    return start


def read_reliability(lake: Lake, using: InUse | None = None) -> Reliability:
    """Read the validation studies of what answers, or of an ensemble; raises MissingTable before they were predicted.

    Kept in the lake as numbers, patients as places in a list, for the table itself takes a second to open.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load, save

    using = using or in_use(lake)
    version = using.predictions.get(ENSEMBLE) or lake.version("predictions", ENSEMBLE)
    path = lake.models_dir / "_answers" / f"held-{version}.safetensors"
    columns = range(len(vocabulary().classes))
    try:
        held = load(path.read_bytes())
        first, second, third = ([held[f"{column}.{part}"] for column in columns] for part in _PARTS)
        return Reliability(tuple(zip(first, second, third, strict=True)))
    except (OSError, KeyError, SafetensorError):
        made = _made(using)
    named = {f"{column}.{part}": values for column in columns for part, values in zip(_PARTS, made.by_class[column])}
    with contextlib.suppress(LakeUnwritable):  # a lake that can only be read answers as well, only later
        atomic.write_bytes(path, save(named))
    return made


def _made(using: InUse) -> Reliability:
    """Take each study's probability from an ensemble that was fitted on the other patients, as the scorecard does."""
    from radia_pipeline.evaluation.judged import Judged

    chosen = using.ensemble
    panels = aligned([using.panel(name) for name in chosen.members])
    if not len(panels[0]):
        nothing = (np.zeros(0), np.zeros(0, dtype=np.int8), np.zeros(0, dtype=np.int64))
        return Reliability((nothing,) * len(vocabulary().classes))
    judged, found = Judged.ensemble_cross_fitted(chosen, panels), []
    patient, _ = judged.groups
    for column in range(len(vocabulary().classes)):
        label, held = judged.panel.label[:, column], judged.probability[:, column]
        kept = np.flatnonzero(((label == 0) | (label == 1)) & np.isfinite(held))
        kept = kept[np.argsort(held[kept], kind="stable")]
        found.append((held[kept], label[kept], patient[kept].astype(np.int64)))
    return Reliability(tuple(found))
