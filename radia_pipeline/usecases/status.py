"""How a lake is, for whoever looks after it: what came, what was refused, what answers, what waits for a person.

Everything stands in tables already; here it is brought together in the order in which a steward asks. Not here: the
page (``pages.status``), how notices are sent (``notices``), runs of Dagster, which the command adds.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from radia_pipeline.drawing.text import table
from radia_pipeline.evaluation.champion import history
from radia_pipeline.evaluation.gate import TABLE as GATE
from radia_pipeline.evaluation.release import is_noted, release_id
from radia_pipeline.lake.lake import Lake
from radia_pipeline.monitoring.actions import demanded
from radia_pipeline.usecases.champion_text import answers_words, gate_found, shown
from radia_pipeline.usecases.notices import Notice
from radia_pipeline.usecases.silence import Freshness, freshness

LATELY_DAYS = 30
REPORTS_DAYS = 7
"""From one drift report to the next; longer is a silence of its own."""
_WANTS = {"ticket": "a look", "freeze": "no promotion until it is answered", "rollback": "a rollback of the champion"}


@dataclass(frozen=True)
class Waiting:
    """Something that waits for a person: ``what`` in one sentence, ``do``: what to do about it. ``key`` names the
    occasion, so that it is told once."""

    key: str
    what: str
    do: str


def status(lake: Lake, now_s: float) -> dict[str, Any]:
    """Return how the lake is at a moment (seconds since 1970), as plain data."""
    return {
        "at": dt.datetime.fromtimestamp(now_s, dt.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "sources": [_source(lake, one, now_s) for one in freshness(lake, now_s)],
        "answers": shown(lake)["answers"],
        "drift": {"day": demanded(lake).day, "action": demanded(lake).action},
        "answers_since": next((act.at for act in reversed(history(lake)) if act.kind != "refused"), None),
        "waits": [vars(one) for one in waiting(lake, now_s)],
    }


def _source(lake: Lake, fresh: Freshness, now_s: float) -> dict[str, Any]:
    rows = lake.read("deliveries", fresh.source).to_pylist() if lake.exists("deliveries", fresh.source) else []
    since = dt.datetime.fromtimestamp(now_s - LATELY_DAYS * 86_400, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    lately = [row for row in rows if (row["first_seen"] or "") >= since]
    reasons: Counter[str] = Counter()
    for row in lately:
        reasons.update({one["reason"]: one["files"] for one in row["reasons"]})
    last = rows[-1] if rows else None
    standing = lake.exists("images", fresh.source)
    return {
        **vars(fresh),
        "images": lake.read("images", fresh.source, ["image_id"]).num_rows if standing else 0,
        "is_silent": fresh.is_silent,
        "deliveries": len([row for row in rows if row["first_seen"]]),
        "last_files": last["files"] if last else None,
        "last_reports": last["reports"] if last else None,
        "lately_files": sum(row["files"] for row in lately),
        "lately_refused": sum(row["quarantined"] for row in lately),
        "lately_reasons": dict(reasons.most_common()),
        "lately_late_reports": sum(row["late_reports"] for row in lately),
    }


def waiting(lake: Lake, now_s: float) -> list[Waiting]:
    """Return what waits for a person, what is oldest in the way of the data first."""
    return [*_silent(lake, now_s), *_unwatched(lake, now_s), *_drifted(lake), *_challenger(lake)]


def _unwatched(lake: Lake, now_s: float) -> Iterator[Waiting]:
    """Say that drift reports were made and are not made any more: what is switched off tells nobody by itself."""
    newest = demanded(lake).day
    if newest is None:
        return
    days = (dt.datetime.fromtimestamp(now_s, dt.UTC).date() - dt.date.fromisoformat(newest)).days
    if days > REPORTS_DAYS:
        yield Waiting(
            f"unwatched:{newest}",
            f"No drift report was made for {days} days, the last of {newest}.",
            "look whether Dagster runs and `drift_daily` is on (`radia automation list`), or make one: "
            "`radia drift report`",
        )


def _drifted(lake: Lake) -> Iterator[Waiting]:
    demand = demanded(lake)
    if not demand.waiting:
        return
    streams = sorted({(row["source"], row["stream"]) for row in demand.waiting})
    identity = hashlib.sha256(json.dumps([demand.action, *streams]).encode()).hexdigest()[:12]
    named = ", ".join(f"{stream} of {source}" for source, stream in streams[:3])
    more = f" and {len(streams) - 3} more" if len(streams) > 3 else ""
    yield Waiting(
        f"drift:{identity}",
        f"The drift report of {demand.day} asks for {_WANTS[demand.action]}: {named}{more}.",
        "look at drift.html, then `radia drift acknowledge --by NAME --reason REASON`",
    )


def _silent(lake: Lake, now_s: float) -> Iterator[Waiting]:
    for one in freshness(lake, now_s):
        if one.is_silent:
            yield Waiting(
                f"silent:{one.source}:{one.last_seen}",
                f"{one.source} has delivered nothing for {one.days:.0f} days; it should every {one.expected_days:g}.",
                "ask whoever delivers; how often it should stands in the lake's settings.json (expected_days)",
            )


def _challenger(lake: Lake) -> Iterator[Waiting]:
    """Say what the newest ensemble waits for: a release, the gate, or an approval; nothing once it answers."""
    if not lake.exists("ensemble"):
        return
    release = release_id(lake)
    decided = [act for act in history(lake) if act.candidate is not None and act.candidate.release == release]
    if decided:
        return
    if not is_noted(lake):
        yield Waiting(
            f"release:{release}",
            "The newest ensemble is judged on validation only; nobody has released it.",
            "look at scorecard.html, then `radia scorecard --release --who NAME --why REASON`, or leave it",
        )
        return
    found = gate_found(lake) if lake.exists(GATE) else None
    if found is None or found["challenger"] != release or not found["is_current"]:
        yield Waiting(f"gate:{release}", f"Release {release} was not judged by the gate.", "`radia champion check`")
    elif found["refused"]:
        yield Waiting(
            f"refused:{release}",
            f"The gate refuses release {release}: {', '.join(found['refused'])}.",
            "look at champion.html; nothing that answers was changed",
        )
    else:
        yield Waiting(
            f"approve:{release}",
            f"Release {release} passed the gate and waits for an approval.",
            "`radia champion approve --by NAME --reason REASON`, or leave it",
        )


def occasions(lake: Lake, now_s: float) -> Iterator[Notice]:
    """Return what people should be told once: everything that waits for one."""
    for one in waiting(lake, now_s):
        yield Notice(one.key, f"RadIA: {one.what}", f"{one.what}\nWhat to do: {one.do}")


def as_text(found: dict[str, Any]) -> str:
    """Return the status in words, as a steward asks for it."""
    parts = [f"The lake on {found['at']}"]
    if found["sources"]:
        rows = [
            [
                row["source"],
                row["images"],
                day(row["last_seen"]),
                ago(row),
                row["last_files"],
                row["last_reports"],
                row["lately_refused"],
                row["lately_late_reports"],
            ]
            for row in found["sources"]
        ]
        header = ["source", "images", "last delivery", "", "files", "reports", "refused", "late reports"]
        parts.append(
            "What came (files and reports: with the last delivery; refused and late reports: "
            f"with those of {LATELY_DAYS} days)\n{table(header, rows)}"
        )
        reasons = [
            f"  {row['source']}: " + ", ".join(f"{name} {count}" for name, count in row["lately_reasons"].items())
            for row in found["sources"]
            if row["lately_reasons"]
        ]
        parts += ["Refused because of\n" + "\n".join(reasons)] if reasons else []
    since = f" Since {found['answers_since'][:10]}." if found["answers_since"] else ""
    parts.append(f"What answers\n  {answers_words(found['answers'])}{since}")
    parts.append(f"Drift\n  {drift_words(found['drift'])}")
    waits = [f"  {one['what']}\n    {one['do']}" for one in found["waits"]]
    parts.append("What waits for a person\n" + ("\n".join(waits) if waits else "  Nothing."))
    if "runs" in found:
        failed = [f"  {one['what']} on {one['at']}: {one['why']}" for one in found["runs"]]
        parts.append("Runs that failed and were not made again\n" + ("\n".join(failed) if failed else "  None."))
    return "\n\n".join(parts)


def drift_words(drift: dict[str, Any]) -> str:
    """Return in one sentence what the newest drift report says."""
    if drift["day"] is None:
        return "No report was made yet: `radia drift report`."
    asks = "nothing that waits for an answer" if drift["action"] == "none" else _WANTS[drift["action"]]
    return f"The report of {drift['day']} asks for {asks} (drift.html)."


def day(moment: str | None) -> str:
    """Return the day of a moment, or that nobody knows it."""
    return moment[:10] if moment else "unknown"


def ago(row: dict[str, Any]) -> str:
    """Return how long ago a source delivered, and whether that is too long."""
    if row["days"] is None:
        return "none since the lake keeps a clock"
    shown_days = "today" if row["days"] < 1 else f"{row['days']:.0f} days ago"
    return f"{shown_days}, silent" if row["is_silent"] else shown_days
