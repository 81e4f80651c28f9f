"""The drift page: what moved, since when, how much in units a person knows, which action; and measured performance.

Not here: judging any of it (``monitoring``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from radia_pipeline.drawing.marks import Line
from radia_pipeline.drawing.plot import Axis, plot
from radia_pipeline.drawing.small import signed_bar, whisker
from radia_pipeline.drawing.svg import Picture
from radia_pipeline.lake.atomic import write_text
from radia_pipeline.lake.lake import Lake
from radia_pipeline.monitoring.acknowledgements import acts
from radia_pipeline.monitoring.actions import TABLE, Demand, demanded
from radia_pipeline.monitoring.levels import RANK
from radia_pipeline.monitoring.protocol import LAYERS, NONE, NOTE, Protocol, protocol_of
from radia_pipeline.monitoring.report import EXAMPLES, PERFORMANCE, SILENT, WAITING
from radia_pipeline.monitoring.shadow_report import read_differences
from radia_pipeline.pages.render import made_from, render, short_version
from radia_pipeline.pages.shadow import shadow_section

PAGE = "drift.html"
SECTIONS = (
    ("demands", "What it asks for"),
    ("streams", "Every stream"),
    ("performance", "Measured performance"),
    ("shadow", "The challenger in the shadow"),
    ("answers", "Answers so far"),
    ("reading", "How to read this"),
)
ACTION_WORDS = {
    "none": "nothing",
    "note": "a note",
    "ticket": "somebody looks",
    "freeze": "no promotion until answered",
    "rollback": "put the champion before back",
}
LAYER_WORDS = {
    "pipeline": "Pipeline: what arrives and what is refused",
    "tags": "Headers and machines",
    "pixels": "Films and what the models see",
    "scores": "What the models say",
    "reports": "Reports and labels",
}
_SHIFT_LIMIT_SD = 1.0


def write_drift_page(lake: Lake, path: Path) -> Path:
    """Write the page of the newest report and return its path; without one it says so."""
    write_text(path, render("drift.html.j2", _content(lake)))
    return path


def amount(value: float | None, unit: str) -> str:
    """Return a value in its unit as a person says it: shares in percent, the rest with three digits."""
    if value is None:
        return "–"
    return f"{100 * value:.1f} %" if unit == "%" else f"{value:.3g} {unit}".strip()


def _content(lake: Lake) -> dict[str, Any]:
    demand, terms = demanded(lake), protocol_of(lake.root)
    rows = lake.read(TABLE, demand.day).to_pylist() if demand.day else []
    return {
        "title": "Drift",
        "day": demand.day,
        "sections": SECTIONS,
        "made_from": [*made_from(lake, "drift_reference", "champion", "ensemble"), ("protocol", terms.version)]
        + ([("drift report", short_version(lake, TABLE, demand.day))] if demand.day else []),
        "tiles": _tiles(rows, demand),
        "action": ACTION_WORDS[demand.action],
        "is_bad": demand.action != NONE,
        "waiting": [_told(row, _examples(lake, demand.day, row)) for row in _worst_first(demand.waiting)],
        "answered": [{**_told(row, []), "by": act.by, "reason": act.reason} for row, act in demand.answered],
        "notes": [_told(row, []) for row in demand.notes],
        "unwatched": [row for row in rows if row["state"] == WAITING],
        "layers": _layers(rows, terms),
        "performance": _performance(lake, demand.day),
        "shadow": shadow_section(read_differences(lake, demand.day), terms.statistics.discovery_rate),
        "acts": [vars(act) for act in reversed(acts(lake))],
        "terms": terms,
    }


def _tiles(rows: Sequence[Mapping[str, Any]], demand: Demand) -> list[dict[str, str]]:
    watched = sum(row["state"] != WAITING for row in rows)
    sources = {row["source"] for row in rows if row["state"] != WAITING}
    silent = {row["source"] for row in rows if row["state"] == SILENT}
    return [
        {"name": "asks for", "value": demand.action, "note": ACTION_WORDS[demand.action]},
        {"name": "wait for an answer", "value": str(len(demand.waiting)), "note": f"{len(demand.answered)} answered"},
        {"name": "notes", "value": str(len(demand.notes)), "note": "a day that stands out"},
        {"name": "streams", "value": f"{watched:,}", "note": ", ".join(sorted(sources)) or "none"},
        {"name": "silent sources", "value": str(len(silent)), "note": ", ".join(sorted(silent)) or "all deliver"},
    ]


def _worst_first(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(rows, key=lambda row: (-RANK[row["action"]], -(row["strength"] or 0.0), row["stream"]))


def _told(row: Mapping[str, Any], examples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    unit = row["unit"]
    change = None if row["seen"] is None or row["usual"] is None else row["seen"] - row["usual"]
    by = "–" if change is None else ("+" if change >= 0 else "−") + amount(abs(change), unit).replace(" %", " points")
    return {
        **row,
        "was": amount(row["usual"], unit),
        "is": amount(row["seen"], unit),
        "by_how_much": by,
        "asks": ACTION_WORDS[row["action"]],
        "picture": _course(row),
        "examples": [{"study": one["study_id"], "value": amount(one["value"], unit)} for one in examples],
        "bar": None if row["shift_sd"] is None else signed_bar(row["shift_sd"], limit=_SHIFT_LIMIT_SD),
        "command": f'radia drift acknowledge --source {row["source"]} --stream "{row["stream"]}" --by … --reason …',
    }


def _course(row: Mapping[str, Any]) -> Picture | None:
    """Draw the means of the windows beside what is usual."""
    if len(row["course"]) < 2 or row["usual"] is None:
        return None
    scale = 100.0 if row["unit"] == "%" else 1.0
    places, values = list(range(1, len(row["course"]) + 1)), [scale * value for value in row["course"]]
    usual = [scale * row["usual"]] * 2
    return plot(
        [
            Line([places[0], places[-1]], usual, "muted", "usual", is_dashed=True),
            Line(places, values, name="seen", is_marked=True),
        ],
        title=f"{row['words']}: windows since the reference",
        x=Axis("window", is_whole=True),
        y=Axis(row["unit"]),
        size=(420, 130),
    )


def _examples(lake: Lake, day: str | None, row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if day is None or not lake.exists(EXAMPLES, day):
        return []
    found = lake.read(EXAMPLES, day).to_pylist()
    mine = [one for one in found if (one["source"], one["stream"]) == (row["source"], row["stream"])]
    return sorted(mine, key=lambda one: one["place"])


def _layers(rows: Sequence[Mapping[str, Any]], terms: Protocol) -> list[dict[str, Any]]:
    found = []
    for layer in LAYERS:
        mine = [row for row in rows if row["layer"] == layer and row["state"] != WAITING]
        alarms = sum(RANK[row["action"]] > RANK[NOTE] for row in mine)
        told = [_told({**row, "course": []}, []) for row in _worst_first(mine)]
        found.append({"name": LAYER_WORDS[layer], "rows": told, "alarms": alarms, "is_watched": layer in terms.watched})
    return found


def _performance(lake: Lake, day: str | None) -> list[dict[str, Any]]:
    rows = lake.read(PERFORMANCE, day).to_pylist() if day and lake.exists(PERFORMANCE, day) else []
    return [
        {
            **row,
            "told": f"{row['value']:.2f}",
            "interval": f"{row['low']:.2f} to {row['high']:.2f}",
            "picture": whisker(row["value"], row["low"], row["high"], guide=0.5 if row["figure"] == "auc" else 0.0),
        }
        for row in sorted(rows, key=lambda row: (row["figure"], row["subject"], row["month"] == "all", row["month"]))
    ]
