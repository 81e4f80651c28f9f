"""Where a label value comes from: the names of origins, their codes in arrays, and the rule that tells them apart.

What values mean is in ``contracts.label_values``; what puts reviews on top is in ``readings``.
"""

from __future__ import annotations

import numpy as np

from radia_pipeline.contracts.label_values import MISSING, NEGATIVE, POSITIVE
from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.contracts.vocabulary import vocabulary

ORIGINS = ("rules", "table", "expert", "carried", "review", "closure", "contradiction", "no_finding", "none")
ORIGIN_CODE = {name: code for code, name in enumerate(ORIGINS)}


BY_CLOSURE = ("closure", "contradiction")
"""Nobody said such a value: a class below it in the vocabulary was said; a contradiction was even said to be absent."""


def base_origins(source: str, shape: tuple[int, ...], is_expert: np.ndarray | None = None) -> np.ndarray:
    """Return the code of where a source's own values come from, for every cell: int8 of ``shape``.

    ``is_expert``: bool, cells that radiologists said though the rest was said otherwise.
    """
    base = np.full(shape, ORIGIN_CODE[source_sheet(source).label_origin], dtype=np.int8)
    if is_expert is not None:
        base[is_expert] = ORIGIN_CODE["expert"]
    return base


def origins(said: np.ndarray, value: np.ndarray, base: np.ndarray) -> np.ndarray:
    """Return where each value comes from: codes into ORIGINS, int8 (n, 21).

    A value that was said keeps ``base``; one that differs from what was said was raised by closure, which contradicts
    a source that said 0 where it raises to 1; a null that became 0 did so by No Finding, or in a union because all its
    children are 0.
    """
    words = vocabulary()
    origin = np.where(said == value, base, ORIGIN_CODE["closure"]).astype(np.int8)
    origin[(said == NEGATIVE) & (value == POSITIVE)] = ORIGIN_CODE["contradiction"]
    clear = said[:, words.index(words.no_finding)] == POSITIVE
    filled = (said == MISSING) & (value == NEGATIVE) & clear[:, None]
    origin[filled] = ORIGIN_CODE["no_finding"]
    origin[value == MISSING] = ORIGIN_CODE["none"]
    return origin
