"""How fast a bootstrap is: sort once and reweigh, against resampling studies and calling scikit-learn each time.

Prints and keeps ratios measured in one run; absolute times depend on the machine and on what else runs there.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from radia_pipeline.evaluation import bootstrap, metrics
from radia_pipeline.evaluation.class_figures import FORMS, OneClass

STUDIES, CLASSES, REPLICATES, NAIVE_REPLICATES = 10_000, 14, 1000, 10
RESULT = Path(__file__).parent / "results" / "metrics.json"


def cpu(function) -> float:
    """Processor seconds of one call, the better of two."""
    best = float("inf")
    for _ in range(2):
        started = time.process_time()
        function()
        best = min(best, time.process_time() - started)
    return best


def naive(p: np.ndarray, y: np.ndarray) -> None:
    """AUC of resampled studies, one call of scikit-learn each."""
    rng = np.random.default_rng(0)
    for _ in range(NAIVE_REPLICATES):
        rows = rng.integers(0, STUDIES, STUDIES)
        for k in range(CLASSES):
            roc_auc_score(y[rows, k], p[rows, k])


def ours(p: np.ndarray, y: np.ndarray) -> None:
    """AUC of all replicates over shared draws."""
    ranked = [metrics.Ranked.of(p[:, k], y[:, k]) for k in range(CLASSES)]
    for weight in bootstrap.Resampler.of(np.arange(STUDIES), REPLICATES):
        for one in ranked:
            metrics.weighted_auc(one, weight[:, one.order])


def closed(p: np.ndarray, y: np.ndarray) -> None:
    """Every figure with its interval by closed forms, as the scorecard has them."""
    for k in range(CLASSES):
        one = OneClass.of(p[:, k], y[:, k], np.arange(STUDIES))
        for name in FORMS:
            one.figure(name)


def main() -> None:
    rng = np.random.default_rng(0)
    y = (rng.random((STUDIES, CLASSES)) < 0.2).astype(int)
    p = 1 / (1 + np.exp(-(rng.normal(size=y.shape) + 1.2 * y - 1)))
    slow, fast = cpu(lambda: naive(p, y)) * REPLICATES / NAIVE_REPLICATES, cpu(lambda: ours(p, y))
    every = cpu(lambda: closed(p, y))
    result = {
        "studies": STUDIES,
        "classes": CLASSES,
        "replicates": REPLICATES,
        "auc_s": round(fast, 3),
        "scikit_learn_s": round(slow, 2),
        "ratio": round(slow / fast, 1),
        "all_figures_with_closed_intervals_s": round(every, 3),
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
