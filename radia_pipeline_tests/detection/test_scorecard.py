"""The detector's figures: every level, every reference, beside controls, with intervals."""

from __future__ import annotations

import shutil

import pyarrow as pa
import pytest

from radia_pipeline.detection import scorecard
from radia_pipeline.detection.scorecard import DETECTOR, DRAWN, PRIOR, PSEUDO, RANDOM, SHOWN, build_detector_scorecard
from radia_pipeline.detection.train import train_detector
from radia_pipeline.errors import NotTrained
from radia_pipeline.lake.lake import Lake
from radia_pipeline.localisation.boxes import Boxes
from radia_pipeline_tests.detection.worlds import make_world, small_config


def true_boxes(world) -> Boxes:
    return Boxes.of(
        (image, name, (x, y, x + w, y + h), 1.0) for image, found in world.truth.items() for name, x, y, w, h in found
    )


@pytest.fixture(scope="module")
def scored(trained):
    result = build_detector_scorecard(trained.world.lake, true_boxes(trained.world))
    return result, trained.world.lake.read("detector_scorecard").to_pylist()


def test_every_reference_level_and_threshold_is_there(scored):
    result, rows = scored
    assert {row["against"] for row in rows} == {"annotations", "pseudo", "truth"}
    assert {row["level"] for row in rows} == {"class", "group", "agnostic"}
    assert {"map@0.3", "map@0.4", "map@0.5"} <= {row["metric"] for row in rows if row["class"] == "mean"}
    assert {row["model"] for row in rows} == {DETECTOR, SHOWN, PSEUDO, PRIOR, RANDOM}
    assert result.rows == len(rows)
    assert set(result.headline) == {"annotations", "pseudo", "truth"}


def test_figures_stand_within_their_intervals(scored):
    _, rows = scored
    whole = [row for row in rows if None not in (row["value"], row["low"], row["high"])]
    assert whole
    assert all(row["low"] <= row["value"] <= row["high"] and row["low"] < row["high"] for row in whole)
    shares = [row for row in whole if " over " not in row["metric"] and "false boxes on" not in row["metric"]]
    assert all(0 <= row["low"] <= row["high"] <= 1 for row in shares)


def test_the_detector_stands_beside_each_other_by_pairs(scored):
    """The pseudo boxes of this world are its truth: nothing is above them, and the detector of two epochs is not."""
    _, rows = scored
    pairs = {row["metric"]: row for row in rows if row["against"] == "truth" and row["metric"].startswith("map@0.3 o")}
    assert set(pairs) == {f"map@0.3 over {name}" for name in (PSEUDO, PRIOR, RANDOM)}
    over = pairs[f"map@0.3 over {PSEUDO}"]
    assert over["high"] < 0
    means = [row for row in rows if (row["against"], row["level"], row["metric"]) == ("truth", "class", "map@0.3")]
    alone = {row["model"]: row["value"] for row in means}
    assert over["value"] == pytest.approx(alone[DETECTOR] - alone[PSEUDO])


@pytest.mark.parametrize("level", ["class", "group", "agnostic"])
def test_each_class_and_group_has_its_pairs_and_its_shares_found(scored, level):
    """A pair's value is what the two figures of the group differ by; an easier place finds no fewer boxes."""
    _, rows = scored
    mine = {
        (row["model"], row["class"], row["metric"]): row
        for row in rows
        if (row["against"], row["level"]) == ("truth", level) and row["value"] is not None
    }
    names = {name for model, name, metric in mine if (model, metric) == (DETECTOR, "ap@0.3")} - {"mean"}
    assert names
    for name in names:
        for other in (PSEUDO, PRIOR, RANDOM):
            apart = mine[DETECTOR, name, "ap@0.3"]["value"] - mine[other, name, "ap@0.3"]["value"]
            assert mine[DETECTOR, name, f"ap@0.3 over {other}"]["value"] == pytest.approx(apart)
        found = [mine[DETECTOR, name, f"sensitivity@{rate} false boxes"]["value"] for rate in ("0.1", "0.5", "1")]
        assert found == sorted(found)
        assert (SHOWN, name, "sensitivity") in mine


def test_boxes_found_at_few_false_ones_rise_with_their_number(scored):
    _, rows = scored
    rows = [row for row in rows if row["class"] == "mean"]
    found = [
        row["value"]
        for row in rows
        if row["model"] == PSEUDO and row["against"] == "truth" and "@0.1 " in row["metric"]
    ]
    assert found == [pytest.approx(1.0)]
    mine = {row["metric"]: row["value"] for row in rows if row["model"] == DETECTOR and row["against"] == "truth"}
    rising = [mine[f"sensitivity@{rate} false boxes"] for rate in ("0.1", "0.5", "1")]
    assert rising == sorted(rising)


def test_what_the_working_point_finds_stands_there(scored):
    _, rows = scored
    assert any((row["model"], row["metric"]) == (SHOWN, "sensitivity") for row in rows)


@pytest.mark.parametrize(("boxed", "share", "number"), [((), 0.0, 0.0), (("film0", "film0", "film3"), 0.2, 0.3)])
def test_false_boxes_are_counted_on_normal_films_alone(boxed, share, number):
    names = [f"film{place}" for place in range(20)]
    images = pa.table({"image_id": names, "group_id": names, "No Finding": [1] * 10 + [0] * 10})
    shown = Boxes.of((name, "Mass", (0, 0, 9, 9), 0.9) for name in (*boxed, "film12"))
    found = {row["metric"]: row for row in scorecard._on_normal_films(images, shown)}
    films, false = found["normal films with a box"], found["false boxes on a normal film"]
    assert (films["value"], false["value"]) == (pytest.approx(share), pytest.approx(number))
    assert all(row["low"] <= row["value"] <= row["high"] and row["low"] < row["high"] for row in (films, false))
    assert false["images"] == 10


def test_a_detector_of_drawn_boxes_stands_beside_the_one_of_pseudo_boxes(trained, tmp_path):
    """Pseudo boxes of this world are its drawn ones but for their scores: both detectors learn from the same places."""
    lake = Lake.open(shutil.copytree(trained.world.lake.root, tmp_path / "lake"))
    train_detector(lake, small_config(name="real", boxes={"real": True}, training={"max_epochs": 1, "batch_size": 8}))
    build_detector_scorecard(lake, true_boxes(trained.world), name="small")
    rows = [row for row in lake.read("detector_scorecard").to_pylist() if row["against"] == "truth"]
    other = f"{DETECTOR}: real{DRAWN}"
    beside = {row["metric"] for row in rows if row["model"] == DETECTOR and row["metric"].endswith(f"over {other}")}
    assert beside == {f"map@0.3 over {other}", f"ap@0.3 over {other}"}
    kinds = {(row["level"], row["metric"]) for row in rows if row["model"] == other}
    assert {(level, "ap@0.3") for level in ("class", "group", "agnostic")} < kinds
    assert {(level, "sensitivity@0.5 false boxes") for level in ("class", "group", "agnostic")} < kinds


def test_scoring_twice_changes_nothing(scored, trained):
    again = build_detector_scorecard(trained.world.lake, true_boxes(trained.world))
    assert again.version == scored[0].version


def test_scorecard_before_training_says_so(tmp_path):
    with pytest.raises(NotTrained):
        build_detector_scorecard(make_world(tmp_path / "lake", images=4).lake)
