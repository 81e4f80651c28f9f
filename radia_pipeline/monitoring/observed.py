"""A source as it is watched: its films, reports and files that arrived within spans of days, cut into windows.

Here: reading tables of the lake and putting rows, windows and streams together. Not here: what is usual in a stream
(``reference``), what follows (``report``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow.compute as pc

from radia_pipeline.cohort.flags import LEFT_OUT
from radia_pipeline.contracts.pools import TEST
from radia_pipeline.evaluation.answering import Answering
from radia_pipeline.lake.lake import Lake
from radia_pipeline.monitoring.answered import API
from radia_pipeline.monitoring.arrived import Arrived
from radia_pipeline.monitoring.learned import labels_of, learned_from
from radia_pipeline.monitoring.protocol import PIPELINE, Protocol
from radia_pipeline.monitoring.readouts import read_out
from radia_pipeline.monitoring.streams import (
    SHARE,
    ReportFacts,
    Stream,
    film_streams,
    machine_of,
    report_streams,
)
from radia_pipeline.monitoring.windows import Span, Window, cut
from radia_pipeline.training.studies import LATERAL

Row = Mapping[str, Any]
_FILM_COLUMNS = (
    "source",
    "image_id",
    "study_id",
    "patient_key",
    "path",
    "view",
    "flags",
    "patient_age_years",
    "patient_sex",
    "manufacturer",
    "device_model",
    "pixel_spacing_row_mm",
    "window_width",
    "presentation_intent",
    "bits_stored",
    "original_width_px",
    "original_height_px",
    "not_a_chest_score",
    "inverted_score",
    "rotated_score",
    "cropped_score",
)
_ATTRIBUTE_COLUMNS = (
    "study_id",
    "uncertain_share",
    "mention_count",
    "is_unlabelled",
    "is_quality_limited",
    "is_signed_unread",
    "unread_count",
)


@dataclass(frozen=True)
class Part:
    """A window of one stream: its values without empty ones, the kinds of film beside them, and their rows."""

    start: date
    end: date
    values: np.ndarray
    kinds: np.ndarray
    rows: np.ndarray


@dataclass(frozen=True)
class Watched:
    """A stream cut into windows: ``parts[i]`` those of the i-th span. ``rows``: of its population."""

    stream: Stream
    parts: tuple[tuple[Part, ...], ...]
    rows: Sequence[Row]


@dataclass(frozen=True)
class Observed:
    """A source within spans. ``machines[i]``: films by machine in each window of the i-th span."""

    streams: tuple[Watched, ...]
    machines: tuple[tuple[tuple[Window, Mapping[str, int]], ...], ...]


@dataclass(frozen=True)
class View:
    """How to look at a source. ``learned``: studies that the models learned from; ``rules``: None to choose them."""

    protocol: Protocol
    ready: Answering | None
    learned: frozenset[str]
    rules: tuple[str, ...] | None


def view_of(lake: Lake, source: str, terms: Protocol, ready: Answering | None) -> View:
    """Return how a source is looked at by a protocol and the models in use, before a reference says which rules."""
    return View(terms, ready, learned_from(lake, source, ready.using if ready else None), None)


def observe(lake: Lake, source: str, when: Arrived, spans: Sequence[Span], view: View) -> Observed:
    """Return a source's streams within spans of whole days, looking at films that nobody has looked at yet."""
    films, film_days = _films(lake, source, when, spans)
    windows = [_windows(films, film_days, "image_id", span, view.protocol) for span in spans]
    readouts = _looked_at(lake, source, films, windows, view)
    found = list(_watched(film_streams(films, readouts, view.learned), films, windows))
    scores = {
        row["study_id"]: row["probabilities"]
        for row in readouts.values()
        if row["probabilities"] and row["study_id"] not in view.learned
    }
    reports, report_days = _reports(lake, source, when, spans)
    cuts = [_windows(reports, report_days, "study_id", span, view.protocol) for span in spans]
    found += _watched(report_streams(reports, _facts(lake, source, scores, view.rules)), reports, cuts)
    found += _file_streams(source, when, spans, view.protocol)
    kept = set(view.protocol.watched)
    machines = tuple(tuple((one, _machines(films, film_days, one)) for one in some) for some in windows)
    return Observed(tuple(one for one in found if one.stream.layer in kept), machines)


def _within(day: date | None, spans: Sequence[Span]) -> bool:
    return day is not None and any(start <= day <= end for start, end in spans)


def _windows(rows: Sequence[Row], days: Sequence[date], key: str, span: Span, terms: Protocol) -> list[Window]:
    inside = [place for place, day in enumerate(days) if span[0] <= day <= span[1]]
    order = np.array(inside, dtype=int)
    cut_ = cut(
        [days[p] for p in inside],
        [rows[p]["patient_key"] for p in inside],
        [rows[p][key] for p in inside],
        span=span,
        length=terms.windows.days,
        least=terms.windows.least_patients,
    )
    return [Window(one.start, one.end, order[one.rows]) for one in cut_]


def _films(lake: Lake, source: str, when: Arrived, spans: Sequence[Span]) -> tuple[list[Row], list[date]]:
    if not lake.exists("images", source):
        return [], []
    rows = lake.read("images", source, list(_FILM_COLUMNS)).to_pylist()
    kept = [
        row
        for row in rows
        if row["view"] != LATERAL
        and not set(row["flags"]) & set(LEFT_OUT)
        and _within(when.studies.get(row["study_id"]), spans)
    ]
    return kept, [when.studies[row["study_id"]] for row in kept]


def _looked_at(
    lake: Lake, source: str, films: Sequence[Row], windows: Sequence[Sequence[Window]], view: View
) -> dict[str, dict[str, Any]]:
    """Read out at most ``most_patients`` films of each window: those whose hash ``one_each`` would take are as good."""
    most = view.protocol.windows.most_patients
    chosen = [films[place] for some in windows for one in some for place in sorted(one.rows)[:most]]
    if not chosen:
        return {}
    pools = pools_of(lake)
    shown = {
        film["image_id"]
        for film in chosen
        if pools.get(film["patient_key"], TEST) != TEST and film["study_id"] not in view.learned
    }
    return read_out(lake, source, chosen, shown, view.ready)


def pools_of(lake: Lake) -> dict[str, str]:
    """Return patient_key -> pool; empty before patients were placed."""
    if not lake.exists("splits"):
        return {}
    rows = lake.read("splits", columns=["patient_key", "pool"])
    return dict(zip(rows["patient_key"].to_pylist(), rows["pool"].to_pylist(), strict=True))


def _reports(lake: Lake, source: str, when: Arrived, spans: Sequence[Span]) -> tuple[list[Row], list[date]]:
    """Rows study_id, patient_key, length: of reports, or of studies with labels where a source has no reports."""
    table = (
        lake.read("reports", source, ["study_id", "patient_key", "report_text"])
        if lake.exists("reports", source)
        else None
    )
    if table is not None and table.num_rows:
        lengths = pc.utf8_length(table["report_text"]).to_pylist()
        studies, patients = table["study_id"].to_pylist(), table["patient_key"].to_pylist()
        rows: list[Row] = [
            {"study_id": s, "patient_key": p, "length": n} for s, p, n in zip(studies, patients, lengths, strict=True)
        ]
        days = when.reports
    else:
        labels = lake.read("labels", source, ["study_id", "patient_key"]) if lake.exists("labels", source) else None
        named = (
            dict(zip(labels["study_id"].to_pylist(), labels["patient_key"].to_pylist(), strict=True)) if labels else {}
        )
        rows = [{"study_id": study, "patient_key": patient, "length": None} for study, patient in named.items()]
        days = when.studies
    kept = [row for row in rows if _within(days.get(row["study_id"]), spans)]
    return kept, [days[row["study_id"]] for row in kept]


def _facts(
    lake: Lake, source: str, scores: Mapping[str, Sequence[float]], watched: tuple[str, ...] | None
) -> ReportFacts:
    attributes: dict[str, Row] = {}
    if lake.exists("report_attributes", source):
        rows = lake.read("report_attributes", source, list(_ATTRIBUTE_COLUMNS)).to_pylist()
        attributes = {row["study_id"]: row for row in rows}
    read = {study for study, row in attributes.items() if not row["is_unlabelled"]}
    labels = labels_of(lake, source, read)
    rules: dict[str, set[str]] = {}
    if lake.exists("report_mentions", source):
        for row in lake.read("report_mentions", source, ["study_id", "rule_id"]).to_pylist():
            rules.setdefault(row["study_id"], set()).add(row["rule_id"])
    return ReportFacts(attributes, labels, {study: frozenset(hits) for study, hits in rules.items()}, scores, watched)


def _watched(streams: Iterable[Stream], rows: Sequence[Row], windows: Sequence[Sequence[Window]]) -> Iterator[Watched]:
    for stream in streams:
        parts = tuple(tuple(_part(stream, one) for one in some) for some in windows)
        yield Watched(stream, parts, rows)


def _part(stream: Stream, window: Window) -> Part:
    values = stream.values[window.rows]
    is_there = ~np.isnan(values)
    rows = window.rows[is_there]
    return Part(
        window.start, window.end, values[is_there], stream.kinds[rows] if len(stream.kinds) else stream.kinds, rows
    )


def _machines(films: Sequence[Row], days: Sequence[date], window: Window) -> dict[str, int]:
    """Count all films of a window by machine; one of a patient is not enough to meet a new one early."""
    found: dict[str, int] = {}
    for film, day in zip(films, days, strict=True):
        if window.start <= day <= window.end and (name := machine_of(film)) is not None:
            found[name] = found.get(name, 0) + 1
    return found


# --- files of deliveries --------------------------------------------------------------------------------------------
def _file_streams(source: str, when: Arrived, spans: Sequence[Span], terms: Protocol) -> Iterator[Watched]:
    """Yield shares of files and reports by what became of them; their rows are counts of deliveries."""
    reasons = sorted({one["reason"] for row in when.deliveries for one in row["reasons"]})
    what = "studies" if source == API else "files"
    told: list[tuple[str, str, Any, Any]] = [
        ("refused", f"{what} that were refused", lambda row: row["quarantined"], _files),
        *((f"refused {one}", f"{what} refused: {one.replace('_', ' ')}", _refused(one), _files) for one in reasons),
    ]
    if source != API:
        told += [
            ("duplicates", "files that came again", lambda row: row["duplicates"], _files),
            ("reports_refused", "reports that name a person", lambda row: row["reports_refused"], _told),
            ("late_reports", "reports that came after their films", lambda row: row["late_reports"], _told),
        ]
    for name, words, hits, of in told:
        stream = Stream(name, PIPELINE, words, SHARE, np.zeros(0), is_share=True)
        yield Watched(stream, tuple(tuple(_counted(when, span, terms, hits, of)) for span in spans), ())


def _files(row: Row) -> int:
    return row["ingested"] + row["quarantined"] + row["duplicates"]


def _told(row: Row) -> int:
    return row["reports"]


def _refused(reason: str) -> Any:
    return lambda row: sum(one["files"] for one in row["reasons"] if one["reason"] == reason)


def _counted(when: Arrived, span: Span, terms: Protocol, hits: Any, of: Any) -> Iterator[Part]:
    days = [row["day"] for row in when.deliveries]
    ids = [str(row["delivery"]) for row in when.deliveries]
    for one in cut(days, ids, ids, span=span, length=terms.windows.days, least=1):
        rows = [when.deliveries[place] for place in one.rows]
        total, found = sum(map(of, rows)), sum(map(hits, rows))
        if total:
            values = np.zeros(total)
            values[: min(found, total)] = 1.0
            nothing = np.zeros(0, dtype=int)
            yield Part(one.start, one.end, values, np.zeros(0, dtype=object), nothing)
