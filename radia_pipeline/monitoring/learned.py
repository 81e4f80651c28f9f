"""What models have met already, by the manifests of their trainings, and what is known of studies that arrived since.

Not here: which films are looked at (``observed``, ``shadow``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from radia_pipeline.contracts.pools import TRAIN
from radia_pipeline.errors import BadInput, MissingTable, NotTrained
from radia_pipeline.evaluation.in_use import InUse, in_use
from radia_pipeline.lake.lake import Lake
from radia_pipeline.training.model_folders import read_card


def answers(lake: Lake) -> InUse | None:
    """Return which ensemble answers in the lake, None before there is one."""
    try:
        return in_use(lake)
    except NotTrained:
        return None


def learned_from(lake: Lake, source: str, using: InUse | None) -> frozenset[str]:
    """Return the studies of a source that the models in use learned from, by the manifests of their trainings.

    Where such a manifest is not kept any more, today's train pool counts as learned.
    """
    found: set[str] = set()
    for rows in _manifests(lake, source, using):
        found |= set(rows.filter(pc.equal(rows["pool"], TRAIN))["study_id"].to_pylist())
    return frozenset(found)


def known_to(lake: Lake, source: str, using: InUse) -> frozenset[str]:
    """Return the studies of a source that stood in a manifest of the models' trainings, in whatever pool: on those that
    a model did not learn from it was chosen and calibrated. Where a manifest is gone, today's counts.
    """
    return frozenset(study for rows in _manifests(lake, source, using) for study in rows["study_id"].to_pylist())


def _manifests(lake: Lake, source: str, using: InUse | None) -> Iterator[pa.Table]:
    folders = [using.folder(name) for name in using.ensemble.used_members] if using else []
    for version in {read_card(folder)["manifest_versions"].get(source) for folder in folders} - {None}:
        try:
            yield lake.read_version("manifest", source, version)
        except (MissingTable, BadInput):
            yield lake.read("manifest", source)


def labels_of(lake: Lake, source: str, read: Collection[str]) -> dict[str, dict[str, int]]:
    """Return study_id -> class -> value; what a report does not mention is negative. ``read``: studies whose report
    gives labels."""
    found: dict[str, dict[str, int]] = {}
    rows = (
        lake.read("labels", source, ["study_id", "class", "value"]).to_pylist() if lake.exists("labels", source) else []
    )
    for row in rows:
        value = row["value"] if row["value"] is not None else 0 if row["study_id"] in read else None
        if value is not None:
            found.setdefault(row["study_id"], {})[row["class"]] = value
    return found
