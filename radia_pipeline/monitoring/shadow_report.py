"""The day's comparison of champion and challenger: what both say of new films, put beside each other and published.

Not here: looking at films (``shadow``), the comparison itself (``differing``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from radia_pipeline.evaluation.study_facts import Study, study_facts
from radia_pipeline.lake.lake import Lake
from radia_pipeline.monitoring.differing import ALL, DELIVERY, TABLE, differences, shadowed
from radia_pipeline.monitoring.learned import labels_of
from radia_pipeline.monitoring.protocol import Protocol
from radia_pipeline.monitoring.shadow import pair_of, score_in_shadow


@dataclass(frozen=True)
class ShadowSummary:
    """What a day's comparison comes to. ``studies``, ``deliveries``: that were looked at; ``stand_out``: rows of
    ``shadow_differences`` beyond the protocol's discovery rate, surest first."""

    studies: int = 0
    deliveries: int = 0
    stand_out: tuple[Mapping[str, Any], ...] = ()


def compare_in_shadow(lake: Lake, day: date, terms: Protocol) -> int:
    """Publish ``shadow_differences`` of a day, empty where no challenger stands beside a champion or nothing came that
    neither has met; returns how many studies both looked at."""
    pair = pair_of(lake)
    rows: list[Mapping[str, Any]] = []
    labels: dict[Study, Mapping[str, int]] = {}
    for source in lake.partitions("images") if pair else ():
        if pair is None:
            break
        mine = score_in_shadow(lake, source, day, pair, terms.windows.most_patients)
        rows += mine
        if mine:
            labels |= {(source, study): said for study, said in labels_of(lake, source, _read(lake, source)).items()}
    found: list[dict[str, Any]] = []
    if pair is not None and rows:
        champion, challenger = (side.ensemble.cuts for side in pair.sides)
        found = differences(shadowed(rows, (champion, challenger), labels, study_facts(lake)))
    lake.write(TABLE, [{**row, "day": day.isoformat()} for row in found], day.isoformat())
    return len(rows)


def _read(lake: Lake, source: str) -> set[str]:
    if not lake.exists("report_attributes", source):
        return set()
    rows = lake.read("report_attributes", source, ["study_id", "is_unlabelled"]).to_pylist()
    return {row["study_id"] for row in rows if not row["is_unlabelled"]}


def read_differences(lake: Lake, day: str | None) -> list[dict[str, Any]]:
    """Return the rows of a day, none where it has none."""
    return lake.read(TABLE, day).to_pylist() if day and lake.exists(TABLE, day) else []


def summed_up(rows: Sequence[Mapping[str, Any]], rate: float) -> ShadowSummary:
    """Return what rows of a day come to. ``rate``: false discovery rate of those that stand out."""
    whole = [row for row in rows if row["attribute"] == ALL]
    named = {row["stratum"] for row in rows if row["attribute"] == DELIVERY}
    sure = [row for row in rows if row["q_value"] is not None and row["q_value"] < rate]
    studies = max((row["studies"] for row in whole), default=0)
    return ShadowSummary(studies, len(named), tuple(sorted(sure, key=lambda row: row["p_value"])))
