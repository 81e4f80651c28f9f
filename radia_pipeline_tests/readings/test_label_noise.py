"""The chance that a label is wrong: it finds planted flips, learns habits, and is silent where nothing can be known."""

from __future__ import annotations

import numpy as np
import pytest

from radia_pipeline.readings.confident_learning import confidence
from radia_pipeline.readings.label_noise import label_noise
from radia_pipeline_tests.readings.queues import flipped_labels, seen

STUDIES = 2000


def judged(seed: int, share: float = 0.05, models: int = 2):
    """Return (noise, label, flipped) of a pool in which a share of all labels was flipped."""
    truth, flipped = flipped_labels(seed, STUDIES, share)
    label = np.where(flipped, 1 - truth, truth).astype(np.int8)
    logits = np.stack([seen(truth, seed + 100 + one) for one in range(models)])
    return label_noise(logits, label, np.zeros(label.shape, int)), label, flipped


def share_found(doubt: np.ndarray, flipped: np.ndarray) -> float:
    """Return the share of flipped cells among the most doubted tenth."""
    most = np.argsort(-doubt.reshape(-1), kind="stable")[: doubt.size // 10]
    return flipped.reshape(-1)[most].sum() / flipped.sum()


@pytest.mark.parametrize("seed", range(3))
def test_planted_flips_stand_first_and_their_number_is_known(seed):
    noise, label, flipped = judged(seed)
    quality = confidence(1 / (1 + np.exp(-np.mean([seen(label, 1), seen(label, 2)], axis=0))), label).quality
    assert quality.shape == label.shape
    assert share_found(noise.wrong, flipped) > 0.85
    assert np.nansum(noise.wrong) == pytest.approx(flipped.sum(), rel=0.2)


def test_where_nothing_is_flipped_little_is_doubted():
    noise, _, _ = judged(1, share=0.0)
    assert np.nanmean(noise.wrong) < 0.01
    assert max(noise.missed.max(), noise.invented.max()) < 0.03


def test_a_ground_that_is_often_wrong_is_doubted_more_than_another_with_the_same_scores():
    truth, _ = flipped_labels(5, STUDIES)
    ground = np.arange(STUDIES)[:, None] % 4 + np.zeros(truth.shape, int)
    flipped = (np.random.default_rng(2).random(truth.shape) < 0.3) & (ground == 3) & (truth == 1)
    label = np.where(flipped, 0, truth).astype(np.int8)
    logits = seen(truth, 9)[None]
    with_grounds = label_noise(logits, label, ground).wrong
    without = label_noise(logits, label, np.zeros(ground.shape, int)).wrong
    denied = label == 0
    for wrong, factor in ((with_grounds, 5), (without, 1)):
        bad, good = (wrong[denied & (ground == 3)].mean(), wrong[denied & (ground != 3)].mean())
        assert bad > factor * good
    assert share_found(with_grounds, flipped) >= share_found(without, flipped)


def test_the_spread_says_how_far_models_disagree():
    truth, flipped = flipped_labels(3, STUDIES)
    label = np.where(flipped, 1 - truth, truth).astype(np.int8)
    one, two = seen(truth, 31), seen(truth, 32)
    row = int(np.flatnonzero(label[:, 0] == 0)[0])
    one[row, 0], two[row, 0] = 8.0, 0.0
    apart = label_noise(np.stack([one, two]), label, np.zeros(label.shape, int))
    assert apart.spread[row, 0] > 2 > np.median(apart.spread)


def test_cells_without_label_or_score_are_not_judged_and_change_nothing():
    truth, flipped = flipped_labels(4, STUDIES)
    label = np.where(flipped, 1 - truth, truth).astype(np.int8)
    logits = np.stack([seen(truth, 41), seen(truth, 42)])
    before = label_noise(logits[:, :1000], label[:1000], np.zeros((1000, 4), int))
    label[1000:1500], logits[:, 1500:] = -1, np.nan
    after = label_noise(logits, label, np.zeros(label.shape, int))
    assert np.isnan(after.wrong[1000:]).all()
    np.testing.assert_allclose(after.wrong[:1000], before.wrong, atol=1e-9)


def test_one_model_that_is_silent_leaves_the_other():
    truth, flipped = flipped_labels(6, STUDIES)
    label = np.where(flipped, 1 - truth, truth).astype(np.int8)
    logits = np.stack([seen(truth, 61), np.full(truth.shape, np.nan)])
    alone, both = (label_noise(given, label, np.zeros(label.shape, int)) for given in (logits[:1], logits))
    np.testing.assert_allclose(both.wrong, alone.wrong, atol=1e-9)
    assert np.isnan(both.spread).all()


def test_a_class_with_one_kind_of_label_is_not_judged():
    truth, _ = flipped_labels(7, 200)
    truth[:, 1], truth[:, 2] = 0, 0
    truth[3, 2] = 1
    noise = label_noise(seen(truth, 71)[None], truth, np.zeros(truth.shape, int))
    quality = confidence(1 / (1 + np.exp(-seen(truth, 71))), truth).quality
    for column, is_judged in enumerate((True, False, False, True)):
        assert np.isfinite(noise.wrong[:, column]).all() == is_judged
        assert np.isfinite(quality[:, column]).all() == is_judged


def test_order_of_studies_and_of_models_says_nothing():
    truth, flipped = flipped_labels(8, 600)
    label = np.where(flipped, 1 - truth, truth).astype(np.int8)
    logits, order = np.stack([seen(truth, 81), seen(truth, 82)]), np.random.default_rng(0).permutation(600)
    ground = np.random.default_rng(1).integers(0, 5, label.shape)
    one = label_noise(logits, label, ground)
    other = label_noise(logits[::-1][:, order], label[order], ground[order])
    np.testing.assert_allclose(other.wrong, one.wrong[order], atol=1e-8)
