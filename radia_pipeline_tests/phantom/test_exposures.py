"""Exposures: films of one patient are different exposures down to their finest detail, and one film is itself."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from radia_pipeline.cohort.registration import SAME_EXPOSURE, prepared, same_exposure
from radia_pipeline.phantom.canvas import Frame, draw_waves, generator
from radia_pipeline.phantom.radiograph import Film, take


def film(number: int) -> Film:
    return Film("PA", 50 + number // 2, number, bool(number % 4), 60, (), 192)


def agreement(one: np.ndarray, other: np.ndarray) -> float:
    return same_exposure(prepared(other, moves=False), prepared(one))


@pytest.mark.parametrize("number", range(0, 12, 2))
def test_another_exposure_of_one_patient_is_no_copy(number):
    one, other = (take(film(number + exposure)).grey for exposure in (0, 1))
    assert agreement(one, other) < SAME_EXPOSURE - 0.05
    smaller = cv2.resize(one, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    assert agreement(one, np.ascontiguousarray(smaller[:, ::-1])) > SAME_EXPOSURE + 0.1


def test_a_film_is_the_same_each_time_and_another_with_another_person_or_exposure():
    one = take(film(3)).grey
    assert np.array_equal(one, take(film(3)).grey)
    for other in (replace(film(3), exposure_seed=9), replace(film(3), person_seed=9)):
        assert one.shape != (changed := take(other).grey).shape or not np.array_equal(one, changed)


def test_places_on_the_film_are_where_outlines_are_drawn():
    frame = Frame(300, 280, 0.03, 1.02, (0.01, -0.01), draw_waves(generator(4, "waves"), 0.005))
    straight = Frame(300, 280, 0.03, 1.02, (0.01, -0.01))
    points = np.random.default_rng(0).uniform(0.1, 0.9, (200, 2))
    x, y = np.round(frame.to_px(points)).astype(int).T
    found = np.stack([frame.xs[y, x], frame.ys[y, x]], axis=1)
    rounding = 0.6 / frame.unit_px
    assert np.abs(found - points).max() < 0.003 + rounding
    moved = np.linalg.norm(frame.to_px(points) - straight.to_px(points), axis=1)
    assert 0.5 < np.median(moved) < 6
