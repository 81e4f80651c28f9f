"""Cells of a table: rows with tabs or bars, columns of before and now, tables that were flattened to one line.

Belongs here: which cell answers which. Does not belong here: signs inside a cell (``values``, ``boxes``).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from radia_pipeline.reports.language import Signs
from radia_pipeline.reports.layout.pieces import Piece, any_of

_ROW = re.compile(r"(?m)^[^\n]*?[\t|;][^\n]*$")
_CELL = re.compile(r"[^\S\n]*[\t|;](?:[^\S\n]*[\t|])*[^\S\n]*")
"""Where a cell ends; an empty one is none."""
_BARS = re.compile(r"([^\S\n]*\|\|[^\S\n]*)")
_TAB_AT_COLON = re.compile(r"\t+[^\S\n]*(?=:)|(?<=:)[^\S\n]*\t[^\S\n]*")


class Cells:
    """Rewrites tables of one language's texts as labels, colons and values."""

    def __init__(self, signs: Signs) -> None:
        self._before = re.compile(rf"(?i)\s*(?:{any_of(signs.before)})\b")
        self._now = re.compile(rf"(?i)\s*(?:{any_of(signs.now)})\b")
        self._is_no = re.compile(rf"(?i)\s*(?:{any_of(signs.no_values)})\.?\s*(?:\Z|[^\S\n]/)")
        self._is_yes = re.compile(rf"(?i)\s*(?:{any_of(signs.yes_values)}|{any_of(signs.described)})(?!\w)")
        self._is_doubt = re.compile(rf"(?i)\s*(?:{any_of(signs.doubts)})\s*(?:\Z|,)")
        values = any_of(signs.values)
        self._has_flat = re.compile(rf":[^\S\n]*(?i:{values})[^\S\n]+[^\W\d_]")
        self._flat = re.compile(
            rf"(?i)(?<=:)([^\S\n]*)(?!(?:{any_of(signs.open_values)})(?!\w))({values})[^\S\n]+(?!(?:{any_of(signs.complements)}))"
            rf"(?!(?:{any_of(signs.participles)})[^\S\n]+[^\W\d_])(?=[^\W\d_][^:\n.;,]{{2,45}}:)"
        )
        self._deny = re.compile(rf"(?i)(?:{any_of(signs.determiners)})\Z")
        self._is_said = re.compile(rf"(?i)\s*(?:[øØ∅]|\+(?!\s)|(?:{any_of(signs.determiners)})(?=\s))\s*\w")
        ends = any_of(value for value in (*signs.no_values, *signs.yes_values) if value[0].isalpha())
        self._goes_on = re.compile(rf"(?i)(?:,|(?:^|(?<=\s))(?:{any_of(signs.joints)}))\s*\Z")
        self._told = re.compile(
            rf"(?i)[\t|;][^\S\n]*(?:{ends}|(?:{any_of(signs.doubts)})(?:,[^|\t.;]*)?)\.(?=[^\S\n]+(?:(?:[^\w\s]|\d{{1,2}}\))[^\S\n]+)?\w)"
        )
        self._cut_value = re.compile(rf"(?im)[/=>→⇒➔…][^\S\n]*(?:{signs.begun})[^\S\n]*$")
        self._is_side = re.compile(rf"(?i)(?:{any_of(signs.sides)})")
        self._anatomy = re.compile(rf"(?i)\b(?:{any_of(signs.anatomies)})\b")

    def may_be_flat(self, text: str) -> bool:
        """Say whether a value stands behind a colon and something behind the value."""
        return self._has_flat.search(text) is not None

    def wraps(self, text: str) -> Iterator[Piece]:
        """ "Atélectasie⇥oui, en⏎bande⇥non": a row that was wrapped behind a comma or a small word is one row."""
        at, is_row = 0, False
        has_cut = "\n" in text and self._cut_value.search(text) is not None
        for line in text.split("\n") if has_cut or "\t" in text or "|" in text or ";" in text else ():
            is_cut = has_cut and self._cut_value.search(line) is not None
            is_listed = ";" in line and not line.rstrip().endswith(",")  # "opacité aucune ; masse du⏎LIG 0"
            may_go_on = "\t" in line or "|" in line or is_row or is_listed
            is_row = is_cut or (may_go_on and self._goes_on.search(line) is not None)
            at += len(line) + 1
            if is_row and at < len(text):
                yield at - 1, at + len(text[at:]) - len(text[at:].lstrip(" \t")), " "

    def tabs(self, text: str) -> Iterator[Piece]:
        """ "Cœur⇥: normal": the colon separates already."""
        if "\t" in text:
            yield from ((m.start(), m.end(), " ") for m in _TAB_AT_COLON.finditer(text))

    def columns(self, text: str) -> Iterator[Piece]:
        """Of a table with columns "avant" and "maintenant" only the later one tells what is seen."""
        if "\t" not in text and "|" not in text:
            return
        lines, at, earlier, width = text.split("\n"), 0, [], 0
        for line in lines:
            cells = list(re.finditer(r"[^\t|]+", line))
            if any(self._now.match(cell[0]) for cell in cells[1:]):
                earlier = [k for k, cell in enumerate(cells) if k and self._before.match(cell[0])]
                width = len(cells)
            elif earlier and len(cells) == width:
                for k in earlier:  # with the mark behind it, or before the last one
                    is_last = k + 1 == width
                    yield at + cells[k].start() - is_last, at + cells[k].end() + (not is_last), ""
            at += len(line) + 1

    def rows(self, text: str) -> Iterator[Piece]:
        """A row of cells: the first is the label of the next; a denial beside an affirmation is no value."""
        if "\t" in text or "|" in text or ";" in text:
            for line in _ROW.finditer(text):
                at = line.start()
                for told in self._sentences(line[0]):
                    rows = _rows_of(told)
                    for part, bars in rows:
                        yield from self._row(part, at, len(rows) > 1)
                        at += len(part)
                        if bars:
                            yield at, at + len(bars), ". "
                            at += len(bars)

    def _sentences(self, line: str) -> list[str]:
        """Return the line cut where a sentence ends with a value: "… | non. Épanchement | oui | …"."""
        stops = [0, *(m.end() for m in self._told.finditer(line)), len(line)]
        return [line[a:b] for a, b in itertools.pairwise(stops)]

    def _row(self, line: str, at: int, is_one_of_several: bool) -> Iterator[Piece]:
        marks = [m for m in _CELL.finditer(line) if line[: m.start()].strip()]
        if not marks or not line[marks[0].end() :].strip(" \t|"):
            return
        starts, ends = [m.end() for m in marks], [*(m.start() for m in marks[1:]), len(line)]
        cells = [line[a:b] for a, b in zip(starts, ends, strict=True)]
        affirmed = any(map(self._is_yes.match, cells))
        doubted = bool(self._is_doubt.match(cells[0]))
        answers = affirmed or doubted or bool(self._is_no.match(cells[0]))
        label = line[_after_title(line[: marks[0].start()]) : marks[0].start()]
        has_title, is_value = ":" in line[: marks[0].start()], ":" in label + line[marks[0].end() :]
        is_answered = has_title and bool(self._is_no.match(label) or self._is_yes.match(label))  # "masse : - ; …"
        if ";" in line and (is_value or is_answered or not (affirmed or doubted or any(map(self._is_no.match, cells)))):
            return
        is_bare = not has_title and (len(cells) > 1 or is_one_of_several or "\t" in line)
        is_table = not is_value and not self._is_said.match(label) and (is_bare or self._is_anatomy(label) or answers)
        for k, (m, cell) in enumerate(zip(marks, cells, strict=True)):
            is_answer = (k == 0 and is_table) or (k > 0 and self._answers_a_label(cells[k - 1], cell))
            ended = line[: m.start()].rstrip().endswith(".")  # two stops would lead to a value
            yield at + m.start(), at + m.end(), " : " if is_answer else " " if ended else ". "
            if is_table and affirmed and self._is_no.match(cell) and self._gives_way(cells, k):
                yield at + starts[k], at + ends[k], ""

    def _gives_way(self, cells: list[str], k: int) -> bool:
        """ "Épanchement | oui | non", "Épanchement | D | non | G | oui": not where it answers a label of its own."""
        is_of_a_side = k > 0 and self._is_side.fullmatch(cells[k - 1].strip()) is not None
        return is_of_a_side or any(map(self._is_yes.match, cells[max(k - 1, 0) : k] + cells[k + 1 : k + 2]))

    def _answers_a_label(self, before: str, cell: str) -> bool:
        """ "Épanchement | non | Nodule | non": a denial alone, behind a cell that answers nothing itself."""
        return bool(self._is_no.match(cell)) and not (self._is_no.match(before) or self._is_yes.match(before))

    def _is_anatomy(self, label: str) -> bool:
        return self._anatomy.fullmatch(label.strip()) is not None

    def flattened(self, text: str) -> Iterator[Piece]:
        """ "Épanchement : non Pneumothorax : non": a value ends before the next label."""
        if ":" in text and self._has_flat.search(text):
            for m in self._flat.finditer(text):
                label = text[max(text.rfind(".", 0, m.start()), text.rfind("\n", 0, m.start())) + 1 : m.start()]
                if not (self._deny.match(m[2]) and self._anatomy.search(label)):  # "Plèvre : aucun épanchement Cœur :"
                    yield m.end(2), m.end(2), ". "


def _rows_of(line: str) -> list[tuple[str, str]]:
    """Return (row, the bars behind it) of a line: "cœur | normal || médiastin | s.p." is two rows."""
    parts = _BARS.split(line)
    rows = parts[::2]
    if len(rows) < 2 or not all(len([cell for cell in row.split("|") if cell.strip()]) > 1 for row in rows):
        return [(line, "")]
    return list(zip(rows, [*parts[1::2], ""], strict=True))


def _after_title(head: str) -> int:
    """Return where a row's label begins in its first cell: behind a title ("RAPPORT : …") or a sentence, else at 0."""
    behind = max(head.rfind(":") + 1, head.rfind(". ") + 1)
    return behind if head[behind:].strip() else 0
