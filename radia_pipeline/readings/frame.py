"""Studies of a lake with their pool and group: what reading sets are drawn from, and whom a rereading may mend."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from radia_pipeline.lake.lake import WHOLE, Lake


@dataclass(frozen=True, order=True)
class Placed:
    """One study that has images. ``group_id``: the linked patients who count as one."""

    study_id: str
    source: str
    group_id: str
    pool: str


def placed_studies(lake: Lake) -> list[Placed]:
    """Return every study with images and a pool, sorted; those excluded by a late link are left out."""
    if not lake.exists("splits") or not lake.partitions("images"):
        return []
    columns = ["source", "patient_key", "group_id", "pool", "excluded"]
    splits = _standing(lake, "splits", WHOLE, columns)  # labels are made before pools, which are for ever
    splits = splits.filter(pc.is_null(splits["excluded"]))
    place = {row["patient_key"]: (row["group_id"], row["pool"]) for row in splits.to_pylist()}
    columns = ["source", "study_id", "patient_key"]
    images = pa.concat_tables([_standing(lake, "images", source, columns) for source in lake.partitions("images")])
    studies = images.group_by(["source", "study_id"], use_threads=False).aggregate([("patient_key", "min")])
    return sorted(
        Placed(row["study_id"], row["source"], *place[row["patient_key_min"]])
        for row in studies.to_pylist()
        if row["patient_key_min"] in place
    )


def _standing(lake: Lake, table: str, partition: str, columns: list[str]) -> pa.Table:
    """Read a table that a later step may be about to replace; raises DamagedFile where no version is sound."""
    found = lake.last_sound(table, partition, columns)
    return found if found is not None else lake.read(table, partition, columns)


def pools_of_studies(lake: Lake) -> dict[str, str]:
    """Return study_id → pool; empty before patients have been placed."""
    return {study.study_id: study.pool for study in placed_studies(lake)}
