"""Objectives against arithmetic by hand, and the closure trap with numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from radia_pipeline.contracts.label_values import MISSING, close_up
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.training.counted import Counted
from radia_pipeline.training.recipe_schema import TaskSection
from radia_pipeline.training.tasks import AucMarginTask, Batch, BinaryTask, ConditionalTask

WORDS = vocabulary()
CLASSES = len(WORDS.classes)
EVEN = Counted(np.ones(CLASSES), np.ones(CLASSES))


def batch_of(values: np.ndarray, mask: np.ndarray | None = None, weight: list[float] | None = None) -> Batch:
    count = len(values)
    targets = torch.from_numpy((values == 1).astype(np.float64))
    mask = torch.ones(count, CLASSES, dtype=torch.bool) if mask is None else torch.from_numpy(mask)
    empty = torch.zeros(count, 1, 1, 1, 1)
    present = torch.ones(count, 1, dtype=torch.bool)
    weight = torch.ones(count, 1, dtype=torch.float64) if weight is None else torch.tensor(weight)[:, None]
    return Batch(empty, present, targets, mask, torch.from_numpy(values), weight, torch.arange(count))


def row(**values: int) -> np.ndarray:
    found = np.full((1, CLASSES), MISSING, dtype=np.int8)
    for name, value in values.items():
        found[0, WORDS.index(name.replace("_", " "))] = value
    return found


def test_binary_loss_by_hand_with_weights_and_mask():
    section = TaskSection(class_weight={"Edema": 2.0}, pos_weight={"Edema": 3.0})
    edema, hernia = WORDS.index("Edema"), WORDS.index("Hernia")
    mask = np.zeros((1, CLASSES), dtype=bool)
    mask[0, [edema, hernia]] = True
    task, batch = BinaryTask(section, EVEN), batch_of(row(Edema=1, Hernia=0), mask)
    denominator = task.denominator(batch)
    assert denominator.item() == 3.0
    expected = (2 * 3 * np.log(2) + np.log(2)) / 3
    assert task(torch.zeros(1, CLASSES), batch, denominator).item() == pytest.approx(expected, rel=1e-6)


def test_weights_of_classes_come_from_the_recipe_and_not_from_a_checkpoint():
    assert not BinaryTask(TaskSection(class_weight={"Edema": 2.0}), EVEN).state_dict()


def test_label_smoothing_moves_targets_towards_a_half():
    task = BinaryTask(TaskSection(label_smoothing=0.2), EVEN)
    batch = batch_of(row(Edema=1))
    logits = torch.full((1, CLASSES), 4.0, requires_grad=True)
    task(logits, batch, task.denominator(batch)).backward()
    expected = torch.sigmoid(torch.tensor(4.0)) - 0.9
    assert logits.grad[0, WORDS.index("Edema")].item() * CLASSES == pytest.approx(expected.item(), rel=1e-4)


def test_masked_nan_cells_cannot_reach_the_gradient():
    mask = np.ones((1, CLASSES), dtype=bool)
    mask[0, 0] = False
    batch, task = batch_of(row(Edema=1), mask), BinaryTask(TaskSection(), EVEN)
    logits = torch.zeros(1, CLASSES)
    logits[0, 0] = float("inf")
    assert torch.isfinite(task(logits, batch, task.denominator(batch)))


def test_closure_trap_with_numbers():
    """Of 100 positive Cardiomegalies 7 have Enlarged Cardiomediastinum said: without closure 93 are not learned."""
    said = np.repeat(row(Cardiomegaly=1), 100, axis=0)
    said[:7, WORDS.index("Enlarged Cardiomediastinum")] = 1
    task, column = ConditionalTask(TaskSection(kind="conditional"), EVEN), WORDS.index("Cardiomegaly")
    assert task.cells(batch_of(said))[:, column].sum().item() == 7
    assert task.cells(batch_of(close_up(said)))[:, column].sum().item() == 100


def test_conditional_stage_learns_edema_only_where_both_parents_are_positive():
    values = np.concatenate(
        [row(Liquid=1, Lung_Opacity=0), row(Liquid=1, Lung_Opacity=1), row(Liquid=1, Lung_Opacity=-1)]
    )
    task = ConditionalTask(TaskSection(kind="conditional"), EVEN)
    assert task.cells(batch_of(values))[:, WORDS.index("Edema")].tolist() == [0, 1, 0]
    assert task.cells(batch_of(values))[:, WORDS.index("Hernia")].tolist() == [1, 1, 1]


def test_a_study_counts_in_the_loss_with_its_weight():
    values = np.concatenate([row(Edema=1), row(Edema=0), row(Edema=0)])
    mask = np.zeros((3, CLASSES), dtype=bool)
    mask[:, WORDS.index("Edema")] = True
    logits = torch.full((3, CLASSES), 2.0, dtype=torch.float64)
    for task in (BinaryTask(TaskSection(), EVEN), AucMarginTask(TaskSection(kind="auc_margin"), EVEN)):
        thrice, weighed = batch_of(values, mask), batch_of(values[:2], mask[:2], [1.0, 2.0])
        found = [task(logits[: len(b.values)], b, task.denominator(b)).item() for b in (thrice, weighed)]
        assert found[0] == pytest.approx(found[1], rel=1e-12)


def test_a_class_without_both_kinds_is_no_part_of_the_loss():
    edema = WORDS.index("Edema")
    task = BinaryTask(TaskSection(), Counted(np.ones(CLASSES), np.where(np.arange(CLASSES) == edema, 0.0, 1.0)))
    logits = torch.zeros(1, CLASSES, dtype=torch.float64, requires_grad=True)
    batch = batch_of(row(Edema=1))
    assert task.denominator(batch) == CLASSES - 1
    task(logits, batch, task.denominator(batch)).backward()
    assert (logits.grad[0] == 0).nonzero().ravel().tolist() == [edema]


def test_auc_margin_at_its_saddle_is_within_class_variance_plus_squared_hinge():
    """Yuan et al. 2021: with a, b, alpha optimal the loss is p(1-p) x (var+ + var- + (m - (mean+ - mean-))^2)."""
    share, scores = 0.5, torch.tensor([0.8, 0.6, 0.3, 0.1], dtype=torch.float64)
    values = np.repeat(row(), 4, axis=0)
    values[:2, 0] = 1
    values[2:, 0] = 0
    mask = np.zeros((4, CLASSES), dtype=bool)
    mask[:, 0] = True
    task = AucMarginTask(TaskSection(kind="auc_margin"), EVEN).double()
    with torch.no_grad():
        task.a[0], task.b[0] = 0.7, 0.2
        task.alpha[0] = 1 - (0.7 - 0.2)
    logits = torch.zeros(4, CLASSES, dtype=torch.float64)
    logits[:, 0] = torch.logit(scores)
    batch = batch_of(values, mask)
    found = task(logits, batch, task.denominator(batch)).item()
    assert found == pytest.approx(share * (1 - share) * (0.01 + 0.01 + 0.25), rel=1e-6)


def test_auc_margin_alpha_climbs_and_stays_positive():
    task = AucMarginTask(TaskSection(kind="auc_margin"), EVEN)
    values = np.concatenate([row(Edema=1), row(Edema=0)])
    batch = batch_of(values)
    task(torch.zeros(2, CLASSES), batch, task.denominator(batch)).backward()
    assert task.alpha.grad[WORDS.index("Edema")] < 0, "a descent step must raise alpha while the margin is not reached"
    with torch.no_grad():
        task.alpha -= 1
    task.after_step()
    assert (task.alpha == 0).all()
