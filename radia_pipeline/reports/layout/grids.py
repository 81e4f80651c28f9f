"""Tables that were flattened to one line: labels and values in turn, "PNO | non Foyer | non", "non / PNO / oui / OAP".

Belongs here: which lines are tables, and each value said behind its label. Does not belong here: which value answers
which label (``pairs``).

A value that is not understood, and each label of a line whose order cannot be told, is given ``Signs.unknown``, which
the reader lists as unread.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from radia_pipeline.reports.language import Signs
from radia_pipeline.reports.layout.answers import Cell, Pair, Place
from radia_pipeline.reports.layout.pairs import LONE_STROKE, Found, Pairs
from radia_pipeline.reports.layout.pieces import REACH, Piece, any_of, matched
from radia_pipeline.reports.words import BULLETS

_ITEM = re.compile(rf"\s*(?:(?:[{BULLETS}]|\(?\d{{1,2}}[.)-])\s+(?=[^\W\d_]))?")
"""A bullet or a number before the first label."""
_BULLETED = re.compile(rf"(?:[{BULLETS}]|\(?\d{{1,2}}[.)])\s+(?=[^\W\d_]{{2}})")
_TOLD = " : "
"""Between a label and its value."""
_NEXT_ITEM = re.compile(r"\s*[,;/]\s+(?=\w)")


class Grids:
    """Rewrites flattened tables of one language's texts as labels, colons and values."""

    def __init__(self, signs: Signs) -> None:
        self._pairs = Pairs(signs)
        self._yes, self._unknown, self._normal = signs.affirmation, signs.unknown, signs.normal
        self._absent, self._present = signs.absence_of, signs.presence_of
        self._goes_on = re.compile(rf"(?i)\|[^|\n]*(?:,|\s(?:{any_of(signs.joints)}))\s*\Z")
        self._is_cut = re.compile(rf"(?i)(?:,|\s(?:{any_of(signs.joints)}))\s*\Z")
        self._joint = re.compile(rf"(?i)(?:{any_of(signs.joints)})\Z")
        header = rf"(?:{any_of(signs.headers)})"
        self._head = re.compile(
            rf"(?i)\s*(?:(?:{any_of(signs.titles)})\s*:\s*)?"
            rf"(?P<header>{header}\s*[|;,\t/:>=]\s*{header}(?:\s*[|;,\t/:>=]\s*{header}(?=\s*[|;\t/:>=]))?"
            r"(?:\s*[|;\t/:>=]|\s|$)\s*)?"
        )
        self._stop = re.compile(
            r"(?<=[\w)\]☐☒☑+-])"
            + "".join(rf"(?<!\b{word})" for word in signs.referring)
            + rf"(?:\.(?=[^\S\n]+[^\W\d_]|[^\S\n]*[☐☒☑(\[])|\?(?=[^\S\n]+(?i:{any_of(signs.titles)})[^\S\n]*:))"
        )

    def may_hold(self, text: str) -> bool:
        """Say whether a text of letters, commas and stops holds several values that may stand alone."""
        return self._pairs.may_hold(text)

    def grids(self, text: str) -> Iterator[Piece]:
        """Say each value behind its label."""
        if not self._pairs.has_values(text):
            return
        start, size, below_strokes = 0, len(text), False
        while start < size:
            end = text.find("\n", start)
            end = size if end < 0 else end
            if start and self._goes_on.search(text, max(0, start - REACH), start - 1):
                start = end + 1  # a cell of the row before
                continue
            following = text.find("\n", end + 1)
            wrapped = (start, size if following < 0 else following) if end < size else None
            if wrapped and self._is_open(text, (start, end), wrapped):
                pieces = self._table(text, wrapped, needs_all=True)
                if pieces:
                    yield from pieces
                    below_strokes = _has_strokes(text, pieces)
                    start = wrapped[1] + 1
                    continue
            is_cut = end < size and self._is_cut.search(text, start, end) is not None
            stops = [start - 1, *(m.start() for m in self._stop.finditer(text, start, end)), end]
            told = [
                self._table(text, (a + 1, b), below_strokes=below_strokes, is_cut=is_cut and b == end)
                for a, b in itertools.pairwise(stops)
            ]
            if not below_strokes and not all(told) and LONE_STROKE.search(text, start, end):
                beside = itertools.chain(told, self._next(text, end))
                if any(_has_strokes(text, pieces) for pieces in beside):  # "fracture D/N. infection/non."
                    told = [
                        pieces or self._table(text, (a + 1, b), below_strokes=True)
                        for pieces, (a, b) in zip(told, itertools.pairwise(stops), strict=True)
                    ]
            for pieces in told:
                yield from pieces
            below_strokes = _has_strokes(text, told[-1])
            start = end + 1

    def _next(self, text: str, end: int) -> Iterator[list[Piece]]:
        """Yield what is said of the line behind the one that ends at ``end``."""
        following = text.find("\n", end + 1)
        if end < len(text):
            yield self._table(text, (end + 1, following if following >= 0 else len(text)))

    def _is_open(self, text: str, line: Place, wrapped: Place) -> bool:
        """Say whether a row goes on in the next line: one of both does not stand alone."""
        rest = text[line[1] + 1 : wrapped[1]].strip()
        if not rest or not text[slice(*line)].strip():
            return False
        if _BULLETED.match(rest):
            return False
        ends_with = text[slice(*line)].rstrip()[-1]
        begins = self._pairs.begins(rest) or not (rest[0].isalnum() or rest[0] in BULLETS)
        return begins or not (ends_with.isalnum() or ends_with in ".)")

    def _table(
        self, text: str, place: Place, *, needs_all: bool = False, below_strokes: bool = False, is_cut: bool = False
    ) -> list[Piece]:
        """Return the pieces of a line that is a table; none for other lines. ``is_cut``: it goes on in the next, with
        its last value where that is a small word ("Emphysème -> a⏎éliminer")."""
        if not self._pairs.may_stand(text, place):
            return []
        head = matched(self._head.match(text, *place))
        start = matched(_ITEM.match(text, head.end(), place[1])).end()
        found = self._pairs.found(text, (start, place[1]), needs_all=needs_all, below_strokes=below_strokes)
        if is_cut and found.pairs and not found.is_before and self._joint.match(text[slice(*found.pairs[-1][1])]):
            found = Found(found.pairs[:-1])
        elif is_cut and len(found.pairs) == 1 and self._pairs.kind(text, found.pairs[0][1])[0] == "open":
            return []  # "tassement d'âge indéterminé,⏎ostéopénie"
        pieces = list(self._written(text, found))
        return [(*head.span("header"), ""), *pieces] if pieces and head["header"] else pieces

    def _written(self, text: str, found: Found) -> Iterator[Piece]:
        if found.untold is not None:
            return self._untold(text, found.untold)
        return self._before(text, found.pairs) if found.is_before else self._behind(text, found.pairs)

    def _behind(self, text: str, pairs: list[Pair]) -> Iterator[Piece]:
        for k, (label, value) in enumerate(pairs):
            following = pairs[k + 1][0][0] if k + 1 < len(pairs) else None
            kind, word = self._pairs.kind(text, value)
            if kind == "letter" and text[value[0]] in "nN" and self._pairs.ends_with_anatomy(text, label):
                word = self._normal
            yield label[1], value[0], _TOLD
            if word != text[slice(*value)]:
                yield value[0], value[1], word
            if following is not None:
                yield value[1], following, ". "
            elif text[value[1] : value[1] + 1] != "." and not self._is_cut.search(text[slice(*value)]):
                yield value[1], value[1], "."

    def _before(self, text: str, pairs: list[Pair]) -> Iterator[Piece]:
        for k, (label, value) in enumerate(pairs):
            kind, word = self._pairs.kind(text, value)
            is_open = kind in ("open", "letter")
            word = self._unknown if is_open else word
            is_yes = kind == "yes" or (kind == "box" and word == self._yes)
            yield value[0], label[0], "" if is_open else f"{self._present if is_yes else self._absent} "
            if not is_open:  # each item of a list has the value
                for m in _NEXT_ITEM.finditer(text, *label):
                    yield m.start(), m.end(), f". {self._present if is_yes else self._absent} "
            following = pairs[k + 1][1][0] if k + 1 < len(pairs) else label[1]
            yield label[1], following, f" : {self._unknown}. " if is_open else ". "

    def _untold(self, text: str, cells: list[Cell]) -> Iterator[Piece]:
        for k, cell in enumerate(cells):
            end = cells[k + 1].whole[0] if k + 1 < len(cells) else cell.whole[1]
            if cell.is_value():
                yield cell.whole[0], end, ""
                continue
            label = cell.rest or cell.front or cell.whole
            if label[0] > cell.whole[0]:
                yield cell.whole[0], label[0], ""
            yield label[1], end, f" : {self._unknown}. "


def _has_strokes(text: str, pieces: list[Piece]) -> bool:
    """Say whether a stroke stood between a label and its value."""
    return any("/" in text[start:end] for start, end, said in pieces if said == _TOLD)
