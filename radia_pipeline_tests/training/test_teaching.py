"""A teacher answers where labels are open and nowhere else; doubted cells weigh less; both make another training."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from radia_pipeline.contracts.label_values import MISSING, UNCERTAIN
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadRecipe, NotTrained
from radia_pipeline.training.counted import counted_by_loss
from radia_pipeline.training.inference import score_manifest
from radia_pipeline.training.model_folders import latest_model, learned_sources, read_card
from radia_pipeline.training.outcome import Runtime
from radia_pipeline.training.preparation import prepare_pools
from radia_pipeline.training.recipe_schema import LabelsSection
from radia_pipeline.training.recipes import without_fold
from radia_pipeline.training.standing import told_by
from radia_pipeline.training.studies import read_manifest
from radia_pipeline.training.targets import targets_and_mask
from radia_pipeline.training.trainer import train
from radia_pipeline_tests.training.synthetic import tiny_recipe, write_lake

SHORT = {"max_epochs": 1}
EDEMA = vocabulary().index("Edema")


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    lake = write_lake(tmp_path_factory.mktemp("school"), patients=40)
    train(tiny_recipe(name="teacher", training=SHORT), lake)
    return lake


def student(**labels):
    return tiny_recipe(name="student", training=SHORT, labels={"teacher": "teacher", **labels})


def studies_of(lake, recipe):
    manifest, _ = read_manifest(lake, None)
    return prepare_pools(recipe, lake, manifest, Runtime(workers=1), lambda _event: None).training.studies


def test_a_teacher_answers_for_open_cells_alone():
    values = np.array([[1, 0, UNCERTAIN, MISSING, MISSING, UNCERTAIN]], dtype=np.int8)
    labelled = np.array([[True, True, True, True, False, True]])
    soft = np.array([[0.1, 0.9, 0.3, 0.2, 0.6, np.nan]])
    draws = np.full(values.shape, 0.5)
    section = LabelsSection(uncertain="ignore", blank="ignore")
    targets, mask = targets_and_mask(values, labelled, section, draws, soft)
    assert targets[mask].tolist() == pytest.approx([1, 0, 0.3, 0.2])
    assert mask.tolist() == [[True, True, True, True, False, False]]
    everything = section.model_copy(update={"teacher_answers": ("unlabelled",)})
    targets, mask = targets_and_mask(values, labelled, everything, draws, soft)
    assert targets[mask].tolist() == pytest.approx([1, 0, 0.6])


def test_a_student_learns_from_its_teachers_probabilities_and_its_card_says_so(lake):
    studies, names = studies_of(lake, student()), vocabulary().classes
    answers = score_manifest(lake, "teacher", ("train",)).to_pylist()
    expected = {(row["study_id"], row["class"]): row["probability"] for row in answers}
    found = {
        (study, name): float(soft)
        for study, row in zip(studies.study_id, studies.soft)
        for name, soft in zip(names, row)
    }
    assert found == pytest.approx(expected, abs=1e-5)
    card = read_card(train(student(), lake).model_dir)
    assert card["told"] == told_by(lake, student()) == {"teacher": latest_model(lake, "teacher").name}
    assert learned_sources(lake, lake.models_dir / "student" / card["fingerprint"]) == {"ccsmtl"}


def test_answers_out_of_fold_are_preferred(lake):
    rows = score_manifest(lake, "teacher", ("train",)).drop_columns(["is_held"])
    folds = pa.array([0] * rows.num_rows, pa.int8())
    lake.write("predictions_out_of_fold", rows.append_column("fold", folds), partition="teacher")
    assert told_by(lake, student())["teacher"] == lake.version("predictions_out_of_fold", "teacher")
    assert np.isfinite(studies_of(lake, student()).soft).all()
    lake.withdraw("predictions_out_of_fold", "teacher")


def test_no_teacher_is_said_a_fold_has_its_own_and_ranks_cannot_be_taught(lake):
    with pytest.raises(NotTrained, match="nobody"):
        train(student(teacher="nobody"), lake)
    assert without_fold(student(), 2).labels.teacher == "teacher_fold2"
    with pytest.raises(BadRecipe, match="cannot learn from a teacher"):
        tiny_recipe(name="x", task={"kind": "auc_margin"}, labels={"teacher": "teacher", "uncertain": "ignore"})


def queue(lake, study: str, wrong: float) -> None:
    row = {
        "position": 1,
        "source": "ccsmtl",
        "study_id": study,
        "pool": "train",
        "class": "Edema",
        "label": 0,
        "wrong_probability": wrong,
        "probability": wrong,
        "models": 1,
        "spread": None,
        "label_quality": 1 - wrong,
        "is_label_issue": True,
        "rests_on": "not_mentioned",
        "mention_index": None,
        "rule_id": None,
    }
    lake.write("label_review_queue", [row], partition="ccsmtl")


def test_a_doubted_cell_weighs_as_much_as_it_may_be_right(lake):
    recipe = tiny_recipe(name="doubting", training=SHORT, labels={"doubt": 0.5})
    plain = studies_of(lake, tiny_recipe(name="plain", training=SHORT))
    study = plain.study_id[plain.values[:, EDEMA] != 1][0]
    queue(lake, study, 0.8)
    told, trusting = told_by(lake, recipe), studies_of(lake, recipe)
    assert trusting.trust[trusting.study_id == study, EDEMA] == pytest.approx(0.6)
    assert trusting.trust.sum() == pytest.approx(trusting.trust.size - 0.4)
    first, second = counted_by_loss(recipe, plain), counted_by_loss(recipe, trusting)
    assert (first.negatives - second.negatives).sum() == pytest.approx(0.4)
    assert np.isfinite(train(recipe, lake).metrics["loss"])
    queue(lake, study, 0.9)
    assert told_by(lake, recipe) != told
