"""The saliency benchmark: controls beside methods, one vote for those that coincide, choices where they are sure."""

from __future__ import annotations

import numpy as np
import pytest

from radia_pipeline.lake.lake import Lake
from radia_pipeline.localisation import benchmark, choice, controls
from radia_pipeline.localisation.average_precision import Reference
from radia_pipeline.localisation.drawn import drawn_pools
from radia_pipeline.localisation.explainer import Explained, Explainer, read_images
from radia_pipeline.localisation.extents import Extent
from radia_pipeline.localisation.paired import difference
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
        assert choice.read_choice(lake, recipe).method == votes[0]
    same = {(r["method"], r["metric"]) for r in rows(lake, recipe="flat") if r["metric"].startswith("same as")}
    assert ("hirescam", "same as gradcam") in same
    assert ("pcam", "same as gradcam") in same
    assert result.chosen["flat"] not in {method for method, _ in same}


def test_thresholds_and_sizes_come_with_the_choice(benched):
    lake, _ = benched
    chosen = choice.read_choice(lake, "peaked")
    assert chosen.shares["mean"] in choice.SHARES
    assert chosen.extents == {}, "ten boxes do not say how large a class is"
    kept = lake.read("saliency_benchmark").to_pylist()
    place = {"recipe": "peaked", "method": choice.DRAWN, "low": None, "high": None, "boxes": 30, "images": 20}
    own = Extent(0.01, 0.2, 0.05, 0.3)
    facts = [{**place, "class": n, "metric": m, "value": v} for n, m, v in choice.extent_facts({"Mass": own})]
    lake.write("saliency_benchmark", kept + facts)
    assert choice.read_choice(lake, "peaked").extents == {"Mass": own}
    lake.write("saliency_benchmark", kept)


def test_same_lake_gives_the_same_version(benched):
    lake, result = benched
    assert benchmark.build_saliency_benchmark(lake, ["flat", "peaked"]).version == result.version


def test_without_drawn_boxes_the_table_is_empty_and_the_defaults_hold(tmp_path):
    lake = Lake.open(tmp_path)
    result = benchmark.build_saliency_benchmark(lake, ["any"])
    assert result.rows == 0
    assert result.warnings
    assert choice.read_choice(lake, "any") == choice.Choice()


def test_maps_that_differ_by_scale_only_coincide():
    rng = np.random.default_rng(0)
    first, other = rng.random((2, 3, 3)), rng.random((2, 3, 3))
    one = Explained(np.zeros(2), {"a": first, "b": 7 * first, "c": other})
    assert benchmark.coinciding([one], ("a", "b", "c")) == {"b": "a"}
    assert benchmark.coinciding([], ("a", "b")) == {}


def test_a_positive_label_that_nobody_drew_is_not_judged(tmp_path):
    lake = make_lake(tmp_path, 12)
    pools = drawn_pools(lake)
    reference = pools["train"].reference
    image = reference.image_ids[0]
    assert (image, "Mass") not in reference.ignored
    assert (image, "Lung Lesion") in reference.ignored
    assert (image, "Nodule") not in reference.ignored
    assert (image, "Fracture") in reference.ignored


def found_on(names, is_hit):
    """Boxes on these images, on the truth where it is hit and beside it elsewhere."""
    return boxes(*[(n, "Mass", *((0, 0, 10, 10) if hit else (50, 50, 60, 60)), 0.5) for n, hit in zip(names, is_hit)])


@pytest.mark.parametrize(("hits", "chosen"), [(20, 0.3), (10, 0.5)])
def test_maps_are_cut_elsewhere_only_where_that_is_surely_better(hits, chosen):
    names = tuple(f"i{n}" for n in range(40))
    reference = Reference(names, np.array(names), boxes(*[(n, "Mass", 0, 0, 10, 10) for n in names]))
    usual = found_on(names, [n < 8 for n in range(40)])
    at = dict.fromkeys(choice.SHARES, usual) | {0.3: found_on(names, [n < hits for n in range(40)])}
    assert choice.sure_shares(at, reference)["mean"] == chosen


def test_a_method_votes_only_when_it_is_surely_better_than_the_default():
    names = tuple(f"i{n}" for n in range(40))
    reference = Reference(names, np.array(names), boxes(*[(n, "Mass", 0, 0, 10, 10) for n in names]))
    usual, close, far = (found_on(names, [n < k for n in range(40)]) for k in (8, 10, 30))
    vote, over = choice.surely_best_method({choice.DEFAULT_METHOD: usual, "gradcam": close}, reference)
    assert vote == choice.DEFAULT_METHOD
    assert over["gradcam"][0] > 0 > over["gradcam"][1]
    more = {choice.DEFAULT_METHOD: usual, "gradcam": close, "pcam": far}
    assert choice.surely_best_method(more, reference)[0] == "pcam"


def test_a_difference_of_the_same_boxes_is_nought_and_of_turned_sides_its_opposite():
    names = tuple(f"i{n}" for n in range(30))
    reference = Reference(names, np.array(names), boxes(*[(n, "Mass", 0, 0, 10, 10) for n in names]))
    few, many = (found_on(names, [n < k for n in range(30)]) for k in (6, 20))
    assert difference(many, many, reference, 0.3).value == 0
    there, back = difference(many, few, reference, 0.3), difference(few, many, reference, 0.3)
    assert there.value == pytest.approx(-back.value)
    assert there.low == pytest.approx(-back.high)
    assert difference(few, many, reference, 0.3, ["Edema"]) is None


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


def test_boxes_that_stand_in_train_alone_are_no_reason_to_fail(tmp_path):
    """A small lake may have drawn boxes in train and none in validation."""
    lake = make_lake(tmp_path, recipes={"peaked": "pcam"})
    train = set(drawn_pools(lake)["train"].images.columns["image_id"])
    kept = [row for row in lake.read("box_annotations", SOURCE).to_pylist() if row["image_id"] in train]
    lake.write("box_annotations", kept, partition=SOURCE)
    result = benchmark.build_saliency_benchmark(lake, ["peaked"])
    assert (result.boxes["validation"], result.sheets, result.ms_a_film) == (0, [], {"peaked": {}})
    assert result.chosen == {"peaked": choice.DEFAULT_METHOD} and result.warnings
