"""Classes that are of a whole organ: their box is the organ's, wherever in it a model looks.

Emphysema inflates both lungs, and what a classifier goes by is a flat diaphragm or one bulla: no cut of its map is the
finding's extent. Its box is the thorax's, where one is found. Not here: finding it (``dicom.thorax``).
"""

from __future__ import annotations

from radia_pipeline.dicom.thorax import Thorax
from radia_pipeline.localisation.boxes import Frame

OF_BOTH_LUNGS = ("Emphysema",)
Found = list[tuple[tuple[float, float, float, float], float]]


def organ_boxes(name: str, probability: float, thorax: Thorax | None, frame: Frame) -> Found | None:
    """Return the box of a class that is of a whole organ, scored by its probability, like ``boxes_from_map``'s.

    ``thorax``: in pixels of the stored image. None for other classes, and where no thorax was found.
    """
    if name not in OF_BOTH_LUNGS or thorax is None:
        return None
    (left, top), (right, bottom) = thorax.outline.min(axis=0), thorax.outline.max(axis=0)
    return [(frame.clipped((float(left), float(top), float(right), float(bottom))), probability)]
