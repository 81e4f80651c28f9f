"""Axes, ticks, grid and legend around marks: the one frame of every plot.

What does not belong here: the marks (``marks``) and which marks make which chart (``charts``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from radia_pipeline.drawing.marks import SWATCH_PX, Bars, Mark, Values
from radia_pipeline.drawing.scale import Scale, limits, tick_texts, ticks
from radia_pipeline.drawing.svg import TEXT_PX, Picture, element, path, text_px, words

_GAP_PX, _LINE_PX, _LEGEND_PX = 7, 16, 19
_TICK_GAP_PX = 14
_Y_STEP_PX = 26
_DESCENT_PX = 3
_MOST_TICKS = 9
NOTHING = "no figures"


@dataclass(frozen=True)
class Axis:
    """One axis. ``low``, ``high``: its limits, None for those of the data. ``names``: it is no scale but a row of
    names, at 0, 1, 2 … (y from the top). ``is_whole``: it counts things."""

    label: str = ""
    low: float | None = None
    high: float | None = None
    names: Sequence[str] = ()
    is_whole: bool = False

    def limits(self, values: Iterable[float]) -> tuple[float, float]:
        """Return where the axis begins and ends."""
        return (-0.5, len(self.names) - 0.5) if self.names else limits(values, self.low, self.high)


@dataclass(frozen=True)
class _Ticks:
    """Places on an axis and what stands there."""

    values: Sequence[float]
    texts: Sequence[str]

    @property
    def widest(self) -> float:
        return max(map(text_px, self.texts), default=0.0)


def plot(
    marks: Sequence[Mark],
    *,
    title: str,
    x: Axis | None = None,
    y: Axis | None = None,
    size: tuple[float, float] = (420, 220),
    description: str = "",
) -> Picture:
    """Return marks in a frame. ``size``: of the area inside the axes, px; names, ticks and the legend come on top."""
    x, y = x or Axis(), y or Axis()
    width, height = size
    x_limits, y_limits = x.limits(_held(mark.xs() for mark in marks)), y.limits(_held(mark.ys() for mark in marks))
    across, down = _ticks_across(x, x_limits, width), _ticks_down(y, y_limits, height)
    beyond = across.widest / 2 - (width / len(x.names) / 2 if x.names else 0)  # half of the first and the last tick
    left = max((_LINE_PX if y.label else 0) + down.widest + _GAP_PX, beyond)
    right = max(_room(marks), beyond, _GAP_PX)
    rows = _legend_rows(marks, left + width + right)
    top = len(rows) * _LEGEND_PX + (_LINE_PX if _is_upright(marks) else _GAP_PX)
    scale_x = Scale(*x_limits, left, left + width)
    scale_y = Scale(*y_limits, *((top, top + height) if y.names else (top + height, top)))
    bottom = top + height
    body = [
        _grid(
            scale_x if not x.names else None,
            across.values,
            scale_y if not y.names else None,
            down.values,
            (left, top, left + width, bottom),
        ),
        _axes(scale_x, across, scale_y, down, (left, top, left + width, bottom)),
        *(mark.draw(scale_x, scale_y) for mark in marks),
        _labels(x, y, (left, top, left + width, bottom)),
        *_legend(rows),
    ]
    if not _has_points(marks):
        body.append(words(left + width / 2, top + height / 2, NOTHING, "soft middle"))
    total = bottom + TEXT_PX + _GAP_PX + (_LINE_PX if x.label else 0) + _DESCENT_PX
    return Picture(left + width + right, total, title, "".join(body), description)


def _held(values: Iterable[Values]) -> list[float]:
    return [float(value) for part in values for value in part]


def _has_points(marks: Sequence[Mark]) -> bool:
    return any(math.isfinite(a) and math.isfinite(b) for m in marks for a, b in zip(m.xs(), m.ys()))


def _is_upright(marks: Sequence[Mark]) -> bool:
    return any(isinstance(mark, Bars) and mark.is_upright and mark.texts for mark in marks)


def _room(marks: Sequence[Mark]) -> float:
    """Return the room that texts at the ends of lying bars need."""
    texts = [text for m in marks if isinstance(m, Bars) and not m.is_upright for text in m.texts]
    return max((text_px(text) + _GAP_PX for text in texts), default=0.0)


def _ticks_across(axis: Axis, held: tuple[float, float], width: float) -> _Ticks:
    """Return as many ticks (or names) as stand side by side without touching."""
    if axis.names:
        step = width / len(axis.names)
        each = max(1, math.ceil((max(map(text_px, axis.names)) + 4) / step))
        return _Ticks(range(0, len(axis.names), each), axis.names[::each])
    for most in range(_MOST_TICKS, 1, -1):
        found = _numbers(axis, held, most)
        if sum(map(text_px, found.texts)) + _TICK_GAP_PX * len(found.texts) <= width:
            break
    return found


def _ticks_down(axis: Axis, held: tuple[float, float], height: float) -> _Ticks:
    if axis.names:
        return _Ticks(range(len(axis.names)), axis.names)
    return _numbers(axis, held, max(2, min(_MOST_TICKS, int(height / _Y_STEP_PX))))


def _numbers(axis: Axis, held: tuple[float, float], most: int) -> _Ticks:
    values = ticks(*held, most=most, is_whole=axis.is_whole)
    return _Ticks(values, tick_texts(values))


def _grid(
    x: Scale | None, across: Sequence[float], y: Scale | None, down: Sequence[float], area: tuple[float, ...]
) -> str:
    left, top, right, bottom = area
    lines = "" if x is None else "".join(path([(x.at(v), top), (x.at(v), bottom)]) for v in across)
    lines += "" if y is None else "".join(path([(left, y.at(v)), (right, y.at(v))]) for v in down)
    return element("path", class_="grid", d=lines) if lines else ""


def _axes(x: Scale, across: _Ticks, y: Scale, down: _Ticks, area: tuple[float, ...]) -> str:
    left, top, right, bottom = area
    parts = [element("path", class_="axis", d=path([(left, top), (left, bottom), (right, bottom)]))]
    parts += [words(x.at(v), bottom + TEXT_PX + 5, text, "soft middle") for v, text in zip(across.values, across.texts)]
    parts += [
        words(left - _GAP_PX, y.at(v) + 4, text, "end" if text and not _is_number(text) else "soft end")
        for v, text in zip(down.values, down.texts)
    ]
    return "".join(parts)


def _is_number(text: str) -> bool:
    return text.strip("−0123456789.,") == ""


def _labels(x: Axis, y: Axis, area: tuple[float, ...]) -> str:
    left, top, right, bottom = area
    below = words((left + right) / 2, bottom + TEXT_PX + _LINE_PX + 5, x.label, "soft middle") if x.label else ""
    beside = words(TEXT_PX, (top + bottom) / 2, y.label, "soft middle", turn=-90) if y.label else ""
    return below + beside


def _legend_rows(marks: Sequence[Mark], width: float) -> list[list[tuple[float, Mark]]]:
    """Return the named marks in rows that fit, each with its place from the left."""
    rows: list[list[tuple[float, Mark]]] = []
    x = 0.0
    for mark in marks:
        if mark.name:
            needed = SWATCH_PX + 5 + text_px(mark.name)
            if not rows or x + needed > width:
                rows.append([])
                x = 0.0
            rows[-1].append((x, mark))
            x += needed + 14
    return rows


def _legend(rows: list[list[tuple[float, Mark]]]) -> Iterable[str]:
    for number, row in enumerate(rows):
        y = 8 + number * _LEGEND_PX
        for x, mark in row:
            yield element("g", mark.swatch(), transform=f"translate({x:.1f} {y})")
            yield words(x + SWATCH_PX + 5, y + 4, mark.name)
