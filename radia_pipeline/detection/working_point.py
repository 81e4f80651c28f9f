"""The detector's working point: a threshold for each class, at a stated rate of false boxes on validation.

A box is false on a film that is said to be normal: by labels, so that no drawn box is needed. The rate is shared among
classes alike; what a class does not use is the others'. Not here: how boxes are made (``decode``), what
is found at that point (``scorecard``).

Legend: N films, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from radia_pipeline.localisation.boxes import Boxes

STEP = 1e-6
"""A threshold is passed by scores above it: it lies so much above the best score that is to be left out."""


def thresholds_for(
    boxes: Boxes, image_ids: Sequence[str], absent: np.ndarray, classes: Sequence[str], rate: float, faintest: float
) -> tuple[float, ...]:
    """Thresholds (K,) at which films have at most ``rate`` false boxes on average, all classes together.

    ``absent``: bool (N, K), on which films a box of which class is false; ``faintest``: no threshold is lower. A class
    that is absent from no film has one that nothing passes.
    """
    place = {name: row for row, name in enumerate(image_ids)}
    films, scores = absent.sum(axis=0), []
    for column, name in enumerate(classes):
        mine = boxes.take(boxes.label == name)
        false = np.array([absent[place[image], column] for image in mine.image_id], dtype=bool)
        scores.append(np.sort(mine.score[false])[::-1])
    allowed = _shared(np.array([len(one) / max(count, 1) for one, count in zip(scores, films)]), rate)
    found = []
    for one, count, share in zip(scores, films, allowed):
        spare = int(np.floor(share * count + 1e-9))
        cut = faintest if spare >= len(one) else one[spare] + STEP
        found.append(float(max(cut, faintest)) if count else 1.0)
    return tuple(found)


def _shared(most: np.ndarray, rate: float) -> np.ndarray:
    """Share a rate among classes that need ``most`` (K,) each: alike, what one does not need going to the others."""
    allowed, open_classes, left = np.zeros(len(most)), np.ones(len(most), dtype=bool), rate
    while open_classes.any():
        share = left / open_classes.sum()
        content = open_classes & (most <= share)
        if not content.any():
            allowed[open_classes] = share
            break
        allowed[content], left = most[content], left - most[content].sum()
        open_classes &= ~content
    return allowed
