"""Laws of pools that must hold whatever arrives, in whatever order: no case moves a patient between pools."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radia_pipeline.cohort.groups import group_of
from radia_pipeline.cohort.placement import Patients, Placement, SplitPolicy, place
from radia_pipeline.cohort.splits import assert_sound, splits_table
from radia_pipeline.contracts.pools import POOLS

POLICY = SplitPolicy()
PATIENTS = [f"{number:032x}" for number in range(40)]
patients = st.lists(st.sampled_from(PATIENTS), min_size=1, max_size=40, unique=True)
links = st.lists(st.tuples(st.sampled_from(PATIENTS), st.sampled_from(PATIENTS)), max_size=12)


def joined(keys: list[str], pairs: list[tuple[str, str]]) -> Patients:
    """Patients of the hospital, in the groups that links make of them."""
    return Patients(keys, ["ccsmtl"] * len(keys), group_of(keys, pairs).tolist())


def step(placed: dict[str, Placement], keys: list[str], pairs: list[tuple[str, str]]) -> dict[str, Placement]:
    """Place whoever is new, as one materialization does."""
    new = place(joined(keys, pairs), placed, POLICY)
    return {**placed, **{placement.patient_key: placement for placement in new}}


def rows(placed: dict[str, Placement], keys: list[str], pairs: list[tuple[str, str]]) -> list[dict]:
    return splits_table(joined(keys, pairs), placed).to_pylist()


@given(patients, links, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_order_of_rows_and_links_does_not_matter(keys, pairs, rng):
    shuffled, turned = keys[:], [pair[::-1] for pair in pairs]
    rng.shuffle(shuffled)
    rng.shuffle(turned)
    assert step({}, keys, pairs) == step({}, shuffled, turned)


@given(st.lists(st.tuples(patients, links), min_size=1, max_size=5))
@settings(max_examples=80, deadline=None)
def test_no_history_of_growth_merging_and_deletion_moves_a_patient(history):
    placed: dict[str, Placement] = {}
    for keys, pairs in history:
        before = dict(placed)
        placed = step(placed, keys, pairs)
        assert all(placed[key] == placement for key, placement in before.items())
        assert set(placed) == set(before) | set(keys)


@given(st.lists(st.tuples(patients, links), min_size=1, max_size=5))
@settings(max_examples=80, deadline=None)
def test_usable_members_of_a_group_share_one_pool_and_one_fold(history):
    placed: dict[str, Placement] = {}
    for keys, pairs in history:
        placed = step(placed, keys, pairs)
        seen: dict[str, set] = {}
        for row in rows(placed, keys, pairs):
            if row["excluded"] is None:
                seen.setdefault(row["group_id"], set()).add((row["pool"], row["fold"]))
        assert all(len(pools) == 1 for pools in seen.values())


@given(patients, links)
@settings(deadline=None)
def test_a_late_link_excludes_the_lower_side_and_nobody_else(keys, pairs):
    placed = step({}, keys, [])
    table = rows(placed, keys, pairs)
    highest: dict[str, int] = {}
    for row in table:
        highest[row["group_id"]] = max(highest.get(row["group_id"], 0), POOLS.index(row["pool"]))
    for row in table:
        is_lower = POOLS.index(row["pool"]) < highest[row["group_id"]]
        assert row["excluded"] == ("late_link" if is_lower else None)
        assert row["pool"] == placed[row["patient_key"]].pool


@given(patients, links)
@settings(deadline=None)
def test_a_patient_that_is_deleted_and_comes_back_keeps_its_pool(keys, pairs):
    placed = step({}, keys, pairs)
    remaining = keys[1:] or keys
    smaller = step(placed, remaining, [])
    assert step(smaller, keys, pairs) == placed


@given(patients, links)
@settings(deadline=None)
def test_linked_patients_that_arrive_together_share_a_pool(keys, pairs):
    placed = step({}, keys, pairs)
    for group, key in zip(group_of(keys, pairs), keys):
        mates = [other for other, their in zip(keys, group_of(keys, pairs)) if their == group]
        assert {placed[mate].pool for mate in mates} == {placed[key].pool}


@given(patients, links)
@settings(deadline=None)
def test_groups_are_the_connected_components(keys, pairs):
    networkless: dict[str, set[str]] = {key: {key} for key in PATIENTS}
    for one, other in pairs:
        joined = networkless[one] | networkless[other]
        for member in joined:
            networkless[member] = joined
    for key, group in zip(keys, group_of(keys, pairs)):
        assert group == min(networkless[key])


def test_pools_and_folds_have_their_shares():
    keys = [f"{random.Random(seed).getrandbits(128):032x}" for seed in range(20_000)]
    table = rows(step({}, keys, []), keys, [])
    share = {pool: sum(row["pool"] == pool for row in table) / len(table) for pool in POOLS}
    assert abs(share["train"] - 0.8) < 0.01
    assert abs(share["validation"] - 0.1) < 0.01
    folds = [sum(row["fold"] == fold for row in table) for fold in range(5)]
    assert min(folds) > 0.18 * sum(folds)


held_lists = st.dictionaries(st.sampled_from(PATIENTS), st.sampled_from(["validation", "test"]), max_size=8)
policies = st.sampled_from(["ignore", "respect"])
lists = st.dictionaries(st.sampled_from(PATIENTS), st.sampled_from(POOLS), max_size=20)


@given(st.lists(st.tuples(patients, links, held_lists, lists), min_size=1, max_size=4), policies)
@settings(max_examples=80, deadline=None)
def test_nobody_of_a_held_split_nor_linked_with_one_is_trained_on(history, policy):
    placed: dict[str, Placement] = {}
    known: dict[str, str] = {}
    for keys, pairs, more, listed in history:
        known |= more
        patients, before = joined(keys, pairs), dict(placed)
        new = place(patients, placed, SplitPolicy(official_split=policy), listed, known)
        placed |= {placement.patient_key: placement for placement in new}
        table = splits_table(patients, placed)
        assert_sound(table, None, known)
        for row in table.to_pylist():
            key = row["patient_key"]
            assert (row["excluded"] == "held") == (key in known)
            if key in known:
                assert row["pool"] == known[key]
            elif key in before:
                assert placed[key] == before[key]
        near_held = {group for group, key in zip(patients.groups, keys) if key in known}
        trained = {row["group_id"] for row in table.to_pylist() if row["pool"] == "train" and not row["excluded"]}
        assert trained.isdisjoint(near_held)


@pytest.mark.parametrize("mates", [("train", "test"), ("test", "train"), ("validation", "test", "train")])
def test_a_newcomer_joins_the_highest_pool_of_a_group_that_a_late_link_joined(mates):
    keys = PATIENTS[: len(mates) + 1]
    placed = {
        key: Placement("ccsmtl", key, pool, 3 if pool == "train" else None, "hash") for key, pool in zip(keys, mates)
    }
    (newcomer,) = place(joined(keys, [(keys[0], key) for key in keys[1:]]), placed, POLICY)
    assert (newcomer.pool, newcomer.fold, newcomer.reason) == ("test", None, "group")


def test_a_newcomer_takes_the_fold_of_the_smallest_key_among_train_members():
    keys = [PATIENTS[3], PATIENTS[1], PATIENTS[2]]
    placed = {
        PATIENTS[3]: Placement("ccsmtl", PATIENTS[3], "train", 0, "hash"),
        PATIENTS[1]: Placement("ccsmtl", PATIENTS[1], "train", 4, "hash"),
    }
    (newcomer,) = place(joined(keys, [(keys[0], keys[1]), (keys[1], keys[2])]), placed, POLICY)
    assert (newcomer.pool, newcomer.fold) == ("train", 4)
