"""Raw head outputs -> boxes: scores, positions, distances, non-maximum suppression, for a whole batch. No torch.

The same code reads torch's and ONNX Runtime's outputs, so that what is deployed is what was measured. Logits are
compared with a threshold first: scores are computed and boxes made only where one may pass. Formulas: Tian et al. 2020,
"FCOS: a simple and strong anchor-free object detector"; a score is the root of
class probability × centre-ness, or of what a head without centre-ness says for both, times the prior to a power.

Legend: N images, L positions, K classes, M boxes; corners are (left, top, right, bottom) in pixels of the square input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import numpy as np

from radia_pipeline.detection.spec import DetectorSpec
from radia_pipeline.errors import BadInput
from radia_pipeline.evaluation.calibration import sigmoid
from radia_pipeline.localisation.boxes import Boxes
from radia_pipeline.sources.overlap import iou
from radia_pipeline.training.inputs import placement

CANDIDATES = 200
"""Best (position, class) pairs of an image that suppression looks at."""
SMALLEST_PX = 1.0
"""A box thinner than this, in input pixels, shows nothing."""
ALONE = 20
"""Boxes of one class on an image that are looked at where a class's threshold is chosen."""
FAINTEST = 1e-4
"""No score is asked for below: the logit of a threshold has to be finite."""


@dataclass(frozen=True)
class Decoded:
    """Boxes of N images, image by image, best first.

    ``image`` int64 (M,), ``corners`` float64 (M, 4), ``score`` float64 (M,), ``label`` int64 (M,) class number.
    """

    image: np.ndarray
    corners: np.ndarray
    score: np.ndarray
    label: np.ndarray

    def __len__(self) -> int:
        return len(self.score)

    def take(self, index: np.ndarray) -> Decoded:
        """Return the boxes of an index or mask."""
        return Decoded(self.image[index], self.corners[index], self.score[index], self.label[index])


@lru_cache(maxsize=8)
def positions(size_px: int, strides: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Centres of all cells, level by level, row by row: float64 (L, 2) as (x, y), and each one's stride (L,)."""
    centres, steps = [], []
    for stride in strides:
        along = (np.arange(size_px // stride) + 0.5) * stride
        x, y = np.meshgrid(along, along)
        centres.append(np.stack([x.ravel(), y.ravel()], axis=1))
        steps.append(np.full(x.size, float(stride)))
    return np.concatenate(centres), np.concatenate(steps)


def decode(
    raw: Sequence[np.ndarray],
    spec: DetectorSpec,
    thresholds: Sequence[float] | np.ndarray | float,
    factors: np.ndarray | None = None,
) -> Decoded:
    """Raw outputs (N, L, K), (N, L, 4) and, where the head has centre-ness, (N, L, 1) -> boxes, clipped to the input.

    ``thresholds``: a number, or one for each class, (K,) or of each image (N, K), that a box's score exceeds.
    ``factors``: by which the scores of an image's classes are multiplied, (N, K) in 0..1. Raises BadInput for outputs
    of another detector, or of none.
    """
    logits, distances, *rest = checked(raw, spec)
    factors = np.ones((len(logits), logits.shape[2])) if factors is None else np.maximum(factors, FAINTEST)
    asked = np.clip(np.maximum(thresholds, FAINTEST) / factors, FAINTEST, 1 - 1e-9)  # of the score before the factor
    found = _candidates(logits, rest[0] if rest else None, asked, factors)
    image, place, label, score = found
    centres, steps = positions(spec.size_px, tuple(spec.strides))
    reach = distances[image, place].astype(np.float64) * steps[place, None]
    corners = np.concatenate([centres[place] - reach[:, :2], centres[place] + reach[:, 2:]], axis=1)
    corners = corners.clip(0, spec.size_px)
    solid = (corners[:, 2:] - corners[:, :2]).min(axis=1, initial=np.inf) >= SMALLEST_PX
    boxes = Decoded(image, corners, score, label).take(solid)
    starts = np.searchsorted(boxes.image, np.arange(len(logits) + 1))
    kept = [
        start
        + suppressed_by_class(boxes.corners[start:end], boxes.score[start:end], boxes.label[start:end], spec.nms_iou)[
            : spec.max_boxes
        ]
        for start, end in pairwise(starts)
        if end > start
    ]
    return boxes.take(np.concatenate(kept) if kept else np.zeros(0, dtype=np.int64))


def checked(raw: Sequence[np.ndarray], spec: DetectorSpec) -> Sequence[np.ndarray]:
    """Return the outputs; raises BadInput for those of no image and for another detector's."""
    places, classes = len(positions(spec.size_px, tuple(spec.strides))[0]), len(spec.classes)
    shapes = [part.shape for part in raw]
    count = len(raw[0]) if len(raw) else 0
    if not count:
        raise BadInput("A batch without an image", accepted="one image or more", do="leave empty batches out")
    wanted = [(count, places, width) for width in (classes, 4, 1)[: len(spec.outputs)]]
    if shapes != wanted:
        raise BadInput(
            f"Raw outputs of shapes {', '.join(map(str, shapes))}",
            accepted=f"{', '.join(map(str, wanted))}: this detector's",
            do="read each detector's outputs by its own model.json",
        )
    return raw


def _candidates(
    logits: np.ndarray, centreness: np.ndarray | None, asked: np.ndarray, factors: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Image, place, class and score of what may become a box, by image, best first.

    A score is at most the root of its class's probability: what fails by its logit alone is never computed.
    """
    faintest = np.log(asked**2 / (1 - asked**2)).astype(logits.dtype)  # (N, K)
    image, place, label = np.nonzero(logits > faintest[:, None, :])
    chance = sigmoid(logits[image, place, label])
    score = np.sqrt(chance if centreness is None else chance * sigmoid(centreness[image, place, 0]))
    passed = score > asked[image, label]
    image, place, label = image[passed], place[passed], label[passed]
    score = score[passed].astype(np.float64) * factors[image, label]
    order = np.lexsort((-score, image))
    image, place, label, score = image[order], place[order], label[order], score[order]
    rank = np.arange(len(image)) - np.searchsorted(image, image)
    best = rank < CANDIDATES
    return image[best], place[best], label[best], score[best]


def suppressed_by_class(corners: np.ndarray, score: np.ndarray, label: np.ndarray, nms_iou: float) -> np.ndarray:
    """Indices of boxes that no better box of the same class overlaps by more than ``nms_iou``, best first."""
    order = np.argsort(-score, kind="stable")
    corners, label = corners[order], label[order]
    beaten = (iou(corners, corners) > nms_iou) & (label[:, None] == label[None])
    alive = np.ones(len(order), dtype=bool)
    for index in range(len(order)):
        if alive[index]:
            alive[index + 1 :] &= ~beaten[index, index + 1 :]
    return order[alive]


def raw_to_boxes(
    raw: Sequence[np.ndarray],
    spec: DetectorSpec,
    images: Sequence[tuple[str, int, int]],
    thresholds: Sequence[float] | np.ndarray | float | None = None,
    prior: np.ndarray | None = None,
) -> Boxes:
    """Raw outputs of ``images`` (image_id, height_px, width_px), as ``decode`` takes them -> their boxes.

    ``thresholds``: as in ``decode``, by default the spec's. ``prior``: the images' probability of each of the spec's
    classes (N, K), by which scores are weighed. Boxes are clipped to the image; what lies in the letterbox's border
    only is dropped.
    """
    asked = spec.score_threshold if thresholds is None else thresholds
    found = decode(raw, spec, asked, None if prior is None else np.asarray(prior) ** spec.prior_weight)
    if not len(found):
        return Boxes.empty()
    where = [placement(height, width, spec.size_px) for _, height, width in images]
    offset = np.array([[one.left_px, one.top_px] * 2 for one in where], dtype=np.float64)[found.image]
    scale = np.array([one.scale for one in where])[found.image, None]
    sides = np.array([[width, height] * 2 for _, height, width in images], dtype=np.float64)[found.image]
    corners = np.clip((found.corners - offset) / scale, 0, sides)
    solid = (corners[:, 2:] - corners[:, :2]).min(axis=1) > SMALLEST_PX
    names, classes = np.array([name for name, _, _ in images], object), np.array(spec.classes, object)
    boxes = Boxes(names[found.image], classes[found.label], corners, found.score)
    return boxes.take(solid)


def shown_boxes(
    raw: Sequence[np.ndarray],
    spec: DetectorSpec,
    images: Sequence[tuple[str, int, int]],
    prior: np.ndarray | None = None,
    possible: np.ndarray | None = None,
) -> Boxes:
    """The boxes that people are shown: at the working point, ``spec.class_boxes`` of a class on an image at most.

    ``possible``: which classes the ensemble holds possible on the images, bool (N, K); no other is shown. Without it,
    and in a detector of before it counted, the working point is the one of the detector alone.
    """
    cuts: Sequence[float] | np.ndarray | float = spec.working_point
    if possible is not None and spec.ensemble_thresholds:
        cuts = np.where(possible, np.array(spec.ensemble_thresholds), 1.0)
    return best_of_class(raw_to_boxes(raw, spec, images, cuts, prior), spec.class_boxes)


def best_of_class(boxes: Boxes, most: int | None) -> Boxes:
    """The best ``most`` boxes of each class on each image, in the order they came; all without a number."""
    if most is None:
        return boxes
    _, image = np.unique(boxes.image_id.astype(str), return_inverse=True)
    labels, label = np.unique(boxes.label.astype(str), return_inverse=True)
    key = image * max(len(labels), 1) + label
    order = np.lexsort((-boxes.score, key))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order)) - np.searchsorted(key[order], key[order])
    return boxes.take(rank < most)


def each_class_alone(
    raw: Sequence[np.ndarray],
    spec: DetectorSpec,
    images: Sequence[tuple[str, int, int]],
    prior: np.ndarray | None = None,
) -> Boxes:
    """As ``raw_to_boxes`` at the spec's own threshold, but each class as if no other were asked for, ``ALONE`` at most.

    What crowds a class's faint boxes out of an image's best ones is no longer there where the others' thresholds are
    high: thresholds by class are chosen among these.
    """
    few, classes = replace(spec, max_boxes=min(spec.max_boxes, ALONE)), len(spec.classes)
    asked = np.where(np.eye(classes, dtype=bool), spec.score_threshold, 1.0)
    return Boxes.joined(raw_to_boxes(raw, few, images, row, prior) for row in asked)
