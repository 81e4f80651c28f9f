"""Calibrations that still hold after classes were made coherent.

Calibrated class by class, probabilities contradict the vocabulary; made coherent, they are calibrated no longer: a
parent that was raised to its child says too much. So the curves are fitted *through* the step: each class's coherent
log odds are calibrated again by Platt's line, that line goes into the class's own curve, before the step, and this is
repeated until nothing moves. What results is coherent to the last bit, for the step comes last, and needs no parameter
that a single calibration would not. Not here: single curves (``calibration``), the step (``coherence``), which studies
they are fitted on (``ensemble``, ``judged``).

Shape legend: n studies, K classes in the vocabulary's order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from radia_pipeline.evaluation.calibration import MAX_SLOPE, MIN_SLOPE, Calibration, fit_platt
from radia_pipeline.evaluation.coherence import WAYS

ROUNDS, STILL = 80, 0.003
"""At most so many rounds; a line within ``STILL`` of identity, slope and offset, moves nothing that a pool can show."""
PATIENCE = 12
"""Rounds without a nearer one, after which labels contradict the vocabulary too much to come to rest."""
REACH = 1.4
"""How much farther than its line a round goes: each mends a part of what the others undo, so that plain steps creep."""


def coherent(fits: Sequence[Calibration], way: str, logits: np.ndarray) -> np.ndarray:
    """Return logits (n, K) after each class's curve and the way to coherence."""
    return WAYS[way](np.stack([fit(logits[:, k]) for k, fit in enumerate(fits)], axis=1))


def settled(fits: Sequence[Calibration], way: str, logits: np.ndarray, label: np.ndarray) -> tuple[Calibration, ...]:
    """Return curves under which every class's *coherent* log odds have slope 1 and offset 0 by Platt's fit.

    ``logits``, ``label`` (n, K): what the curves were fitted on. Where rounds do not come to rest (few studies that
    contradict the vocabulary) the one that left least to mend is kept. A class without both kinds keeps its curve.
    """
    best, least, of_best, now = tuple(fits), np.inf, 0, tuple(fits)
    for number in range(ROUNDS):
        moved = coherent(now, way, logits)
        lines = [_line(moved[:, k], label[:, k]) for k in range(label.shape[1])]
        left = max(max(abs(line.a - 1), abs(line.b)) for line in lines)
        if left < least:
            best, least, of_best = now, left, number
        if left < STILL or number - of_best > PATIENCE:
            break
        now = tuple(_then(fit, line) for fit, line in zip(now, lines, strict=True))
    return best


def _line(logits: np.ndarray, label: np.ndarray) -> Calibration:
    known = np.isfinite(logits)
    return fit_platt(logits[known], label[known])


def _then(fit: Calibration, line: Calibration) -> Calibration:
    """Return a curve followed by a line, of which it goes REACH; it stays a rising one of allowed slope."""
    slope, shift = 1 + REACH * (line.a - 1), REACH * line.b
    slope = float(np.clip(slope, MIN_SLOPE, MAX_SLOPE))
    if not MIN_SLOPE <= fit.a * slope <= MAX_SLOPE:
        slope = 1.0
    return fit.then(slope, shift)
