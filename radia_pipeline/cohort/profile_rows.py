"""Rows of ``data_profile`` as every part of it writes them, and those of correlations between classes.

Not here: what is counted (``profile``, ``profile_origins``).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from radia_pipeline.contracts.vocabulary import vocabulary


def row(
    measure: str, source: str, value: float | None, count: int | None, name: str | None = None, other: str | None = None
) -> dict:
    """Return a row: ``name`` is its class, ``other`` what else it is of."""
    return {"measure": measure, "source": source, "class": name, "other": other, "value": value, "count": count}


def correlation_rows(measure: str, source: str, found: np.ndarray) -> Iterator[dict]:
    """Phi coefficient of each pair of classes over images, ``found`` (n, K) of 0 and 1; constant classes have none."""
    found = found.astype(np.float64)
    varies = np.flatnonzero(found.std(axis=0) > 0) if len(found) else np.zeros(0, dtype=int)
    if len(varies) < 2:
        return
    matrix = np.corrcoef(found[:, varies], rowvar=False)
    together = found[:, varies].T @ found[:, varies]
    names = vocabulary().classes
    for i, j in combinations(range(len(varies)), 2):
        yield row(measure, source, float(matrix[i, j]), int(together[i, j]), names[varies[i]], names[varies[j]])
