"""Pictures for a table's cell: a figure on its interval, a divided bar, a bar to one side of zero.

They have no ticks: the number stands beside them, the column's head says from where to where they go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict, Unpack

from radia_pipeline.drawing.looks import SERIES
from radia_pipeline.drawing.marks import shape
from radia_pipeline.drawing.scale import Scale
from radia_pipeline.drawing.svg import Picture, element, path, tip

_WHISKER_PX, _BAR_PX, _SIGNED_PX = 18, 13, 13
_EDGE_PX = 6


class Whisker(TypedDict, total=False):
    """How ``whisker`` is drawn: on an axis from ``start`` to ``stop``; ``guide``: a value to compare with, such as
    chance."""

    start: float
    stop: float
    guide: float | None
    width: int
    role: str


_USUAL: Whisker = {"start": 0.0, "stop": 1.0, "guide": None, "width": 150, "role": SERIES[0]}


def whisker(value: float | None, low: float | None, high: float | None, **looks: Unpack[Whisker]) -> Picture | None:
    """Return a point on its interval; None without a figure."""
    if value is None:
        return None
    chosen = _USUAL | looks
    start, stop, guide = chosen["start"], chosen["stop"], chosen["guide"]
    width, role = chosen["width"], chosen["role"]
    at, middle = Scale(start, stop, _EDGE_PX, width - _EDGE_PX).at, _WHISKER_PX / 2
    parts = [element("path", class_="track", d=path([(at(start), middle), (at(stop), middle)]))]
    if guide is not None:
        parts.append(element("path", class_="guide", d=path([(at(guide), 1), (at(guide), _WHISKER_PX - 1)])))
    title = f"{value:.2f}"
    if low is not None and high is not None:
        parts.append(element("path", class_=f"range {role}", d=path([(at(low), middle), (at(high), middle)])))
        title += f", 95 % interval {low:.2f} to {high:.2f}"
    return Picture(width, _WHISKER_PX, title, "".join(parts) + shape(role, at(value), middle))


def divided_bar(
    parts: Sequence[tuple[str, float, str]], *, total: float | None = None, width: int = 220, title: str = ""
) -> Picture:
    """Return one bar of (name, count, role) in the order given; what is missing to ``total`` is left over."""
    whole = max(total if total is not None else sum(count for _, count, _ in parts), 1e-12)
    body, x = [element("rect", class_="cell rest", width=width, height=_BAR_PX, rx=2)], 0.0
    for name, count, role in parts:
        step = width * count / whole
        if step > 0:
            said = tip(f"{name}: {count:,}")
            body.append(element("rect", said, class_=f"bar {role}", x=x, width=step, height=_BAR_PX))
        x += step
    words = title or ", ".join(f"{name} {count:,}" for name, count, _ in parts)
    return Picture(width, _BAR_PX, words, "".join(body))


def signed_bar(value: float, *, limit: float, width: int = 160, role: str = SERIES[0]) -> Picture:
    """Return a bar from the middle to the right (above zero) or the left, at full length beyond ``limit``."""
    at = Scale(-limit, limit, 1, width - 1).at
    start, stop = sorted((at(0.0), at(value)))
    bar = element("rect", class_=f"bar {role}", x=start, y=2, width=stop - start, height=_SIGNED_PX - 4)
    zero = element("path", class_="axis", d=path([(at(0.0), 0), (at(0.0), _SIGNED_PX)]))
    return Picture(width, _SIGNED_PX, f"{value:+.2f}", bar + zero)
