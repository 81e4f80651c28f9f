"""A recipe trained by folds: what its members are, what each learned from, and what they say of the training pool."""

from __future__ import annotations

import numpy as np
import pytest

from radia_pipeline.contracts.label_values import MISSING
from radia_pipeline.contracts.pools import TRAIN_FOLDS
from radia_pipeline.errors import BadRecipe, NotTrained, UnknownName
from radia_pipeline.evaluation.ensemble import build_ensemble
from radia_pipeline.evaluation.panel import read_out_of_fold, read_panel
from radia_pipeline.training.fold_members import fold_member, fold_members, parted, whole_recipes
from radia_pipeline.training.inference import predict_manifest
from radia_pipeline.training.out_of_fold import predict_out_of_fold
from radia_pipeline.training.recipes import load_recipe, without_fold
from radia_pipeline.training.trainer import train
from radia_pipeline_tests.training.synthetic import tiny_recipe, write_lake


def test_a_name_tells_recipe_and_fold_and_nothing_else_does():
    assert parted(fold_member("demo_linear", 3)) == ("demo_linear", 3)
    assert [parted(name) for name in ("demo_linear", "x_fold", "_fold1", "x_fold7", "x_fold12")] == [None] * 5
    assert whole_recipes((*fold_members("b"), *fold_members("a")[1:], "c")) == ("b",)


def test_a_member_is_a_recipe_of_its_own():
    whole, one, two = (load_recipe(name) for name in ("demo_linear", "demo_linear_fold1", "demo_linear_fold2"))
    assert (one.name, one.data.fold) == ("demo_linear_fold1", 1)
    assert len({whole.hash, one.hash, two.hash}) == 3
    assert one.model_copy(update={"name": whole.name, "title": whole.title, "data": whole.data}) == whole


def test_a_member_starts_from_weights_that_did_not_see_its_fold():
    assert load_recipe("original_finetune").init_from == "original_pretrain"
    assert load_recipe("original_finetune_fold4").init_from == "original_pretrain_fold4"


def test_folds_of_members_and_members_of_unknown_recipes_are_refused():
    with pytest.raises(BadRecipe, match="leaves out fold 1 already"):
        without_fold(load_recipe("demo_linear_fold1"), 2)
    with pytest.raises(UnknownName, match="demo_lineal"):
        load_recipe("demo_lineal_fold1")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A lake whose tiny recipe is trained by folds, and the events that each member spoke."""
    lake, spoken = write_lake(tmp_path_factory.mktemp("lake"), patients=75), {}
    groups = sorted({row["group_id"] for row in manifest_of(lake).values()})
    rows = [
        {**row, "fold": groups.index(row["group_id"]) % TRAIN_FOLDS if row["pool"] == "train" else None}
        for row in lake.read("manifest", "ccsmtl").to_pylist()
    ]
    lake.write("manifest", rows, partition="ccsmtl")
    for fold in range(TRAIN_FOLDS):
        recipe = without_fold(tiny_recipe(training={"max_epochs": 3}), fold)
        spoken[fold] = []
        train(recipe, lake, on_event=spoken[fold].append)
    return lake, spoken


def manifest_of(lake) -> dict[str, dict]:
    return {row["study_id"]: row for row in lake.read("manifest", "ccsmtl").to_pylist()}


def test_each_member_learns_from_the_other_folds(trained):
    lake, spoken = trained
    folds = [row["fold"] for row in manifest_of(lake).values() if row["pool"] == "train"]
    for fold, events in spoken.items():
        start = next(event for event in events if event["event"] == "start")
        assert (start["train_studies"], start["validation_studies"]) == (
            sum(one != fold for one in folds),
            folds.count(fold),
        )


def test_the_train_pool_is_answered_for_once_each_study_by_the_model_that_left_it_out(trained):
    lake, _ = trained
    predict_out_of_fold(lake, "tiny")
    table, manifest = lake.read("predictions_out_of_fold", "tiny").to_pylist(), manifest_of(lake)
    assert {row["study_id"]: row["fold"] for row in table} == {
        study: row["fold"] for study, row in manifest.items() if row["pool"] == "train"
    }
    panel = read_out_of_fold(lake, "tiny")
    assert set(panel.pool) == {"train"}
    counts = panel.label != MISSING
    assert panel.probability[counts & (panel.label == 1)].mean() > panel.probability[counts & (panel.label == 0)].mean()
    one = next(row for row in table if row["fold"] == 2)
    from radia_pipeline.training.inference import score_left_out

    own = {(row["study_id"], row["class"]): row["logit"] for row in score_left_out(lake, "tiny_fold2", 2).to_pylist()}
    other = {(row["study_id"], row["class"]): row["logit"] for row in score_left_out(lake, "tiny_fold1", 2).to_pylist()}
    place = one["study_id"], one["class"]
    assert one["logit"] == pytest.approx(own[place])
    assert not np.isclose(one["logit"], other[place])


def test_members_are_judged_on_the_validation_pool_and_combined(trained):
    """A member that chose its epoch on a fold of the training pool has no say there."""
    lake, _ = trained
    for name in fold_members("tiny"):
        predict_manifest(lake, name)
        assert set(read_panel(lake, name).study_id) == {
            study for study, row in manifest_of(lake).items() if row["pool"] == "validation"
        }
    result = build_ensemble(lake, fold_members("tiny"))
    assert result.members == fold_members("tiny")
    assert {"single:tiny_fold0", "mean_probability"} <= set(result.validation_auc)


def test_a_member_of_earlier_manifests_does_not_answer(trained):
    lake, _ = trained
    rows = lake.read("manifest", "ccsmtl").to_pylist()
    rows[0]["weight"] = 0.5
    lake.write("manifest", rows, partition="ccsmtl")
    with pytest.raises(NotTrained, match="tiny_fold0 was trained on earlier manifests"):
        predict_out_of_fold(lake, "tiny")
    with pytest.raises(NotTrained, match="no trained model"):
        predict_out_of_fold(lake, "other")
