"""How large findings are on a film: by class, as the share of the film that their boxes cover.

Of eight classes the 2nd, 50th and 98th percentile of the 984 boxes that radiologists drew on NIH ChestX-ray14
(published with the data set as BBox_List_2017); the others by anatomy: one lung's box is about .3 of the film's width
by .6 of its height, the heart's is Cardiomegaly's. A lake with enough drawn boxes of its own uses those.
Not here: cutting boxes (``boxes``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

MIN_BOXES = 20  # of a class, from which a lake's own boxes say how large it is
ENDS = (0.02, 0.5, 0.98)
LEAST_SPREAD = 0.1
_NORMAL_ENDS = 2 * 2.054
"""Standard deviations between a normal distribution's 2nd and 98th percentile."""


LIMITS_FROM_FEW = 1.5
"""Factor by which a box may be smaller or larger than a lake's own boxes were: they are few."""


@dataclass(frozen=True)
class Extent:
    """Shares of a film that a class's boxes cover. ``usual`` None: nothing is known but the limits. ``spread``:
    standard deviation of the share's logarithm, by default what the limits say."""

    smallest: float
    largest: float
    usual: float | None = None
    spread: float | None = None

    def surprise(self, share: np.ndarray) -> np.ndarray:
        """Return how far a share is from the usual one, in standard deviations of its logarithm, squared."""
        if self.usual is None:
            return np.zeros_like(share)
        spread = self.spread or np.log(self.largest / self.smallest) / _NORMAL_ENDS
        return (np.log(np.maximum(share, 1e-9) / self.usual) / spread) ** 2


EXTENTS: Mapping[str, Extent] = {
    "Atelectasis": Extent(0.0049, 0.140, 0.0188),
    "Cardiomegaly": Extent(0.112, 0.264, 0.171),
    "Infiltration": Extent(0.0146, 0.398, 0.0566),
    "Mass": Extent(0.0034, 0.247, 0.0148),
    "Nodule": Extent(0.0010, 0.0125, 0.0046),
    "Pleural Effusion": Extent(0.0024, 0.207, 0.0557),
    "Pneumonia": Extent(0.0172, 0.426, 0.0572),
    "Pneumothorax": Extent(0.0024, 0.177, 0.0358),
    "Consolidation": Extent(0.0172, 0.426, 0.0572),  # as Pneumonia
    "Edema": Extent(0.05, 0.50, 0.20),  # the inner parts of both lungs
    "Emphysema": Extent(0.20, 0.75, 0.50),  # both lungs
    "Enlarged Cardiomediastinum": Extent(0.08, 0.40, 0.171),
    "Fracture": Extent(0.0005, 0.05, 0.006),  # one rib's or several
    "Hernia": Extent(0.005, 0.12, 0.03),
    "Lung Lesion": Extent(0.0010, 0.247, 0.008),  # Nodule or Mass
    "Pleural Other": Extent(0.002, 0.12, 0.03),  # a rind along a lung
}
UNKNOWN = Extent(0.002, 0.60)


def learned(labels: np.ndarray, shares: np.ndarray) -> dict[str, Extent]:
    """Return the extents of the classes of which there are enough drawn boxes: labels (n,), shares of the film (n,)."""
    found = {}
    for name in sorted(set(labels)):
        mine = shares[labels == name]
        if len(mine) >= MIN_BOXES:
            smallest, usual, largest = (float(one) for one in np.quantile(mine, ENDS))
            spread = max(np.log(largest / smallest) / _NORMAL_ENDS, LEAST_SPREAD)
            found[name] = Extent(smallest / LIMITS_FROM_FEW, largest * LIMITS_FROM_FEW, usual, float(spread))
    return found
