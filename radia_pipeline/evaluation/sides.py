"""Which side of a film is the patient's left: learned from a lake's own frontal films and their mirror images.

A film and its mirror image have opposite features (``dicom.sides``), so that a linear score changes its sign with the
film. The threshold is a quantile of the scores of films to which their model did not contribute, patient by patient, as
are the shares that are told. Numbers only, no film. Not here: where it is kept (``familiarity``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from radia_pipeline.dicom.sides import side_features

QUANTILE = 0.01
"""Of films that lie as they should, how many are taken for mirrored."""
STRENGTH = 0.002
"""Inverse of the penalty, on features of one standard deviation; between .001 and .03 nothing changes much."""
FEWEST = 100
_FOLDS = 5


@dataclass(frozen=True)
class Sides:
    """``weights`` of the features, none where there were too few films to learn from; a score below ``threshold`` is of
    a mirrored film. ``false_alarms`` and ``found``: shares of films and of their mirror images below it."""

    weights: tuple[float, ...] = ()
    threshold: float = 0.0
    false_alarms: float | None = None
    found: float | None = None

    def score(self, grid: np.ndarray) -> float:
        """Return above 0 where a film, laid out (64, 64), lies as those learned from, below 0 where its image does."""
        return float(np.dot(self.weights, side_features(grid))) if self.weights else 0.0

    def is_mirrored(self, grid: np.ndarray) -> bool:
        """Tell whether a film, laid out (64, 64), is surely the wrong way round."""
        return bool(self.weights) and self.score(grid) < self.threshold


def fit_sides(features: np.ndarray, groups: Sequence[str]) -> Sides:
    """Learn from the features (n, f) of frontal films; ``groups`` (n,): of patients, no two in different folds."""
    from sklearn.model_selection import GroupKFold

    if len(features) < FEWEST or len(set(groups)) < _FOLDS:
        return Sides()
    scores = np.empty(len(features))
    for learned, others in GroupKFold(_FOLDS).split(features, groups=groups):
        scores[others] = features[others] @ weights_of(features[learned])
    threshold = min(0.0, float(np.quantile(scores, QUANTILE)))
    shares = (float((values < threshold).mean()) for values in (scores, -scores))
    return Sides(tuple(weights_of(features).tolist()), threshold, *shares)


def weights_of(features: np.ndarray) -> np.ndarray:
    """Return weights (f,) by which films and their mirror images are told apart."""
    from sklearn.linear_model import LogisticRegression

    scale = max(float(features.std()), 1e-9)
    both, target = np.concatenate([features, -features]) / scale, np.repeat([1, 0], len(features))
    return LogisticRegression(C=STRENGTH, fit_intercept=False, max_iter=1000).fit(both, target).coef_[0] / scale
