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
_CELLS_OF_A_FILE = re.compile(r"(?:^|(?<=;))[^;]*")
_MARK = re.compile(rf"(?:[xX✓✔+]|{BOX})\Z")
_LAST_MARK = re.compile(rf"(?<=\w)[^\S\n]{{2,}}(?P<mark>[xX✓✔+]|{BOX})[^\S\n]*\Z|(?<=\w)[^\S\n]{{3,}}\Z")
_BESIDE = 2
"""Characters by which a mark may stand beside its head."""
_SINGLE_BLANK = re.compile(r"(?<![^\S\n])[^\S\n](?:[^\S\n]{2})*(?![^\S\n])")
_BEGINS = re.compile(r"[^\n]*?[:.][^\S\n](?=[^\S\n])")
"""A title or a sentence before what a line held by itself."""
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
        self._aligned_heads = re.compile(
            rf"(?im)^(?:[^\n]{{0,60}}?[^\S\n]{{2,60}})?(?P<one>{no}|{yes})[^\S\n]{{2,60}}(?P<other>{no}|{yes})[^\S\n]*$"
        )
        self._heads = re.compile(
            rf"(?i)(?:(?:{no})[^\S\n]*[|\t;]\s*(?:{yes})|(?:{yes})[^\S\n]*[|\t;]\s*(?:{no}))(?=\s|[|;]|\Z)"
        )
        self._side = re.compile(rf"(?i)(?:[^\W\d_]+\s+)?(?:{any_of(signs.sides)})\Z")
        value = rf"(?:{any_of((*signs.no_values, *signs.yes_values, *signs.open_values))})"
        self._value = re.compile(rf"(?i){value}(?:\s*,[^|\t]*)?\Z")
        self._no_label = re.compile(rf"(?i)(?:{value}|{any_of((*signs.before, *signs.now))}.*)\Z|.*\d")

    def may_align(self, text: str) -> bool:
        """Say whether a line heads columns that blanks set apart."""
        return self._aligned_heads.search(text) is not None

    def aligned(self, text: str) -> Iterator[Piece]:
        """Columns that nothing but blanks set apart: a mark belongs to the head over it."""
        if "  " not in text or not self.may_align(text):
            return
        blanks = 1 if _SINGLE_BLANK.search(text) else 2  # every blank was doubled
        rows: list[tuple[int, re.Match[str]]] = []
        at, heads = 0, None
        for line in (*text.split("\n"), ""):
            if found := self._aligned_heads.match(line):
                yield from self._aligned_rows(heads, rows, blanks)
                heads, rows = found, []
            elif not line.strip():
                yield from self._aligned_rows(heads, rows, blanks)
                heads, rows = None, []
            elif heads and (m := _LAST_MARK.search(line)):
                rows.append((at, m))
            at += len(line) + 1

    def _aligned_rows(
        self, heads: re.Match[str] | None, rows: list[tuple[int, re.Match[str]]], blanks: int
    ) -> Iterator[Piece]:
        """Give each row of one table what stands over its mark; where a title was put before the heads, they stood as
        many characters to the left."""
        said = self._said(heads) if heads else {}
        if heads is None or len(set(said.values())) < 2:
            return
        begins = _BEGINS.match(heads[0])
        shifts = {0, _place(heads[0], begins.end(), blanks)} if begins else {0}
        answers = {shift: [self._over(heads, said, m, shift, blanks) for _, m in rows] for shift in shifts}
        whole = [found for found in answers.values() if all(word or not m["mark"] for word, (_, m) in zip(found, rows))]
        told = whole[0] if len(whole) == 1 else answers[0] if not whole else [""] * len(rows)
        for (at, m), word in zip(rows, told, strict=True):
            yield at + m.start(), at + len(m.string), f" : {word or self._unknown}."

    def _over(self, heads: re.Match[str], said: dict[str, str], mark: re.Match[str], shift: int, blanks: int) -> str:
        """Return the answer of the one head over a mark; "" where there is none, or more."""
        if not mark["mark"]:
            return ""
        column = _place(mark.string, mark.start("mark"), blanks) + shift
        over = {
            word
            for name, word in said.items()
            if _place(heads[0], heads.start(name), blanks) - _BESIDE
            <= column
            < _place(heads[0], heads.end(name), blanks) + _BESIDE
        }
        return over.pop() if len(over) == 1 else ""

    def _said(self, heads: re.Match[str]) -> dict[str, str]:
        """Return the answer of each of the two heads."""
        return {name: self._no if self._is_no.match(heads[name]) else self._yes for name in ("one", "other")}

    def answers(self, text: str) -> Iterator[Piece]:
        """A mark's column is its value; unknown where there is none, or columns are lost."""
        if "\t" not in text and "|" not in text and ";" not in text:
            return
        found = self._heads.search(text)
        if found is None:
            return
        apart = _CELLS_OF_A_FILE if ";" in found[0] else _CELLS
        at, columns, width = 0, {}, 0
        for line in text.split("\n"):
            cells = [(m.start(), m.end()) for m in apart.finditer(line)]
            said = [line[a:b].strip() for a, b in cells]
            heads = self._heads_of(said)
            if heads:
                columns, width = heads, len(cells)
                if heads.keys() == set(range(width)):  # no cell stands over the labels
                    columns, width = {k + 1: word for k, word in heads.items()}, width + 1
            elif len(cells) < 2:
                columns = columns if not line.strip() else {}  # tags of rows leave blank lines
            elif columns:
                yield from self._row(line, at, said, cells, columns if len(cells) == width else {})
            at += len(line) + 1

    def crossed(self, text: str) -> Iterator[Piece]:
        """ "Zone⇥Nodule⇥Masse⏎Droite⇥non⇥oui": labels head the columns, sides the rows."""
        if "\t" not in text and "|" not in text:
            return
        heads: list[str] = []
        at, start = 0, 0
        for line in text.split("\n"):
            said = [cell.strip() for cell in _CELLS.findall(line.strip("| "))]
            if heads and len(said) == len(heads) and self._side.match(said[0]):
                if all(map(self._value.match, said[1:])):
                    told = (f"{head} {said[0]} : {cell}." for head, cell in zip(heads[1:], said[1:], strict=True))
                    if start >= 0:
                        yield start, at - 1, ""
                        start = -1
                    yield at, at + len(line), " ".join(told)
            elif line.strip():
                is_head = len(said) > 2 and all(said[1:]) and not any(map(self._no_label.match, said[1:]))
                is_head = is_head and not any(map(self._side.match, said))
                heads, start = (said, at) if is_head else ([], 0)
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


def _place(line: str, at: int, blanks: int) -> int:
    """Return the column of a character in a line of which every blank was typed ``blanks`` times."""
    return at if blanks == 1 else len(line[:at].replace("  ", " "))
