"""The tables ``deliveries`` and ``arrivals`` of a source: what arrived when, and what became of it.

Times and which file came with which delivery stand in the journal (``arrivals``), outcomes in the tables of the ingest.
Nothing is computed from a clock here, so that the same lake gives the same tables.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from radia_pipeline.contracts.tables import empty
from radia_pipeline.dicom import arrivals
from radia_pipeline.dicom.arrivals import BEFORE_THE_CLOCK, Arrivals
from radia_pipeline.dicom.journal import Journal, journal_path
from radia_pipeline.lake.lake import Lake
from radia_pipeline.privacy.policy import policy_of


@dataclass(frozen=True)
class DeliveriesResult:
    """Counts for metadata. ``last_seen``: when the last delivery was first seen; empty where none has a time."""

    deliveries: int
    last_delivery: int
    last_seen: str
    last_files: int
    last_reports: int
    late_reports: int
    changed: bool


@dataclass
class _Delivery:
    """What is counted of one delivery."""

    files: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    weeks: Counter[str] = field(default_factory=Counter)
    devices: Counter[tuple[str | None, str | None]] = field(default_factory=Counter)
    reports: Counter[str] = field(default_factory=Counter)


def build_deliveries(source: str, lake: Lake) -> DeliveriesResult:
    """Publish ``deliveries`` and ``arrivals`` of a source from what the ingest has noted and published.

    Raises MissingTable where nothing was ingested.
    """
    with Journal(journal_path(lake, source)) as journal:
        noted = arrivals.arrivals(journal)
    counted: dict[int, _Delivery] = {number: _Delivery() for number in noted.first_seen_s}
    for number in noted.files.values():
        counted[number].files += 1
    first = _count_files(source, lake, noted, counted)
    reported = _count_reports(source, lake, noted, counted, first)
    studies = sorted(first.keys() | reported.keys())
    came = [
        {"source": source, "study_id": one, "delivery": first.get(one), "report_delivery": reported.get(one)}
        for one in studies
    ]
    rows = [_row(source, number, noted, counted[number]) for number in sorted(counted)]
    lake.write("arrivals", came or empty("arrivals"), source)
    written = lake.write("deliveries", rows or empty("deliveries"), source)
    last = rows[-1] if rows else {"delivery": 0, "first_seen": None, "files": 0, "reports": 0}
    return DeliveriesResult(
        deliveries=sum(row["delivery"] > BEFORE_THE_CLOCK for row in rows), last_delivery=last["delivery"],
        last_seen=last["first_seen"] or "", last_files=last["files"], last_reports=last["reports"],
        late_reports=sum(row["late_reports"] for row in rows), changed=written.changed,
    )  # fmt: skip


def _delivery_of(path: str, noted: Arrivals, counted: dict[int, _Delivery]) -> int:
    """Return the delivery of a file; one that stood before the clock, and was not met again since, is counted in."""
    if path in noted.files:
        return noted.files[path]
    counted.setdefault(BEFORE_THE_CLOCK, _Delivery()).files += 1
    return BEFORE_THE_CLOCK


def _count_files(source: str, lake: Lake, noted: Arrivals, counted: dict[int, _Delivery]) -> dict[str, int]:
    """Count outcomes, devices and weeks; returns study → delivery of its first image."""
    keeps_dates = policy_of(source).keeps_dates
    first: dict[str, int] = {}
    columns = ["delivered_path", "study_id", "study_date", "manufacturer", "device_model"]
    for path, study, date, maker, model in _rows(lake, "images", source, columns):
        number = _delivery_of(path, noted, counted)
        delivery = counted[number]
        first[study] = min(number, first.get(study, number))
        delivery.outcomes["ingested"] += 1
        delivery.devices[maker, model] += 1
        if keeps_dates and (week := iso_week(date)):
            delivery.weeks[week] += 1
    for path, reason in _rows(lake, "quarantine", source, ["delivered_path", "reason"]):
        delivery = counted[_delivery_of(path, noted, counted)]
        delivery.outcomes["quarantined"] += 1
        delivery.reasons[reason] += 1
    for (path,) in _rows(lake, "duplicates", source, ["delivered_path"]):
        counted[_delivery_of(path, noted, counted)].outcomes["duplicates"] += 1
    return first


def _count_reports(
    source: str, lake: Lake, noted: Arrivals, counted: dict[int, _Delivery], first: dict[str, int]
) -> dict[str, int]:
    """Count reports, those refused and those that came later than their images; returns study → delivery."""
    if not lake.exists("reports", source):
        return {}
    came: dict[str, int] = {}
    for study, refusal in _rows(lake, "reports", source, ["study_id", "refusal"]):
        came[study] = number = noted.reports.get(study, BEFORE_THE_CLOCK)
        told = counted.setdefault(number, _Delivery()).reports
        told["reports"] += 1
        told["reports_refused"] += refusal is not None
        told["late_reports"] += first.get(study, number) < number
    return came


def _rows(lake: Lake, table: str, source: str, columns: list[str]) -> Iterator[tuple[Any, ...]]:
    read = lake.read(table, source, columns)
    yield from zip(*(read.column(name).to_pylist() for name in columns), strict=True)


def _row(source: str, number: int, noted: Arrivals, delivery: _Delivery) -> dict[str, Any]:
    ended = {name: delivery.outcomes[name] for name in ("ingested", "quarantined", "duplicates")}
    at_s = noted.first_seen_s.get(number)
    return {
        "source": source, "delivery": number, "first_seen": None if at_s is None else shown_time(at_s),
        "files": delivery.files, **ended, "gone": delivery.files - sum(ended.values()),
        "reasons": [{"reason": name, "files": count} for name, count in _commonest(delivery.reasons.items())],
        "weeks": [{"week": week, "images": count} for week, count in sorted(delivery.weeks.items())],
        "devices": [
            {"manufacturer": maker, "device_model": model, "images": count}
            for (maker, model), count in _commonest(delivery.devices.items())
        ],
        **{name: delivery.reports[name] for name in ("reports", "reports_refused", "late_reports")},
    }  # fmt: skip


def _commonest(counts: Iterable[tuple[Any, int]]) -> list[tuple[Any, int]]:
    return sorted(counts, key=lambda item: (-item[1], str(item[0])))


def shown_time(at_s: float) -> str:
    """Return a moment as tables hold it: ISO 8601 in UTC, to the second."""
    return dt.datetime.fromtimestamp(at_s, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_week(date: str | None) -> str | None:
    """Return the ISO 8601 week of a date (YYYYMMDD) as ``2026-W05``; None where it is no date."""
    try:
        year, week, _ = dt.datetime.strptime(date or "", "%Y%m%d").isocalendar()
    except ValueError:
        return None
    return f"{year}-W{week:02d}"
