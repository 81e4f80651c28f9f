"""Draws: known probabilities, one study a group, the rest's share; orders: everybody's own, repeats hidden far away."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from radia_pipeline.readings.drawing import REPEAT_DISTANCE, REST, Coded, allocation, order_of


@given(st.dictionaries(st.sampled_from([REST, "a", "b", "c"]), st.integers(1, 200), min_size=1), st.integers(1, 300))
def test_an_allocation_is_whole_holds_what_is_there_and_gives_the_rest_its_share(available, size):
    taken = allocation(available, size)
    assert sum(taken.values()) == min(size, sum(available.values()))
    assert all(0 <= taken[name] <= available[name] for name in available)
    assert taken.get(REST, 0) >= min(available.get(REST, 0), 0.4 * min(size, sum(available.values())))


def test_weights_give_back_the_pool():
    """Totals estimated with 1 / probability are right on average: of studies, of each stratum, of a rare sign."""
    generator = np.random.default_rng(1)
    groups = np.repeat(np.arange(400), generator.integers(1, 5, 400)).astype(str)
    strata = generator.choice(["a", "b", REST], len(groups), p=[0.05, 0.1, 0.85])
    sign = generator.random(len(groups)) < np.where(strata == "a", 0.6, 0.05)
    totals = []
    for seed in range(400):
        drawn = Coded.of(groups, strata).draw(120, seed)
        assert len(drawn.members) == len(set(groups[drawn.members])) == 120
        weight = 1 / drawn.probability
        totals.append([weight.sum(), weight[drawn.stratum == "a"].sum(), weight[sign[drawn.members]].sum()])
    mean, error = np.mean(totals, axis=0), np.std(totals, axis=0) / np.sqrt(len(totals))
    truth = np.array([len(groups), (strata == "a").sum(), sign.sum()])
    assert (np.abs(mean - truth) < 4 * error).all()


def test_the_same_seed_draws_the_same_and_another_does_not():
    groups, strata = np.arange(300).astype(str), np.array(["a", REST, REST] * 100)
    first, again, other = (Coded.of(groups, strata).draw(60, seed).members.tolist() for seed in (3, 3, 4))
    assert first == again != other


def test_a_pool_that_is_drawn_whole_has_weight_one():
    drawn = Coded.of(np.arange(50).astype(str), np.array(["a", REST] * 25)).draw(80, 0)
    assert len(drawn.members) == 50 and (drawn.probability == 1).all()


@settings(max_examples=100)
@example(92, "0", 0)
@example(100, "0", 0)
@given(st.integers(1, 400), st.text(min_size=1, max_size=5), st.integers(0, 9))
def test_every_study_comes_once_and_repeats_are_far(count, reader, seed):
    turns = order_of([f"{number:03d}" for number in range(count)], reader, seed)
    firsts = [turn.study_id for turn in turns if not turn.is_repeat]
    assert sorted(firsts) == [f"{number:03d}" for number in range(count)]
    place = {turn.study_id: position for position, turn in enumerate(turns) if not turn.is_repeat}
    repeats = [(position, turn.study_id) for position, turn in enumerate(turns) if turn.is_repeat]
    assert all(position - place[study] >= REPEAT_DISTANCE for position, study in repeats)
    assert len({study for _, study in repeats}) == len(repeats) <= round(0.1 * count)


def test_a_set_of_600_has_60_repeats_and_each_reader_an_own_order():
    studies = [f"{number:03d}" for number in range(600)]
    one, other = order_of(studies, "r1", 0), order_of(studies, "r2", 0)
    assert sum(turn.is_repeat for turn in one) == 60
    assert one == order_of(studies[::-1], "r1", 0) != other


@pytest.mark.parametrize("size", [10, 25])
def test_rest_alone_gives_all(size):
    assert allocation({REST: 100}, size) == {REST: size}
