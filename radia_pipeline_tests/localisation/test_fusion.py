"""Weighted box fusion: agreement raises, order does not matter, boxes stay between their members."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radia_pipeline.localisation.fusion import fuse
from radia_pipeline_tests.localisation.worlds import random_boxes

BOX = np.array([[10.0, 10, 30, 30]])


def test_agreement_raises_the_score_and_solitude_lowers_it():
    _, both, votes = fuse([BOX, BOX + 1], [np.array([0.6]), np.array([0.8])])
    _, alone, vote = fuse([BOX, np.zeros((0, 4))], [np.array([0.6]), np.zeros(0)])
    assert both == pytest.approx([0.7])
    assert alone == pytest.approx([0.3])
    assert votes.tolist() == [2]
    assert vote.tolist() == [1]


def test_the_fused_box_is_the_mean_weighted_by_score():
    fused, _, _ = fuse([BOX, BOX + 4], [np.array([0.9]), np.array([0.3])])
    assert fused[0] == pytest.approx(BOX[0] + 1)


def test_one_voter_gets_its_boxes_back():
    some = random_boxes(0, 6)
    fused, score, votes = fuse([some.corners], [some.score])
    order = np.argsort(-some.score)
    assert np.allclose(fused, some.corners[order])
    assert np.allclose(score, some.score[order])
    assert (votes == 1).all()


def test_nothing_fuses_to_nothing():
    fused, score, votes = fuse([np.zeros((0, 4))] * 3, [np.zeros(0)] * 3)
    assert fused.shape == (0, 4)
    assert score.shape == votes.shape == (0,)


@given(st.integers(0, 5000), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_order_of_voters_does_not_matter_and_scores_stay_in_range(seed, voters):
    parts = [random_boxes(seed + v, 3) for v in range(voters)]
    fused, score, votes = fuse([p.corners for p in parts], [p.score for p in parts])
    again, same, counts = fuse([p.corners for p in parts[::-1]], [p.score for p in parts[::-1]])
    assert np.allclose(fused, again)
    assert np.allclose(score, same)
    assert votes.tolist() == counts.tolist()
    assert votes.max() <= voters
    every = np.concatenate([p.corners for p in parts])
    assert (fused >= every.min(axis=0) - 1e-9).all()
    assert (fused <= every.max(axis=0) + 1e-9).all()
    assert ((score > 0) & (score <= 1)).all()


@pytest.mark.parametrize("axis", [0, 1, 2, 3])
def test_among_boxes_of_one_score_the_order_in_which_they_come_does_not_matter(axis):
    step = np.eye(4)[axis] * (3 if axis < 2 else 6)
    voters = [BOX, BOX + step, BOX + 2 * step, BOX + 3 * step]  # each overlaps the next, the ends do not suffice
    fused, *_ = fuse(voters, [np.array([0.5])] * 4, threshold=0.75)
    again, *_ = fuse(voters[::-1], [np.array([0.5])] * 4, threshold=0.75)
    assert len(fused) > 1
    assert fused[np.lexsort(fused.T)] == pytest.approx(again[np.lexsort(again.T)])
