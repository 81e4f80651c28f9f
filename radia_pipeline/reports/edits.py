"""A text changed before it is read, and the way back: where a place of the new text lies in the old one.

Belongs here: substitution that keeps places. Does not belong here: what is changed (``repair``, ``layout``, ``lines``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Edit(NamedTuple):
    """``start``..``end`` of the new text stand for what ends at ``old_end`` in the old one."""

    start: int
    end: int
    old_end: int


class Changed(NamedTuple):
    """A text after edits, and the edits in ascending order; none: nothing was changed."""

    text: str
    edits: tuple[Edit, ...]


def change(text: str, pieces: Iterable[tuple[int, int, str]]) -> Changed:
    """Put each new piece in place of ``text[start:end]``; the pieces ascend and do not overlap."""
    out, edits, at, length = [], [], 0, 0
    for start, end, new in pieces:
        kept = text[at:start]
        length += len(kept)
        out += [kept, new]
        edits.append(Edit(length, length + len(new), end))
        length += len(new)
        at = end
    out.append(text[at:])
    return Changed("".join(out), tuple(edits))


def places_before(positions: list[int], edits: tuple[Edit, ...]) -> list[int]:
    """Return where ascending positions of the new text lie in the old one; inside an edit: at its end."""
    moved, k = [], -1
    last = len(edits) - 1
    for position in positions:
        while k < last and edits[k + 1].start < position:
            k += 1
        if k < 0:
            moved.append(position)
            continue
        _, end, old_end = edits[k]
        moved.append(old_end + max(position - end, 0))
    return moved
