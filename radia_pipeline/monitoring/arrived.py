"""When what stands in a lake arrived, by the clock of whoever looks after it: deliveries, studies, gaps.

Study dates may be shifted for each patient, and some sources have none, so that time is when a study was first seen.
What came before the lake kept a clock has no day and is not watched.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from radia_pipeline.lake.lake import Lake
from radia_pipeline.monitoring.answered import API, answers_by_day


@dataclass(frozen=True)
class Arrived:
    """``studies``: study_id -> day on which its images came; ``reports``: study_id -> day of its report;
    ``deliveries``: rows of that table with a time, oldest first, each with its ``day``."""

    studies: Mapping[str, date]
    reports: Mapping[str, date]
    deliveries: tuple[Mapping[str, Any], ...]

    @property
    def days(self) -> list[date]:
        """Days on which something came, in order."""
        return sorted({row["day"] for row in self.deliveries if row["files"] or row["reports"]})

    def longest_gap(self, start: date, end: date) -> float:
        """Return the longest time in days between two days with a delivery within a span; 0 with fewer than two."""
        inside = [day for day in self.days if start <= day <= end]
        return float(max((late - early).days for early, late in itertools.pairwise(inside))) if len(inside) > 1 else 0.0

    def until(self, day: date) -> Arrived:
        """Return what had arrived by a day."""
        return Arrived(
            {study: one for study, one in self.studies.items() if one <= day},
            {study: one for study, one in self.reports.items() if one <= day},
            tuple(row for row in self.deliveries if row["day"] <= day),
        )


def watched_sources(lake: Lake) -> list[str]:
    """Return the sources that a drift report is about, the API among them where its answers are counted."""
    return [*lake.partitions("images"), *([API] if answers_by_day(lake) else [])]


def arrived(lake: Lake, source: str) -> Arrived:
    """Return when what stands in a source arrived; nothing where the lake kept no clock yet."""
    if source == API:
        return _asked(lake)
    if not lake.exists("deliveries", source) or not lake.exists("arrivals", source):
        return Arrived({}, {}, ())
    rows = [
        {**row, "day": datetime.fromisoformat(row["first_seen"]).date()}
        for row in lake.read("deliveries", source).to_pylist()
        if row["first_seen"]
    ]
    day_of = {row["delivery"]: row["day"] for row in rows}
    studies: dict[str, date] = {}
    reports: dict[str, date] = {}
    for row in lake.read("arrivals", source).to_pylist():
        for found, delivery in ((studies, row["delivery"]), (reports, row["report_delivery"])):
            if delivery in day_of:
                found[row["study_id"]] = day_of[delivery]
    return Arrived(studies, reports, tuple(sorted(rows, key=lambda row: row["delivery"])))


def _asked(lake: Lake) -> Arrived:
    """Return the API's days as deliveries: studies that it was asked about are files, those it refused quarantined."""
    nothing = dict.fromkeys(("duplicates", "reports", "reports_refused", "late_reports"), 0)
    return Arrived(
        {},
        {},
        tuple(
            {
                "delivery": number,
                "day": day,
                "files": one.studies,
                "ingested": one.answered,
                "quarantined": one.studies - one.answered,
                **nothing,
                "reasons": [{"reason": name, "files": count} for name, count in one.refused.items()],
            }
            for number, (day, one) in enumerate(answers_by_day(lake).items(), 1)
        ),
    )
