"""Where a patient is placed, and by which rule: the policy, a placement, and the laws as pure functions.

A group takes the pool of its members already placed, else the salted hash of its smallest patient_key decides. Nothing
here looks at labels, so that pools keep natural prevalence. Not here: what is written down (``ledger``) and published
(``splits``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from radia_pipeline.contracts.pools import LEVEL, TEST, TRAIN, TRAIN_FOLDS, TRAIN_OR_VALIDATION, VALIDATION
from radia_pipeline.errors import BadInput

OFFICIAL_SPLITS = ("ignore", "respect")
"""What a lake may do with the publishers' own lists; the first is the default."""
_POOL_SALT = b"radia pools 1\0"
_FOLD_SALT = b"radia folds 1\0"
HELD = "held"
"""Reason of those who stand in a publisher's split that radiologists read: evaluation sets, never trained on."""
_OFFICIAL_LEVEL = {TRAIN_OR_VALIDATION: -1, **LEVEL}
"""A list for both decides only where no other list does."""


@dataclass(frozen=True)
class SplitPolicy:
    """How new groups are placed; fixed for a lake at its first placement. ``official_split``: see above."""

    official_split: str = OFFICIAL_SPLITS[0]
    train_share: float = 0.8
    validation_share: float = 0.1

    def __post_init__(self) -> None:
        if self.official_split not in OFFICIAL_SPLITS:
            raise BadInput(f"official_split is {self.official_split!r}", accepted=", ".join(OFFICIAL_SPLITS))
        if not (
            0 < self.train_share < 1 and self.validation_share >= 0 and self.train_share + self.validation_share <= 1
        ):
            raise BadInput(
                "The shares of the pools do not add up", accepted="train + validation at most 1, each at least 0"
            )


@dataclass(frozen=True)
class Placement:
    """One patient's pool and fold (None outside train), and why: hash, group, official or held."""

    source: str
    patient_key: str
    pool: str
    fold: int | None
    reason: str


def unit_interval(salt: bytes, key: str) -> float:
    """Return a number in [0, 1) that depends on the key alone: the first 53 bits of SHA-256 over salt and key."""
    return (int.from_bytes(hashlib.sha256(salt + key.encode()).digest()[:8], "big") >> 11) / (1 << 53)


@dataclass(frozen=True)
class Patients:
    """Patients by columns: patient_key, source and group of each."""

    keys: Sequence[str]
    sources: Sequence[str]
    groups: Sequence[str]


def pool_by_hash(group: str, policy: SplitPolicy) -> str:
    """Return the pool of a group that has no placed member."""
    position = unit_interval(_POOL_SALT, group)
    if position < policy.train_share:
        return TRAIN
    return VALIDATION if position < policy.train_share + policy.validation_share else TEST


def pool_by_list(group: str, listed: str, policy: SplitPolicy) -> str:
    """Return the pool of a group in a publisher's list; a list of train and validation leaves those two to the hash."""
    if listed != TRAIN_OR_VALIDATION:
        return listed
    share = policy.train_share / (policy.train_share + policy.validation_share)
    return TRAIN if unit_interval(_POOL_SALT, group) < share else VALIDATION


def highest_official(lists: Iterable[str]) -> str:
    """Return the list that decides where images of one patient or group stand in several."""
    return max(lists, key=_OFFICIAL_LEVEL.__getitem__)


def fold_by_hash(group: str) -> int:
    """Return the fold (0 to 4) of a train group."""
    return int(unit_interval(_FOLD_SALT, group) * TRAIN_FOLDS)


def place(
    patients: Patients,
    placed: Mapping[str, Placement],
    policy: SplitPolicy,
    official: Mapping[str, str] | None = None,
    held: Mapping[str, str] | None = None,
) -> list[Placement]:
    """Return placements of the patients that have none, ordered by patient_key.

    ``held``: patient_key → pool of those in a held split, under either policy. They alone are placed although they have
    a placement, where it is another: they move. In a group with members placed in several pools (a late link),
    newcomers join the highest.
    """
    held = held or {}
    keys, sources, groups = patients.keys, patients.sources, patients.groups
    moved = {
        key: Placement(source, key, held[key], None, HELD)
        for key, source in zip(keys, sources)
        if key in held and not _is_held(placed.get(key), held[key])
    }
    placed = {**placed, **moved}
    inherited: dict[str, Placement] = {}
    for key, group in zip(keys, groups):
        mate = placed.get(key)
        if mate is not None and (group not in inherited or _outranks(mate, inherited[group])):
            inherited[group] = mate
    given = _official_pools(patients, official) if policy.official_split == "respect" and official else {}
    placements = []
    for key, source, group in sorted(zip(keys, sources, groups)):
        if key in moved:
            placements.append(moved[key])
            continue
        if key in placed:
            continue
        if group in inherited:
            mate = inherited[group]
            placements.append(Placement(source, key, mate.pool, mate.fold, "group"))
            continue
        pool = pool_by_list(group, given[group], policy) if group in given else pool_by_hash(group, policy)
        fold = fold_by_hash(group) if pool == TRAIN else None
        placements.append(Placement(source, key, pool, fold, "official" if group in given else "hash"))
    return placements


def _is_held(known: Placement | None, pool: str) -> bool:
    return known is not None and (known.reason, known.pool) == (HELD, pool)


def _outranks(one: Placement, other: Placement) -> bool:
    """A higher pool wins; among train members the smallest key's fold, so that the order of rows does not matter."""
    return (LEVEL[one.pool], other.patient_key) > (LEVEL[other.pool], one.patient_key)


def _official_pools(patients: Patients, official: Mapping[str, str]) -> dict[str, str]:
    """Return the list that decides for each group of which a member stands in one."""
    pools: dict[str, str] = {}
    for key, group in zip(patients.keys, patients.groups):
        if key in official:
            pools[group] = highest_official([official[key], pools.get(group, official[key])])
    return pools
