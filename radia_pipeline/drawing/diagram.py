"""Boxes with names and arrows between them. What does not belong here: where the boxes stand, and why."""

from __future__ import annotations

from dataclasses import dataclass

from radia_pipeline.drawing.svg import element, number, words

_TIP = "M0 0L-7 -3.5V3.5z"
_TIP_PX = 6
_ASIDE_PX = 14
_BEND_PX = 40
"""How far an arrow goes until it is on the row of its end, there to run straight."""


@dataclass(frozen=True)
class Box:
    """A box: its left upper corner and size in px, its name and its role in ``looks``."""

    x: float
    y: float
    width: float
    height: float
    name: str
    role: str

    @property
    def middle(self) -> float:
        """Half way down."""
        return self.y + self.height / 2

    def draw(self) -> str:
        """Return the box with its name; what lies behind it does not shine through."""
        place = {"x": self.x, "y": self.y, "width": self.width, "height": self.height, "rx": 6}
        ground, frame = element("rect", class_="sheet", **place), element("rect", class_=f"box {self.role}", **place)
        return ground + frame + (words(self.x + 9, self.middle + 4.5, self.name, "large") if self.name else "")


def arrow(start: Box, end: Box) -> str:
    """Return an arrow from a box to a box to its right; between boxes of one column straight to the next one, and
    at the left around those between."""
    if start.x != end.x:
        a, b = start.x + start.width, end.x - _TIP_PX
        bend = min(_BEND_PX, b - a) / 2
        course = f"M{_at(a, start.middle)}C{_at(a + bend, start.middle)} {_at(a + bend, end.middle)} "
        return _curve(f"{course}{_at(a + 2 * bend, end.middle)}H{number(b)}", end.x, end.middle, 0)
    down = end.y > start.y
    from_y, to_y = (start.y + start.height, end.y) if down else (start.y, end.y + end.height)
    if abs(to_y - from_y) < start.height:
        x, sign = start.x + 24, 1 if down else -1
        return _curve(f"M{_at(x, from_y)}L{_at(x, to_y - sign * _TIP_PX)}", x, to_y, 90 * sign)
    side, stop = start.x - _ASIDE_PX, end.x - _TIP_PX
    course = f"M{_at(start.x, start.middle)}C{_at(side, start.middle)} {_at(side, end.middle)} {_at(stop, end.middle)}"
    return _curve(course, end.x, end.middle, 0)


def _at(x: float, y: float) -> str:
    return f"{number(x)} {number(y)}"


def _curve(course: str, x: float, y: float, turn: float) -> str:
    """Return a course and its tip: a path of its own, for markers are not drawn everywhere."""
    tip = element("path", class_="tip", d=_TIP, transform=f"translate({_at(x, y)}) rotate({number(turn)})")
    return element("path", class_="arrow", d=course) + tip
