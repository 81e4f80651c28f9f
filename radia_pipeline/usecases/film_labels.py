"""Where words stand on a film: beside what they name, none over another, in pixels of the delivered matrix.

A viewer may draw a text that hangs on a point wherever it likes, and many points lie close together: each text gets a
box of its own (PS3.3 C.10.5). Its size is a guess at the viewer's letters. Not here: words, and DICOM.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

HEIGHT, LETTER, LETTERS = 0.026, 0.55, 32
"""Of a line, over the film's longer side as it is shown; of a letter's width, over the line's height; on a line."""
BREAK = "\r\n"
"""Between lines of a text (PS3.5 6.2, ST)."""
_MOST_STEPS = 60


@dataclass(frozen=True)
class Place:
    """A text's box: left, top, right, bottom in columns and rows. ``text``: in lines, since viewers break none."""

    text: str
    left: float
    top: float
    right: float
    bottom: float

    def touches(self, other: Place) -> bool:
        """Tell whether both boxes share a point."""
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


def placed(
    texts: Sequence[tuple[str, float, float]], matrix: tuple[int, int], row_over_column: float = 1.0
) -> list[Place]:
    """Return a box for each (text, x, y): its lower left corner at x, y, on the film, and below what is taken.

    ``matrix``: (rows, columns); ``row_over_column``: height of a pixel over its width. Where a film is full the last
    ones lie over others.
    """
    rows, columns = matrix
    line = HEIGHT * max(rows * row_over_column, columns)
    step = line / row_over_column
    found: list[Place] = []
    for text, x, y in texts:
        lines = textwrap.wrap(text, LETTERS)
        width = min(LETTER * line * max(map(len, lines)), float(columns))
        height = min(step * len(lines), float(rows))
        left, top = min(max(x, 0.0), columns - width), max(y - height, 0.0)
        for _ in range(_MOST_STEPS):
            place = Place(BREAK.join(lines), left, top, left + width, top + height)
            if not any(place.touches(other) for other in found):
                break
            top = min(top + step, rows - height)
        found.append(place)
    return found
