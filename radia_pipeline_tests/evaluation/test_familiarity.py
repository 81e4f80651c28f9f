"""What is far from the films that were learned from is found, and the others are not, at about the declared rate."""

from __future__ import annotations

import numpy as np
import pytest

from radia_pipeline.evaluation import familiarity
from radia_pipeline.evaluation.familiarity import Threshold, fit_gaussian, fit_threshold, quantile_of
from radia_pipeline.evaluation.sides import Sides

WIDTH = 24


def drawn(count: int, seed: int, middle: float = 0.0) -> np.ndarray:
    """Features of films on a plane of few dimensions, with some noise off it."""
    rng = np.random.default_rng(seed)
    plane = np.random.default_rng(0).normal(size=(6, WIDTH))
    return rng.normal(size=(count, 6)) @ plane + 0.1 * rng.normal(size=(count, WIDTH)) + middle


def whole(features: np.ndarray) -> list[np.ndarray]:
    return [np.ones(len(features), dtype=bool)]


def test_what_lies_off_the_plane_or_far_out_on_it_is_far():
    learned = drawn(400, 1)
    gaussian = fit_gaussian(learned, whole(learned))
    usual = np.quantile(gaussian.distance(drawn(400, 2)), 0.99)
    rng = np.random.default_rng(3)
    off_plane = drawn(50, 4) + 3 * rng.normal(size=(50, WIDTH))
    assert (gaussian.distance(off_plane) > usual).all()
    assert (gaussian.distance(8 * drawn(50, 5)) > usual).mean() > 0.9


def test_a_kind_with_enough_films_has_a_centre_of_its_own():
    frontal, lateral = drawn(200, 1), drawn(200, 2, middle=30.0)
    both = np.concatenate([frontal, lateral])
    masks = [np.arange(400) < 200, np.arange(400) >= 200]
    two, one = fit_gaussian(both, masks), fit_gaussian(both, whole(both))
    between = np.stack([frontal.mean(axis=0) / 2 + lateral.mean(axis=0) / 2])
    assert two.distance(between)[0] / np.median(two.distance(both)) > one.distance(between)[0] / np.median(
        one.distance(both)
    )
    assert len(fit_gaussian(both, [masks[0], np.arange(400) > 395]).means) == 1


def test_the_distance_of_a_film_does_not_depend_on_the_others():
    learned, others = drawn(100, 1), drawn(5, 2)
    gaussian = fit_gaussian(learned, whole(learned))
    alone = [gaussian.distance(one[None])[0] for one in others]
    assert np.allclose(gaussian.distance(others), alone, atol=1e-9)


@pytest.mark.parametrize("count", [15, 60, 400, 3000])
def test_few_further_films_are_beyond_the_threshold(count):
    rates = []
    for seed in range(30):
        rng = np.random.default_rng([count, seed])
        rates.append((rng.normal(size=4000) > quantile_of(rng.normal(size=count))).mean())
    assert np.mean(rates) <= 2 * (1 - familiarity.QUANTILE)


def test_a_threshold_tells_its_false_alarms_with_an_interval_and_is_1_in_its_own_measure():
    rng = np.random.default_rng(0)
    distances = {"one": np.exp(rng.normal(size=500)), "two": np.exp(rng.normal(size=500))}
    found = fit_threshold(distances, [f"g{number // 2}" for number in range(500)])
    assert 0 <= found.low <= found.false_alarms <= found.high <= 1
    assert found.films == 500
    scores = np.array([found.score({n: v[i] for n, v in distances.items()}) for i in range(500)])
    assert (scores > 1).mean() <= 0.01
    assert found.score({name: 2 * value for name, value in found.medians.items()}) == pytest.approx(
        2 * found.score(found.medians)
    )


def test_numbers_come_back_as_they_were_written(tmp_path):
    learned = drawn(100, 1)
    gaussian = fit_gaussian(learned, whole(learned))
    assert familiarity.load_gaussian(tmp_path) is None
    familiarity.save_gaussian(tmp_path, gaussian, {"films": 100})
    again = familiarity.load_gaussian(tmp_path)
    assert np.array_equal(again.distance(drawn(9, 3)), gaussian.distance(drawn(9, 3)))
    (tmp_path / familiarity.FOLDER / familiarity.NUMBERS).write_bytes(b"cut")
    assert familiarity.load_gaussian(tmp_path) is None
    path = familiarity.threshold_path(tmp_path, {"one": "f00d"})
    assert path != familiarity.threshold_path(tmp_path, {"one": "beef"})
    threshold = Threshold({"one": 2.0}, 0.5, 10, 0.0, 0.0, 0.3, Sides((0.5, -0.25), -1.0, 0.01, 0.9))
    assert familiarity.load_threshold(path) is None
    familiarity.save_threshold(path, threshold)
    assert familiarity.load_threshold(path) == threshold
