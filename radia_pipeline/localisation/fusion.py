"""Weighted box fusion: boxes of several methods or models become one, and agreement raises its score.

After Solovyev et al. (2021): boxes are averaged, weighted by score, instead of all but one being dropped. What does not
belong here: cutting boxes out of maps (``boxes``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from radia_pipeline.sources.overlap import iou

FUSION_IOU = 0.4  # two boxes of one class on one image above this are the same finding


def fuse(
    corners: Sequence[np.ndarray], scores: Sequence[np.ndarray], *, threshold: float = FUSION_IOU
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fuse the boxes that M voters drew for one class on one image.

    ``corners``: M arrays (n_m, 4); ``scores``: M arrays (n_m,) in 0..1. Returns corners (k, 4), scores (k,) and by how
    many voters each was drawn (k,), best first. A fused box is the score-weighted mean of its cluster; its score is
    (sum over voters of each one's best score in the cluster) / M: a box that all voters draw keeps their mean score, a
    single voter's box gets 1/M of its own. With one voter the boxes come back unchanged, sorted.
    """
    voters = len(corners)
    if not voters or not sum(len(part) for part in scores):
        return np.zeros((0, 4)), np.zeros(0), np.zeros(0, dtype=int)
    boxes = np.concatenate([np.asarray(part, dtype=float).reshape(-1, 4) for part in corners])
    score = np.concatenate([np.asarray(part, dtype=float).reshape(-1) for part in scores])
    voter = np.repeat(np.arange(voters), [len(part) for part in scores])
    clusters = _clusters(boxes, score, voter, threshold)
    fused = np.array([_mean_box(boxes[members], score[members]) for members in clusters])
    rated = np.array([_vote(score[members], voter[members], voters) for members in clusters])
    order = np.argsort(-rated, kind="stable")
    votes = np.array([len(np.unique(voter[members])) for members in clusters])
    return fused[order], rated[order], votes[order]


def _clusters(boxes: np.ndarray, score: np.ndarray, voter: np.ndarray, threshold: float) -> list[list[int]]:
    """Group boxes greedily, best score first, by IoU with the group's present mean; a voter's own boxes stay apart."""
    clusters: list[list[int]] = []
    for index in np.lexsort((voter, *boxes.T[::-1], -score)):
        overlaps = [
            iou(boxes[index], _mean_box(boxes[members], score[members]))[0, 0]
            if voter[index] not in voter[members]
            else 0.0
            for members in clusters
        ]
        best = int(np.argmax(overlaps)) if overlaps else -1
        if overlaps and overlaps[best] > threshold:
            clusters[best].append(int(index))
        else:
            clusters.append([int(index)])
    return clusters


def _mean_box(boxes: np.ndarray, score: np.ndarray) -> np.ndarray:
    weight = np.maximum(score, 1e-9)
    return (boxes * weight[:, None]).sum(axis=0) / weight.sum()


def _vote(score: np.ndarray, voter: np.ndarray, voters: int) -> float:
    return sum(float(score[voter == one].max()) for one in np.unique(voter)) / voters
