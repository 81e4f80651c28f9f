"""Shares of radiologists' boxes that are found: by a map's highest point, and by boxes at few false ones an image.

The pointing game (Zhang 2016) asks whether the highest point of a class's map lies in one of its boxes. Free-response
sensitivity (FROC) asks for the share of boxes found where an image has at most so many false ones, over all classes.
IoBB (Wang 2017) asks for how much of a detected box lies in a drawn one; a speck inside every finding would pass, so it
stands beside IoU and never for it. Wilson's interval with an effective count by patient, as for other shares. Not here:
average precision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from radia_pipeline.evaluation.groups import MIN_PATIENTS, numbered
from radia_pipeline.evaluation.intervals import Interval, wilson
from radia_pipeline.localisation.average_precision import Reference
from radia_pipeline.localisation.boxes import Boxes
from radia_pipeline.localisation.matching import match
from radia_pipeline.sources.overlap import within

FALSE_AN_IMAGE = (0.1, 0.5, 1.0)
WITHIN = (0.1, 0.25, 0.5, 0.75, 0.9)
"""Shares of a detected box that lie in the drawn one, as published."""


def clustered_share(hit: np.ndarray, group: np.ndarray) -> Interval | None:
    """Return the share of hits bool (n,) with its interval, counting groups (n,); None of fewer than two."""
    patients = len(np.unique(group))
    if patients < MIN_PATIENTS:
        return None
    value, (number, names) = float(np.mean(hit)), numbered(group)
    moved = np.bincount(number, weights=(hit - value) / len(hit), minlength=len(names))
    variance = float(np.square(moved).sum()) * patients / (patients - 1)
    share = value * (1 - value)
    worth = min(max(share / variance, patients / 2), len(hit)) if variance > 0 and share > 0 else patients
    return Interval(value, *wilson(value, worth), int(np.sum(hit)), len(hit))


def pointing(peaks: Mapping[tuple[str, str], tuple[float, float]], reference: Reference) -> dict[str, Interval]:
    """Return {class: share of its images whose highest point lies in one of its boxes}, and of all under ``mean``.

    ``peaks``: (image, class) -> x, y in pixels of the stored image, for pairs with a map. A pair that somebody drew and
    that has no map is missed. Classes of fewer than two patients are absent.
    """
    group_of = dict(zip(reference.image_ids, reference.group_ids, strict=True))
    boxes = reference.boxes
    hits: dict[str, list[tuple[bool, Any]]] = {}
    for image, name in sorted(set(zip(boxes.image_id, boxes.label, strict=True))):
        mine = boxes.corners[(boxes.image_id == image) & (boxes.label == name)]
        x, y = peaks.get((image, name), (np.nan, np.nan))
        inside = (mine[:, 0] <= x) & (x <= mine[:, 2]) & (mine[:, 1] <= y) & (y <= mine[:, 3])
        for key in (name, "mean"):
            hits.setdefault(key, []).append((bool(inside.any()), group_of[image]))
    found = {}
    for key, pairs in hits.items():
        share = clustered_share(np.array([one[0] for one in pairs]), np.array([one[1] for one in pairs], dtype=object))
        if share is not None:
            found[key] = share
    return found


def boxes_within(
    predicted: Boxes, reference: Reference, shares: Sequence[float] = WITHIN
) -> dict[tuple[str, float], Interval]:
    """Return {(class, share): drawn boxes in which a box of their class lies by more than that share of itself}.

    All classes together under ``mean``. Classes of fewer than two patients are absent.
    """
    group_of = dict(zip(reference.image_ids, reference.group_ids, strict=True))
    predicted, drawn = reference.counting(predicted), reference.boxes.on(reference.image_ids)
    best: dict[str, list] = {}
    for image, name, corners in zip(drawn.image_id, drawn.label, drawn.corners, strict=True):
        mine = predicted.corners[(predicted.image_id == image) & (predicted.label == name)]
        for key in (name, "mean"):
            best.setdefault(key, []).append((float(within(mine, corners).max(initial=0.0)), group_of[image]))
    found = {}
    for key, pairs in best.items():
        lies, group = np.array([one[0] for one in pairs]), np.array([one[1] for one in pairs], dtype=object)
        for limit in shares:
            share = clustered_share(lies > limit, group)
            if share is not None:
                found[key, limit] = share
    return found


def sensitivities(
    predicted: Boxes, reference: Reference, threshold: float, false_an_image: Sequence[float] = FALSE_AN_IMAGE
) -> dict[float, Interval]:
    """Return {false boxes an image: share of all classes' boxes found}; empty without boxes of two patients."""
    predicted, drawn = reference.counting(predicted), reference.boxes.on(reference.image_ids)
    if not len(drawn.label):
        return {}
    of_hits, of_scores, of_images = [np.zeros(0, dtype=bool)], [np.zeros(0)], [np.zeros(0, dtype=int)]
    for name in sorted(set(drawn.label)):
        mine = predicted.take(predicted.label == name)
        matched = match(mine, drawn.take(drawn.label == name), reference.image_ids, threshold)
        of_hits.append(matched.is_hit)
        of_images.append(matched.image)
        of_scores.append(np.sort(mine.score)[::-1])
    is_hit, score, image = np.concatenate(of_hits), np.concatenate(of_scores), np.concatenate(of_images)
    order = np.argsort(-score, kind="stable")
    is_hit, score, image = is_hit[order], score[order], image[order]
    place = {name: index for index, name in enumerate(reference.image_ids)}
    boxes = np.bincount([place[name] for name in drawn.image_id], minlength=len(place))
    ends = np.r_[score[1:] != score[:-1], True] if len(score) else np.zeros(0, dtype=bool)
    false = np.cumsum(~is_hit) / max(len(place), 1)
    found = {}
    for limit in false_an_image:
        reached = np.flatnonzero(ends & (false <= limit))
        kept = is_hit[: reached[-1] + 1] if len(reached) else is_hit[:0]
        hits = np.bincount(image[: len(kept)][kept], minlength=len(place))
        flags = np.concatenate([np.arange(count) < hit for count, hit in zip(boxes, hits, strict=True)])
        share = clustered_share(flags, np.repeat(np.asarray(reference.group_ids), boxes)) if len(flags) else None
        if share is not None:
            found[limit] = share
    return found
