"""Headings that answer for a list, "Éléments négatifs : épanchement, masse": each item is a statement of its own.

Belongs here: a denial that is no statement, and what it heads. Does not belong here: a denial before its finding (the
rules), answers behind items (``values``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from radia_pipeline.reports.language import Signs
from radia_pipeline.reports.layout.pieces import BULLET, REACH, Anywhere, Piece, any_of, matched, starts
from radia_pipeline.reports.words import BULLETS

_LONGEST = 80
"""Characters of a heading and of the title before it."""
_ITEM = re.compile(rf"\n[^\S\n]*{BULLET}[^\S\n]*(?=\w)")
_REST = re.compile(r"[^\n]*")
_LIST = re.compile(rf"\n[^\S\n]*{BULLET}[^\S\n]*\w")
"""A list of lines."""
_OPENS = re.compile(rf"[^\S\n]*(?=\n[^\S\n]*{BULLET}[^\S\n]*\w)")
_LINE = re.compile(r"(?:[^\n.]|(?<=,)\n|(?<=,\r)\n)*")
_NEXT = re.compile(r"[^\S\n]*[,;/]\s*(?=\w)")
_DASHED = re.compile(rf"[^\S\n]*[{BULLETS}][^\S\n]+(?=\w)")
_NEXT_DASHED = re.compile(rf"[^\S\n]*[,;/]?[^\S\n]+[{BULLETS}][^\S\n]+(?=\w)")
"""Items that bullets head, all in one line."""


class Headings:
    """Rewrites the lists that a denial or an affirmation of one language heads."""

    def __init__(self, signs: Signs) -> None:
        begins = starts(signs)
        headings = rf"(?:(?P<no>{any_of(signs.denied_headings)})|{any_of(signs.affirmed_headings)})"
        self._at_colon = re.compile(rf"(?i){begins}(?P<heading>{headings})[^\S\n]*\Z")
        said = f"{any_of(signs.denied_headings)}|{any_of(signs.affirmed_headings)}"
        self._ends_in_heading = Anywhere(rf"(?<![^\W_])(?:{said})[^\S\n]*\Z")  # what every match of _at_colon does
        self._at_list = re.compile(rf"(?im){begins}(?P<heading>{headings})[^\S\n]*(?=\n[^\S\n]*{BULLET}[^\S\n]*\w)")
        self._behind_place = re.compile(
            rf"(?i){begins}[^\n.:;,]{{2,40}},[^\S\n]+(?P<heading>(?P<no>{any_of(signs.denied_verbs)}))[^\S\n]*\Z"
        )
        self._wraps = re.compile(rf"(?i)(?:^|(?<=\s))(?:{any_of(signs.joints)})\s*\Z")
        self._denied = re.compile(rf"(?i)(?:{any_of(signs.denied_openings)})(?!\w)")
        self._words = {True: signs.absence_of, False: signs.presence_of}

    def may_head(self, text: str) -> bool:
        """Say whether a heading stands before a colon, or before a list of lines."""
        return any(True for _ in self._found(text))

    def _found(self, text: str) -> Iterator[tuple[int, int, bool]]:
        """Yield (start, end, whether it denies) of each heading; ``end``: behind its colon."""
        at = text.find(":")
        while at >= 0:
            first = max(0, at - _LONGEST)
            before = text[first:at]
            heading = self._at_colon.search(before) if self._ends_in_heading.is_in(before) else None
            if heading is None and _OPENS.match(text, at + 1):  # "poumons, on ne voit pas :⏎- …"
                heading = self._behind_place.search(before)
            if heading:
                yield first + heading.start("heading"), at + 1, heading["no"] is not None
            at = text.find(":", at + 1)
        if _LIST.search(text):
            for m in self._at_list.finditer(text):
                yield m.start("heading"), m.end("heading"), m["no"] is not None

    def headings(self, text: str) -> Iterator[Piece]:
        """Say of each item what its heading says."""
        for start, end, denies in set(self._found(text)):
            opens = _OPENS.match(text, end)
            items = list(self._lines(text, opens.end()) if opens else self._of_line(text, end))
            if any(self._denied.match(text, at) for at in items):
                continue  # "Non : pas d'épanchement"
            if items:
                yield start, end, ". "
            if denies or opens:
                yield from ((at, at, f"{self._words[denies]} ") for at in items)

    def _lines(self, text: str, at: int) -> Iterator[int]:
        """Yield where the items of a list of lines begin, from the line end ``at`` on."""
        while item := _ITEM.match(text, at):
            yield item.end()
            at = matched(_REST.match(text, item.end())).end()
            while self._wraps.search(text, item.end(), at) and not _ITEM.match(text, at):
                at = matched(_REST.match(text, at + 1)).end()

    def _of_line(self, text: str, at: int) -> Iterator[int]:
        """Yield where the items of a list in the heading's own line begin."""
        line = matched(_LINE.match(text, at, at + 2 * REACH))[0]
        dashed = _DASHED.match(line)
        first = dashed.end() if dashed else len(line) - len(line.lstrip())
        if line.strip():
            yield at + first
            yield from (at + m.end() for m in (_NEXT_DASHED if dashed else _NEXT).finditer(line, first))
