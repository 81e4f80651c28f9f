"""Schedules are torch's own, as functions of the step; averaged weights; stopping figures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix, f1_score, roc_auc_score

from radia_pipeline.training.optimization import AveragedWeights, build_optimizer, set_step
from radia_pipeline.training.schedules import Moment, ScheduleSection, learning_rate
from radia_pipeline.training.validation import area_under_curve, best_f1, best_p4, probabilistic_f1
from radia_pipeline_tests.training.synthetic import tiny_recipe

EPOCHS, PER_EPOCH = 6, 7
TOTAL = EPOCHS * PER_EPOCH


@pytest.mark.parametrize(
    ("name", "kind", "momentum"),
    [
        ("adamw", torch.optim.AdamW, lambda group: group["betas"][0]),
        ("adam", torch.optim.Adam, lambda group: group["betas"][0]),
        ("sgd", lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9), lambda group: group["momentum"]),
        ("rmsprop", lambda p, lr: torch.optim.RMSprop(p, lr=lr, momentum=0.9), lambda group: group["momentum"]),
    ],
)
def test_onecycle_is_torchs_rate_and_momentum(name, kind, momentum):
    theirs = kind([torch.nn.Parameter(torch.zeros(2, 2))], lr=0.01)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(theirs, max_lr=0.01, total_steps=TOTAL)
    recipe = tiny_recipe(
        optimizer={"name": name, "lr": 0.01}, schedule={"name": "onecycle"}, training={"max_epochs": EPOCHS}
    )
    ours = build_optimizer(recipe, torch.nn.Linear(2, 2))
    for step in range(TOTAL):
        set_step(ours, recipe, step, PER_EPOCH)
        assert ours.param_groups[0]["lr"] == pytest.approx(theirs.param_groups[0]["lr"], rel=1e-9)
        assert momentum(ours.param_groups[0]) == pytest.approx(momentum(theirs.param_groups[0]), rel=1e-9)
        theirs.step()
        if step < TOTAL - 1:
            scheduler.step()


@pytest.mark.parametrize(
    ("section", "make"),
    [
        (ScheduleSection(name="cosine"), lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, TOTAL)),
        (
            ScheduleSection(name="cosine_restarts", restart_epochs=1, restart_factor=2),
            lambda o: torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(o, PER_EPOCH, 2),
        ),
        (
            ScheduleSection(name="step", step_epochs=2, step_gamma=0.3),
            lambda o: torch.optim.lr_scheduler.StepLR(o, 2 * PER_EPOCH, 0.3),
        ),
    ],
)
def test_other_schedules_are_torchs(section, make):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler = make(optimizer)
    for step in range(TOTAL):
        rate = learning_rate(section, 0.1, Moment(step, PER_EPOCH, TOTAL))
        assert rate == pytest.approx(scheduler.get_last_lr()[0], abs=1e-9)
        optimizer.step()
        scheduler.step()


def test_biases_and_norms_are_not_decayed():
    recipe = tiny_recipe(optimizer={"weight_decay": 0.3})
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    groups = build_optimizer(recipe, net).param_groups
    assert [(len(group["params"]), group["weight_decay"]) for group in groups] == [(1, 0.3), (3, 0.0)]


def test_averaged_weights_follow_slowly():
    net = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(net.weight, 0.0)
    average = AveragedWeights(net, 0.9)
    torch.nn.init.constant_(net.weight, 1.0)
    average.update(net, step=10**6)
    assert average.state["weight"].item() == pytest.approx(0.1)


def scores(levels: int, count: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores of so many levels, truth, and what each study stands for."""
    random = np.random.default_rng(levels)
    return random.integers(0, levels, count) / levels, random.random(count) < 0.4, random.integers(1, 5, count) * 1.0


def best(score: np.ndarray, truth: np.ndarray, weight: np.ndarray, figure) -> float:
    return max(figure(truth, score >= cut, sample_weight=weight) for cut in score)


def p4(truth: np.ndarray, called: np.ndarray, sample_weight: np.ndarray) -> float:
    (tn, fp), (fn, tp) = confusion_matrix(truth, called, sample_weight=sample_weight)
    return 4 * tp * tn / (4 * tp * tn + (tp + tn) * (fp + fn)) if tp * tn else 0.0


@pytest.mark.parametrize("levels", [2, 5, 1000])
def test_figures_that_steer_equal_sklearns_with_ties_and_weights(levels):
    score, truth, weight = scores(levels)
    for weights in (weight, np.ones(len(score))):
        assert area_under_curve(score, truth, weights) == pytest.approx(
            roc_auc_score(truth, score, sample_weight=weights)
        )
        assert best_f1(score, truth, weights) == pytest.approx(best(score, truth, weights, f1_score))
        assert best_p4(score, truth, weights) == pytest.approx(best(score, truth, weights, p4))
    assert np.isnan(area_under_curve(score, np.zeros(60, dtype=bool), weight))


def test_probabilistic_f1_by_hand():
    log_probability, truth = np.log([0.8, 0.4, 0.2]), np.array([True, True, False])
    assert probabilistic_f1(log_probability, truth, np.ones(3)) == pytest.approx(2 * 1.2 / (1.4 + 2))
    assert probabilistic_f1(log_probability, truth, np.array([1, 1, 2.0])) == pytest.approx(2 * 1.2 / (1.6 + 2))


def test_no_threshold_parts_equal_scores():
    truth = np.array([True, False, False, False])
    assert best_f1(np.zeros(4), truth, np.ones(4)) == pytest.approx(0.4)
    assert best_p4(np.zeros(4), truth, np.ones(4)) == 0
