"""Masks written as run lengths, in the form of COCO: from its counts to one box for each connected piece.

Counts are run lengths of 0 and 1 in turn, down the columns, from the left; as a list, or as the text into which COCO's
API packs them (``rleFrString`` in cocoapi's common/maskApi.c). What masks mean is the adapter's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

_FIRST_CHARACTER = 48
_BITS, _SIGN, _MORE = 5, 0x10, 0x20
_BY_DIFFERENCE_FROM = 3
"""From the fourth on, packed counts are differences to the count two before."""


def counts_of(packed: str | Sequence[int]) -> list[int]:
    """Return the run lengths of COCO's packed text, or of a list of them; raises ValueError where
    it ends inside one.
    """
    if not isinstance(packed, str):
        return [int(count) for count in packed]
    counts: list[int] = []
    value, shift, is_open = 0, 0, False
    for character in packed:
        chunk = ord(character) - _FIRST_CHARACTER
        value |= (chunk & 0x1F) << shift
        shift += _BITS
        is_open = bool(chunk & _MORE)
        if is_open:
            continue
        if chunk & _SIGN:
            value |= -1 << shift
        counts.append(value + (counts[-2] if len(counts) >= _BY_DIFFERENCE_FROM else 0))
        value, shift = 0, 0
    if is_open:
        raise ValueError("run lengths end inside a number")
    return counts


def mask_of(run_lengths: Mapping[str, Any]) -> np.ndarray:
    """Return the mask uint8 (height, width) of {size: [height, width], counts}; raises ValueError where they differ."""
    height, width = (int(number) for number in run_lengths["size"])
    counts = counts_of(run_lengths["counts"])
    if min(counts, default=0) < 0 or sum(counts) != height * width:
        raise ValueError("run lengths do not fill the image")
    values = np.arange(len(counts), dtype=np.uint8) % 2
    return np.repeat(values, counts).reshape(width, height).T


def pieces(mask: np.ndarray) -> list[tuple[int, int, int, int]]:
    """Return left, top, width and height in pixels of each connected piece (8 neighbours), largest area first."""
    import cv2

    _, _, found, _ = cv2.connectedComponentsWithStats(np.ascontiguousarray(mask), connectivity=8)
    rows = sorted(found[1:].tolist(), key=lambda row: (-row[4], row[:4]))
    return [(left, top, width, height) for left, top, width, height, _ in rows]
