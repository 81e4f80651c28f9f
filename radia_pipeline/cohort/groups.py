"""Groups: patients joined by what their pixels say. Union-find over links; no pool is known here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np


def group_of(patient_keys: Sequence[str], links: Iterable[tuple[str, str]]) -> np.ndarray:
    """Return each patient's group as the smallest patient_key in it: object array (n,), whatever the order of rows and
    links.

    ``links``: pairs of patient keys; a key that is not among ``patient_keys`` still joins the others.
    """
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        top = key
        while (above := parent.get(top, top)) != top:
            top = above
        while (above := parent.get(key, key)) != top:
            parent[key], key = top, above
        return top

    for first, second in links:
        a, b = root(first), root(second)
        if a != b:
            low, high = (a, b) if a < b else (b, a)
            parent[high] = low
            parent.setdefault(low, low)
    groups = np.array(patient_keys, dtype=object)
    if parent:
        for place, key in enumerate(patient_keys):
            if key in parent:
                groups[place] = root(key)
    return groups
