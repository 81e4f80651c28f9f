"""Deletes kept versions that nobody needs any more, and packed images that nobody has read for long.

What is published, or pinned by a model, stays; packed images are made again when a training wants them."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass

from radia_pipeline.contracts.tables import contract_names
from radia_pipeline.errors import DamagedFile
from radia_pipeline.lake import renamed
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.lines import LineForm, LinesFile
from radia_pipeline.lake.publishing import standing
from radia_pipeline.lake.versions import sound_records

DAY_S = 24 * 3600.0


@dataclass(frozen=True)
class CollectResult:
    """How many kept versions there were, how many were deleted, and the bytes that became free."""

    versions: int
    deleted: int
    freed_bytes: int


def pinned_versions(lake: Lake) -> set[str]:
    """Return the versions that stay: manifests of finished models, without which no training can be repeated, and what
    the history of champions needs, without which no champion can be put back."""
    pinned = _needed_by_champions(lake)
    for card in lake.models_dir.glob("*/*/model.json"):
        try:
            versions = json.loads(card.read_text(encoding="utf-8")).get("manifest_versions", {})
            pinned |= {renamed.after(lake.root, version) for version in versions.values()}
        except (ValueError, AttributeError):  # no card of a finished model
            continue
    return pinned


def _needed_by_champions(lake: Lake) -> set[str]:
    def damaged(number: int, what: str) -> DamagedFile:
        return DamagedFile(
            f"The history of champions is damaged at line {number}: {what}; nothing was collected",
            do="restore ledger/champions.jsonl of the lake from a backup",
        )

    form = LineForm("act of the champion's history", dict, drops_cut_end=True)
    acts = LinesFile(lake.champions_path, form, damaged)
    pins = {version for act in acts if act is not None for version in act.get("pins", ())}
    return {renamed.after(lake.root, version) for version in pins}


def collect(lake: Lake, *, keep_days: float = 90.0, dry_run: bool = False, now_s: float | None = None) -> CollectResult:
    """Delete versions older than ``keep_days`` that are neither published nor pinned. ``dry_run`` only counts."""
    deadline = (time.time() if now_s is None else now_s) - keep_days * DAY_S
    pinned = pinned_versions(lake)
    found = deleted = freed = 0
    for table, partition in _kept(lake):
        place = lake.place(table, partition)
        with lake.lock(f"{table}.{partition}"):
            current = {record.version for record in sound_records(place)[0][-1:]} | {standing(place)}
            for path in sorted(place.folder.glob("*.parquet")):
                found += 1
                if path.stem in current or path.stem in pinned or path.stat().st_mtime > deadline:
                    continue
                deleted += 1
                freed += path.stat().st_size
                if not dry_run:
                    path.unlink()
    return CollectResult(found, deleted, freed)


def _kept(lake: Lake) -> Iterable[tuple[str, str]]:
    for table in contract_names():
        folder = lake.root / "_versions" / table
        if folder.is_dir():
            yield from ((table, entry.name) for entry in sorted(folder.iterdir()) if entry.is_dir())


@dataclass(frozen=True)
class PackedResult:
    """How many folders of packed images there were, how many went, and the bytes that became free."""

    folders: int
    deleted: int
    freed_bytes: int


def collect_packed(lake: Lake, *, keep_days: float, dry_run: bool = False, now_s: float | None = None) -> PackedResult:
    """Delete packed images that nothing has asked for in ``keep_days``, by source and size. ``dry_run`` only counts."""
    deadline = (time.time() if now_s is None else now_s) - keep_days * DAY_S
    found = deleted = freed = 0
    for index in sorted(lake.packed_dir.glob("*/*px/rows.parquet")):
        found += 1
        folder = index.parent
        with lake.lock(f"packed.{folder.parent.name}.{folder.name.removesuffix('px')}"):
            if not index.exists() or index.stat().st_mtime > deadline:
                continue
            deleted += 1
            freed += sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            if not dry_run:
                index.unlink()  # first, so that no row is believed whose pixels are gone
                shutil.rmtree(folder)
    return PackedResult(found, deleted, freed)
