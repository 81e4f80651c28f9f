"""Weights of positives, shares and shifts against counts by hand: what the loss sees, and nothing else."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from radia_pipeline.contracts.label_values import MISSING
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import EmptyPool
from radia_pipeline.training.counted import counted_by_loss, positive_weights, prior_shift
from radia_pipeline.training.inference import load_classifier
from radia_pipeline.training.loader import BatchLoader
from radia_pipeline.training.packed import PackedImages
from radia_pipeline.training.recipes import parse_recipe
from radia_pipeline.training.sampler import epoch_order
from radia_pipeline.training.studies import Studies, evaluation_labels
from radia_pipeline.training.tasks import AucMarginTask, build_task
from radia_pipeline.training.trainer import train
from radia_pipeline.training.validation import counted_classes
from radia_pipeline_tests.training.synthetic import tiny_recipe, write_lake

WORDS = vocabulary()
EDEMA, AIR, PNEUMOTHORAX = (WORDS.index(name) for name in ("Edema", "Air", "Pneumothorax"))


def pool(*parts: tuple[int, dict[str, int]], blank: int = MISSING) -> Studies:
    """Studies by kind: (how many, their values); every class is labelled, the rest is ``blank``."""
    values = np.full((sum(count for count, _ in parts), len(WORDS.classes)), blank, dtype=np.int8)
    first = 0
    for count, said in parts:
        for name, value in said.items():
            values[first : first + count, WORDS.index(name)] = value
        first += count
    ids = np.array([f"{number:032x}" for number in range(len(values))], dtype=object)
    rows = np.zeros((len(values), 1), dtype=np.int64)
    return Studies(ids, ids, ids, ids, rows, values, np.ones_like(values, dtype=bool), np.ones(len(values)))


def recipe(**sections) -> object:
    return parse_recipe({"name": "x", **sections})


def weight(chosen, studies: Studies, column: int) -> float:
    return float(positive_weights(chosen.task, counted_by_loss(chosen, studies))[column])


def test_auto_leaves_out_what_is_masked():
    """20 positive, 10 negative, 60 blank: blank teaches either that the class is absent, or nothing."""
    studies = pool((20, {"Edema": 1}), (10, {"Edema": 0}), (60, {}))
    auto = {"pos_weight": "auto"}
    assert weight(recipe(task=auto, labels={"blank": "ignore"}), studies, EDEMA) == pytest.approx(0.5)
    assert weight(recipe(task=auto, labels={"blank": "negative"}), studies, EDEMA) == pytest.approx(3.5)


def test_auto_counts_only_below_positive_parents_under_the_conditional_task():
    """70 pneumothoraces among 100 studies with air, 563 others: 30 / 70, not 593 / 70."""
    studies = pool((70, {"Air": 1, "Pneumothorax": 1}), (30, {"Air": 1, "Pneumothorax": 0}), (563, {}), blank=0)
    found = {
        kind: weight(recipe(task={"kind": kind, "pos_weight": "auto"}), studies, PNEUMOTHORAX)
        for kind in ("conditional", "bce")
    }
    assert found == {"conditional": pytest.approx(0.43, abs=0.005), "bce": pytest.approx(8.47, abs=0.005)}


def test_auto_counts_as_drawn_and_weighed():
    studies = pool((20, {"Edema": 1}), (80, {"No Finding": 1}), blank=0)
    drawn = recipe(
        task={"pos_weight": "auto"}, data={"sampler": "weighted", "no_finding_weight": 0.1, "samples_per_epoch": 40000}
    )
    order = epoch_order(studies, drawn.data, 0, 0)
    seen = studies.values[order, EDEMA]
    assert weight(drawn, studies, EDEMA) == pytest.approx((seen == 0).sum() / (seen == 1).sum(), rel=0.05)
    studies.weight[:20] = 0.5
    assert weight(recipe(task={"pos_weight": "auto"}), studies, EDEMA) == pytest.approx(80 / 10)


def test_an_uncertain_value_counts_as_the_share_that_it_is_compared_with():
    studies = pool((10, {"Edema": 1}), (10, {"Edema": 0}), (10, {"Edema": -1}))
    soft = recipe(labels={"blank": "ignore", "uncertain_range": [0.6, 0.8]})
    counted = counted_by_loss(soft, studies)
    assert (counted.positives[EDEMA], counted.negatives[EDEMA]) == (pytest.approx(17), pytest.approx(13))


def test_auto_is_capped_both_ways_and_given_weights_are_not():
    studies = pool((1, {"Edema": 1}), (95, {"Edema": 0}), (95, {"Hernia": 1}), (1, {"Hernia": 0}))
    ignore = {"blank": "ignore"}
    chosen = recipe(task={"pos_weight": "auto", "pos_weight_cap": 10}, labels=ignore)
    assert weight(chosen, studies, EDEMA) == 10
    assert weight(chosen, studies, WORDS.index("Hernia")) == 0.1
    given = recipe(task={"pos_weight": {"Edema": 95.0}, "pos_weight_cap": 10}, labels=ignore)
    assert weight(given, studies, EDEMA) == 95
    assert weight(given, studies, WORDS.index("Hernia")) == 1


def test_the_auc_margins_share_counts_the_same():
    studies = pool((20, {"Edema": 1}), (10, {"Edema": 0}), (60, {}))
    chosen = recipe(task={"kind": "auc_margin"}, labels={"uncertain": "ignore", "blank": "ignore"})
    task = build_task(chosen, counted_by_loss(chosen, studies))
    assert isinstance(task, AucMarginTask)
    assert task.share[EDEMA] == pytest.approx(2 / 3)


def test_what_sampling_and_weights_do_to_the_odds_is_undone_as_the_loss_counts():
    studies = pool((20, {"Edema": 1, "Liquid": 1}), (10, {"Edema": 0, "Liquid": 1}), (60, {"No Finding": 1}))
    chosen = recipe(
        labels={"blank": "ignore"},
        task={"pos_weight": {"Edema": 3.0}},
        data={"sampler": "weighted", "balance": 0.0, "no_finding_weight": 0.1},
    )
    assert prior_shift(chosen, studies)[EDEMA] == pytest.approx(np.log(3.0))
    blank_is_negative = chosen.model_copy(update={"labels": chosen.labels.model_copy(update={"blank": "negative"})})
    assert prior_shift(blank_is_negative, studies)[EDEMA] == pytest.approx(np.log(3.0) + np.log(70 / 16))
    studies.weight[:] = 0.5
    assert prior_shift(chosen, studies)[EDEMA] == pytest.approx(np.log(3.0))


def test_classes_that_are_left_out_are_not_learned_do_not_steer_and_keep_the_pools_odds():
    studies = pool((20, {"Edema": 1}), (60, {"Edema": 0, "Hernia": 1}))
    chosen = recipe(classes={"leave_out": ["Edema"]})
    counted = counted_by_loss(chosen, studies)
    assert not counted.is_learned[EDEMA] and counted.is_learned[WORDS.index("Hernia")]
    assert prior_shift(chosen, studies)[EDEMA] == pytest.approx(-np.log(20 / 60))
    labels, section = evaluation_labels(studies), chosen.stopping
    assert counted_classes(labels, section) == ("Edema", "Hernia")
    assert counted_classes(labels, section, chosen.classes.leave_out) == ("Hernia",)


def test_a_pool_that_teaches_nothing_is_refused():
    chosen = recipe()
    with pytest.raises(EmptyPool, match="no class has both"):
        build_task(chosen, counted_by_loss(chosen, pool((5, {}))))


def test_the_manifests_weight_reaches_the_loss_unless_the_sampler_weighs():
    studies = pool((2, {"Edema": 1}))
    studies.weight[:] = (0.5, 1.0)
    shuffled, weighted = (
        BatchLoader(studies, PackedImages([]), recipe(data={"sampler": name})) for name in ("shuffle", "weighted")
    )
    assert shuffled.loss_weights.ravel().tolist() == [0.5, 1.0]
    assert weighted.loss_weights.ravel().tolist() == [1.0, 1.0]


def test_a_training_names_classes_that_it_leaves_out_and_they_answer_with_the_pools_odds(tmp_path):
    lake, events = write_lake(tmp_path, patients=40), []
    chosen = tiny_recipe(name="few", task={"pos_weight": "auto"}, training={"max_epochs": 1}, model={"dropout": 0.2})
    result = train(chosen, lake, on_event=events.append)
    (said,) = [event for event in events if event["event"] == "counted"]
    assert "Hernia" in said["left_out"] and "Edema" not in said["left_out"]
    assert said["pos_weight"]["Edema"] == pytest.approx(said["negatives"]["Edema"] / said["positives"]["Edema"])
    card = json.loads((result.model_dir / "model.json").read_text())
    assert card["counted"]["left_out"] == said["left_out"]
    model = load_classifier(result.model_dir)
    images, present = torch.rand(3, 1, 1, 32, 32), torch.ones(3, 1, dtype=torch.bool)
    with torch.no_grad():
        answers = model.probabilities(model(images, present))[:, WORDS.index("Hernia")]
    negatives = said["negatives"]["Hernia"]
    assert answers.tolist() == pytest.approx([0.5 / (negatives + 1)] * 3, rel=1e-6)


@pytest.mark.parametrize(("positives", "negatives", "expected"), [(1, 99, 4.0), (50, 50, 1.0), (99, 1, 0.25)])
def test_auto_is_capped_above_and_as_far_below(positives, negatives, expected):
    studies = pool((positives, {"Edema": 1}), (negatives, {"Edema": 0}))
    assert weight(recipe(task={"pos_weight": "auto", "pos_weight_cap": 4.0}), studies, EDEMA) == expected
