"""Which position learns what: matching, several classes at one place, masks, weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.ops import sigmoid_focal_loss

from radia_pipeline.detection.loss import ImageTarget, Matcher, Targets, detection_loss, focal_loss

SIZE, STRIDES, CLASSES = 64, (8, 16, 32), 3
MATCHER = Matcher(SIZE, STRIDES, 1.5, 4.0)
POSITIONS = len(MATCHER.centres)


def target(boxes=(), labels=(), weights=None, known=(True, True, True)) -> ImageTarget:
    weights = [1.0] * len(labels) if weights is None else weights
    return ImageTarget(
        np.array(boxes, dtype=float).reshape(-1, 4),
        np.array(labels, dtype=int),
        np.array(weights, np.float32),
        np.array(known),
    )


def losses_of(raw, images, matcher) -> dict[str, torch.Tensor]:
    return detection_loss(raw, Targets.of(images, matcher), matcher)


def outputs(seed: int = 0, images: int = 1) -> tuple[torch.Tensor, ...]:
    random = torch.Generator().manual_seed(seed)
    shapes = ((images, POSITIONS, CLASSES), (images, POSITIONS, 4), (images, POSITIONS, 1))
    made = [torch.randn(shape, generator=random) for shape in shapes]
    return made[0].requires_grad_(), made[1].relu().requires_grad_(), made[2].requires_grad_()


@pytest.mark.parametrize(("side", "strides"), [(12, {8}), (40, {8}), (60, {16}), (80, {16}), (200, {32})])
def test_boxes_go_to_the_level_of_their_size(side, strides):
    matcher = Matcher(256, STRIDES, 1.0, 4.0)
    low = (256 - side) / 2
    found = matcher.match(np.array([[low, low, 256 - low, 256 - low]]))[:, 0]
    assert set(matcher.steps[found]) == strides


def test_even_the_smallest_box_is_learned_somewhere():
    box = np.array([[0.5, 0.5, 1.5, 1.5]])
    assert MATCHER.match(box).sum() == 1


def test_one_place_may_belong_to_two_classes():
    box = [20, 20, 44, 44]
    wanted, _, _, _ = MATCHER.targets(target([box, box], [0, 2]))
    assert (wanted[:, 0] == wanted[:, 2]).all()
    assert wanted[:, 0].any()
    assert not wanted[:, 1].any()


def test_smaller_of_two_boxes_is_regressed_to():
    large, small = [18, 18, 46, 46], [24, 24, 40, 40]
    _, _, boxes, weight = MATCHER.targets(target([large, small], [0, 1]))
    both = MATCHER.match(np.array([large, small], dtype=float)).all(axis=1)
    assert both.any() and (boxes[both] == small).all()
    assert (weight[both] == 1).all()


def test_grey_box_teaches_neither_a_finding_nor_its_absence_and_hides_no_other_box():
    box, small = [8, 8, 56, 56], [24, 24, 40, 40]
    wanted, weight, boxes, worth = MATCHER.targets(target([box, small], [0, 1], [1.0, 0.0]))
    inside = ((MATCHER.centres > small[0]) & (MATCHER.centres < small[2])).all(axis=1)
    assert not wanted[:, 1].any()
    assert (weight[inside, 1] == 0).all()
    assert (weight[~inside, 1] == 1).all()
    alone = MATCHER.targets(target([box], [0]))
    assert np.array_equal(boxes, alone[2])
    assert np.array_equal(worth, alone[3])


def test_class_that_is_not_known_teaches_nothing_outside_its_boxes():
    raw = outputs()
    loss = losses_of(raw, [target(known=(True, False, True))], MATCHER)["classes"]
    loss.backward()
    gradient = raw[0].grad.abs().sum(dim=(0, 1))
    assert gradient[1] == 0
    assert (gradient[[0, 2]] > 0).all()


def test_image_without_boxes_moves_no_box():
    losses = losses_of(tuple(output.detach() for output in outputs()), [target()], MATCHER)
    assert float(losses["boxes"]) == float(losses["centreness"]) == 0.0
    assert float(losses["classes"]) > 0


def test_perfect_answer_costs_almost_nothing():
    one = target([[10, 10, 50, 40]], [1])
    wanted, _, boxes, weight = MATCHER.targets(one)
    sides = np.concatenate([MATCHER.centres - boxes[:, :2], boxes[:, 2:] - MATCHER.centres], axis=1)
    distances = np.where(weight[:, None] > 0, sides / MATCHER.steps[:, None], 0.0)
    logits = torch.from_numpy(np.where(wanted > 0, 15.0, -15.0))[None]
    losses = losses_of((logits, torch.from_numpy(distances)[None], torch.zeros(1, POSITIONS, 1)), [one], MATCHER)
    assert float(losses["classes"]) < 1e-4
    assert float(losses["boxes"]) < 1e-4


def test_loss_does_not_depend_on_the_order_of_boxes():
    boxes, labels, weights = [[4, 4, 60, 60], [24, 24, 40, 40], [8, 8, 20, 20]], [0, 1, 2], [0.5, 1.0, 2.0]
    raw = outputs(1)
    first = losses_of(raw, [target(boxes, labels, weights)], MATCHER)
    second = losses_of(raw, [target(boxes[::-1], labels[::-1], weights[::-1])], MATCHER)
    assert all(torch.allclose(first[name], second[name]) for name in first)


def test_surer_box_counts_more():
    box = [[24, 24, 40, 40]]
    raw = tuple(torch.cat([one, one]).detach().requires_grad_() for one in outputs(2))
    loss = losses_of(raw, [target(box, [1], [0.3]), target(box, [1], [1.7])], MATCHER)["classes"]
    gradient = torch.autograd.grad(loss, raw[0])[0][..., 1]
    taken = torch.from_numpy(MATCHER.match(np.array(box, dtype=float))[:, 0])
    assert torch.allclose(gradient[1, taken], gradient[0, taken] * 1.7 / 0.3, rtol=1e-4)


@given(st.floats(-8, 8), st.sampled_from([0.0, 1.0]))
def test_where_a_finding_is_sure_the_loss_is_the_published_focal_one(logit, wanted):
    both = torch.tensor([logit]), torch.tensor([wanted])
    assert torch.allclose(focal_loss(*both), sigmoid_focal_loss(*both), rtol=1e-4, atol=1e-7)


def test_what_is_wanted_halfway_is_learned_halfway():
    logit = torch.zeros(1, requires_grad=True)
    for _ in range(400):
        (slope,) = torch.autograd.grad(focal_loss(logit, torch.tensor([0.7])).sum(), logit)
        logit = (logit - 5 * slope).detach().requires_grad_()
    assert torch.sigmoid(logit).item() == pytest.approx(0.7, abs=0.03)


def test_a_box_wants_its_class_as_surely_as_it_says():
    box = [20, 20, 44, 44]
    soft = replace(target([box, box], [0, 2]), wanted=np.array([0.6, 1.0], np.float32))
    wanted, weight, _, box_weight = MATCHER.targets(soft)
    taken = box_weight > 0
    assert np.unique(wanted[taken, 0]) == pytest.approx([0.6])
    assert np.unique(wanted[taken, 2]) == pytest.approx([1.0])
    assert not wanted[~taken].any()
    assert (weight[taken] == 1).all(), "how surely is apart from how much it counts"


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_the_smallest_box_is_regressed_to_though_another_is_surer_and_the_surest_speaks_for_the_class(order):
    nested, sure = np.array([[18, 18, 46, 46], [24, 24, 40, 40]], dtype=float), np.array([0.9, 0.3])
    wanted, weight, boxes, box_weight = MATCHER.targets(target(nested[order], [1, 1], sure[order]))
    both = MATCHER.match(nested).all(axis=1)
    assert both.any() and (wanted[both, 1] == 1).all()
    assert (boxes[both] == nested[1]).all() and box_weight[both] == pytest.approx(0.3)
    assert weight[both, 1] == pytest.approx(0.9)
