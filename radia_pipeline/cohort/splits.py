"""Pools and folds as a table: everybody in the lake with group, pool, fold, and who is excluded by a late link.

By which rule a new patient is placed is in ``placement``; what was placed before is in ``ledger``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from radia_pipeline.cohort.groups import group_of
from radia_pipeline.cohort.ledger import Ledger, append, read_ledger
from radia_pipeline.cohort.links import joining
from radia_pipeline.cohort.placement import HELD, Patients, Placement, SplitPolicy, place
from radia_pipeline.contracts.pools import LEVEL, TRAIN
from radia_pipeline.errors import BadInput, ContractViolation, EmptyPool, LedgerDamaged
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.publishing import standing

LATE_LINK = "late_link"


@dataclass(frozen=True)
class SplitsResult:
    """Counts of patients; ``sources``: which were present; ``excluded``: patients on the lower side of a late link.

    ``in_several_lists``: patients whose images stand in several of a publisher's lists (the highest pool decided).
    ``held``: patients of held splits; ``moved_to_held``: those of them that this run took out of another pool, by that
    pool: models that were trained before have seen those of train.
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
    held: int = 0
    moved_to_held: Mapping[str, int] = field(default_factory=dict)
    version: str = ""
    pools_of_source: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def build_splits(
    lake: Lake,
    policy: SplitPolicy | None = None,
    *,
    official: Mapping[str, str] | None = None,
    held: Mapping[str, str] | None = None,
) -> SplitsResult:
    """Write ``splits`` over all sources present in ``images``, placing only patients that the ledger does not know.

    Needs ``images``; ``duplicates`` and ``image_links`` are used where they exist. ``official``: patient_key → pool (or
    ``train_or_validation``), read only under ``official_split: respect``. ``held``: patient_key → pool of those in a
    held split: who stands elsewhere moves there, which is the one event of the ledger that moves a patient. Raises
    EmptyPool without patients, BadInput where the policy differs from the ledger's, LedgerDamaged, ContractViolation
    where an assertion fails; nothing is published then.
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
        patients = Patients(keys, sources, group_of(keys, links).tolist())
        placements = place(patients, ledger.placements, policy, official, held)
        known = {**ledger.placements, **{placement.patient_key: placement for placement in placements}}
        table = splits_table(patients, known)
        assert_sound(table, lake, held)
        append(lake, ledger, placements, asdict(policy))
        written = lake.write("splits", table)
    moved = Counter(
        ledger.placements[one.patient_key].pool for one in placements if one.patient_key in ledger.placements
    )
    result = _result(table, len(placements) - moved.total(), present, written.version)
    return replace(result, moved_to_held=dict(moved))


def splits_table(patients: Patients, known: Mapping[str, Placement]) -> pa.Table:
    """Return the ``splits`` rows. Patients of held splits are excluded as held: they belong to evaluation sets of their
    own and to no pool's figures. Others of a group below its highest pool are excluded as a late link.
    """
    placements = [known[key] for key in patients.keys]
    levels = np.array([LEVEL[placement.pool] for placement in placements])
    names, rows = np.unique(np.asarray(patients.groups, dtype=str), return_inverse=True)
    highest = np.zeros(len(names), dtype=np.int64)
    np.maximum.at(highest, rows, levels)
    late = levels < highest[rows]
    why = [HELD if one.reason == HELD else LATE_LINK if is_late else None for one, is_late in zip(placements, late)]
    folds = _group_folds(patients.keys, rows, placements)
    return pa.table(
        {
            "source": pa.array(patients.sources, pa.string()),
            "patient_key": pa.array(patients.keys, pa.string()),
            "group_id": pa.array(patients.groups, pa.string()),
            "pool": pa.array([placement.pool for placement in placements], pa.string()),
            "fold": pa.array(folds, pa.int8()),
            "reason": pa.array([placement.reason for placement in placements], pa.string()),
            "excluded": pa.array(why, pa.string()),
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


def assert_sound(table: pa.Table, lake: Lake | None = None, held: Mapping[str, str] | None = None) -> None:
    """Refuse pools that leak: a patient of a held split in training, a patient twice, a group in two pools, the same
    pixels in two pools (excluded rows aside).

    Raises ContractViolation with keyed ids only.
    """
    _assert_held(table, held or {})
    keys = table.column("patient_key").to_pylist()
    if len(set(keys)) != len(keys):
        raise ContractViolation(
            "splits would hold a patient twice", do="report this; nothing was published", table="splits"
        )
    usable = table.filter(pc.is_null(table.column("excluded")))
    pool_of: dict[str, tuple[str, int | None]] = {}
    for group, pool, fold in zip(*(usable.column(name).to_pylist() for name in ("group_id", "pool", "fold"))):
        if pool_of.setdefault(group, (pool, fold)) != (pool, fold):
            raise ContractViolation(
                f"Group {group} would stand in two pools or folds",
                do="report this; nothing was published",
                table="splits",
            )
    if lake is not None and lake.partitions("images"):
        _assert_pixels(table, lake)


def _assert_held(table: pa.Table, held: Mapping[str, str]) -> None:
    """Refuse that anybody of a held split, or linked with one, is trained on."""
    rows = table.select(["patient_key", "group_id", "pool", "reason", "excluded"]).to_pylist()
    groups = {row["group_id"] for row in rows if row["reason"] == HELD or row["patient_key"] in held}
    for row in rows:
        is_held = row["reason"] == HELD
        if (row["patient_key"] in held and not is_held) or (is_held and row["pool"] == TRAIN):
            raise ContractViolation(
                f"Patient {row['patient_key']} of a held split would be trained on",
                do="report this; nothing was published",
                table="splits",
            )
        if row["group_id"] in groups and row["pool"] == TRAIN and row["excluded"] is None:
            raise ContractViolation(
                f"Patient {row['patient_key']}, linked with one of a held split, would be trained on",
                do="report this; nothing was published",
                table="splits",
            )


def _assert_pixels(table: pa.Table, lake: Lake) -> None:
    """Refuse the same pixels in two pools; those of a held split may be met again anywhere but in training."""
    rows = zip(*(table.column(name).to_pylist() for name in ("patient_key", "pool", "excluded")))
    place_of = {key: HELD if excluded == HELD else pool for key, pool, excluded in rows if excluded in (None, HELD)}
    images = lake.read("images", columns=["patient_key", "pixel_sha256"])
    seen: dict[str, str] = {}
    for patient, digest in zip(images.column("patient_key").to_pylist(), images.column("pixel_sha256").to_pylist()):
        place = place_of.get(patient)
        if place is None:
            continue
        other = seen.setdefault(digest, place)
        if other != place and (HELD not in (other, place) or TRAIN in (other, place)):
            raise ContractViolation(
                f"The same pixels would stand in two pools (patient {patient})",
                do="build image_links again from the images as they are now, then splits",
                table="splits",
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
    links = joining(lake.read("image_links", columns=["patient_key_a", "patient_key_b", "state"]))
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
    published = lake.last_sound("splits", columns=["patient_key", "pool"])
    if published is None:
        return
    for key, pool in zip(published.column(0).to_pylist(), published.column(1).to_pylist()):
        known = ledger.placements.get(key)
        if known is None or (known.pool != pool and known.reason != HELD):
            raise LedgerDamaged(
                f"The pool ledger ends at line {len(ledger.placements) + 1} and "
                "lacks or contradicts published placements",
                do=f"restore it from a backup, or rebuild it from splits version {standing(lake.place('splits'))} with "
                "`radia ledger restore`",
            )


def _result(table: pa.Table, placed: int, present: tuple[str, ...], version: str) -> SplitsResult:
    pools = table.column("pool").to_pylist()
    sources = table.column("source").to_pylist()
    left_out = Counter(table.column("excluded").to_pylist())
    of_source: dict[str, Counter] = {name: Counter() for name in present}
    for name, pool in zip(sources, pools):
        of_source[name][pool] += 1
    sizes = Counter(table.column("group_id").to_pylist())
    return SplitsResult(
        patients=len(pools),
        groups=len(sizes),
        placed=placed,
        excluded=left_out[LATE_LINK],
        sources=present,
        pools=dict(Counter(pools)),
        reasons=dict(Counter(table.column("reason").to_pylist())),
        linked_groups=sum(size > 1 for size in sizes.values()),
        held=left_out[HELD],
        version=version,
        pools_of_source={name: dict(counts) for name, counts in of_source.items()},
    )
