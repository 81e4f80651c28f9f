"""Pools and folds: patients → groups → train, validation or test, once and for ever.

A group takes the pool of its members already placed, else the salted hash of its smallest patient_key
decides. Nothing here looks at labels, so that pools keep natural prevalence.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from radia_pipeline.cohort.groups import group_of
from radia_pipeline.cohort.ledger import Ledger, Placement, append, read_ledger
from radia_pipeline.contracts.pools import LEVEL, TEST, TRAIN, VALIDATION
from radia_pipeline.errors import BadInput, ContractViolation, EmptyPool, LedgerDamaged
from radia_pipeline.lake.lake import Lake

FOLDS = 5
LATE_LINK = "late_link"
OFFICIAL_SPLITS = ("ignore", "respect")
"""What a lake may do with the publishers' own lists; the first is the default."""
_POOL_SALT = b"radia pools 1\0"
_FOLD_SALT = b"radia folds 1\0"
_OFFICIAL_LEVEL = {"train_or_validation": -1, **LEVEL}
"""NIH publishes one list for train and validation; it decides only where no other list does."""


@dataclass(frozen=True)
class SplitPolicy:
    """How new groups are placed; fixed for a lake at its first placement. ``official_split``: see above."""

    official_split: str = OFFICIAL_SPLITS[0]
    train_share: float = 0.8
    validation_share: float = 0.1

    def __post_init__(self) -> None:
        if self.official_split not in OFFICIAL_SPLITS:
            raise BadInput(f"official_split is {self.official_split!r}", accepted=", ".join(OFFICIAL_SPLITS))
        if not (0 < self.train_share < 1 and 0 <= self.validation_share <= 1 - self.train_share):
            raise BadInput(
                "The shares of the pools do not add up", accepted="train + validation at most 1, each at least 0"
            )


@dataclass(frozen=True)
class SplitsResult:
    """Counts of patients; ``sources``: which were present; ``excluded``: patients on the lower side of a late link.

    ``in_several_lists``: patients whose images stand in several of a publisher's lists (the highest pool decided).
    """

    patients: int
    groups: int
    placed: int
    excluded: int
    sources: tuple[str, ...]
    pools: Mapping[str, int]
    reasons: Mapping[str, int]
    linked_groups: int = 0
    official_split: str = "ignore"
    in_several_lists: int = 0
    version: str = ""
    pools_of_source: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def unit_interval(salt: bytes, key: str) -> float:
    """Return a number in [0, 1) that depends on the key alone: the first 53 bits of SHA-256 over salt and key."""
    return (int.from_bytes(hashlib.sha256(salt + key.encode()).digest()[:8], "big") >> 11) / (1 << 53)


def pool_by_hash(group: str, policy: SplitPolicy) -> str:
    """Return the pool of a group that has no placed member."""
    position = unit_interval(_POOL_SALT, group)
    if position < policy.train_share:
        return TRAIN
    return VALIDATION if position < policy.train_share + policy.validation_share else TEST


def pool_by_list(group: str, listed: str, policy: SplitPolicy) -> str:
    """Return the pool of a group in a publisher's list; a list of train and validation leaves those two to the hash."""
    if listed != "train_or_validation":
        return listed
    share = policy.train_share / (policy.train_share + policy.validation_share)
    return TRAIN if unit_interval(_POOL_SALT, group) < share else VALIDATION


def highest_official(lists: Iterable[str]) -> str:
    """Return the list that decides where images of one patient or group stand in several."""
    return max(lists, key=_OFFICIAL_LEVEL.__getitem__)


def fold_by_hash(group: str) -> int:
    """Return the fold (0 to 4) of a train group."""
    return int(unit_interval(_FOLD_SALT, group) * FOLDS)


def build_splits(
    lake: Lake, policy: SplitPolicy | None = None, *, official: Mapping[str, str] | None = None
) -> SplitsResult:
    """Write ``splits`` over all sources present in ``images``, placing only patients that the ledger does not know.

    Needs ``images``; ``duplicates`` and ``image_links`` are used where they exist. ``official``: patient_key → pool (or
    ``train_or_validation``), read only under ``official_split: respect``. Raises EmptyPool without patients, BadInput
    where the policy differs from the ledger's, LedgerDamaged, ContractViolation where an assertion fails; nothing is
    published then.
    """
    policy = policy or SplitPolicy()
    keys, sources, present = _patients(lake)
    if not keys:
        raise EmptyPool(
            "No image of any source has been ingested, so there is nobody to place", do="ingest a source first"
        )
    links = _patient_links(lake)
    with lake.lock("ledger"):
        ledger = read_ledger(lake)
        require_policy(ledger, policy)
        _require_published_are_known(lake, ledger)
        groups = group_of(keys, links)
        placements = place(keys, sources, groups, ledger.placements, policy, official)
        known = {**ledger.placements, **{placement.patient_key: placement for placement in placements}}
        table = splits_table(keys, sources, groups, known)
        assert_sound(table, lake)
        append(lake, ledger, placements, asdict(policy))
        written = lake.write("splits", table)
    return _result(table, len(placements), present, written.version)


def place(
    keys: Sequence[str],
    sources: Sequence[str],
    groups: Sequence[str],
    placed: Mapping[str, Placement],
    policy: SplitPolicy,
    official: Mapping[str, str] | None = None,
) -> list[Placement]:
    """Return placements of the patients that have none, ordered by patient_key.

    In a group with members placed in several pools (a late link), newcomers join the highest.
    """
    inherited: dict[str, Placement] = {}
    for key, group in zip(keys, groups):
        mate = placed.get(key)
        if mate is not None and (group not in inherited or _outranks(mate, inherited[group])):
            inherited[group] = mate
    given = _official_pools(keys, groups, official) if policy.official_split == "respect" and official else {}
    placements = []
    for key, source, group in sorted(zip(keys, sources, groups)):
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


def _outranks(one: Placement, other: Placement) -> bool:
    """A higher pool wins; among train members the smallest key's fold, so that the order of rows does not matter."""
    return (LEVEL[one.pool], other.patient_key) > (LEVEL[other.pool], one.patient_key)


def _official_pools(keys: Sequence[str], groups: Sequence[str], official: Mapping[str, str]) -> dict[str, str]:
    """Return the list that decides for each group of which a member stands in one."""
    pools: dict[str, str] = {}
    for key, group in zip(keys, groups):
        if key in official:
            pools[group] = highest_official([official[key], pools.get(group, official[key])])
    return pools


def splits_table(
    keys: Sequence[str], sources: Sequence[str], groups: Sequence[str], known: Mapping[str, Placement]
) -> pa.Table:
    """Return the ``splits`` rows; patients of a group below its highest pool are excluded as a late link."""
    placements = [known[key] for key in keys]
    levels = np.array([LEVEL[placement.pool] for placement in placements])
    names, rows = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    highest = np.zeros(len(names), dtype=np.int64)
    np.maximum.at(highest, rows, levels)
    late = levels < highest[rows]
    folds = _group_folds(keys, rows, placements)
    return pa.table(
        {
            "source": pa.array(sources, pa.string()),
            "patient_key": pa.array(keys, pa.string()),
            "group_id": pa.array(groups, pa.string()),
            "pool": pa.array([placement.pool for placement in placements], pa.string()),
            "fold": pa.array(folds, pa.int8()),
            "reason": pa.array([placement.reason for placement in placements], pa.string()),
            "excluded": pa.array([LATE_LINK if is_late else None for is_late in late], pa.string()),
        }
    )


def _group_folds(keys: Sequence[str], groups: np.ndarray, placements: Sequence[Placement]) -> list[int | None]:
    """Return each train patient's fold: that of the smallest key in its group, so that a link between folds leaks
    nothing.
    """
    leader: dict[int, tuple[str, int]] = {}
    for key, group, placement in zip(keys, groups.tolist(), placements):
        if placement.fold is not None and (group not in leader or key < leader[group][0]):
            leader[group] = (key, placement.fold)
    return [
        leader[group][1] if placement.fold is not None else None
        for group, placement in zip(groups.tolist(), placements)
    ]


def assert_sound(table: pa.Table, lake: Lake | None = None) -> None:
    """Refuse pools that leak: a patient twice, a group in two pools, the same pixels in two pools (excluded rows
    aside).

    Raises ContractViolation with keyed ids only.
    """
    keys = table.column("patient_key").to_pylist()
    if len(set(keys)) != len(keys):
        raise ContractViolation("splits would hold a patient twice", do="report this; nothing was published")
    usable = table.filter(pc.is_null(table.column("excluded")))
    pool_of: dict[str, tuple[str, int | None]] = {}
    for group, pool, fold in zip(*(usable.column(name).to_pylist() for name in ("group_id", "pool", "fold"))):
        if pool_of.setdefault(group, (pool, fold)) != (pool, fold):
            raise ContractViolation(
                f"Group {group} would stand in two pools or folds", do="report this; nothing was published"
            )
    if lake is not None and lake.partitions("images"):
        _assert_pixels(usable, lake)


def _assert_pixels(usable: pa.Table, lake: Lake) -> None:
    images = lake.read("images", columns=["patient_key", "pixel_sha256"])
    pool_of = dict(zip(usable.column("patient_key").to_pylist(), usable.column("pool").to_pylist()))
    seen: dict[str, str] = {}
    for patient, digest in zip(images.column("patient_key").to_pylist(), images.column("pixel_sha256").to_pylist()):
        pool = pool_of.get(patient)
        if pool is not None and seen.setdefault(digest, pool) != pool:
            raise ContractViolation(
                f"The same pixels would stand in two pools (patient {patient})",
                do="build image_links again from the images as they are now, then splits",
            )


def _patients(lake: Lake) -> tuple[list[str], list[str], tuple[str, ...]]:
    """Return every patient of images and dropped duplicates with its source, sorted, and the sources present."""
    source_of: dict[str, str] = {}
    present = tuple(lake.partitions("images"))
    for name in present:
        patients = set(pc.unique(lake.read("images", name, columns=["patient_key"]).column(0)).to_pylist())
        if lake.exists("duplicates", name):
            patients |= set(lake.read("duplicates", name, columns=["patient_key"]).column(0).to_pylist()) - {None}
        source_of.update(dict.fromkeys(patients, name))
    keys = sorted(source_of)
    return keys, [source_of[key] for key in keys], present


def _patient_links(lake: Lake) -> list[tuple[str, str]]:
    if not lake.exists("image_links"):
        return []
    links = lake.read("image_links", columns=["patient_key_a", "patient_key_b"])
    return list(zip(links.column(0).to_pylist(), links.column(1).to_pylist()))


def require_policy(ledger: Ledger, policy: SplitPolicy) -> None:
    """Refuse another policy than the one with which the ledger's patients were placed; raises BadInput."""
    if ledger.policy is not None and dict(ledger.policy) != asdict(policy):
        raise BadInput(
            "The policy for pools differs from the one with which this lake's patients were placed",
            accepted=", ".join(f"{name}: {value}" for name, value in ledger.policy.items()),
            do="keep the lake's policy, or start a new lake",
        )


def _require_published_are_known(lake: Lake, ledger: Ledger) -> None:
    """Refuse a ledger that does not hold what has been published (an older copy put in its place)."""
    if not lake.exists("splits"):
        return
    published = lake.read("splits", columns=["patient_key", "pool"])
    for key, pool in zip(published.column(0).to_pylist(), published.column(1).to_pylist()):
        known = ledger.placements.get(key)
        if known is None or known.pool != pool:
            raise LedgerDamaged(
                f"The pool ledger ends at line {len(ledger.placements) + 1} and "
                "lacks or contradicts published placements",
                do=f"restore it from a backup, or rebuild it from splits version {lake.version('splits')} with "
                "`radia ledger restore`",
            )


def _result(table: pa.Table, placed: int, present: tuple[str, ...], version: str) -> SplitsResult:
    pools = table.column("pool").to_pylist()
    sources = table.column("source").to_pylist()
    of_source: dict[str, Counter] = {name: Counter() for name in present}
    for name, pool in zip(sources, pools):
        of_source[name][pool] += 1
    sizes = Counter(table.column("group_id").to_pylist())
    return SplitsResult(
        patients=len(pools), groups=len(sizes), placed=placed,
        excluded=len(pools) - table.column("excluded").null_count, sources=present, pools=dict(Counter(pools)),
        reasons=dict(Counter(table.column("reason").to_pylist())),
        linked_groups=sum(size > 1 for size in sizes.values()),
        version=version, pools_of_source={name: dict(counts) for name, counts in of_source.items()},
    )  # fmt: skip
