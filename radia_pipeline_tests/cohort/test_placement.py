"""Where a patient is placed: shares of the hash at their bounds, lists of publishers, groups and held splits."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from radia_pipeline.cohort import placement as placing
from radia_pipeline.cohort.groups import group_of
from radia_pipeline.cohort.placement import Patients, Placement, SplitPolicy, place
from radia_pipeline.errors import BadInput

POLICY = SplitPolicy()
KEYS = [f"{at:032x}" for at in range(3_000)]


def patients(keys: list[str], groups: list[str] | None = None) -> Patients:
    return Patients(keys, ["s"] * len(keys), groups or keys)


def test_a_number_depends_on_salt_and_key_alone():
    digest = hashlib.sha256(b"salt" + b"key").digest()
    expected = int.from_bytes(digest, "big") / (1 << 256)
    assert placing.unit_interval(b"salt", "key") == pytest.approx(expected, abs=1e-15)
    found = [placing.unit_interval(b"x", key) for key in KEYS]
    assert 0 <= min(found) < 0.01
    assert 0.99 < max(found) < 1
    assert np.mean(found) == pytest.approx(0.5, abs=0.02)


def test_pools_have_their_shares_and_nobody_moves_between_policies_that_share_a_bound():
    pools = [placing.pool_by_hash(key, POLICY) for key in KEYS]
    shares = {name: pools.count(name) / len(KEYS) for name in ("train", "validation", "test")}
    assert shares == pytest.approx({"train": 0.8, "validation": 0.1, "test": 0.1}, abs=0.02)
    wider = SplitPolicy(train_share=0.8, validation_share=0.2)
    again = [placing.pool_by_hash(key, wider) for key in KEYS]
    assert {(one, two) for one, two in zip(pools, again)} == {
        ("train", "train"), ("validation", "validation"), ("test", "validation"),
    }  # fmt: skip
    folds = [placing.fold_by_hash(key) for key in KEYS]
    assert sorted(set(folds)) == [0, 1, 2, 3, 4]
    assert min(folds.count(fold) for fold in range(5)) > 500
    apart = {(pool, fold) for pool, fold in zip(pools, folds)}
    assert len(apart) == 15, "pools and folds are drawn by salts of their own"


def test_a_list_of_train_and_validation_leaves_those_two_to_the_hash():
    found = [placing.pool_by_list(key, placing.TRAIN_OR_VALIDATION, POLICY) for key in KEYS]
    assert set(found) == {"train", "validation"}
    assert found.count("train") / len(KEYS) == pytest.approx(8 / 9, abs=0.02)
    hashed = [placing.pool_by_hash(key, POLICY) for key in KEYS]
    assert all(two == "train" for one, two in zip(hashed, found) if one == "train")
    for listed in ("train", "validation", "test"):
        assert placing.pool_by_list(KEYS[0], listed, POLICY) == listed


@pytest.mark.parametrize(
    ("train", "validation", "is_allowed"),
    [
        (0.5, 0.5, True),
        (0.8, 0.2, True),
        (0.9, 0.1, True),
        (0.5, 0.0, True),
        (0.5, 0.51, False),
        (0.0, 0.5, False),
        (1.0, 0.0, False),
        (0.5, -0.1, False),
    ],
)
def test_shares_of_pools_add_up(train, validation, is_allowed):
    if is_allowed:
        SplitPolicy(train_share=train, validation_share=validation)
    else:
        with pytest.raises(BadInput):
            SplitPolicy(train_share=train, validation_share=validation)


def test_an_unknown_way_with_official_splits_is_refused():
    assert SplitPolicy().official_split == "ignore"
    SplitPolicy(official_split="respect")
    with pytest.raises(BadInput):
        SplitPolicy(official_split="sometimes")


def one(key: str, pool: str, fold: int | None = None, reason: str = "hash") -> Placement:
    return Placement("s", key, pool, fold, reason)


def test_newcomers_join_the_highest_of_their_group_and_the_fold_of_its_smallest_key():
    placed = {"b": one("b", "train", 3), "c": one("c", "train", 1)}
    found = place(patients(["c", "z", "a", "b"], ["g"] * 4), placed, POLICY)
    assert found == [one("a", "train", 3, "group"), one("z", "train", 3, "group")]
    placed["d"] = one("d", "test")
    found = place(patients(["a", "b", "c", "d"], ["g"] * 4), placed, POLICY)
    assert found == [one("a", "test", None, "group")]
    placed["e"] = one("e", "validation")
    assert place(patients(["e", "f"], ["h", "h"]), placed, POLICY) == [one("f", "validation", None, "group")]
    assert place(patients(["a"]), {"a": one("a", "train", 0)}, POLICY) == []


def test_those_without_a_group_are_placed_by_the_hash_of_their_own_and_in_order():
    found = place(patients([KEYS[5], KEYS[1], KEYS[3]]), {}, POLICY)
    assert [placement.patient_key for placement in found] == [KEYS[1], KEYS[3], KEYS[5]]
    for placement in place(patients(KEYS[:200]), {}, POLICY):
        assert placement.pool == placing.pool_by_hash(placement.patient_key, POLICY)
        assert placement.reason == "hash"
        expected = placing.fold_by_hash(placement.patient_key) if placement.pool == "train" else None
        assert placement.fold == expected


def test_official_lists_are_read_where_they_are_respected():
    respects = SplitPolicy(official_split="respect")
    official = {"a": "test", "b": "train"}
    assert place(patients(["a"]), {}, respects, official) == [one("a", "test", None, "official")]
    assert place(patients(["a"]), {}, POLICY, official)[0].reason == "hash"
    both = place(patients(["a", "b", "c"], ["g"] * 3), {}, respects, official)
    assert {(placement.pool, placement.reason) for placement in both} == {("test", "official")}
    (other,) = place(patients(["c"]), {}, respects, official)
    assert other.reason == "hash"
    (trained,) = place(patients(["b"]), {}, respects, official)
    assert (trained.pool, trained.fold) == ("train", placing.fold_by_hash("b"))
    assert placing.highest_official(["train", "test", "validation"]) == "test"
    assert placing.highest_official(["train", "validation"]) == "validation"


def test_who_stands_in_a_held_split_moves_there_once():
    held = {"a": "test", "b": "validation"}
    placed = {"a": one("a", "train", 2)}
    found = place(patients(["a", "b", "c"]), placed, POLICY, held=held)
    assert found[:2] == [one("a", "test", None, "held"), one("b", "validation", None, "held")]
    assert found[2].reason == "hash"
    again = {placement.patient_key: placement for placement in found}
    assert place(patients(["a", "b", "c"]), again, POLICY, held=held) == []
    moved = place(patients(["a"]), {"a": one("a", "test")}, POLICY, held=held)
    assert moved == [one("a", "test", None, "held")], "the same pool by another reason is another placement"
    mates = place(patients(["a", "m"], ["g", "g"]), placed, POLICY, held=held)
    assert mates == [one("a", "test", None, "held"), one("m", "test", None, "group")]


def test_groups_are_named_by_their_smallest_member_whatever_the_order():
    keys = ["a", "b", "c", "d", "e"]
    for links in ([("e", "c"), ("c", "a")], [("a", "c"), ("c", "e")], [("c", "e"), ("a", "e"), ("a", "a")]):
        found = group_of(keys, links).tolist()
        assert found[0] == found[2] == found[4]
        assert len(set(found)) == 3
        assert found == group_of(keys, list(reversed(links))).tolist()
    assert len(set(group_of(keys, []).tolist())) == 5
