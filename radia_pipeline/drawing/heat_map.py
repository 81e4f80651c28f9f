"""A matrix of figures from −1 to +1 as squares: one colour above zero, one below, the stronger the fuller.

What does not belong here: where the figures come from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from radia_pipeline.drawing.svg import SMALL_PX, Picture, element, number, text_px, tip, words

ABOVE, BELOW, NONE = "s1", "s0", "rest"
_SIDE_PX, _GAP_PX, _TURN = 15, 5, -60
_BASE_PX = 10.5
"""From a square's edge to the baseline of its name."""
_KEY_STEPS, _KEY_PX, _KEY_ROOM_PX = 11, 13, 36


def heat_map(
    values: Sequence[Sequence[float | None]], names: Sequence[str], *, title: str, description: str = ""
) -> Picture:
    """Return a square matrix with its names and a key. None and NaN are empty squares; beyond ±1 is full."""
    longest = max((text_px(name, SMALL_PX) for name in names), default=0.0)
    turn = math.radians(-_TURN)
    left, top, side = longest + _GAP_PX, longest * math.sin(turn) + 2 * _GAP_PX, len(names) * _SIDE_PX
    parts = []
    for row, name in enumerate(names):
        y, x = top + row * _SIDE_PX, left + row * _SIDE_PX
        parts.append(words(left - _GAP_PX, y + _BASE_PX, name, "end small"))
        parts.append(words(x + _BASE_PX, top - _GAP_PX, name, "small", turn=_TURN))
        for column, other in enumerate(names):
            parts.append(_cell(left + column * _SIDE_PX, y, _SIDE_PX - 1, values[row][column], f"{name} / {other}"))
    parts.append(_key(left, top + side + _KEY_ROOM_PX / 2 - 4))
    leaning = longest * math.cos(turn)  # the last name leans out to the right
    width = max(left + side + leaning, left + _KEY_STEPS * _KEY_PX + 4 * SMALL_PX)
    return Picture(width, top + side + _KEY_ROOM_PX, title, "".join(parts), description)


def _cell(x: float, y: float, side: float, value: float | None, name: str = "") -> str:
    square = f"M{number(x)} {number(y)}h{number(side)}v{number(side)}h-{number(side)}z"
    if value is None or math.isnan(value):
        return element("path", class_=f"cell {NONE}", d=square)
    said = tip(f"{name}: {value:+.2f}") if name else ""
    strength = f"{min(1.0, abs(value)):.2f}"
    return element("path", said, class_=f"cell {ABOVE if value > 0 else BELOW}", fill_opacity=strength, d=square)


def _key(x: float, y: float) -> str:
    """Return the colours from −1 to +1 with their numbers."""
    values = [2 * step / (_KEY_STEPS - 1) - 1 for step in range(_KEY_STEPS)]
    cells = "".join(_cell(step * _KEY_PX, 0, _KEY_PX - 1, value) for step, value in enumerate(values))
    cells += words(-_GAP_PX, 10, "−1", "end soft") + words(_KEY_STEPS * _KEY_PX + _GAP_PX, 10, "+1", "soft")
    return element("g", cells, transform=f"translate({number(x + 2 * SMALL_PX)} {number(y)})")
