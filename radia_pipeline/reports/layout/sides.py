"""Sides that answer one by one, "Épanchement D : absent; G : présent": each becomes a statement with the label of all.

Belongs here: left and right as labels. Does not belong here: rows of other cells (``cells``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from radia_pipeline.reports.language import Signs
from radia_pipeline.reports.layout.pieces import REACH, Piece, any_of, starts
from radia_pipeline.reports.words import BULLETS

_LABEL = r"[^\W\d_][^:;.,/|()\n]{1,45}?"
_APART = re.compile(
    rf"(?:[^\S\n]*[;,/|]\s*|[^\S\n]+(?P<dash>[-–—])[^\S\n]+|[.]?[^\S\n]*(?P<line>\n)\s*)(?:[{BULLETS}]+[^\S\n]*)?\Z"
)
"""What parts one side's answer from the next."""
_ENDS = r"(?=[^\S\n]*(?:[,;/|.\n]|\Z|[-–—]\s))"
_LONGEST = 12
"""Characters of a side and the blank before its colon."""
_WITHIN = re.compile(r"[;,/|.\n]")


class Sides:
    """Rewrites the sides of one language's texts."""

    def __init__(self, signs: Signs) -> None:
        values = any_of(value for value in (*signs.yes_values, *signs.no_values) if value[0].isalpha())
        value = rf"(?:{values}|[-–−]|\++|0){_ENDS}"
        sides = rf"(?i)(?<![\w'’])({any_of(signs.sides)})"
        self._holds_value = re.compile(rf"(?i)(?<=\s)(?:{values}|0)(?=\s)")
        self._head = re.compile(rf"(?i)(?:{starts(signs)}|\|[^\S\n]*)({_LABEL})[^\S\n]*(:?)[^\S\n]*\Z")
        self._side = re.compile(rf"{sides}(?:[^\S\n]*([:=])[^\S\n]*|[^\S\n]+(?={value}))")
        self._value = re.compile(rf"(?i){value}")
        self._side_before = re.compile(rf"{sides}[^\S\n]*\Z")
        self._side_behind = re.compile(rf"(?i)[^\S\n]*(?:{any_of(signs.sides)})(?!\w)")

    def may_answer(self, text: str) -> bool:
        """Say whether a side stands before or behind a colon."""
        at = text.find(":")
        while at >= 0:
            if self._side_before.search(text[max(0, at - _LONGEST) : at]) or self._side_behind.match(text, at + 1):
                return True
            at = text.find(":", at + 1)
        return False

    def sides(self, text: str) -> Iterator[Piece]:
        """Give each side the label of the first; a side alone that no colon follows is part of its label."""
        label, end, first = "", -1, -1
        for m in self._side.finditer(text):
            before = text[max(0, m.start() - REACH) : m.start()]
            apart = _APART.search(before)
            if apart is not None and label and len(_WITHIN.findall(text[end : m.start() - len(apart[0])])) == 0:
                if first >= 0:
                    yield first, first, ": "
                    first = -1
                yield m.start() - len(apart[0]), m.start(), ". "
                yield m.start(), m.end(), f"{label} {m[1]} : "
                end = m.end()
                continue
            label, end, first = "", -1, -1
            if apart is not None and not ((apart["line"] or apart["dash"]) and self._value.match(text, m.end())):
                continue
            head = self._head.search(before[: len(before) - len(apart[0])] if apart is not None else before)
            if head is None or self._holds_value.search(head[1]):
                continue
            label, end, first = head[1], m.end(), -1 if m[2] or head[2] else m.end()
            yield m.start() - len(before) + head.end(1), m.start(), " "
            if head[2] and not m[2]:
                yield m.end(), m.end(), ": "
