"""Signs that stand for words, rewritten in order: the one entrance of this folder.

Belongs here: which steps there are and when a text needs them; signs of one character ("#", "?", "<", "%", "n").
Does not belong here: boxes, cells, answers (the modules beside this one), what transport did to a text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from radia_pipeline.reports.edits import Changed, change
from radia_pipeline.reports.language import Signs
from radia_pipeline.reports.layout.boxes import EMPTY, SQUARES, TICKED, Boxes
from radia_pipeline.reports.layout.cells import Cells
from radia_pipeline.reports.layout.columns import Columns
from radia_pipeline.reports.layout.grids import Grids
from radia_pipeline.reports.layout.headings import Headings
from radia_pipeline.reports.layout.pieces import REACH, Piece, any_of, starts
from radia_pipeline.reports.layout.sides import Sides
from radia_pipeline.reports.layout.stacks import Stacks
from radia_pipeline.reports.layout.values import Values

_O_BULLET = re.compile(r"(?m)^([^\S\n]*)(?:o|O)(?=[^\S\n]+\S)")
_ASKS_BEFORE = re.compile(r"(?m)(?:(?<=[\s(])|^)\?{1,3}(?=\w)|(?:(?<=[.,;(\-•])|^)([^\S\n]*)\?{1,3}[^\S\n]+(?=\w)")
_COMPARES = re.compile(r"([<>])=?[^\S\n]*(?=0[.,]\d)")
_SLASH = re.compile(r"[^\S\n]+/(?=[^\S\n])|[^\S\n]*/[^\S\n]*$", re.M)
_GOES_ON = re.compile(r"(?m)[^:.;,()\n]{2,60}:[^:.\n]*(?:$|\.[\s.]|\.$)")
_LEADER = re.compile(
    r"[^\S\n]*\.{4,}[^\S\n]*|[^\S\n]*\.{2,3}[^\S\n]*(?=:)|(?<=[^\W\d_]|[)\d])[^\S\n]+\.{2,3}[^\S\n]+(?=\w)"
)
_BLANKS = re.compile(r"[^\S\n\t]{30,}")
_NUMBER = re.compile(
    r"(?m)(?:^|(?<=[.;:!?][^\S\n]))[^\S\n]*\(?\d{1,2}\)[^\S\n]+(?=\w)"
    r"|(?:^|(?<=[^.][.!?][^\S\n]))[^\S\n]*[1-9]\d?[^\S\n]*\t[^\S\n]*(?=\w|\?{1,3}[^\S\n])"
)
_EMPHASIS = re.compile(r"(?<![\w*])\*{1,3}(?![\s*])([^*\n]{1,60}?)(?<!\s)\*{1,3}(?![\w*])")
_STROKED = re.compile(r"(?:^|(?<=\s))([1-9])\d?/[^\S\n]+(?=[^\W\d_]{2})")
_SIGNS = re.compile(rf"[*…_<>→⇒➔;#?|+\t±%/=(\[{EMPTY}{TICKED}{SQUARES}]")
"""Every text that needs a rewriting holds one of these, or what ``Marks.may_touch`` looks for."""
_SIGN_VALUE = re.compile(r":[^\S\n]*[-–−—+0øØ∅]")
_LONE_N = re.compile(r" [nN](?=[\s,;.|]|$)")


class Marks:
    """Rewrites the signs of one language's texts; see ``Signs`` for the words."""

    def __init__(self, signs: Signs) -> None:
        self._signs, self._cells, self._sides, self._headings = signs, Cells(signs), Sides(signs), Headings(signs)
        self._columns, self._grids, self._stacks = Columns(signs), Grids(signs), Stacks(signs)
        self._possible, self._fracture, self._normal_word = signs.possible, signs.fracture, signs.normal
        self._compared = {"<": signs.below, ">": signs.above}
        self._is_no = re.compile(rf"(?i)(?:{any_of(signs.no_values)})\.?\s*\Z")
        self._sought = re.compile(rf"(?i)(?:^|[.\n])[^.\n/]*\b(?:{any_of(signs.sought)})\s*[^.\n]*\Z")
        self._normal = re.compile(
            rf"(?i)\b({any_of(signs.anatomies)})([^\S\n]*:?[^\S\n]*)(n)\b(?![^\S\n]*['’]|[^\S\n]+(?:{'|'.join(signs.verbs)})\b)"
        )
        self._signature = re.compile(rf"(?i)(?<=\S)[^\S\n]+(?=(?:{any_of(signs.signatures)})\b)")
        self._label = re.compile(rf"(?i){starts(signs)}[^\W\d_][^:.;,()\n]{{2,60}}\Z")
        self._asks_first = re.compile(rf"(?im)(?:{starts(signs)})(\?{{1,3}})[^\S\n]+(?=\w)")
        self._bone = re.compile(
            rf"(?i)#(?:s(?=\b))?[^\S\n]*(?=(?:(?:{any_of(signs.before_bones)})\s*)*(?:{any_of(signs.bones)}))"
        )
        self._ordinal = re.compile(rf"(?i)#[^\S\n]*{signs.ordinal}")
        self._asks_bone = re.compile(rf"(?i)\b(?:{any_of(signs.of_what)})[^\S\n]*(#)")
        self._index = re.compile(
            rf"(?i)(?:{any_of(signs.indices)})(?:[^\n.;]|(?<=\w)\r?\n[^\S\n]*(?=\d)){{0,25}}?(\d\d)(?:[.,]\d)?[^\S\n]*%"
        )
        self._continued = re.compile(rf"\.(?=[^\S\n]+(?i:{any_of(signs.continued)})\b)")
        self._stop_inside = re.compile("|".join((r"\.\.", self._continued.pattern, *map(re.escape, signs.glued))))
        self._shortened = re.compile(rf"(?i)(?:^|[\s'’(])(?:{any_of(signs.shortened)})\Z")
        self._steps = tuple(self._in_order(Boxes(signs), self._cells, Values(signs)))

    def _in_order(self, boxes: Boxes, cells: Cells, values: Values) -> Iterator[Callable[[str], Iterator[Piece]]]:
        yield from (
            self.emphasis,
            boxes.crosses,
            self.signatures,
            self._stacks.stacked,
            self._columns.aligned,
            self.blanks,
            self.abbreviations,
            self.fractures,
            self.numbers,
        )
        yield from (
            boxes.titles,
            boxes.options,
            self.blanks,
            values.lone_letters,
            values.letters,
            self._sides.sides,
            cells.wraps,
            cells.columns,
            self._columns.answers,
            self._columns.crossed,
            self._columns.empty,
            self._grids.grids,
            boxes.boxes,
            values.prefixes,
            self._headings.headings,
            values.arrows,
        )
        yield from (cells.tabs, cells.rows, values.values, cells.flattened)
        yield from (self.questions, self.leaders, self.slashes, self.normals, self.percentages, self.comparisons)

    def rewrite(self, text: str) -> list[Changed]:
        """Return the steps that turn signs into words, first to last; none for a text without them."""
        if not self._is_touched(text):
            return []
        steps = []
        for step in self._steps:
            pieces = sorted(step(text))
            if pieces:
                steps.append(change(text, pieces))
                text = steps[-1].text
        return steps

    def _is_touched(self, text: str) -> bool:
        return bool(_SIGNS.search(text) or (")" in text and _NUMBER.search(text)) or self.may_touch(text))

    def may_touch(self, text: str) -> bool:
        """Say whether a text of letters, digits, stops and colons alone may need a rewriting."""
        if self._grids.may_hold(text) or ("   " in text and self._columns.may_align(text)):
            return True
        if _LONE_N.search(text) or (self._stop_inside.search(text) and self._has_stop_inside(text)):
            return True
        has_line = "\n" in text
        if has_line and self._stacks.may_stack(text):
            return True
        if (text[:1] in ("o", "O") or (has_line and ("\no" in text or "\nO" in text))) and _O_BULLET.search(text):
            return True
        has_colon = ":" in text
        if has_colon and (_SIGN_VALUE.search(text) or self._cells.may_be_flat(text) or self._sides.may_answer(text)):
            return True
        return (has_colon or (has_line and "\n-" in text)) and self._headings.may_head(text)

    def _has_stop_inside(self, text: str) -> bool:
        """Say whether a stop leads to a value or ends no sentence."""
        is_told = ".." in text or any(glued in text for glued in self._signs.glued)
        return is_told or any(self._cut_short(text))

    # ------------------------------------------------------------------ steps: what to put where
    def blanks(self, text: str) -> Iterator[Piece]:
        """Long runs of blanks, which every pattern would look over again from each of them."""
        yield from ((m.start(), m.end(), "   ") for m in _BLANKS.finditer(text))

    def emphasis(self, text: str) -> Iterator[Piece]:
        """ "Pneumothorax *non*": how a word is printed."""
        if "*" in text:
            yield from ((m.start(), m.end(), f" {m[1]} ") for m in _EMPHASIS.finditer(text))

    def signatures(self, text: str) -> Iterator[Piece]:
        """ "Pneumothorax : - Signé sans relecture": a sign before a signature ends its line, with the empty cell that
        may stand there ("Pneumonie⇥x⇥ Signé")."""
        for m in self._signature.finditer(text):
            yield (m.end() - 1 if "\t" in m[0][:-1] else m.start()), m.end(), "\n"

    def abbreviations(self, text: str) -> Iterator[Piece]:
        """ "Nég. pour fracture", "épanch. G": a stop that ends no sentence."""
        yield from self._cut_short(text)
        for glued in self._signs.glued:
            at = text.find(glued)
            while at >= 0:
                if self._is_no.match(text[max(0, at - REACH) : at].rpartition("\n")[2].rpartition(" ")[2]):
                    yield at, at + 1, ""
                at = text.find(glued, at + 1)

    def _cut_short(self, text: str) -> Iterator[Piece]:
        for m in self._continued.finditer(text):
            if self._shortened.search(text, max(0, m.start() - REACH), m.start()):
                yield m.start(), m.end(), ""

    def fractures(self, text: str) -> Iterator[Piece]:
        """ "# costale", "pas de #": a fracture; any other "#" and an "o" at the start of a line are bullets."""
        if "#" in text:
            bones = {m.start() for m in self._bone.finditer(text)} | {
                m.start(1) for m in self._asks_bone.finditer(text)
            }
            starts = {at for at, sign in enumerate(text) if sign == "#" and _starts_line(text, at)}
            if len(starts) > 1 and not starts <= bones:
                # a list: "# Arc aortique …" is no fracture where other items are none
                bones -= {at for at in starts if not self._ordinal.match(text, at)}
            yield from ((at, at + 1, f"{self._fracture} ") for at in bones)
            yield from ((at, at + 1, "•") for at in starts - bones)
        yield from ((m.end(1), m.end(1) + 1, "•") for m in _O_BULLET.finditer(text))

    def numbers(self, text: str) -> Iterator[Piece]:
        """ "1) …", "(2) …", a number in a cell of its own: bullets."""
        if ")" in text or "\t" in text:
            yield from ((m.start(), m.end(), "• ") for m in _NUMBER.finditer(text))
        if "/" in text:
            found = list(_STROKED.finditer(text))
            if len(found) > 1 and found[0][1] == "1":  # numbers with a stroke
                yield from ((m.start(), m.end(), "• ") for m in found)

    def questions(self, text: str) -> Iterator[Piece]:
        """ "?pneumothorax": the sign stands before its word."""
        if "?" in text:
            asked = {m.end(): m.start() for m in _ASKS_BEFORE.finditer(text)}
            asked |= {m.end(): m.start(1) for m in self._asks_first.finditer(text)}
            yield from ((start, end, f" {self._possible} ") for end, start in asked.items())

    def slashes(self, text: str) -> Iterator[Piece]:
        """ "X / Y" are cells, in a label ("X / Y : non") a list; "X/Y" is a list and stays."""
        if "/" in text:
            for m in _SLASH.finditer(text):
                before = text[max(0, m.start() - REACH) : m.start()]
                if not self._sought.search(before):
                    yield (
                        m.start(),
                        m.end(),
                        "," if self._label.search(before) and _GOES_ON.match(text, m.end()) else ".",
                    )

    def leaders(self, text: str) -> Iterator[Piece]:
        """ "Pneumothorax ........ absent": dots lead to the value."""
        if ".." in text:
            yield from ((m.start(), m.end(), " : ") for m in _LEADER.finditer(text))

    def normals(self, text: str) -> Iterator[Piece]:
        """ "Cœur n poumons clairs": normal."""
        if _LONE_N.search(text):
            yield from ((m.start(3), m.end(3), self._normal_word) for m in self._normal.finditer(text))

    def percentages(self, text: str) -> Iterator[Piece]:
        """ "Index de 55 %" is one of 0,55."""
        if "%" in text:
            yield from ((m.start(1), m.end(), f"0,{m[1]}") for m in self._index.finditer(text))

    def comparisons(self, text: str) -> Iterator[Piece]:
        """ "ICT < 0,50": below."""
        if "<" in text or ">" in text:
            yield from ((m.start(), m.end(), f" {self._compared[m[1]]} ") for m in _COMPARES.finditer(text))


def _starts_line(text: str, at: int) -> bool:
    return not text[text.rfind("\n", 0, at) + 1 : at].strip()
