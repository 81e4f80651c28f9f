"""The page of retrainings: what was new in the data, and the figures before and after. The judgement is the gate's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from radia_pipeline.drawing.text import interval
from radia_pipeline.lake.atomic import write_text
from radia_pipeline.lake.lake import Lake
from radia_pipeline.pages.render import NONE, made_from, percent, render
from radia_pipeline.usecases.retraining import Retraining, retrainings

RETRAINING = "retraining.html"
SECTIONS = (("data", "What was new"), ("figures", "Figures before and after"), ("all", "All retrainings"))


def write_retraining_page(lake: Lake) -> Path:
    """Write the page of the newest retraining, with a list of all, and return its path."""
    known = retrainings(lake)
    newest = known[-1] if known else None
    content = {
        "title": "Retraining",
        "made_from": made_from(lake, "ensemble", "scorecard"),
        "sections": SECTIONS,
        "tiles": [],
        "newest": _told(newest) if newest else None,
        "changes": [_change(one) for one in newest.changes] if newest else [],
        "figures": _figures(newest) if newest else [],
        "all": [_told(one) for one in reversed(known)],
    }
    path = lake.root.absolute() / RETRAINING
    write_text(path, render("retraining.html.j2", content))
    return path


def _told(one: Retraining) -> dict[str, str]:
    return {
        "id": one.identity,
        "begun": _moment(one.begun_s),
        "ended": _moment(one.ended_s),
        "why": one.why,
        "recipes": ", ".join(one.recipes),
        "hours": f"{one.hours:.1f}" if one.ended_s else NONE,
    }


def _moment(at_s: float | None) -> str:
    return "not ended" if at_s is None else dt.datetime.fromtimestamp(at_s, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")


def _change(one: Mapping[str, Any]) -> dict[str, Any]:
    """Return a source's counts, and each class's positives with its share of the images, then and now."""
    classes = [
        {
            "name": name,
            "then": then,
            "now": now,
            "share_then": _share(then, one["images_then"]),
            "share_now": _share(now, one["images_now"]),
        }
        for name, (then, now) in one["positives"].items()
    ]
    return {**one, "classes": classes}


def _share(part: int, whole: int) -> str:
    return percent(part / whole) if whole else NONE


def _figures(one: Retraining) -> list[dict[str, str]]:
    times = {"before": one.before, "after": one.after}
    return [
        {"model": model}
        | {
            f"{metric}_{when}": _figure(said.get(model, {}).get(metric))
            for when, said in times.items()
            for metric in ("auc", "f1")
        }
        for model in sorted(one.before.keys() | one.after.keys())
    ]


def _figure(found: Mapping[str, Any] | None) -> str:
    if not found or found["value"] is None:
        return NONE
    return interval(found["value"], found["low"], found["high"])
