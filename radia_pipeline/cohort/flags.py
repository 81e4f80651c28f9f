"""Which images the cohort leaves aside by their flags. What raises a flag is ``dicom.pixel_checks``' business."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

BLANK = "blank"
LEFT_OUT = ("not_a_chest", BLANK)
"""Images that show no chest, or nothing: in no manifest and no evaluation set."""


def is_flagged(flags: pa.ChunkedArray, name: str) -> np.ndarray:
    """Tell which images have a flag, from the lists in the column ``flags`` of ``images``: bool (n,)."""
    lists = flags.combine_chunks()
    found = np.zeros(len(lists), dtype=bool)
    is_it = pc.equal(pc.list_flatten(lists), name).to_numpy(zero_copy_only=False).astype(bool)
    found[pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)[is_it]] = True
    return found
