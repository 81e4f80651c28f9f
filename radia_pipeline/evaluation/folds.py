"""Cross-fitting over groups of patients: what is fitted on validation is judged on its other patients.

Not here: what is fitted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np

from radia_pipeline.evaluation.groups import numbered

FOLDS = 5


def fold_of(group_ids: np.ndarray, folds: int = FOLDS) -> np.ndarray:
    """Return the fold (n,) of each study: by its group alone, each fold with about as many groups."""
    index, names = numbered(group_ids)
    hashed = [hashlib.sha256(name.encode()).digest() for name in names]
    rank = np.empty(len(names), dtype=int)
    rank[sorted(range(len(names)), key=lambda place: hashed[place])] = np.arange(len(names))
    return (rank % folds)[index]


def splits(group_ids: np.ndarray, folds: int = FOLDS) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (fitted on, judged on), bool (n,) each; nothing where there is one group only."""
    fold = fold_of(group_ids, folds)
    for number in np.unique(fold):
        judged = fold == number
        if judged.any() and not judged.all():
            yield ~judged, judged
