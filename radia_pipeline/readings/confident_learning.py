"""What cleanlab says of the same labels: its quality of each label, and which it would call an issue.

Used of the package (Apache-2.0 since 2.9): ``rank.get_label_quality_scores`` (self-confidence) and
``filter.find_label_issues`` (confident joint, pruned by noise rate), class by class as its multi-label functions do, so
that cells without a label or a score can be left out. Not here: our own chance that a label is wrong (``label_noise``).

Shape legend: n studies, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radia_pipeline.contracts.label_values import NEGATIVE, POSITIVE

MIN_OF_A_KIND = 2
"""Labels of either value under which a class is not judged: the confident joint needs both."""


@dataclass(frozen=True)
class Confidence:
    """(n, K) each: ``quality`` from 0, surely wrong, to 1, NaN without label or score; ``is_issue``."""

    quality: np.ndarray
    is_issue: np.ndarray


def confidence(probability: np.ndarray, label: np.ndarray) -> Confidence:
    """Judge labels (n, K) of 1, 0 or anything else, by out-of-fold probabilities (n, K), NaN where there are none."""
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    quality, is_issue = np.full(label.shape, np.nan), np.zeros(label.shape, dtype=bool)
    for k in range(label.shape[1]):
        y = label[:, k]
        seen = np.isfinite(probability[:, k]) & ((y == POSITIVE) | (y == NEGATIVE))
        y, p = (y[seen] == POSITIVE).astype(int), probability[seen, k]
        if min(int(y.sum()), int((1 - y).sum())) < MIN_OF_A_KIND:
            continue
        both = np.column_stack([1 - p, p])
        quality[seen, k] = get_label_quality_scores(y, both)
        is_issue[seen, k] = find_label_issues(y, both, n_jobs=1)
    return Confidence(quality, is_issue)
