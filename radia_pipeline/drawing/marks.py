"""What a plot is made of: lines, bands, points with their intervals, bars, guides. Each draws itself on two scales.

Every series has a colour and a shape. Figures that are not finite are left out: a line has a gap there. What does not
belong here: axes (``plot``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Protocol, TypeAlias

from radia_pipeline.drawing.looks import SERIES
from radia_pipeline.drawing.scale import Scale
from radia_pipeline.drawing.svg import element, number, path, tip, words

if TYPE_CHECKING:
    import numpy as np

Values: TypeAlias = "Sequence[float] | np.ndarray"

_SHAPES = {
    "s0": "M-3.8 0a3.8 3.8 0 1 0 7.6 0a3.8 3.8 0 1 0 -7.6 0z",
    "s1": "M-3.4 -3.4h6.8v6.8h-6.8z",
    "s2": "M0 -4.8L4.8 0L0 4.8L-4.8 0z",
    "s3": "M0 -4.5L4.4 3.4H-4.4z",
    "s4": "M0 4.5L4.4 -3.4H-4.4z",
    "s5": "M-1.5 -4.4h3v2.9h2.9v3h-2.9v2.9h-3v-2.9h-2.9v-3h2.9z",
}
SWATCH_PX = 16
_EDGE_PX = 3
"""How far a band reaches beyond its ends, so that one place alone is seen."""


class Mark(Protocol):
    """A part of a plot. ``name``: its words in the legend, empty for none."""

    @property
    def name(self) -> str:
        """Its words in the legend, empty for none."""

    def xs(self) -> Values:
        """Return what the x axis must hold."""

    def ys(self) -> Values:
        """Return what the y axis must hold."""

    def draw(self, x: Scale, y: Scale) -> str:
        """Return the mark as SVG."""

    def swatch(self) -> str:
        """Return its sign in the legend, ``SWATCH_PX`` wide, around y = 0."""


def shape(role: str, x: float, y: float, words_: str = "") -> str:
    """Return the sign of a series at a place; marks beside the series are circles."""
    place = f"translate({number(x)} {number(y)})"
    return element("path", tip(words_), class_=f"mark {role}", transform=place, d=_SHAPES.get(role, _SHAPES[SERIES[0]]))


@dataclass(frozen=True)
class Line:
    """A curve through points; ``is_marked``: each point is shown too. A point between two gaps always is."""

    x: Values
    y: Values
    role: str = SERIES[0]
    name: str = ""
    is_marked: bool = False
    is_dashed: bool = False

    def xs(self) -> Values:
        """Return what the x axis must hold."""
        return self.x

    def ys(self) -> Values:
        """Return what the y axis must hold."""
        return self.y

    def draw(self, x: Scale, y: Scale) -> str:
        """Return the curve."""
        points = [(x.at(a), y.at(b)) if _are_finite(a, b) else (math.nan, math.nan) for a, b in zip(self.x, self.y)]
        runs = [list(run) for is_drawn, run in groupby(points, lambda p: _are_finite(*p)) if is_drawn]
        shown = [point for run in runs if self.is_marked or len(run) == 1 for point in run]
        curve = path(points)
        drawn = element("path", class_=self._style(), d=curve) if curve else ""
        return drawn + "".join(shape(self.role, *point) for point in shown)

    def swatch(self) -> str:
        """Return a short piece of the curve."""
        piece = element("path", class_=self._style(), d=f"M0 0H{SWATCH_PX}")
        return piece + (shape(self.role, SWATCH_PX / 2, 0) if self.is_marked else "")

    def _style(self) -> str:
        return f"curve {self.role}{' dashed' if self.is_dashed else ''}"


@dataclass(frozen=True)
class Band:
    """What lies between ``low`` and ``high`` along x: an interval of a curve."""

    x: Values
    low: Values
    high: Values
    role: str = SERIES[0]
    name: str = ""

    def xs(self) -> Values:
        """Return what the x axis must hold."""
        return self.x

    def ys(self) -> Values:
        """Return what the y axis must hold."""
        return [*self.low, *self.high]

    def draw(self, x: Scale, y: Scale) -> str:
        """Return the area, a little wider than its first and last place; it is cut where a limit is not finite."""
        rows = zip(self.x, self.low, self.high)
        parts = []
        for is_drawn, run in groupby(rows, lambda row: _are_finite(*row)):
            if is_drawn:
                held = [(x.at(a), y.at(low), y.at(high)) for a, low, high in run]
                left, right = held[0], held[-1]
                held = [(left[0] - _EDGE_PX, *left[1:]), *held, (right[0] + _EDGE_PX, *right[1:])]
                there, back = [(a, high) for a, _, high in held], [(a, low) for a, low, _ in reversed(held)]
                parts.append(path(there + back) + "z")
        return element("path", class_=f"band {self.role}", d="".join(parts)) if parts else ""

    def swatch(self) -> str:
        """Return a piece of the area."""
        return element("rect", class_=f"band {self.role}", x=0, y=-5, width=SWATCH_PX, height=10)


@dataclass(frozen=True)
class Points:
    """Points, each perhaps with its interval along x (``low``, ``high``: None or NaN where there is none)."""

    x: Values
    y: Values
    role: str = SERIES[0]
    name: str = ""
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()
    tips: Sequence[str] = ()

    def xs(self) -> Values:
        """Return what the x axis must hold."""
        return [value for value in (*self.x, *self.low, *self.high) if value is not None]

    def ys(self) -> Values:
        """Return what the y axis must hold."""
        return self.y

    def draw(self, x: Scale, y: Scale) -> str:
        """Return the intervals, the points above them."""
        ranges = "".join(
            element("path", class_=f"range {self.role}", d=path([(x.at(low), y.at(b)), (x.at(high), y.at(b))]))
            for b, low, high in zip(self.y, self.low, self.high)
            if low is not None and high is not None and _are_finite(b, low, high)
        )
        tips = self.tips or [""] * len(self.x)
        return ranges + "".join(
            shape(self.role, x.at(a), y.at(b), said) for a, b, said in zip(self.x, self.y, tips) if _are_finite(a, b)
        )

    def swatch(self) -> str:
        """Return one point."""
        return shape(self.role, SWATCH_PX / 2, 0)


@dataclass(frozen=True)
class Bars:
    """Bars from ``start`` to ``stop``, each at its place on the other axis; ``texts`` stand at their ends.

    They lie along x, or stand along y (``is_upright``). ``thick``: share of the step between two places.
    """

    place: Sequence[float]
    start: Sequence[float]
    stop: Sequence[float]
    role: str = SERIES[0]
    name: str = ""
    thick: float = 0.7
    is_upright: bool = False
    texts: Sequence[str] = ()
    tips: Sequence[str] = ()

    def xs(self) -> Values:
        """Return what the x axis must hold."""
        return self.place if self.is_upright else [*self.start, *self.stop]

    def ys(self) -> Values:
        """Return what the y axis must hold."""
        return [*self.start, *self.stop] if self.is_upright else self.place

    def draw(self, x: Scale, y: Scale) -> str:
        """Return the bars and the texts at their ends; a bar without length is not drawn, its text is."""
        across, along = (x, y) if self.is_upright else (y, x)
        half = self.thick * abs(across.at(1) - across.at(0)) / 2
        count = len(self.place)
        tips, texts = self.tips or [""] * count, self.texts or [""] * count
        parts = []
        for place, start, stop, said, text in zip(self.place, self.start, self.stop, tips, texts):
            if _are_finite(start, stop):
                middle, ends = across.at(place), (along.at(start), along.at(stop))
                parts.append(self._bar(middle - half, min(ends), 2 * half, abs(ends[1] - ends[0]), said))
                parts.append(self._text(middle, ends[1], text))
        return "".join(parts)

    def _bar(self, side: float, end: float, thick: float, length: float, said: str) -> str:
        if length <= 0:
            return ""
        box = (side, end, thick, length) if self.is_upright else (end, side, length, thick)
        place = dict(zip(("x", "y", "width", "height"), box))
        return element("rect", tip(said), class_=f"bar {self.role}", **place)

    def _text(self, middle: float, end: float, text: str) -> str:
        if not text:
            return ""
        return words(middle, end - 4, text, "middle small") if self.is_upright else words(end + 5, middle + 4, text)

    def swatch(self) -> str:
        """Return a small bar."""
        return element("rect", class_=f"bar {self.role}", x=2, y=-5.5, width=11, height=11, rx=2)


@dataclass(frozen=True)
class Guide:
    """A dotted line across the plot at a value of x, or of y; or the diagonal (neither)."""

    x: float | None = None
    y: float | None = None
    name: str = ""

    def xs(self) -> Values:
        """Return what the x axis must hold."""
        return [] if self.x is None else [self.x]

    def ys(self) -> Values:
        """Return what the y axis must hold."""
        return [] if self.y is None else [self.y]

    def draw(self, x: Scale, y: Scale) -> str:
        """Return the line."""
        start = (x.start if self.x is None else x.at(self.x), y.start if self.y is None else y.at(self.y))
        stop = (x.stop if self.x is None else x.at(self.x), y.stop if self.y is None else y.at(self.y))
        return element("path", class_="guide", d=path([start, stop]))

    def swatch(self) -> str:
        """Return a short piece of the line."""
        return element("path", class_="guide", d=f"M0 0H{SWATCH_PX}")


def _are_finite(*values: float | None) -> bool:
    return all(value is not None and math.isfinite(value) for value in values)
