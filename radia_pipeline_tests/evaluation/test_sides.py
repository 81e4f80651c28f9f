"""Which side is which is learned from films: mirrored ones are told, the others are left alone, few teach nothing."""

from __future__ import annotations

import numpy as np
import pytest

from radia_pipeline.dicom.sides import FEATURES, GRID_PX, laid_out, side_features
from radia_pipeline.evaluation import sides as learning
from radia_pipeline.evaluation.sides import Sides, fit_sides
from radia_pipeline.usecases import looking
from radia_pipeline_tests.usecases.films import film


def mirrored(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(image[:, ::-1])


@pytest.fixture(scope="module")
def learned() -> Sides:
    features = np.array([side_features(laid_out(film(number))) for number in range(120)])
    return fit_sides(features, [f"g{number // 2}" for number in range(120)])


def test_a_mirrored_film_is_told_and_others_are_left_alone(learned):
    others = [film(number) for number in range(500, 540)]
    assert sum(learned.is_mirrored(laid_out(mirrored(image))) for image in others) >= 36
    assert sum(learned.is_mirrored(laid_out(image)) for image in others) <= 2
    assert learned.false_alarms <= 2 * learning.QUANTILE
    assert learned.found > 0.8


@pytest.mark.parametrize("shape", [(160, 160), (128, 160), (160, 131)])
def test_a_film_and_its_mirror_image_have_opposite_features(shape):
    image = film(4)[: shape[0], : shape[1]]
    one, other = (side_features(laid_out(picture)) for picture in (image, mirrored(image)))
    assert one.shape == (FEATURES,)
    assert np.corrcoef(one, -other)[0, 1] > 0.99


def test_grey_scale_and_size_change_little(learned):
    image = film(8, size_px=320)
    brighter = (65535 * (image / 65535) ** 0.7).astype(np.uint16)
    scores = [learned.score(laid_out(one)) for one in (image, brighter, np.ascontiguousarray(image[::2, ::2]))]
    assert np.ptp(scores) < 0.5 * abs(scores[0])


def test_few_films_or_patients_teach_no_side():
    few = np.random.default_rng(0).normal(size=(learning.FEWEST - 1, 12))
    assert fit_sides(few, [str(number) for number in range(len(few))]).weights == ()
    assert fit_sides(np.repeat(few, 3, axis=0), ["one patient"] * 3 * len(few)).weights == ()
    assert not Sides().is_mirrored(laid_out(film(1)))


def test_what_parents_take_for_laid_out_is():
    assert looking.GRID_PX == GRID_PX
