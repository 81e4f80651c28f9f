"""Whole charts by kind: stacked bars, bars side by side, points in rows, intervals in rows.

What does not belong here: what the rows are; a chart takes names and numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from radia_pipeline.drawing.looks import SERIES, series_role
from radia_pipeline.drawing.marks import Bars, Guide, Mark, Points
from radia_pipeline.drawing.plot import Axis, plot
from radia_pipeline.drawing.svg import Picture

ROW_PX = 21
WIDTH_PX = 460


@dataclass(frozen=True)
class Interval:
    """One row of ``intervals``: a figure with its interval; None where there is none."""

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    role: str = SERIES[0]


def stacked_bars(
    rows: Mapping[str, Mapping[str, int]], *, title: str, unit: str, roles: Mapping[str, str] | None = None
) -> Picture:
    """Return one lying bar a row, divided into parts, with its total at the end.

    ``rows``: row -> part -> count. ``roles``: part -> role, in the order drawn; the series in order of appearance.
    """
    if roles is None:
        found = dict.fromkeys(part for row in rows.values() for part in row)
        roles = {part: series_role(place) for place, part in enumerate(found)}
    names, marks, reached = list(rows), [], [0] * len(rows)
    for place, (part, role) in enumerate(roles.items()):
        widths = [rows[name].get(part, 0) for name in names]
        stops = [a + b for a, b in zip(reached, widths)]
        tips = [f"{name}, {part}: {width:,}" for name, width in zip(names, widths)]
        texts = [f"{stop:,}" for stop in stops] if place == len(roles) - 1 else ()
        label = part if len(roles) > 1 else ""
        marks.append(Bars(range(len(names)), reached, stops, role, label, texts=texts, tips=tips))
        reached = stops
    x = Axis(unit, low=0, is_whole=True)
    return plot(marks, title=title, x=x, y=Axis(names=names), size=(WIDTH_PX, max(1, len(names)) * ROW_PX))


def grouped_bars(
    series: Mapping[str, Sequence[float]],
    *,
    title: str,
    x: Axis,
    y: str,
    roles: Mapping[str, str] | None = None,
    size: tuple[int, int] = (WIDTH_PX, 210),
) -> Picture:
    """Return upright bars, those of one bin side by side: ``series`` name -> a figure for each bin that ``x`` names.

    ``roles``: name -> role; the series in their order. ``size``: width and height of the axes in px.
    """
    thick, bins = 0.84 / max(1, len(series)), x.names
    marks: list[Mark] = []
    for number, (name, values) in enumerate(series.items()):
        places = [place - 0.42 + (number + 0.5) * thick for place in range(len(bins))]
        tips = [f"{name}, {bin_}: {value:.1f}" for bin_, value in zip(bins, values)]
        role = series_role(number) if roles is None else roles[name]
        marks.append(Bars(places, [0.0] * len(places), values, role, name, thick, True, tips=tips))
    return plot(marks, title=title, x=x, y=Axis(y, low=0), size=size)


def points_in_rows(
    names: Sequence[str], series: Mapping[str, Sequence[float | None]], *, title: str, unit: str
) -> Picture:
    """Return one row a name with a point for each series; None is left out."""
    marks: list[Mark] = []
    for number, (label, values) in enumerate(series.items()):
        held = [math.nan if value is None else value for value in values]
        tips = [f"{name}, {label}: {value:.1f}" for name, value in zip(names, held)]
        marks.append(Points(held, range(len(names)), series_role(number), label, tips=tips))
    y = Axis(names=names)
    return plot(marks, title=title, x=Axis(unit, low=0), y=y, size=(WIDTH_PX, max(1, len(names)) * ROW_PX))


def intervals(
    rows: Sequence[Interval], *, title: str, unit: str, low: float | None = None, guide: float | None = None
) -> Picture:
    """Return one row a figure: its point on its interval. ``guide``: a value to compare with, such as chance."""
    marks: list[Mark] = [] if guide is None else [Guide(x=guide)]
    for role in dict.fromkeys(row.role for row in rows):
        held = [(place, row) for place, row in enumerate(rows) if row.role == role and row.value is not None]
        marks.append(
            Points(
                [row.value for _, row in held if row.value is not None],
                [place for place, _ in held],
                role,
                low=[row.low for _, row in held],
                high=[row.high for _, row in held],
                tips=[_said(row) for _, row in held],
            )
        )
    y = Axis(names=[row.name for row in rows])
    size = (WIDTH_PX, max(1, len(rows)) * ROW_PX)
    return plot(marks, title=title, x=Axis(unit, low), y=y, size=size)


def _said(row: Interval) -> str:
    has_interval = row.low is not None and row.high is not None
    return f"{row.name}: {row.value:.3f}" + (f" ({row.low:.3f}–{row.high:.3f})" if has_interval else "")
