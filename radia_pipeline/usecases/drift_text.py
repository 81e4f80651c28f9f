"""What a terminal says of drift: the newest report, what waits, what was answered. As data and as text.

Not here: judging it (``monitoring``), the page (``pages.drift``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from radia_pipeline.drawing.text import table
from radia_pipeline.errors import BadInput
from radia_pipeline.lake.lake import Lake
from radia_pipeline.monitoring.acknowledgements import ACKNOWLEDGED, Act, note
from radia_pipeline.monitoring.actions import TABLE, demanded
from radia_pipeline.monitoring.report import WAITING

_TOLD = (
    "source",
    "stream",
    "layer",
    "words",
    "unit",
    "action",
    "state",
    "usual",
    "seen",
    "shift_sd",
    "since",
    "detail",
)


def shown(lake: Lake, day: str | None = None) -> dict[str, Any]:
    """Return the newest report, or that of a day, as data; raises MissingTable for a day without one."""
    demand = demanded(lake, day)
    rows = lake.read(TABLE, demand.day).to_pylist() if demand.day else []
    return {
        "day": demand.day,
        "action": demand.action,
        "streams": sum(row["state"] != WAITING for row in rows),
        "waiting": [_told(row) for row in demand.waiting],
        "notes": [_told(row) for row in demand.notes],
        "answered": [{**_told(row), "by": act.by, "reason": act.reason} for row, act in demand.answered],
        "not_watched": [{"source": row["source"], "detail": row["detail"]} for row in rows if row["state"] == WAITING],
    }


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in _TOLD}


def shown_text(found: Mapping[str, Any]) -> str:
    """Return it as text."""
    if found["day"] is None:
        return "There is no drift report yet: `radia drift report`"
    lines = [f"Report of {found['day']}: {found['streams']} streams, asks for {found['action']}"]
    lines += [f"{one['source']} is not watched: {one['detail']}" for one in found["not_watched"]]
    rows = [
        [
            row["action"],
            row["source"],
            row["stream"],
            row["since"] or "",
            _amount(row["usual"], row["unit"]),
            _amount(row["seen"], row["unit"]),
            row["detail"],
        ]
        for row in (*found["waiting"], *found["notes"])
    ]
    if rows:
        lines += ["", table(["asks for", "source", "stream", "since", "usual", "seen", "detail"], rows)]
    lines += [
        f"answered by {one['by']}: {one['source']}, {one['stream']} ({one['reason']})" for one in found["answered"]
    ]
    return "\n".join(lines)


def _amount(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    return f"{100 * value:.1f} %" if unit == "%" else f"{value:.3g} {unit}".strip()


def acknowledge(lake: Lake, *, by: str, reason: str, source: str | None, stream: str | None) -> dict[str, Any]:
    """Answer what the newest report demands, all of it or of a source or stream; returns what was answered.

    Raises BadInput without a name or reason, or where nothing of it waits.
    """
    demand = demanded(lake)
    mine = [row for row in demand.waiting if source in (None, row["source"]) and stream in (None, row["stream"])]
    if not mine or demand.day is None:
        raise BadInput("No alarm of the newest report waits there", do="see `radia drift show`")
    if stream is None:
        for name in sorted({row["source"] for row in mine}):
            note(lake, Act(ACKNOWLEDGED, by, reason, demand.day, name))
    else:
        for row in mine:
            note(lake, Act(ACKNOWLEDGED, by, reason, demand.day, row["source"], row["stream"]))
    return {"day": demand.day, "answered": [{"source": row["source"], "stream": row["stream"]} for row in mine]}
