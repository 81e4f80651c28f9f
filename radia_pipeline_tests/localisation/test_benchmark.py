"""The saliency benchmark: controls beside methods, choices from validation only, one vote for methods that coincide."""

from __future__ import annotations

import numpy as np
import pytest

from radia_pipeline.lake.lake import Lake
from radia_pipeline.localisation import benchmark, controls
from radia_pipeline.localisation.average_precision import Reference
from radia_pipeline.localisation.explainer import Explained, Explainer, read_images
from radia_pipeline_tests.localisation.lakes import SOURCE, make_lake
from radia_pipeline_tests.localisation.worlds import boxes


@pytest.fixture(scope="module")
def benched(tmp_path_factory):
    lake = make_lake(tmp_path_factory.mktemp("lake"), recipes={"flat": "linear", "peaked": "pcam"})
    return lake, benchmark.build_saliency_benchmark(lake, ["flat", "peaked"])


def rows(lake, **place):
    return [r for r in lake.read("saliency_benchmark").to_pylist() if all(r[k] == v for k, v in place.items())]


def test_methods_stand_beside_three_controls_on_the_same_drawn_boxes(benched):
    lake, result = benched
    assert result.boxes == {"train": 10, "validation": 10}
    found = {row["method"]: row for row in rows(lake, recipe="peaked", metric="map@0.3", **{"class": "mean"})}
    assert set(found) == {*benchmark.CANDIDATES, *controls.CONTROLS}
    assert {row["boxes"] for row in found.values()} == {10}
    assert {row["images"] for row in found.values()} == {10}
    for row in found.values():
        assert row["low"] <= row["value"] <= row["high"] and row["low"] < row["high"]


def test_exactly_one_method_votes_and_never_one_that_coincides_with_another(benched):
    lake, result = benched
    for recipe in ("flat", "peaked"):
        votes = [row["method"] for row in rows(lake, recipe=recipe, metric="vote") if row["value"]]
        assert votes == [result.chosen[recipe]]
        assert benchmark.read_choice(lake, recipe).method == votes[0]
    same = {(r["method"], r["metric"]) for r in rows(lake, recipe="flat") if r["metric"].startswith("same as")}
    assert ("hirescam", "same as gradcam") in same
    assert ("pcam", "same as gradcam") in same
    assert result.chosen["flat"] not in {method for method, _ in same}


def test_thresholds_come_with_the_choice(benched):
    lake, _ = benched
    choice = benchmark.read_choice(lake, "peaked")
    assert choice.shares["mean"] in benchmark.SHARES
    assert choice.shares["Mass"] in benchmark.SHARES


def test_same_lake_gives_the_same_version(benched):
    lake, result = benched
    assert benchmark.build_saliency_benchmark(lake, ["flat", "peaked"]).version == result.version


def test_without_drawn_boxes_the_table_is_empty_and_the_defaults_hold(tmp_path):
    lake = Lake.open(tmp_path)
    result = benchmark.build_saliency_benchmark(lake, ["any"])
    assert result.rows == 0
    assert result.warnings
    assert benchmark.read_choice(lake, "any") == benchmark.Choice()


def test_maps_that_differ_by_scale_only_coincide():
    rng = np.random.default_rng(0)
    first, other = rng.random((2, 3, 3)), rng.random((2, 3, 3))
    one = Explained(np.zeros(2), {"a": first, "b": 7 * first, "c": other})
    assert benchmark.coinciding([one], ("a", "b", "c")) == {"b": "a"}
    assert benchmark.coinciding([], ("a", "b")) == {}


def test_a_positive_label_that_nobody_drew_is_not_judged(tmp_path):
    lake = make_lake(tmp_path, 12)
    pools = benchmark.drawn_pools(lake)
    reference = pools["train"].reference
    image = reference.image_ids[0]
    assert (image, "Mass") not in reference.ignored
    assert (image, "Lung Lesion") in reference.ignored
    assert (image, "Nodule") not in reference.ignored
    assert (image, "Fracture") in reference.ignored


def test_the_best_share_is_chosen_per_class_where_boxes_allow():
    names = tuple(f"i{n}" for n in range(12))
    truth = boxes(*[(n, "Mass", 0, 0, 10, 10) for n in names])
    reference = Reference(names, np.array(names), truth)
    at = {0.3: boxes(*[(n, "Mass", 0, 0, 40, 40) for n in names]), 0.5: truth}
    assert benchmark.best_shares(at, reference) == {"mean": 0.5, "Mass": 0.5}
    few = Reference(names, np.array(names), truth.on(names[:3]))
    assert benchmark.best_shares(at, few) == {"mean": benchmark.DEFAULT_THRESHOLD_SHARE}


def test_controls_keep_scores_and_stay_on_the_image():
    some = boxes(("a", "Mass", 10, 10, 30, 30, 0.9), ("a", "Mass", 0, 0, 5, 5, 0.2), ("b", "Edema", 0, 0, 9, 9, 0.4))
    sizes = {"a": (100, 50), "b": (40, 40)}
    moved = controls.at_random(some, sizes)
    assert np.array_equal(moved.score, some.score)
    assert np.allclose(moved.corners[:, 2:] - moved.corners[:, :2], some.corners[:, 2:] - some.corners[:, :2])
    assert (moved.corners[:, 2] <= [100, 100, 40]).all()
    assert np.array_equal(moved.corners, controls.at_random(some, sizes).corners)
    priors = controls.prior_boxes(boxes(("x", "Mass", 10, 10, 20, 20)), {"x": (100, 100), "y": (100, 100)})
    assert priors["Mass"].frequency == 0.5
    placed = controls.at_prior(some, priors, sizes)
    assert placed.corners.tolist() == [[10, 5, 20, 10]]
    assert placed.score.tolist() == [0.9]
    assert controls.blind(priors, sizes).score.tolist() == [0.5, 0.5]


def test_explaining_does_not_depend_on_the_batch(benched):
    lake, _ = benched
    images = read_images(lake, [SOURCE]).take(range(5))
    explainer = Explainer(lake, "peaked", images, ("layercam",))
    together = explainer.rows(range(5))
    (alone,) = explainer.rows([3])
    assert np.allclose(together[3].maps["layercam"], alone.maps["layercam"], atol=1e-6)
    assert np.allclose(together[3].probability, alone.probability, atol=1e-6)
