"""How much of a saliency map lies outside the thorax: there nothing is that a finding's name could stand for.

One outline for maps that people see and for the benchmark. Not here: finding it (``dicom.thorax``), making maps
(``maps``).
"""

from __future__ import annotations

import numpy as np

from radia_pipeline.dicom.thorax import Thorax
from radia_pipeline.localisation.boxes import Frame

MOST_OUTSIDE = 0.5
"""Of a map, beyond which a person who looks at it is warned."""


def on_image(saliency: np.ndarray, frame: Frame) -> np.ndarray:
    """Return a map (h, w) over the model's square input as what of it lies on the stored image, in input pixels."""
    import cv2

    where, side = frame.placement, frame.size_px
    fine = cv2.resize(np.asarray(saliency, dtype=np.float32), (side, side), interpolation=cv2.INTER_LINEAR)
    return fine[where.top_px : where.top_px + where.height_px, where.left_px : where.left_px + where.width_px]


def outside_share(saliency: np.ndarray, frame: Frame, thorax: Thorax) -> float:
    """Return the share of a map's positive mass on the image that lies outside the thorax; 0 of an empty map."""
    import cv2

    shown = np.clip(on_image(saliency, frame), 0.0, None)
    total = float(shown.sum())
    if not total > 0:
        return 0.0
    inside = thorax.mask(frame.height_px, frame.width_px).astype(np.uint8)
    inside = cv2.resize(inside, shown.shape[::-1], interpolation=cv2.INTER_NEAREST).astype(bool)
    return float(shown[~inside].sum()) / total
