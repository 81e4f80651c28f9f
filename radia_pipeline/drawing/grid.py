"""Pictures side by side in one, each under its title. What does not belong here: what is in them."""

from __future__ import annotations

from collections.abc import Sequence

from radia_pipeline.drawing.svg import HEADING_PX, Picture, element, number, words

_GAP_PX, _HEAD_PX = 22, HEADING_PX + 9


def grid(pictures: Sequence[Picture], *, title: str, columns: int = 2, description: str = "") -> Picture:
    """Return the pictures in rows of ``columns``, each at its own size, each with its title above it."""
    width = max((picture.width for picture in pictures), default=0.0)
    parts, y = [], 0.0
    for start in range(0, len(pictures), columns):
        row = pictures[start : start + columns]
        for place, picture in enumerate(row):
            x = place * (width + _GAP_PX)
            parts.append(words(x, y + HEADING_PX, picture.title, "heading"))
            moved = f"translate({number(x)} {number(y + _HEAD_PX)})"
            parts.append(element("g", picture.body, transform=moved))
        y += _HEAD_PX + max(picture.height for picture in row) + _GAP_PX
    across = min(columns, len(pictures))
    total = across * width + max(0, across - 1) * _GAP_PX
    return Picture(total, max(0.0, y - _GAP_PX), title, "".join(parts), description)
