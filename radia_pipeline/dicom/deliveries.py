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
from radia_pipeline.dicom.arrivals import BEFORE_THE_CLOCK
from radia_pipeline.dicom.journal import FILE, REPORT, Journal, journal_path
from radia_pipeline.lake.lake import Lake
from radia_pipeline.privacy.policy import policy_of

_STUDIES = """
create temp table studies (study_id text primary key, delivery integer, report_delivery integer) without rowid
"""
_FIRST = """
insert into temp.studies (study_id, delivery) values (?, ?)
on conflict (study_id) do update set delivery = min(delivery, excluded.delivery)
"""
_REPORTED = """
insert into temp.studies (study_id, report_delivery) values (?, ?)
on conflict (study_id) do update set report_delivery = excluded.report_delivery
"""
_ROWS = 4096
"""Rows that are read together."""


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

    Studies pass by one after the other. Raises MissingTable where nothing was ingested.
    """
    with Journal(journal_path(lake, source)) as journal:
        times = arrivals.first_seen_s(journal)
        counted: dict[int, _Delivery] = {number: _Delivery() for number in times}
        for number, files in arrivals.files_by_delivery(journal).items():
            counted[number].files += files
        journal.change(_STUDIES)
        journal.add(_FIRST, _count_files(source, lake, journal, counted))
        journal.add(_REPORTED, _count_reports(source, lake, journal, counted))
        came = journal.read("select study_id, delivery, report_delivery from temp.studies order by study_id")
        named = ("study_id", "delivery", "report_delivery")
        lake.write_each("arrivals", ({"source": source, **dict(zip(named, one))} for one in came), source)
    rows = [_row(source, number, times, counted[number]) for number in sorted(counted)]
    written = lake.write("deliveries", rows or empty("deliveries"), source)
    last: dict[str, Any] = rows[-1] if rows else {"delivery": 0, "first_seen": None, "files": 0, "reports": 0}
    return DeliveriesResult(
        deliveries=sum(row["delivery"] > BEFORE_THE_CLOCK for row in rows),
        last_delivery=last["delivery"],
        last_seen=last["first_seen"] or "",
        last_files=last["files"],
        last_reports=last["reports"],
        late_reports=sum(row["late_reports"] for row in rows),
        changed=written.changed,
    )


def _delivery_of(path: str, journal: Journal, counted: dict[int, _Delivery]) -> int:
    """Return the delivery of a file; one that stood before the clock, and was not met again since, is counted in."""
    number = arrivals.delivery_of(journal, FILE, path)
    if number is None:
        counted.setdefault(BEFORE_THE_CLOCK, _Delivery()).files += 1
    return BEFORE_THE_CLOCK if number is None else number


def _count_files(source: str, lake: Lake, journal: Journal, counted: dict[int, _Delivery]) -> Iterator[tuple[str, int]]:
    """Count outcomes, devices and weeks; yields (study, delivery) of every image."""
    keeps_dates = policy_of(source).keeps_dates
    columns = ["delivered_path", "study_id", "study_date", "manufacturer", "device_model"]
    for path, study, date, maker, model in _rows(lake, "images", source, columns):
        number = _delivery_of(path, journal, counted)
        delivery = counted[number]
        yield study, number
        delivery.outcomes["ingested"] += 1
        delivery.devices[maker, model] += 1
        if keeps_dates and (week := iso_week(date)):
            delivery.weeks[week] += 1
    for path, reason in _rows(lake, "quarantine", source, ["delivered_path", "reason"]):
        delivery = counted[_delivery_of(path, journal, counted)]
        delivery.outcomes["quarantined"] += 1
        delivery.reasons[reason] += 1
    for (path,) in _rows(lake, "duplicates", source, ["delivered_path"]):
        counted[_delivery_of(path, journal, counted)].outcomes["duplicates"] += 1


def _count_reports(
    source: str, lake: Lake, journal: Journal, counted: dict[int, _Delivery]
) -> Iterator[tuple[str, int]]:
    """Count reports, those refused and those that came later than their images; yields (study, delivery)."""
    if not lake.exists("reports", source):
        return
    for study, refusal in _rows(lake, "reports", source, ["study_id", "refusal"]):
        noted = arrivals.delivery_of(journal, REPORT, study)
        number = BEFORE_THE_CLOCK if noted is None else noted
        first = next(journal.read("select delivery from temp.studies where study_id = ?", (study,)), (None,))[0]
        told = counted.setdefault(number, _Delivery()).reports
        told["reports"] += 1
        told["reports_refused"] += refusal is not None
        told["late_reports"] += first is not None and first < number
        yield study, number


def _rows(lake: Lake, table: str, source: str, columns: list[str]) -> Iterator[tuple[Any, ...]]:
    for part in lake.batches(table, source, columns, _ROWS):
        yield from zip(*(part.column(name).to_pylist() for name in columns), strict=True)


def _row(source: str, number: int, times: dict[int, float | None], delivery: _Delivery) -> dict[str, Any]:
    ended = {name: delivery.outcomes[name] for name in ("ingested", "quarantined", "duplicates")}
    at_s = times.get(number)
    return {
        "source": source,
        "delivery": number,
        "first_seen": None if at_s is None else shown_time(at_s),
        "files": delivery.files,
        **ended,
        "gone": delivery.files - sum(ended.values()),
        "reasons": [{"reason": name, "files": count} for name, count in _commonest(delivery.reasons.items())],
        "weeks": [{"week": week, "images": count} for week, count in sorted(delivery.weeks.items())],
        "devices": [
            {"manufacturer": maker, "device_model": model, "images": count}
            for (maker, model), count in _commonest(delivery.devices.items())
        ],
        **{name: delivery.reports[name] for name in ("reports", "reports_refused", "late_reports")},
    }


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
