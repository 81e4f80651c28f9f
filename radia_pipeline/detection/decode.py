"""Raw head outputs -> boxes: positions, distances, scores, non-maximum suppression. no torch.

The same code reads torch's and ONNX Runtime's outputs, so that what is deployed is what was measured. Formulas: Tian et
al. 2020, "FCOS: a simple and strong anchor-free object detector"; score = sqrt(class probability × centre-ness).

Legend: L positions, K classes, M boxes; corners are (left, top, right, bottom) in pixels of the square input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from radia_pipeline.detection.spec import DetectorSpec
from radia_pipeline.evaluation.calibration import sigmoid
from radia_pipeline.localisation.boxes import Boxes, suppressed
from radia_pipeline.training.inputs import placement

CANDIDATES = 400
"""Best (position, class) pairs of an image that suppression looks at."""
SMALLEST_PX = 1.0
"""A box thinner than this, in input pixels, shows nothing."""


@dataclass(frozen=True)
class Decoded:
    """Boxes of one image, best first: ``corners`` float64 (M, 4), ``score`` (M,), ``label`` int64 (M,) class number."""

    corners: np.ndarray
    score: np.ndarray
    label: np.ndarray

    def __len__(self) -> int:
        return len(self.score)


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
    logits: np.ndarray,
    distances: np.ndarray,
    centreness: np.ndarray,
    *,
    size_px: int,
    strides: tuple[int, ...],
    score_threshold: float,
    nms_iou: float,
    max_boxes: int,
) -> Decoded:
    """One image's raw outputs (L, K), (L, 4), (L, 1) -> its boxes, best first, clipped to the input."""
    centres, steps = positions(size_px, strides)
    score = np.sqrt(sigmoid(logits) * sigmoid(centreness))
    flat = score.ravel()
    best = np.flatnonzero(flat > score_threshold)
    best = best[np.argsort(-flat[best], kind="stable")][:CANDIDATES]
    place, label = np.divmod(best, score.shape[1])
    reach = distances[place].astype(np.float64) * steps[place, None]
    centre = centres[place]
    corners = np.concatenate([centre - reach[:, :2], centre + reach[:, 2:]], axis=1).clip(0, size_px)
    solid = (corners[:, 2:] - corners[:, :2]).min(axis=1, initial=np.inf) >= SMALLEST_PX
    corners, label, found = corners[solid], label[solid], flat[best][solid]
    kept = suppressed_by_class(corners, found, label, nms_iou)[:max_boxes]
    return Decoded(corners[kept], found[kept], label[kept])


def suppressed_by_class(corners: np.ndarray, score: np.ndarray, label: np.ndarray, nms_iou: float) -> np.ndarray:
    """Indices of boxes that no better box of the same class overlaps by more than ``nms_iou``, best first."""
    kept = [np.zeros(0, dtype=np.int64)]
    for one in np.unique(label):
        members = np.flatnonzero(label == one)
        kept.append(members[suppressed(corners[members], score[members], nms_iou)])
    index = np.concatenate(kept)
    return index[np.argsort(-score[index], kind="stable")]


def raw_to_boxes(
    raw: Sequence[np.ndarray],
    spec: DetectorSpec,
    images: Sequence[tuple[str, int, int]],
    score_threshold: float | None = None,
) -> Boxes:
    """Raw outputs (N, L, K), (N, L, 4), (N, L, 1) of ``images`` (image_id, height_px, width_px) -> their boxes.

    Boxes are clipped to the image; what lies in the letterbox's border only is dropped.
    """
    rows = []
    for (image_id, height_px, width_px), logits, distances, centreness in zip(images, *raw):
        found = decode(
            logits, distances, centreness, size_px=spec.size_px, strides=spec.strides, nms_iou=spec.nms_iou,
            score_threshold=spec.score_threshold if score_threshold is None else score_threshold,
            max_boxes=spec.max_boxes,
        )  # fmt: skip
        where = placement(height_px, width_px, spec.size_px)
        corners = (found.corners - np.array([where.left_px, where.top_px] * 2)) / where.scale
        corners = corners.clip(0, [width_px, height_px, width_px, height_px])
        for corner, score, label in zip(corners, found.score, found.label):
            if (corner[2:] - corner[:2]).min() > SMALLEST_PX:
                rows.append((image_id, spec.classes[label], tuple(corner), float(score)))
    return Boxes.of(rows)
