"""Thresholds by class keep the stated rate of false boxes, and spend all of it where it is of use."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radia_pipeline.detection.working_point import thresholds_for
from radia_pipeline.localisation.boxes import Boxes

CLASSES = ("Cardiomegaly", "Mass", "Pleural Effusion")
FAINTEST = 0.05


def world(seed: int, films: int = 40, boxes: int = 200) -> tuple[Boxes, list[str], np.ndarray]:
    random = np.random.default_rng(seed)
    names = [f"film{number}" for number in range(films)]
    rows = [
        (names[random.integers(films)], CLASSES[random.integers(3)], (0, 0, 9, 9), round(float(random.random()), 2))
        for _ in range(boxes)
    ]
    return Boxes.of(rows), names, random.random((films, 3)) < 0.7


def false_boxes(found: Boxes, names: list[str], absent: np.ndarray, cuts: tuple[float, ...]) -> list[float]:
    rates = []
    for column, name in enumerate(CLASSES):
        rows = [names.index(image) for image in found.image_id[(found.label == name) & (found.score > cuts[column])]]
        rates.append(absent[rows, column].sum() / max(absent[:, column].sum(), 1))
    return rates


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.1, 0.5, 1.0, 2.0]))
def test_the_rate_is_kept_and_what_one_class_leaves_is_the_others(seed, rate):
    boxes, names, absent = world(seed)
    cuts = thresholds_for(boxes, names, absent, CLASSES, rate, FAINTEST)
    rates = false_boxes(boxes, names, absent, cuts)
    assert sum(rates) <= rate + 1e-9
    assert min(cuts) >= FAINTEST
    if max(cuts) == FAINTEST:
        return
    tight = [one for one, cut in zip(rates, cuts) if cut > FAINTEST]
    assert min(tight) >= rate / 3 - 4 / min(absent.sum(axis=0)), "equal scores leave at most a few boxes unspent"


def test_a_class_that_makes_no_false_box_takes_the_lowest_threshold():
    boxes = Boxes.of([("a", "Mass", (0, 0, 9, 9), 0.9), ("b", "Cardiomegaly", (0, 0, 9, 9), 0.8)])
    absent = np.array([[True, False, True], [True, True, True]])
    cuts = thresholds_for(boxes, ["a", "b"], absent, CLASSES, 0.1, FAINTEST)
    assert cuts[1] == cuts[2] == FAINTEST
    assert cuts[0] == pytest.approx(0.8, abs=1e-5)
    assert cuts[0] > 0.8


def test_a_class_that_is_nowhere_known_to_be_absent_shows_nothing():
    boxes, names, absent = world(0)
    absent[:, 1] = False
    assert thresholds_for(boxes, names, absent, CLASSES, 0.5, FAINTEST)[1] == 1.0
