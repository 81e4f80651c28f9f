"""Which value answers which label in a table that was flattened to one line, whatever separates them.

Belongs here: the order of labels and values. Does not belong here: what a label and a value is (``answers``), lines and
what is put in their place (``grids``), rows of one label (``cells``), marks under heads (``columns``).

A line is cut at one separator; what stands between two cuts is a label, a value, or one behind the other. Where the
line begins with a label and ends with a value, values stand behind their labels; the other way round before them.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from radia_pipeline.reports.layout.answers import Answers, Cell, Pair, Place, bare, trimmed
from radia_pipeline.reports.layout.pieces import REACH

_TABULAR = tuple(
    map(
        re.compile,
        (
            r"\t+",
            r"\|+",
            r"→|⇒|➔|[-=–]?>(?![^\S\n]*(?i:[rldg])\b)",  # "R > L": the larger side
            r"=",
            r"…+|\.{3,}|(?<=\s)\.\.(?=\s)|_{2,}",
            r":",
            r";",
            r"(?!(?<=(?<!\w)\d)/\d)(?:(?<!\b[A-Za-z])/|/(?![A-Za-z]\b))",
        ),
    )
)
"""Separators of cells, the surest first; the stroke of "n/a" is none, nor that of "1/0"."""
_COLON, _STROKE = 5, 7
_ANY_STROKE = re.compile(r"(?!(?<=\b[nNsSoO])/[aAdDoOnN]\b)/")
"""Below a row of strokes that of "ligne B/K" is one too, but not that of "n/a"."""
LONE_STROKE = re.compile(r"(?<=\b[A-Za-z])/(?=[A-Za-z]\b)")
"""A stroke between lone letters, which is a separator beside others only."""
_LOOSE = (re.compile(r"(?<=\s)[-–—](?=\s|\Z)"), re.compile(r",(?!\d)"))
"""Separators that prose has too: a line of them is a table only where every other piece is a value."""
_MARKS = re.compile(r"[:;,|()/?\n]")
_ABBREVIATED = 4
"""Characters of the longest value that is an abbreviation: "n/a", and no "à revoir"."""


class Found(NamedTuple):
    """What a line holds: pairs, and whether values stand before labels; or cells whose order cannot be told."""

    pairs: list[Pair]
    is_before: bool = False
    untold: list[Cell] | None = None


NOTHING = Found([])


class Pairs(Answers):
    """Finds labels and their values in one language's texts."""

    def found(self, text: str, place: Place, *, needs_all: bool, below_strokes: bool = False) -> Found:
        """Return what a line, or two (``needs_all``: nothing but known values will do), holds. ``below_strokes``: the
        row before was cut at strokes."""
        told: list[list[Cell]] = []
        for number, separator in enumerate((*_TABULAR, *_LOOSE)):
            separator = _ANY_STROKE if below_strokes and number == _STROKE else separator
            if not separator.search(text, *place):
                continue
            if number == _STROKE and LONE_STROKE.search(text, *place):
                found = self._of_all_strokes(text, place)
                if found.pairs:
                    return found
            cells = self.cells(text, place, separator)
            is_loose, is_comma = number >= len(_TABULAR), number == len(_TABULAR) + 1
            pairs = self._label_first(text, cells, is_strict=is_loose or needs_all or number == _COLON)
            if pairs and (len(pairs) > 1 or self._is_pair(text, pairs, number == _COLON, is_comma)):
                return Found(pairs) if not is_comma or self._answers(text, pairs) else NOTHING
            pairs = self._value_first(text, cells) if number != _COLON else []  # "Négatif : …" is a heading
            if (len(pairs) > 1 or self._is_first(text, pairs, number)) and not (
                is_loose and self.has_signs(text, pairs)
            ):
                return Found(pairs, is_before=True)
            pairs = self._within(text, cells)
            if pairs:
                return Found(pairs, is_before=pairs[0][1][0] < pairs[0][0][0])
            if not is_loose and number != _COLON:
                told.append(cells)
        if needs_all:
            return NOTHING
        pairs = self._of_blanks(text, place)
        if pairs:
            return Found(pairs)
        for cells in told:
            if any(self.describes(text, cell) or self._side.match(text[slice(*cell.whole)]) for cell in cells):
                continue
            if sum(cell.is_value() for cell in cells) > 1 and sum(not cell.is_value() for cell in cells) > 1:
                return Found([], untold=cells)
        return NOTHING

    def _of_all_strokes(self, text: str, place: Place) -> Found:
        """ "PNO/non/ligne B/K": a stroke of a lone letter separates beside others, where all of the line is pairs."""
        cells = self.cells(text, place, _ANY_STROKE)
        pairs = self._label_first(text, cells, is_strict=True)
        if len(pairs) > 1:
            return Found(pairs)
        pairs = self._value_first(text, cells)
        return Found(pairs, is_before=True) if len(pairs) > 1 else NOTHING

    def _label_first(self, text: str, cells: list[Cell], *, is_strict: bool) -> list[Pair]:
        """Return (label, value) where values stand behind labels; [] for another order.

        ``is_strict``: nothing but known values may stand where one is expected.
        """
        pairs: list[Pair] = []
        label: Place | None = None
        titles = 0
        for k, cell in enumerate(cells):
            if label is None:
                if cell.is_value() or cell.ends or cell.leads or (k and self.describes(text, cell)):
                    return []
                label = cell.whole
            elif cell.is_value():
                pairs.append((label, bare(text, cell.whole)))
                label = None
            elif cell.leads and not self._denies_more(text, label, cell):
                pairs.append((label, cell.leads))
                label = None if self._is_told_more(text, cell, cells[k + 1 :]) else cell.rest
            elif k + 1 < len(cells) and cells[k + 1].leads and not cell.ends and not pairs:
                label, titles = cell.whole, titles + 1  # what stood before is a title
            elif is_strict or cell.ends or not self.describes(text, cell) or self.is_denied(text, label):
                return []
            else:
                pairs.append((label, cell.whole))
                label = None
        if label is not None:
            return []
        if titles and len(pairs) < 2:
            return []
        pairs[:1] = [((self.after_title(text, label), label[1]), value) for label, value in pairs[:1]]
        return pairs if all(self.is_label(text, label) for label, _ in pairs) else []

    def _denies_more(self, text: str, label: Place, cell: Cell) -> bool:
        """ "Cœur | aucune anomalie", "ICT 0,48. | Pas d'infiltrat, pas d'épanchement.": a statement and no value."""
        if cell.leads is None or not self._determiner.match(text[slice(*cell.leads)]):
            return False
        rest = text[slice(*(cell.rest or cell.whole))]
        return self.is_anatomy(text, label) or "," in rest or rest.endswith(".")

    def _is_told_more(self, text: str, cell: Cell, following: list[Cell]) -> bool:
        """ "Épanchement | oui, gauche, minime | condensation | non": what goes on behind the comma is no label."""
        if cell.leads is None or cell.rest is None or "," not in text[cell.leads[1] : cell.rest[0]]:
            return False
        if not text[cell.leads[0]].isalpha():
            return False  # "profusion 1/0, zones basales"
        return not following or not (following[0].is_value() or following[0].leads)

    def _value_first(self, text: str, cells: list[Cell]) -> list[Pair]:
        """Return (label, value) where values stand before labels; [] for another order."""
        pairs: list[Pair] = []
        value: Place | None = None
        for k, cell in enumerate(cells):
            if value is None:
                if not cell.is_value() or k + 1 == len(cells):
                    return []
                value = bare(text, cell.whole)
            elif cell.is_value() or cell.leads:
                return []
            else:
                pairs.append((cell.front or cell.whole, value))
                value = cell.ends
        is_told = value is None and all(self.is_label(text, label) for label, _ in pairs)
        return pairs if is_told and not any(self.kind(text, value)[0] == "verdict" for _, value in pairs) else []

    def _within(self, text: str, cells: list[Cell]) -> list[Pair]:
        """ "Pneumothorax non | condensation non", "non – pneumothorax ; oui – condensation": pairs within cells."""
        if len(cells) < 2 or any(cell.is_value() for cell in cells):
            return []
        behind = [(cell.front, cell.ends) for cell in cells if cell.front and cell.ends]
        before = [(cell.rest, cell.leads) for cell in cells if cell.rest and cell.leads]
        pairs = behind if len(behind) == len(cells) else before
        if len(pairs) != len(cells) or (pairs is before and self.has_signs(text, pairs)):
            return []
        if pairs is before and any(self.is_no_value(text, value) for _, value in pairs):
            return []  # "aucun pneumothorax ; aucune condensation", "A noter :⏎- épanchement"
        if pairs is before and any(self.is_told(text, label) for label, _ in pairs):
            return []  # "absent aujourd'hui. Nodule présent à droite,⏎absent à gauche"
        if not all(self.is_label(text, label) for label, _ in pairs):
            return []
        is_told = self._answers(text, pairs) and not any(self.kind(text, value)[0] == "verdict" for _, value in pairs)
        return pairs if is_told else []

    def _of_blanks(self, text: str, place: Place) -> list[Pair]:
        """ "Pneumothorax non condensation non": nothing but blanks between labels and values that are words."""
        start, end = trimmed(text, *place)
        values = [(m.start(), m.end()) for m in self._word.finditer(text, start, end)]
        if (
            not values
            or values[-1][1] != end
            or (len(values) < 2 and not self._is_told_alone(text, values[0], place))
            or _MARKS.search(self._word.sub("", text[start:end]))
        ):
            return []
        values = self._without_kinds(text, values)
        labels = [
            trimmed(text, a, b) for a, b in zip([start, *(b for _, b in values)], (a for a, _ in values), strict=False)
        ]
        if all(self.kind(text, value)[0] == "box" for value in values):
            return []
        if self._first_word.match(text, start) or not all(self.is_label(text, label) for label in labels):
            return []
        if any(self._says_more.search(text, *label) for label in labels):
            return []  # "un épanchement est probablement présent"
        qualified = sum(
            text[slice(*value)].lower() == self._no
            and self._qualifies.match(text, label[0]) is not None
            and self.kind(text, following)[0] != "no"  # "distension Non néoplasique Non": denied, whichever it is
            for value, label, following in zip(values, labels[1:], values[1:], strict=False)
        )
        if 2 * qualified > len(values) - 1:
            return []  # "opacité non calcifiée …"
        return list(zip(labels, values, strict=True))

    def _without_kinds(self, text: str, values: list[Place]) -> list[Place]:
        """Return values without those that say which kind a finding is."""
        ends = [*(start for start, _ in values[1:]), values[-1][1]]
        return [value for value, end in zip(values, ends, strict=True) if not self.says_kind(text, value, end)]

    def _answers(self, text: str, pairs: list[Pair]) -> bool:
        """Say whether one value at least is understood, or it is the only one."""
        kinds = {self.kind(text, value)[0] for _, value in pairs}
        return len(pairs) < 2 or kinds == {"open"} or not kinds.isdisjoint(("no", "yes", "box"))

    def _is_first(self, text: str, pairs: list[Pair], separator: int) -> bool:
        """Say whether one value stands before its label as in a table; behind a dash a number is none."""
        if not pairs or separator in (_COLON, len(_TABULAR) + 1):
            return False
        value = pairs[0][1]
        said = text[slice(*value)]
        is_counted = len(pairs) == 1 and said.isdigit() and said != "0"  # "…⏎3; elle pourrait correspondre à …"
        return not is_counted and (separator < len(_TABULAR) or self.kind(text, value)[0] != "letter")

    def _is_pair(self, text: str, pairs: list[Pair], is_colon: bool, is_comma: bool) -> bool:
        """Say whether one label with one value is told as a table does."""
        value = pairs[0][1]
        kind, word = self.kind(text, value)
        if is_colon:
            return kind == "open" and word == self._unknown
        if is_comma and kind == "open":
            return value[1] - value[0] <= _ABBREVIATED or text[slice(*value)].lower().startswith(self._no)
        return kind in (("no", "yes", "box") if is_comma else ("no", "yes", "box", "open", "letter"))

    def _is_told_alone(self, text: str, value: Place, place: Place) -> bool:
        """ "Condensation Ø", "condensation aucune": where the reader would look for more behind the value."""
        said = text[slice(*value)]
        if said == "?":
            return False
        before = text[max(0, place[0] - REACH) : place[0]].rstrip().rpartition("\n")[2]
        behind = text[place[1] : place[1] + REACH].lstrip().partition("\n")[0]
        if self._column.search(before) or (self._last_column.search(behind) and not self._qualifies.match(behind)):
            return True  # lines with a value at their ends
        return (
            said in ("0", "N", "O", "Ø", "∅")
            or self.kind(text, value)[0] == "open"
            or (self._determiner.match(said) is not None and not self._praises.match(said))
        )
