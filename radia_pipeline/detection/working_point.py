"""The detector's working point: a threshold for each class, at stated rates of false boxes on validation.

Two rates, neither of which needs a drawn box: of boxes on films that are said to be normal, and, on films of any kind,
of boxes of classes that labels say are absent. Normal films are few (a fifth of validation), so that a threshold for
each class cannot be read off them: on 28 of them none had a false box at thresholds that gave .5 to 1 on fresh ones.
All classes' thresholds are therefore one family, read off the films without the class, which are most of validation,
and normal films say only how far to go in it. Not here: how boxes are made (``decode``), what is found at that point
(``scorecard``).

Legend: N films, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from radia_pipeline.localisation.boxes import Boxes

STEP = 1e-6
"""A threshold is passed by scores above it: it lies so much above the best score that is to be left out."""
RATE_STEP = 0.25
"""False boxes a film, from one set of thresholds to the next that is tried."""


@dataclass(frozen=True)
class Films:
    """Films on which false boxes are counted: their ids, which class is known to be absent bool (N, K), and which are
    said to be normal bool (N,)."""

    image_ids: Sequence[str]
    absent: np.ndarray
    normal: np.ndarray

    def of(self, image_ids: Sequence[str]) -> Films:
        """These of the films, in this order."""
        place = {name: row for row, name in enumerate(self.image_ids)}
        rows = np.array([place[name] for name in image_ids], dtype=np.int64)
        return Films(tuple(image_ids), self.absent[rows], self.normal[rows])

    def kept(self, boxes: Boxes, possible: np.ndarray, classes: Sequence[str]) -> Boxes:
        """Those of boxes on the films whose class is possible there, bool (N, K)."""
        row, label = self.places(boxes, classes)
        return boxes.take(possible[row, label])

    def places(self, boxes: Boxes, classes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return each box's row among the films and its class's number."""
        place, column = ({name: number for number, name in enumerate(names)} for names in (self.image_ids, classes))
        row = np.array([place[image] for image in boxes.image_id], dtype=np.int64)
        return row, np.array([column[name] for name in boxes.label], dtype=np.int64)


@dataclass(frozen=True)
class Limits:
    """False boxes a film, at most, over all classes: ``normal`` on a normal film, ``absent`` of absent classes on any.

    ``most``: boxes of one class that a film shows, and that a normal film counts for, at most; ``faintest``: no
    threshold is lower.
    """

    normal: float
    absent: float
    most: int
    faintest: float


def chosen(boxes: Boxes, films: Films, classes: Sequence[str], limits: Limits) -> tuple[float, ...]:
    """Thresholds (K,) that keep both limits on these films: the lowest of a family that rises and falls together.

    ``boxes``: each class's best, as many as a film shows. After conformal risk control (Angelopoulos, Bates, Fisch, Lei
    and Schuster 2022): a normal film counts for ``limits.most`` boxes at most, and one that shows as many is added to
    those that were seen. The family's thresholds are of the same films, which the theorem does not allow for. Films
    with findings have more false boxes than normal ones: where those are too few to say anything, ``limits.normal``
    is kept on all films alike.
    """
    found = thresholds_for(boxes, films, classes, min(limits.normal, limits.absent), limits.faintest)
    false = _FalseBoxes.of(boxes, films, classes)
    for rate in np.arange(limits.normal + RATE_STEP, limits.absent + RATE_STEP / 2, RATE_STEP):
        cuts = false.thresholds(float(rate), limits.faintest)
        if false.expected(cuts, limits.most) > limits.normal:
            break
        found = tuple(cuts.tolist())
    return found


def thresholds_for(
    boxes: Boxes, films: Films, classes: Sequence[str], rate: float, faintest: float
) -> tuple[float, ...]:
    """Thresholds (K,) at which films have at most ``rate`` boxes of absent classes on average, all classes together.

    The rate is shared among classes alike; what a class does not use is the others'. ``faintest``: no threshold is
    lower. A class that is absent from no film has one that nothing passes.
    """
    return tuple(_FalseBoxes.of(boxes, films, classes).thresholds(rate, faintest).tolist())


@dataclass(frozen=True)
class _FalseBoxes:
    """Boxes of absent classes: ``row`` of the film, ``label`` (class number) and ``score``, each (M,)."""

    films: Films
    row: np.ndarray
    label: np.ndarray
    score: np.ndarray

    @classmethod
    def of(cls, boxes: Boxes, films: Films, classes: Sequence[str]) -> _FalseBoxes:
        row, label = films.places(boxes, classes)
        false = films.absent[row, label]
        return cls(films, row[false], label[false], boxes.score[false])

    def thresholds(self, rate: float, faintest: float) -> np.ndarray:
        counts = self.films.absent.sum(axis=0)
        scores = [np.sort(self.score[self.label == column])[::-1] for column in range(len(counts))]
        allowed = _shared(np.array([len(one) / max(count, 1) for one, count in zip(scores, counts)]), rate)
        spare = np.floor(allowed * counts + 1e-9).astype(np.int64)
        found = [one[left] + STEP if left < len(one) else faintest for one, left in zip(scores, spare)]
        return np.where(counts > 0, np.maximum(found, faintest), 1.0)

    def expected(self, cuts: np.ndarray, most: int) -> float:
        """Return how many boxes a fresh normal film is to be expected to show, of ``most`` at most."""
        shown = np.bincount(self.row[self.score > cuts[self.label]], minlength=len(self.films.normal))
        normal = np.minimum(shown[self.films.normal], most)
        return float(normal.sum() + most) / (len(normal) + 1)


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
