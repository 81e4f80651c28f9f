"""The drift report of one day: every source and stream against its reference, with what each asks for.

The same tables and the same day give the same report, whenever it is made. Not here: the page, what was answered
(``acknowledgements``), what follows (``actions``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np

from radia_pipeline.evaluation.champion import APPROVED, history
from radia_pipeline.lake.lake import Lake
from radia_pipeline.monitoring.acknowledgements import ACKNOWLEDGED, Act, acts
from radia_pipeline.monitoring.actions import TABLE
from radia_pipeline.monitoring.answered import API
from radia_pipeline.monitoring.arrived import Arrived, arrived, watched_sources
from radia_pipeline.monitoring.levels import RANK, levels
from radia_pipeline.monitoring.observed import Observed, View, Watched, observe, view_of
from radia_pipeline.monitoring.performance import ALL_MONTHS, Measured, expected_aucs, measured
from radia_pipeline.monitoring.protocol import (
    FREEZE,
    NONE,
    PIPELINE,
    ROLLBACK,
    SCORES,
    TAGS,
    TICKET,
    Protocol,
    protocol_of,
)
from radia_pipeline.monitoring.readouts import models_in_use
from radia_pipeline.monitoring.reference import TABLE as REFERENCE
from radia_pipeline.monitoring.reference import (
    Reference,
    current,
    usable,
    version_of,
    week_of,
)
from radia_pipeline.monitoring.shadow_report import compare_in_shadow
from radia_pipeline.monitoring.watching import Seen, Track, follow

EXAMPLES, PERFORMANCE = "drift_examples", "drift_performance"
WATCHED, SILENT, NEWCOMER, WAITING = "watched", "silent", "newcomer", "waiting"
MACHINES, DELIVERIES, REPORTS_CAME = "new machine", "deliveries", "reports"
ALL_SOURCES, MEASURED = "all", "measured AUC "
MOST_EXAMPLES, MOST_COURSE = 5, 60


@dataclass(frozen=True)
class ReportResult:
    """Counts for metadata. ``asked``: streams by action; ``waiting``: sources without a reference yet; ``shadowed``:
    studies on which a challenger stood beside the champion."""

    day: str
    streams: int
    asked: dict[str, int] = field(default_factory=dict)
    silent: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    shadowed: int = 0


@dataclass(frozen=True)
class _Followed:
    """A stream with its way since the reference or its last answer."""

    watched: Watched
    parts: Sequence[Any]
    values: Sequence[np.ndarray]
    track: Track


def build_report(lake: Lake, day: date) -> ReportResult:
    """Make the report of a day from what arrived until it; freezes references that can be and are not yet."""
    terms, ready = protocol_of(lake.root), models_in_use(lake)
    rows: list[dict[str, Any]] = []
    examples: list[dict[str, Any]] = []
    for source in watched_sources(lake):
        mine, shown = _of_source(lake, source, day, view_of(lake, source, terms, ready))
        rows += mine
        examples += shown
    figures = measured(lake, day, ready, terms.performance.least_positives)
    lake.write(PERFORMANCE, [{**vars(one), "day": day.isoformat()} for one in figures], day.isoformat())
    rows += _worse(lake, figures, terms, _approved(lake, day, terms.rollback_days))
    version = lake.version(REFERENCE) if lake.exists(REFERENCE) else ""
    common = {"day": day.isoformat(), "reference": version, "protocol": version_of(terms)}
    lake.write(TABLE, [{**row, **common} for row in rows], day.isoformat())
    lake.write(EXAMPLES, [{**one, "day": day.isoformat()} for one in examples], day.isoformat())
    asked = {name: sum(row["action"] == name for row in rows) for name in RANK if name != NONE}
    silent = sorted({row["source"] for row in rows if row["state"] == SILENT})
    waiting = sorted({row["source"] for row in rows if row["state"] == WAITING})
    shadowed = compare_in_shadow(lake, day, terms)
    return ReportResult(day.isoformat(), len(rows), asked, silent, waiting, shadowed)


def _of_source(lake: Lake, source: str, day: date, view: View) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    when = arrived(lake, source).until(day)
    reference, fixed = current(lake, source, when, day, view)
    if reference is None:
        weeks = len({one.isocalendar()[:2] for one in when.days})
        least = fixed.protocol.reference.least_windows
        said = f"no reference yet: {weeks} weeks with a delivery, {least} windows of enough patients are needed"
        return [_row(source, DELIVERIES, PIPELINE, "deliveries", state=WAITING, detail=said)], []
    answers = [act for act in acts(lake) if act.kind == ACKNOWLEDGED and act.source == source]
    answers = [act for act in answers if act.day < day.isoformat()]
    _, ends = reference.span
    seen = observe(lake, source, when, [(ends + timedelta(days=1), day)], fixed)
    followed = list(_followed(seen, reference, answers, fixed.protocol))
    actions = levels(
        [one.track.p_value[-1] for one in followed],
        [one.track.strength[-1] for one in followed],
        [one.track.log_evidence[-1] for one in followed],
        fixed.protocol.statistics,
    )
    approved = _approved(lake, day, fixed.protocol.rollback_days)
    rows: list[dict[str, Any]] = []
    examples: list[dict[str, Any]] = []
    for one, action in zip(followed, actions, strict=True):
        row = _judged(source, one, reference, _capped(action, one, fixed.protocol, approved))
        rows.append(row)
        if RANK[row["action"]] >= RANK[TICKET]:
            examples += _examples(source, one, row["seen"] >= row["usual"])
    rows += _silences(source, when, reference, day, fixed.protocol)
    rows += _newcomers(source, seen, reference, answers, fixed.protocol)
    return rows, examples


def _followed(seen: Observed, reference: Reference, answers: Sequence[Act], terms: Protocol) -> Iterator[_Followed]:
    for watched in seen.streams:
        name = watched.stream.name
        if name not in reference.rows:
            continue
        since = max((act.day for act in answers if act.answers(act.source, name)), default="")
        parts = [one for one in usable(watched, 0) if one.start.isoformat() >= since]
        if not parts:
            continue
        values = [reference.adjusted(name, one) for one in parts]
        windows = [Seen(v, week_of(one.end)) for v, one in zip(values, parts, strict=True)]
        statistics = terms.statistics
        track = follow(reference.baseline(name), windows, statistics.strictness, statistics.evidence_floor_sd)
        yield _Followed(watched, parts, values, track)


def _approved(lake: Lake, day: date, days: int) -> list[date]:
    """Return when champions were approved within so many days before a day."""
    made = [date.fromisoformat(act.at[:10]) for act in history(lake) if act.kind == APPROVED]
    return [one for one in made if day - timedelta(days=days) <= one <= day]


def _capped(action: str, one: _Followed, terms: Protocol, approved: Sequence[date]) -> str:
    """Return the action that the layer allows: a rollback where a champion was approved before the excursion began."""
    most = terms.most(one.watched.stream.layer)
    if action == FREEZE and most == ROLLBACK:
        began = one.parts[one.track.began].end
        return ROLLBACK if any(day <= began for day in approved) else FREEZE
    return min(action, most, key=RANK.__getitem__)


def _row(source: str, stream: str, layer: str, words: str, **told: Any) -> dict[str, Any]:
    empty = {"unit": "", "action": NONE, "images": 0, "windows": 0, "course": [], "detail": ""}
    return {"source": source, "stream": stream, "layer": layer, "words": words, **empty, **told}


def _judged(source: str, one: _Followed, reference: Reference, action: str) -> dict[str, Any]:
    stream, track, newest = one.watched.stream, one.track, one.parts[-1]
    baseline = reference.baseline(stream.name)
    means = [float(np.clip(values, baseline.low, baseline.high).mean()) for values in one.values]
    told = RANK[action] >= RANK[TICKET]
    return _row(
        source,
        stream.name,
        stream.layer,
        stream.words,
        unit=stream.unit,
        state=WATCHED,
        action=action,
        usual=baseline.usual(week_of(newest.end)),
        seen=means[-1],
        shift_sd=float(track.shift[-1]),
        p_value=float(track.p_value[-1]),
        strength=float(track.strength[-1]),
        log_evidence=float(track.log_evidence[-1]),
        since=one.parts[track.began].start.isoformat() if told else None,
        window_starts=newest.start.isoformat(),
        window_ends=newest.end.isoformat(),
        images=len(newest.values),
        windows=len(one.parts),
        course=means[-MOST_COURSE:],
    )


def _examples(source: str, one: _Followed, is_up: bool) -> Iterator[dict[str, Any]]:
    part, rows = one.parts[-1], one.watched.rows
    if not len(part.rows):
        return
    order = np.argsort(-part.values if is_up else part.values, kind="stable")[:MOST_EXAMPLES]
    for place, index in enumerate(order, 1):
        film = rows[part.rows[index]]
        yield {
            "source": source,
            "stream": one.watched.stream.name,
            "place": place,
            "study_id": film["study_id"],
            "patient_key": film["patient_key"],
            "value": float(part.values[index]),
        }


def _silences(source: str, when: Arrived, reference: Reference, day: date, terms: Protocol) -> Iterator[dict[str, Any]]:
    """Yield what has not come for longer than is usual: deliveries, and reports where the reference has them."""
    gap = next(iter(reference.rows.values()))["longest_gap_days"]
    patience = max(terms.silence.least_days, min(terms.silence.most_days, terms.silence.longest_gaps * gap))
    came = {
        DELIVERIES: max(when.days),
        REPORTS_CAME: max((r["day"] for r in when.deliveries if r["reports"]), default=None),
    }
    for name, last in came.items():
        if last is None:
            continue
        quiet = (day - last).days
        is_silent = quiet > patience
        said = f"nothing for {quiet} days; the longest gap of the reference was {gap:.0f}" if is_silent else ""
        yield _row(
            source,
            f"{name} came",
            PIPELINE,
            _since_words(source, name),
            unit="days",
            usual=float(gap),
            seen=float(quiet),
            detail=said,
            state=SILENT if is_silent else WATCHED,
            action=TICKET if is_silent else NONE,
            since=(last + timedelta(days=1)).isoformat() if is_silent else None,
        )


def _since_words(source: str, name: str) -> str:
    return "days since the API was asked" if source == API else f"days since {name} came"


def _newcomers(
    source: str, seen: Observed, reference: Reference, answers: Sequence[Act], terms: Protocol
) -> Iterator[dict[str, Any]]:
    """Yield machines that the reference does not know and nobody has answered for."""
    known = set(next(iter(reference.rows.values()))["machines"])
    since = max((act.day for act in answers if act.answers(source, MACHINES)), default="")
    first: dict[str, tuple[date, int]] = {}
    for window, counts in seen.machines[0]:
        for name, count in counts.items():
            if window.start.isoformat() < since:
                known.add(name)
            elif count >= terms.newcomers.least_images:
                first[name] = (first.get(name, (window.start, 0))[0], count)
    new: Mapping[str, tuple[date, int]] = {name: told for name, told in first.items() if name not in known}
    said = "; ".join(f"{name}: {count} films in the newest window with it" for name, (_, count) in sorted(new.items()))
    if TAGS in terms.watched:
        yield _row(
            source,
            MACHINES,
            TAGS,
            "machines that the reference does not know",
            unit="machines",
            usual=0.0,
            seen=float(len(new)),
            state=NEWCOMER if new else WATCHED,
            action=TICKET if new else NONE,
            detail=said,
            since=min((day for day, _ in new.values())).isoformat() if new else None,
        )


def _worse(
    lake: Lake, figures: Sequence[Measured], terms: Protocol, approved: Sequence[date]
) -> Iterator[dict[str, Any]]:
    """Yield each class's AUC by readings of all months, beside the scorecard's; a rollback where it is surely lower."""
    expected = expected_aucs(lake)
    if SCORES not in terms.watched:
        return
    for one in figures:
        if one.month != ALL_MONTHS or one.figure != "auc" or one.subject not in expected:
            continue
        usual, most = expected[one.subject], terms.most(SCORES)
        worst = ROLLBACK if approved else FREEZE
        is_worse = one.high < usual - terms.performance.lower_by
        said = f"95 % interval {one.low:.2f} to {one.high:.2f}, {one.positives} positives in {one.studies} studies read"
        yield _row(
            ALL_SOURCES,
            f"{MEASURED}{one.subject}",
            SCORES,
            f"AUC of {one.subject} by blind readings",
            unit="AUC",
            usual=usual,
            seen=one.value,
            images=one.studies,
            detail=said,
            state=WATCHED,
            action=min(worst, most, key=RANK.__getitem__) if is_worse else NONE,
        )
