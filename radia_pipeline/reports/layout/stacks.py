"""Tables whose cells stand one below the other, "Pneumothorax⏎Non⏎Condensation⏎Oui": labels and values in turn.

Belongs here: which lines are a label and its value. Does not belong here: cells of one line (``cells``, ``grids``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from radia_pipeline.reports.language import Signs
from radia_pipeline.reports.layout.pieces import BULLET, Piece, any_of, matched
from radia_pipeline.reports.words import BULLETS

_ITEM = rf"[^\S\n]*(?:{BULLET}[^\S\n]+(?=\S))*"
_LABEL = re.compile(r"[^\W\d_][\w'’() /-]{2,50}(?<=[\w)])\Z")
_SIGNS = "…\\±"
"""Values that are no words begin with one of these."""
_WORDS = 6
"""Words of the longest label."""


class _Line(NamedTuple):
    """What a line says behind its bullet, from ``start`` to ``end``; whether a blank line stands before it; whether it
    is a value; whether it begins in small letters."""

    said: str
    start: int
    end: int
    is_apart: bool
    is_value: bool
    is_small: bool


class Stacks:
    """Rewrites labels and values on lines of their own of one language's texts."""

    def __init__(self, signs: Signs) -> None:
        words = any_of(
            value for value in (*signs.no_values, *signs.yes_values) if value[0].isalpha() and len(value) > 1
        )
        open_values = any_of(value for value in signs.open_values if value[0] not in _SIGNS)
        value = rf"(?i:(?:{words}|{open_values})(?:\.|,[^\n]*)?|[øØ∅0]|[-–−—]|\++|\([-–−+0øØ]+\))[^\S\n]*"
        self._value = re.compile(rf"{value}\Z")
        self._has_value = re.compile(
            rf"\n[^\S\n]*(?:[{BULLETS}][^\S\n]+)?{value}(?=\n|\Z|(?i:{any_of(signs.signatures)}))"
        )
        self._no_label = re.compile(
            rf"(?i)(?:{any_of(signs.denied_openings)})(?!\w)|(?:{any_of((*signs.titles, *signs.headers))})\Z"
            rf"|.*(?<![\w'’])(?:{any_of((*signs.negated, *signs.verbs))})(?!\w)|.*\s(?:{any_of(signs.joints)})\Z"
        )
        before = rf"(?:(?:{any_of(signs.titles)})[^\S\n]*:|[^\W\d_]{{2}}\.)[^\S\n]+"  # "RAPPORT : Pneumothorax⏎Non"
        self._line = re.compile(rf"(?i)(?P<title>[^\n]*{before})?{_ITEM}(?P<said>[^\n]*)")
        self._joint = re.compile(rf"(?i)(?:{any_of(signs.joints)})\Z")
        self._head = re.compile(rf"(?i)(?:{any_of(signs.headers)})\Z")
        self._wants_more = re.compile(rf"(?i)(?:{any_of(signs.determiners)}|{any_of(signs.denied_openings)})\Z")

    def may_stack(self, text: str) -> bool:
        """Say whether a line holds a value and nothing else."""
        return "\n" in text and self._has_value.search(text) is not None

    def stacked(self, text: str) -> Iterator[Piece]:
        """Join each value to the label in the line above it."""
        if not self.may_stack(text):
            return
        lines = self._lines(text)
        at = 0
        while at < len(lines):
            end = self._run(lines, at)
            if end <= at:
                at = max(at + 1, -end)
                continue
            yield from self._joined(lines[at:end])
            at = end

    def _joined(self, lines: list[_Line]) -> Iterator[Piece]:
        """Say each value behind its label; where the first line is a value, they stand before their labels."""
        is_before = lines[0].is_value
        for one, other in zip(lines[::2], lines[1::2], strict=True):
            label, value = (other, one) if is_before else (one, other)
            stop = "" if value.said.endswith(".") else "."
            if is_before:
                yield value.start, value.end, ""
                yield label.end, label.end, f" : {value.said}{stop}"
            else:
                yield label.end, value.start, " : "
                yield value.end, value.end, stop

    def _lines(self, text: str) -> list[_Line]:
        """Return all lines that are not blank, what stands behind a title or a sentence for a line of its own."""
        lines: list[_Line] = []
        at, is_apart, begins = 0, True, -1
        for line in text.split("\n"):
            found = matched(self._line.match(text, at, at + len(line)))
            said = found["said"].rstrip()
            at += len(line) + 1
            if self._joint.match(said):
                begins = begins if begins >= 0 else found.start("said")
                continue  # "À⏎préciser"
            if said:
                start = begins if begins >= 0 else found.start("said")
                end = found.start("said") + len(said)
                said = " ".join(text[start:end].split())
                is_value = self._value.match(said) is not None and not self._heads_columns(said, lines)
                is_first = is_apart or found["title"] is not None
                lines.append(_Line(said, start, end, is_first, is_value, said[0].islower()))
            is_apart, begins = not line.strip(), -1
        return lines

    def _heads_columns(self, said: str, lines: list[_Line]) -> bool:
        """ "Signe⏎Présence": the heads of two columns."""
        return bool(lines) and all(map(self._head.match, (said, lines[-1].said)))

    def _run(self, lines: list[_Line], at: int) -> int:
        """Return behind the last value of the pairs that begin at a line; that line itself where none do, and
        negative where all of them stay as they are."""
        is_before, end = lines[at].is_value, at
        while end + 1 < len(lines) and self._is_pair(lines[end], lines[end + 1], is_before):
            end += 2
        if end == at or (at and lines[at - 1].is_value and not lines[at].is_apart):
            return at
        if end < len(lines) and lines[end].is_value:
            return -end  # of both orders neither can be told
        if is_before:
            return end if end - at > 2 else at
        pairs = lines[at:end]
        if len({value.is_apart for value in pairs[1::2]}) > 1:
            return at  # "RADIOGRAPHIE⏎⏎Non⏎Pneumothorax"
        if end - at == 2 and pairs[1].is_apart:
            return at
        following = lines[end] if end < len(lines) else None
        if following is None or following.is_apart or not following.is_small:
            return end
        is_alone = end - at == 2 and not pairs[0].is_small  # "Nodule⏎non⏎calcifié"
        return at if is_alone or self._wants_more.match(pairs[-1].said) else end  # "condensation⏎aucun⏎épanchement"

    def _is_pair(self, one: _Line, other: _Line, is_before: bool) -> bool:
        return self._is_label(other if is_before else one) and (one if is_before else other).is_value

    def _is_label(self, line: _Line) -> bool:
        said = line.said
        if line.is_value or _LABEL.match(said) is None or len(said.split()) > _WORDS:
            return False
        return self._no_label.match(said) is None
