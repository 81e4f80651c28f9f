"""Average precision beside COCO's own evaluation, pycocotools, on the same boxes.

Both match alike: the best score first, each box to the free reference box that it overlaps most. COCO reads precision
at 101 levels of recall, ours is the area under its envelope; on a grid fine enough for that not to count they are one
figure. Equal scores are left out: COCO then goes by the order in which boxes come, ours lets them enter together.
"""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radia_pipeline.localisation.average_precision import Reference, score_boxes
from radia_pipeline.localisation.boxes import Boxes
from radia_pipeline_tests.localisation.worlds import random_boxes

pytest.importorskip("pycocotools", reason="pycocotools is what average precision is compared with")

CLASSES = ("Mass", "Nodule", "Pneumothorax")
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.75)
FINE = np.linspace(0, 1, 20_001)
AS_SHIPPED = np.linspace(0, 1, 101)
IMAGES = tuple(f"image{n}" for n in range(12))


def world(seed: int, guessed: int, drawn: int) -> tuple[Boxes, Boxes]:
    """Predicted boxes, of which about half lie near a drawn one, and drawn boxes of three classes."""
    rng = np.random.default_rng(seed)
    truth = Boxes.joined([random_boxes(seed * 7 + n, drawn, len(IMAGES), name) for n, name in enumerate(CLASSES)])
    near = truth.take(rng.random(len(truth)) < 0.7)
    moved = np.sort((near.corners + rng.normal(0, 6, near.corners.shape)).reshape(-1, 2, 2), axis=1).reshape(-1, 4)
    near = Boxes(near.image_id, near.label, moved, rng.random(len(near)))
    far = [random_boxes(seed * 11 + n, guessed, len(IMAGES), name) for n, name in enumerate(CLASSES)]
    return Boxes.joined([near, *far]), truth


def coco(predicted: Boxes, drawn: Boxes, recalls: np.ndarray) -> dict[tuple[str, float], float]:
    """{(class, IoU): average precision} by pycocotools."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def rows(boxes: Boxes, **more) -> list[dict]:
        return [
            {
                "id": n + 1,
                "image_id": IMAGES.index(image),
                "category_id": CLASSES.index(label),
                "score": float(score),
                "bbox": [left, top, right - left, bottom - top],
                "area": (right - left) * (bottom - top),
                **more,
            }
            for n, (image, label, (left, top, right, bottom), score) in enumerate(
                zip(boxes.image_id, boxes.label, boxes.corners.tolist(), boxes.score, strict=True)
            )
        ]

    with contextlib.redirect_stdout(io.StringIO()):
        reference = COCO()
        reference.dataset = {
            "images": [{"id": n} for n in range(len(IMAGES))],
            "annotations": rows(drawn, iscrowd=0),
            "categories": [{"id": n, "name": name} for n, name in enumerate(CLASSES)],
        }
        reference.createIndex()
        judge = COCOeval(reference, reference.loadRes(rows(predicted)), "bbox")
        judge.params.iouThrs, judge.params.recThrs = np.array(THRESHOLDS), recalls
        judge.evaluate()
        judge.accumulate()
    found = judge.eval["precision"][:, :, :, 0, -1].mean(axis=1)
    return {(name, t): float(found[i, k]) for i, t in enumerate(THRESHOLDS) for k, name in enumerate(CLASSES)}


def ours(predicted: Boxes, drawn: Boxes) -> dict[tuple[str, float], float]:
    """The same by ``score_boxes``, every image a patient of its own."""
    reference = Reference(IMAGES, np.array(IMAGES), drawn)
    rows = score_boxes(predicted, reference, levels=["class"], thresholds=THRESHOLDS)
    return {
        (row["class"], float(row["metric"].removeprefix("ap@"))): row["value"]
        for row in rows
        if row["class"] in CLASSES
    }


@given(st.integers(0, 10_000), st.integers(3, 15), st.integers(4, 20))
@settings(max_examples=25, deadline=None)
def test_average_precision_is_cocos_to_a_thousandth(seed, guessed, drawn):
    predicted, truth = world(seed, guessed, drawn)
    theirs, mine = coco(predicted, truth, FINE), ours(predicted, truth)
    assert set(mine) == set(theirs)
    for key, value in mine.items():
        assert value == pytest.approx(theirs[key], abs=1e-3), key
    assert max(mine.values()) > 0.05 and min(mine.values()) < 0.95


def test_cocos_own_101_levels_of_recall_are_apart_by_less_than_one_level():
    """Precision falls as recall grows: the first 100 levels are an upper sum, and a mean over 101 lies around it."""
    predicted, truth = world(3, 300, 600)
    theirs, mine = coco(predicted, truth, AS_SHIPPED), ours(predicted, truth)
    apart = [theirs[key] - mine[key] for key in mine]
    assert min(apart) > -1 / 101 and max(apart) < 1 / 101
    assert min(theirs[key] * 101 / 100 - mine[key] for key in mine) >= -1e-9
    assert max(map(abs, apart)) > 0
