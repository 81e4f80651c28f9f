"""Groups of patients as numbers, and how many a figure needs: who a study belongs to is never known by name here.

Not here: who belongs together (``cohort``), variances over groups (``clustered``).
"""

from __future__ import annotations

import numpy as np

MIN_PATIENTS = 2
"""Patients under which a figure is not shown: "too few"."""


def numbered(group_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each row's group as a number from 0 (n,), and the groups' names (G,) in their order, which is sorted, so
    that it does not depend on the order of rows."""
    names, index = np.unique(np.asarray(group_ids).astype(str), return_inverse=True)
    return index.reshape(-1), names
