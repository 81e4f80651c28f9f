"""Detection average precision against hand-made cases and brute force, with intervals over groups."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radia_pipeline.localisation import average_precision as ap
from radia_pipeline.localisation.box_intervals import box_figure
from radia_pipeline.localisation.boxes import Boxes
from radia_pipeline.localisation.matching import match, weighted_ap
from radia_pipeline.sources.overlap import iou
from radia_pipeline_tests.localisation.worlds import boxes, random_boxes

IMAGES = tuple(f"image{i}" for i in range(5))


def brute_force(predicted: Boxes, reference: Boxes, threshold: float) -> float:
    """Textbook: walk down the scores, then integrate the envelope of precision over recall."""
    taken, hits, points = set(), 0, []
    for number, index in enumerate(np.argsort(-predicted.score, kind="stable"), start=1):
        best, chosen = threshold, None
        for other in range(len(reference)):
            if reference.image_id[other] != predicted.image_id[index] or other in taken:
                continue
            overlap = iou(predicted.corners[index], reference.corners[other])[0, 0]
            if overlap >= best:
                best, chosen = overlap, other
        if chosen is not None:
            taken.add(chosen)
            hits += 1
        points.append((hits / len(reference), hits / number))
    area, last = 0.0, 0.0
    for position, (recall, _) in enumerate(points):
        area += (recall - last) * max(p for _, p in points[position:])
        last = recall
    return area


@given(st.integers(0, 100_000), st.integers(1, 12), st.integers(1, 8), st.sampled_from([0.1, 0.3, 0.5]))
@settings(max_examples=80, deadline=None)
def test_average_precision_equals_brute_force(seed, guessed, drawn, threshold):
    predicted, reference = random_boxes(seed, guessed), random_boxes(seed + 1, drawn)
    ours = ap.average_precision(predicted, reference, IMAGES, threshold)
    assert ours == pytest.approx(brute_force(predicted, reference, threshold), abs=1e-9)


def test_truth_as_prediction_is_perfect_and_copies_of_it_are_false():
    truth = boxes(("image0", "Mass", 0, 0, 9, 9), ("image1", "Mass", 0, 0, 9, 9))
    assert ap.average_precision(truth, truth, IMAGES, 0.5) == 1.0
    double = Boxes.joined([truth, Boxes(truth.image_id, truth.label, truth.corners, np.full(2, 2.0))])
    assert ap.average_precision(double, truth, IMAGES, 0.5) == pytest.approx(1.0)
    wrong = boxes(("image2", "Mass", 0, 0, 9, 9, 5.0), ("image0", "Mass", 0, 0, 9, 9), ("image1", "Mass", 0, 0, 9, 9))
    assert ap.average_precision(wrong, truth, IMAGES, 0.5) == pytest.approx(2 / 3)


def test_boxes_of_equal_score_enter_together():
    truth = boxes(("image0", "Mass", 0, 0, 9, 9))
    tied = [("image0", "Mass", 0, 0, 9, 9, 0.5), ("image1", "Mass", 0, 0, 9, 9, 0.5)]
    assert ap.average_precision(boxes(*tied), truth, IMAGES, 0.5) == 0.5
    assert ap.average_precision(boxes(*tied[::-1]), truth, IMAGES, 0.5) == 0.5


def test_image_weights_equal_repeated_images():
    predicted, reference = random_boxes(3, 15), random_boxes(4, 9)
    matched = ap.match(predicted, reference, IMAGES, 0.1)
    weight = np.array([2, 0, 1, 3, 1])
    images, guesses, drawn = [], [], []
    for index, count in enumerate(weight):
        for copy in range(count):
            name = f"{index}/{copy}"
            images.append(name)
            for side, out in ((predicted, guesses), (reference, drawn)):
                part = side.on([IMAGES[index]])
                out.append(Boxes(np.full(len(part), name, dtype=object), part.label, part.corners, part.score))
    plain = ap.average_precision(Boxes.joined(guesses), Boxes.joined(drawn), images, 0.1)
    assert ap.weighted_ap(matched, weight[None].astype(float))[0] == pytest.approx(plain)


def reference_of(truth: Boxes, ignored=()) -> ap.Reference:
    return ap.Reference(IMAGES, np.array(IMAGES), truth, frozenset(ignored))


def test_group_and_agnostic_levels_forgive_the_wrong_class():
    truth = boxes(*[(f"image{i}", "Mass", 0, 0, 9, 9) for i in range(4)])
    guess = boxes(*[(f"image{i}", "Nodule", 0, 0, 9, 9, 0.5) for i in range(4)])
    rows = {(r["level"], r["class"], r["metric"]): r for r in ap.score_boxes(guess, reference_of(truth))}
    assert rows["class", "Mass", "ap@0.3"]["value"] == 0
    assert rows["group", "Lung Lesion", "ap@0.3"]["value"] == 1
    assert rows["group", "Opacity", "ap@0.5"]["value"] == 1
    assert rows["agnostic", "any", "ap@0.3"]["value"] == 1


def test_one_place_under_several_names_counts_once_without_classes():
    names = ("Consolidation", "Pneumonia")
    truth = boxes(*((image, name, 0, 0, 9, 9) for image in ("image0", "image1") for name in names))
    (row,) = ap.score_boxes(truth, reference_of(truth), levels=["agnostic"], thresholds=[0.5], min_boxes=9)
    assert (row["value"], row["boxes"]) == (1.0, 2)


def test_pairs_that_nobody_drew_are_not_held_against_a_box():
    truth = boxes(("image0", "Mass", 0, 0, 9, 9), ("image2", "Mass", 0, 0, 9, 9))
    guess = boxes(*((f"image{n}", "Mass", 0, 0, 9, 9, score) for n, score in ((1, 0.9), (0, 0.5), (2, 0.4))))

    def value(reference):
        return ap.score_boxes(guess, reference, levels=["class"])[0]["value"]

    assert value(reference_of(truth)) == pytest.approx(2 / 3)
    assert value(reference_of(truth, [("image1", "Mass")])) == 1.0


def test_intervals_hold_the_value_and_narrow_with_more_images():
    def width(count):
        names = tuple(f"i{n}" for n in range(count))
        rng = np.random.default_rng(0)
        truth = boxes(*[(n, "Mass", 0, 0, 9, 9) for n in names])
        guess = boxes(*[(n, "Mass", 0, 0, 9 if rng.random() < 0.6 else 1, 9, float(rng.random())) for n in names])
        rows = ap.score_boxes(guess, ap.Reference(names, np.array(names), truth), levels=["class"], thresholds=[0.3])
        assert rows[-1]["class"] == "mean"
        assert all(r["low"] <= r["value"] <= r["high"] for r in rows)
        return rows[0]["high"] - rows[0]["low"]

    assert width(400) < 0.6 * width(40)


def test_no_reference_boxes_no_rows():
    assert ap.score_boxes(random_boxes(0, 3), reference_of(Boxes.empty())) == []


def test_three_boxes_all_found_are_not_certain_and_one_patient_is_too_few():
    """The mean over classes used to count replicates without a box as 0: three boxes all found gave 1.0 [0 to 1]."""
    truth = boxes(*((f"image{n}", "Mass", 0, 0, 9, 9) for n in range(3)))
    judged = ap.score_boxes(truth, reference_of(truth), levels=["class"], thresholds=[0.3])
    rows = {row["metric"]: row for row in judged}
    for row in rows.values():
        assert row["value"] == row["high"] == 1.0
        assert 0.2 < row["low"] < 0.9
    alone = ap.score_boxes(truth, replace(reference_of(truth), group_ids=np.array(["g"] * 5)), levels=["class"])
    assert {row["value"] for row in alone} == {None} and "mean" not in {row["class"] for row in alone}


@given(st.integers(0, 300))
@settings(max_examples=40, deadline=None)
def test_influence_is_how_a_groups_weight_moves_average_precision(seed):
    predicted, drawn = random_boxes(seed, 14), random_boxes(seed + 1, 6)
    names = [f"image{n}" for n in range(5)]
    matched = match(predicted, drawn, names, 0.1)
    ones = np.ones((1, 5))
    value = float(weighted_ap(matched, ones)[0])
    found = box_figure(matched, value, np.arange(5), 5)
    if found is None:
        return
    assert found.low < found.high and found.low <= value <= found.high
    for image in range(5):
        slopes = []
        for step in (1e-7, -1e-7):
            moved = ones.copy()
            moved[0, image] += step
            slopes.append((float(weighted_ap(matched, moved)[0]) - value) / step)
        # Where two places have the same precision the envelope has a kink, and two slopes.
        assert min(slopes) - 1e-4 <= found.influence[image] <= max(slopes) + 1e-4
