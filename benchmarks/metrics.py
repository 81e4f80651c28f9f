"""How fast intervals are: sort once and reweigh, against resampling studies and calling scikit-learn each time.

Prints and keeps ratios measured in one run; absolute times depend on the machine and on what else runs there.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from radia_pipeline.evaluation import bootstrap, metrics

STUDIES, CLASSES, REPLICATES, NAIVE_REPLICATES = 500, 14, 1000, 20
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
    """AUC and AP of resampled studies, one scikit-learn call each."""
    rng = np.random.default_rng(0)
    for _ in range(NAIVE_REPLICATES):
        rows = rng.integers(0, STUDIES, STUDIES)
        for k in range(CLASSES):
            roc_auc_score(y[rows, k], p[rows, k])
            average_precision_score(y[rows, k], p[rows, k])


def ours(p: np.ndarray, y: np.ndarray) -> None:
    """AUC and AP of all replicates over shared draws."""
    ranked = [metrics.Ranked.of(p[:, k], y[:, k]) for k in range(CLASSES)]
    for weight in bootstrap.Resampler.of(np.arange(STUDIES), REPLICATES):
        for one in ranked:
            moved = weight[:, one.order]
            metrics.weighted_auc(one, moved)
            metrics.weighted_average_precision(one, moved)


def main() -> None:
    rng = np.random.default_rng(0)
    y = (rng.random((STUDIES, CLASSES)) < 0.2).astype(int)
    p = 1 / (1 + np.exp(-(rng.normal(size=y.shape) + 1.2 * y - 1)))
    slow, fast = cpu(lambda: naive(p, y)) * REPLICATES / NAIVE_REPLICATES, cpu(lambda: ours(p, y))
    every = cpu(lambda: bootstrap.bootstrap_classes(p, y, np.arange(STUDIES).astype(str)))
    result = {
        "studies": STUDIES, "classes": CLASSES, "replicates": REPLICATES,
        "auc_and_ap_s": round(fast, 3), "scikit_learn_s": round(slow, 2), "ratio": round(slow / fast, 1),
        "all_metrics_s": round(every, 3),
    }  # fmt: skip
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
