"""Pseudo boxes follow the labels in training and the models alone elsewhere; the truth score holds its controls."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import MissingTable
from radia_pipeline.evaluation.ensemble import build_ensemble
from radia_pipeline.evaluation.in_use import challenger_of
from radia_pipeline.localisation import pseudo, truth
from radia_pipeline.localisation.explainer import read_images
from radia_pipeline_tests.localisation.lakes import HEIGHT, KEYS, SOURCE, WIDTH, image_ids, make_lake


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    lake = make_lake(tmp_path_factory.mktemp("lake"), recipes={"flat": "linear", "peaked": "pcam"})
    build_ensemble(lake, ["flat", "peaked"])
    both = {"rule": "mean_probability", "parameters": []}  # both vote, whichever is better by chance
    lake.write("ensemble", [{**row, **both} for row in lake.read("ensemble").to_pylist()])
    seen = []
    return lake, pseudo.build_pseudo_boxes(SOURCE, lake, lambda done, total: seen.append((done, total))), seen


def test_boxes_lie_inside_their_images_and_are_numbered(drawn):
    lake, result, seen = drawn
    rows = lake.read("pseudo_boxes", SOURCE).to_pylist()
    assert len(rows) == result.boxes > 0
    assert seen[-1] == (40, 40)  # the test pool is left alone
    assert set(result.boxes_per_pool) == {"train", "validation"}
    for row in rows:
        assert 0 <= row["x_px"] < row["x_px"] + row["width_px"] <= WIDTH + 1e-6
        assert 0 <= row["y_px"] < row["y_px"] + row["height_px"] <= HEIGHT + 1e-6
        assert 0 < row["score"] <= 1


def test_positive_training_images_are_drawn_and_known_absent_classes_never(drawn):
    lake, _, _ = drawn
    manifest = {row["image_id"]: row for row in lake.read("manifest", SOURCE).to_pylist()}
    found = {}
    for row in lake.read("pseudo_boxes", SOURCE).to_pylist():
        found.setdefault(row["image_id"], set()).add(row["class"])
    for image, row in manifest.items():
        if row["pool"] == "train":
            assert ("Mass" in found.get(image, set())) == (row["Mass"] == 1)
            assert "Nodule" not in found.get(image, set())


def test_labels_of_evaluation_images_are_not_looked_at(drawn):
    lake, _, _ = drawn
    images = read_images(lake, [SOURCE])
    (row,) = [r for r in range(len(images)) if images.columns["pool"][r] == "validation"][:1]
    probability, cuts = np.linspace(0, 1, 21), np.full(21, 0.5)
    before = pseudo.wanted_classes(row, images, probability, cuts)
    images.values[row] = 1 - np.clip(images.values[row], 0, 1)
    assert pseudo.wanted_classes(row, images, probability, cuts) == before


def test_a_group_is_drawn_only_without_its_children(drawn):
    lake, _, _ = drawn
    images = read_images(lake, [SOURCE]).where(pool={"validation"})
    probability = np.zeros(21)
    probability[vocabulary().index("Lung Lesion")] = 0.9
    assert pseudo.wanted_classes(0, images, probability, np.full(21, 0.5)) == ["Lung Lesion"]
    probability[vocabulary().index("Mass")] = 0.3
    assert pseudo.wanted_classes(0, images, probability, np.full(21, 0.5)) == ["Mass"]


def test_a_box_that_is_only_perhaps_there_is_grey(drawn):
    lake, result, _ = drawn
    manifest = {row["image_id"]: row for row in lake.read("manifest", SOURCE).to_pylist()}
    cuts = dict(zip(vocabulary().classes, challenger_of(lake).ensemble.cuts))
    rows = lake.read("pseudo_boxes", SOURCE).to_pylist()
    assert result.grey_boxes == sum(row["is_grey"] for row in rows)
    for row in rows:
        said = manifest[row["image_id"]]
        is_said = said["pool"] == "train" and said[row["class"]] == 1
        least = cuts[row["class"]] * (0.5 if is_said else 1)
        assert row["is_grey"] == (row["probability"] < least)
        assert row["votes"] in (1, 2)


def test_a_head_that_pools_by_place_draws_alone(tmp_path):
    lake = make_lake(tmp_path, 24, recipes={"flat": "linear", "peaked": "pcam"})
    build_ensemble(lake, ["flat", "peaked"])
    images, using = read_images(lake, [SOURCE]), challenger_of(lake)
    for rule in ("mean_probability", "single:flat"):
        parted = {"rule": rule, "parameters": []}
        lake.write("ensemble", [{**row, **parted} for row in lake.read("ensemble").to_pylist()])
        using = challenger_of(lake)
        voters = {one.explainer.recipe: one.draws for one in pseudo.voters_of(lake, using, images)}
        assert voters == {"flat": False, "peaked": True}, "the other says how likely a class is"


def test_drawing_twice_gives_the_same_version(drawn):
    lake, result, _ = drawn
    assert pseudo.build_pseudo_boxes(SOURCE, lake).version == result.version


def test_without_an_ensemble_the_error_names_it(tmp_path):
    with pytest.raises(MissingTable, match="ensemble"):
        pseudo.build_pseudo_boxes(SOURCE, make_lake(tmp_path, 6))


def phantom_truth(lake, scale: float = 2.0) -> pa.Table:
    """The drawn boxes as a phantom would keep them: native names, original pixels."""
    native = {image: f"{number}.png" for number, image in enumerate(image_ids(60))}
    rows = [
        {
            "source": SOURCE,
            "native_image_id": native[row["image_id"]],
            "class": row["class"],
            **{name: row[name] * scale for name in ("x_px", "y_px", "width_px", "height_px")},
            "image_width_px": int(WIDTH * scale),
            "image_height_px": int(HEIGHT * scale),
        }
        for row in lake.read("box_annotations", SOURCE).to_pylist()
    ]
    return pa.Table.from_pylist(rows)


def with_images_table(lake):
    rows = [
        {
            "source": SOURCE,
            "image_id": r["image_id"],
            "study_id": r["study_id"],
            "patient_key": r["patient_key"],
            "path": r["path"],
            "pixel_sha256": "0" * 64,
            "file_sha256": "0" * 64,
            "delivered_path": "x",
            "view": "PA",
            "view_origin": "table",
            "width_px": WIDTH,
            "height_px": HEIGHT,
            "original_width_px": 2 * WIDTH,
            "original_height_px": 2 * HEIGHT,
            "bits_stored": 16,
            "flags": [],
        }
        for r in lake.read("manifest", SOURCE).to_pylist()
    ]
    lake.write("images", rows, SOURCE)
    return lake


def stored_truth(lake):
    return truth.true_boxes_on_stored_images(lake, phantom_truth(lake), KEYS)


def test_true_boxes_as_prediction_score_one_and_beat_every_control(drawn):
    lake = with_images_table(drawn[0])
    boxes = lake.read("box_annotations", SOURCE)
    scored = truth.judge(lake, {"pseudo boxes": boxes}, stored_truth(lake))
    assert scored.headline()["value"] == 1.0
    assert scored.headline()["boxes"] == 10
    assert scored.headline()["images"] == 20
    assert scored.headline("random")["value"] < 0.7
    assert scored.headline("prior")["value"] < 1.0
    assert scored.headline("prior_blind")["value"] < scored.headline("prior")["value"]
    assert scored.headline(level="agnostic")["value"] == 1.0


def test_true_boxes_of_images_that_the_lake_refused_are_dropped(drawn):
    lake = with_images_table(drawn[0])
    table = phantom_truth(lake)
    strange = table.slice(0, 1).to_pylist()[0] | {"native_image_id": "quarantined.png"}
    more = pa.concat_tables([table, pa.Table.from_pylist([strange], schema=table.schema)])
    assert len(truth.true_boxes_on_stored_images(lake, more, KEYS)) == table.num_rows


def test_false_boxes_on_images_without_findings_count(drawn):
    lake = with_images_table(drawn[0])
    boxes = lake.read("box_annotations", SOURCE).to_pylist()
    empty = [r for r in lake.read("manifest", SOURCE).to_pylist() if r["pool"] == "validation" and r["Mass"] == 0]
    rows = [{**r, "score": 0.5} for r in boxes] + [{**boxes[0], "image_id": r["image_id"], "score": 0.9} for r in empty]
    scored = truth.judge(lake, {"pseudo boxes": pa.Table.from_pylist(rows)}, stored_truth(lake))
    assert scored.headline()["value"] == pytest.approx(0.5)


def test_the_demos_rows_are_read_from_the_truth_file(drawn, tmp_path):
    lake = with_images_table(drawn[0])
    pq.write_table(phantom_truth(lake), tmp_path / "boxes.parquet")
    rows = truth.score_against_truth(lake, tmp_path / "boxes.parquet", KEYS)
    assert [row["boxes_of"] for row in rows] == ["pseudo boxes", "random", "prior", "prior_blind"]
    assert {row["pool"] for row in rows} == {"validation"}
    assert all(row["low"] <= row["value"] <= row["high"] for row in rows)
