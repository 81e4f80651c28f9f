"""Official splits of public datasets as a policy of pools: which pool a publisher's lists give to each patient, and who
stands in a split that radiologists read and nobody may train on.

``official_split`` is a choice for a whole lake, fixed at its first placement as the shares are. Placing itself is in
``splits``; where the lists lie is the adapters' business.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from radia_pipeline.cohort.ledger import read_ledger
from radia_pipeline.cohort.placement import HELD, OFFICIAL_SPLITS, SplitPolicy, highest_official
from radia_pipeline.cohort.splits import SplitsResult, build_splits, require_policy
from radia_pipeline.contracts.pools import LEVEL
from radia_pipeline.contracts.sheets import known_sources, source_sheet
from radia_pipeline.errors import NoLayout
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.sources.registry import source as registered_source


@dataclass(frozen=True)
class OfficialSplits:
    """``pools``: patient_key → pool; ``patients``: source → pool → patients; ``mixed``: patients in several lists."""

    pools: Mapping[str, str] = field(default_factory=dict)
    patients: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    mixed: int = 0


def policy_of(lake: Lake, official_split: str | None = None) -> SplitPolicy:
    """Return the policy of a lake: its ledger's, or for a new lake the one that is asked for (default ``ignore``).

    Raises BadInput where ``official_split`` is none of the two words or another one than the lake was begun with,
    LedgerDamaged where the ledger cannot be read.
    """
    ledger = read_ledger(lake)
    if ledger.policy is None:
        return SplitPolicy(official_split or OFFICIAL_SPLITS[0])
    kept: Mapping[str, Any] = ledger.policy
    policy = SplitPolicy(**kept)
    if official_split is not None:
        wanted = SplitPolicy(official_split, policy.train_share, policy.validation_share)
        require_policy(ledger, wanted)
    return policy


def place_patients(
    lake: Lake, keys: Pseudonymizer, sources_root: Path | None = None, official_split: str | None = None
) -> SplitsResult:
    """Write ``splits`` under the lake's policy, with the publishers' lists where it says ``respect``, and with their
    held splits in any case.

    Raises NoLayout where a source's new patients cannot be looked up because its delivery is not there: a pool is for
    ever, so they are not placed by hash instead. Else as ``splits.build_splits``.
    """
    policy = policy_of(lake, official_split)
    official = OfficialSplits()
    if policy.official_split == "respect":
        official = official_splits(lake, keys, sources_root)
    held = held_patients(lake, keys, sources_root)
    result = build_splits(lake, policy, official=official.pools, held=held)
    return replace(result, official_split=policy.official_split, in_several_lists=official.mixed)


def official_splits(lake: Lake, keys: Pseudonymizer, sources_root: Path | None) -> OfficialSplits:
    """Read the publishers' lists of every source that has patients without a pool; raises NoLayout (see above)."""
    placed = read_ledger(lake).placements
    pools: dict[str, str] = {}
    patients: dict[str, Mapping[str, int]] = {}
    mixed = 0
    for name in lake.partitions("images"):
        new = set(pc.unique(lake.read("images", name, columns=["patient_key"]).column(0)).to_pylist()) - set(placed)
        if not new:
            continue
        lists = _lists_of(name, _delivery(name, sources_root), keys)
        mixed += sum(len(found) > 1 for found in lists.values())
        of_source = {patient: highest_official(found) for patient, found in lists.items()}
        pools.update(of_source)
        patients[name] = dict(Counter(of_source.values()))
    return OfficialSplits(pools, patients, mixed)


def held_patients(lake: Lake, keys: Pseudonymizer, sources_root: Path | None) -> dict[str, str]:
    """Return patient_key → pool of everybody of whom an image stands in a held split, by the sheets' ``held_splits``.

    Of several the highest pool decides. Who is held by the ledger stays so. Raises NoLayout where a source with held
    splits has new patients and its delivery is absent: nobody is placed without being looked up.
    """
    placed = read_ledger(lake).placements
    pools = {key: one.pool for key, one in placed.items() if one.reason == HELD}
    for name in lake.partitions("images"):
        splits = source_sheet(name).held_splits if name in known_sources() else {}
        if not splits:
            continue
        patients = set(pc.unique(lake.read("images", name, columns=["patient_key"]).column(0)).to_pylist())
        root = registered_source(name).locate(Path(sources_root)) if sources_root is not None else None
        if root is None and patients <= set(placed):
            continue
        for facts in (registered_source(name).facts(root or _delivery(name, sources_root)) or {}).values():
            if facts.held_in is not None:
                key, pool = keys.patient_key(name, facts.native_patient_id), splits[facts.held_in]
                pools[key] = max(pool, pools.get(key, pool), key=LEVEL.__getitem__)
    return pools


def _delivery(name: str, sources_root: Path | None) -> Path:
    root = registered_source(name).locate(Path(sources_root)) if sources_root is not None else None
    if root is None:
        raise NoLayout(
            f"The official split of {name} cannot be read, since its delivery is absent",
            accepted="the delivery that the images were read from, with the publisher's lists",
            do="deliver it again; pools are for ever, so patients are not placed without it",
        )
    return root


def _lists_of(name: str, root: Path, keys: Pseudonymizer) -> dict[str, set[str]]:
    """Return patient_key → lists in which the patient's images stand; nothing for a source without lists."""
    lists: dict[str, set[str]] = defaultdict(set)
    key_of: dict[str, str] = {}
    for facts in (registered_source(name).facts(root) or {}).values():
        if facts.official_split is not None:
            native = facts.native_patient_id
            lists[key_of.setdefault(native, keys.patient_key(name, native))].add(facts.official_split)
    return dict(lists)
