"""Probabilities that agree with the vocabulary: no class is likelier than a class above it.

A study with a child has its parents too, in truth and in labels; calibration class by class breaks that. Three ways to
mend it, chosen on validation. Not here: calibration of single classes (``calibration``), and through this step
(``settling``).

Shape legend: n studies, K classes in the vocabulary's order.
"""

from __future__ import annotations

import numpy as np

from radia_pipeline.contracts.choices import Table
from radia_pipeline.contracts.vocabulary import vocabulary


def edges() -> tuple[tuple[int, int], ...]:
    """Return (child, ancestor) of all classes, parents before those above them."""
    words = vocabulary()
    return tuple((words.index(name), words.index(above)) for name in words.classes for above in words.ancestors(name))


def raised(values: np.ndarray) -> np.ndarray:
    """Raise each class to the highest of those below it: evidence for a child is evidence for its parents."""
    out = np.array(values, dtype=np.float64)
    for child, above in edges():
        out[:, above] = np.fmax(out[:, above], values[:, child])
    return _with_gaps_of(values, out)


def capped(values: np.ndarray) -> np.ndarray:
    """Lower each class to the lowest of those above it: doubt of a parent is doubt of its children."""
    out = np.array(values, dtype=np.float64)
    for child, above in edges():
        out[:, child] = np.fmin(out[:, child], values[:, above])
    return _with_gaps_of(values, out)


def met(values: np.ndarray) -> np.ndarray:
    """Meet in the middle of both."""
    return 0.5 * raised(values) + 0.5 * capped(values)


def _with_gaps_of(values: np.ndarray, out: np.ndarray) -> np.ndarray:
    """A class that has no value has none afterwards."""
    out[~np.isfinite(values)] = np.nan
    return out


WAYS = Table("way to coherence", {"met": met, "raised": raised, "capped": capped})
"""Logits or probabilities (n, K) → coherent ones, in order of preference."""


def violations(values: np.ndarray) -> int:
    """Return how many cells lie above one of their ancestors."""
    found = np.zeros(values.shape, dtype=bool)
    for child, above in edges():
        with np.errstate(invalid="ignore"):
            found[:, child] |= values[:, child] > values[:, above]
    return int(found.sum())
