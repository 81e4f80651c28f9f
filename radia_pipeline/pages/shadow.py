"""The part of the drift page on a challenger in the champion's shadow: what it calls otherwise, in whom, how sure.

Not here: comparing the two (``monitoring.differing``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.drawing.small import whisker
from radia_pipeline.evaluation.subgroups import MEAN
from radia_pipeline.monitoring.differing import ALL, DELIVERY
from radia_pipeline.monitoring.shadow_report import summed_up

MOST_SUBGROUPS = 40
_REACH = 0.3
Row = Mapping[str, Any]


def shadow_section(rows: Sequence[Row], rate: float) -> dict[str, Any]:
    """Return what the template needs of a day's rows of ``shadow_differences``. ``rate``: false discovery rate."""
    summary = summed_up(rows, rate)
    order = {name: place for place, name in enumerate((*vocabulary().classes, MEAN))}
    classes = sorted((row for row in rows if row["attribute"] == ALL), key=lambda row: order[row["class"]])
    parts = [row for row in summary.stand_out if row["attribute"] not in (ALL, DELIVERY)]
    return {
        "studies": summary.studies,
        "deliveries": _deliveries(rows, rate),
        "classes": [_told(row, rate) for row in classes if row["class"] != MEAN],
        "judged": [_told(row, rate) for row in classes if row["auc_difference"] is not None],
        "parts": [_told(row, rate) for row in parts[:MOST_SUBGROUPS]],
        "parts_left": max(0, len(parts) - MOST_SUBGROUPS),
        "subgroups": len({(row["attribute"], row["stratum"]) for row in rows} - {(ALL, ALL)}),
        "means": [_told(row, rate) for row in rows if row["class"] == MEAN and row["attribute"] not in (ALL, DELIVERY)],
        "stand_out": len(summary.stand_out),
    }


def _deliveries(rows: Sequence[Row], rate: float) -> list[dict[str, Any]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row["attribute"] == DELIVERY and row["class"] != MEAN:
            found.setdefault(row["stratum"], []).append(row)
    return [
        {
            "name": name,
            "studies": mine[0]["studies"],
            "gained": sum(row["gained"] for row in mine),
            "lost": sum(row["lost"] for row in mine),
            "classes": ", ".join(row["class"] for row in mine if row["q_value"] < rate) or "none",
        }
        for name, mine in sorted(found.items())
    ]


def _told(row: Row, rate: float) -> dict[str, Any]:
    is_called = row["difference"] is not None
    has_auc = row["auc_difference"] is not None
    return {
        **row,
        "is_sure": row["q_value"] is not None and row["q_value"] < rate,
        "q": "–" if row["q_value"] is None else "< .001" if row["q_value"] < 0.001 else f"{row['q_value']:.3f}",
        "was": _percent(row["champion_called"]),
        "is": _percent(row["challenger_called"]),
        "by": f"{_signed(100 * row['low'], 1)} to {_signed(100 * row['high'], 1)}" if is_called else "–",
        "auc": f"{row['champion_auc']:.2f} → {row['challenger_auc']:.2f}" if has_auc else "–",
        "auc_by": f"{_signed(row['auc_low'], 2)} to {_signed(row['auc_high'], 2)}" if has_auc else "–",
        "picture": whisker(row["difference"], row["low"], row["high"], start=-_REACH, stop=_REACH, guide=0.0)
        if is_called
        else None,
    }


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _signed(value: float, digits: int) -> str:
    return f"{value:+.{digits}f}".replace("-", "−")
