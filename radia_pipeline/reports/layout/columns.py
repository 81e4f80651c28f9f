"""Columns whose head is the answer, "Signe | Oui | Non ⏎ Pneumothorax | | X", and rows in which no cell answers.

Belongs here: what an empty cell means. Does not belong here: rows whose cells answer (``cells``, ``grids``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from radia_pipeline.reports.language import Signs
from radia_pipeline.reports.layout.boxes import BOX
from radia_pipeline.reports.layout.pieces import Piece, any_of

_CELLS = re.compile(r"(?:^|(?<=[|\t]))[^|\t]*")
_MARK = re.compile(rf"(?:[xX✓✔+]|{BOX})\Z")
_EMPTY_ROW = re.compile(r"(?m)^[^\S\n]*(?:[^|\n]*\w[^|\n]*\|[^\S\n]+\|)+[^\S\n]*$")
_EMPTY_PAIR = re.compile(r"([^|\n]*\w)[^|\n]*\|[^\S\n]+\|")


class Columns:
    """Rewrites marks in columns, and labels without values, of one language's texts as labels, colons and values."""

    def __init__(self, signs: Signs) -> None:
        self._no, self._yes, self._unknown = signs.denial, signs.affirmation, signs.unknown
        no, yes = (
            any_of(value for value in values if value[0].isalpha() and len(value) > 1)
            for values in (signs.no_values, signs.yes_values)
        )
        self._is_no, self._is_yes = (re.compile(rf"(?i)(?:{words})\Z") for words in (no, yes))
        self._heads = re.compile(
            rf"(?i)(?:(?:{no})[^\S\n]*[|\t]\s*(?:{yes})|(?:{yes})[^\S\n]*[|\t]\s*(?:{no}))(?=\s|[|]|\Z)"
        )

    def answers(self, text: str) -> Iterator[Piece]:
        """A mark's column is its value; unknown where there is none, or columns are lost."""
        if ("\t" not in text and "|" not in text) or self._heads.search(text) is None:
            return
        at, columns, width = 0, {}, 0
        for line in text.split("\n"):
            cells = [(m.start(), m.end()) for m in _CELLS.finditer(line)]
            said = [line[a:b].strip() for a, b in cells]
            heads = self._heads_of(said)
            if heads:
                columns, width = heads, len(cells)
                if heads.keys() == set(range(width)):  # no cell stands over the labels
                    columns, width = {k + 1: word for k, word in heads.items()}, width + 1
            elif len(cells) < 2:
                columns = {}
            elif columns:
                yield from self._row(line, at, said, cells, columns if len(cells) == width else {})
            at += len(line) + 1

    def _row(
        self, line: str, at: int, said: list[str], cells: list[tuple[int, int]], columns: dict[int, str]
    ) -> Iterator[Piece]:
        """Give the label of a row what its mark says."""
        label = next((k for k, cell in enumerate(said) if any(map(str.isalpha, cell))), None)
        marked = [k for k, cell in enumerate(said) if k != label and cell]
        if label is None or not all(_MARK.match(said[k]) for k in marked):
            return
        known = columns.get(marked[0]) if len(marked) == 1 else None
        end = cells[label][0] + len(line[slice(*cells[label])].rstrip())
        yield at + end, at + len(line), f" : {known or self._unknown}."

    def _heads_of(self, said: list[str]) -> dict[int, str]:
        """Return the answers that head columns, side by side; none where a row answers itself."""
        heads = {k: word for k, word in enumerate(map(self._answer, said)) if word}
        if len(set(heads.values())) < 2 or any(said[k] for k in range(min(heads), max(heads)) if k not in heads):
            return {}
        return heads

    def _answer(self, cell: str) -> str:
        if self._is_no.match(cell):
            return self._no
        return self._yes if self._is_yes.match(cell) else ""

    def empty(self, text: str) -> Iterator[Piece]:
        """ "Pneumothorax | | condensation | |": nothing is told."""
        for row in _EMPTY_ROW.finditer(text) if "|" in text else ():
            for m in _EMPTY_PAIR.finditer(row[0]):
                yield row.start() + m.end(1), row.start() + m.end(), f" : {self._unknown}. "
