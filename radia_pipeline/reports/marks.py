"""Signs that stand for words: boxes, values of forms, cells of tables, bullets, "#", "+/-", a percentage of an index.

Belongs here: layout on the characters of a text, rewritten as the words and marks that the rules know. Does not belong
here: what transport did to the text (``repair``), line ends (``lines``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from radia_pipeline.reports.edits import Changed, change
from radia_pipeline.reports.language import Signs
from radia_pipeline.reports.words import BULLETS

Piece = tuple[int, int, str]

_EMPTY, _TICKED = "☐", "☒☑🗹⊠✗✘"
_BREAK = re.compile(r"[.;][^\S\n]+|[.;]$|[^\S\n]/(?:[^\S\n]|$)")
"""Between two statements of one line."""
REACH = 200
"""Characters of a line that a sign looks over, so that time stays linear in lines that never end."""
_SQUARES = "□▢◻"
"""Bullets, unless a box of the same text is ticked."""
_BOX = rf"(?:[{_EMPTY}{_SQUARES}{_TICKED}]|\[\s*[xX✓✔]?\s*\]|\(\s*[xX]\s*\)|\(\s+\))"
_BOXES = re.compile(_BOX)
_HAS_BOX = re.compile(rf"[{_EMPTY}{_TICKED}]|\[\s*[xX]?\s*\]|\(\s*[xX]\s*\)")
_O_BULLET = re.compile(r"(?m)^([^\S\n]*)(?:o|O)(?=[^\S\n]+\S)")
_SIGN = re.compile(
    r"[^\S\n]*\(\s*(?P<sign>[-–−]+|\++|[0øØ∅])\s*\)|[^\S\n]*[:=][^\S\n]*(?P<value>[-–−—]|\++|0|[øØ∅])(?=[^\S\n]*(?:$|[\n;|/)]|[,.](?!\d))|[^\S\n]+[^\W\d])",
    re.M,
)
_PLUS_MINUS = re.compile(r"\+\s?/\s?[-–−]|±")
_ASKS_BEFORE = re.compile(r"(?m)(?:(?<=[\s(])|^)\?(?=\w)|(?:(?<=[,;(\-•])|^)([^\S\n]*)\?[^\S\n]+(?=\w)")
_COMPARES = re.compile(r"([<>])=?[^\S\n]*(?=0[.,]\d)")
_ROW = re.compile(r"(?m)^[^\n]*?[\t|;][^\n]*$")
_CELL = re.compile(r"[^\S\n]*[\t|;][^\S\n]*")
_SLASH = re.compile(r"[^\S\n]+/(?=[^\S\n])|[^\S\n]*/[^\S\n]*$", re.M)
_LEADER = re.compile(r"[^\S\n]*\.{4,}[^\S\n]*|(?<=[^\W\d_]|[)\d])[^\S\n]+\.{2,3}[^\S\n]+(?=\w)")
_TAB_AT_COLON = re.compile(r"\t+[^\S\n]*(?=:)|(?<=:)[^\S\n]*\t[^\S\n]*")
_BLANKS = re.compile(r"[^\S\n\t]{30,}")
_SIGNED = re.compile(r"[^\W\d_][^;.,()]{2,45}")
"""What a lone sign behind it may answer: "Masse - Nodule +"."""
_HEAD = re.compile(rf"[{BULLETS}#\s]*(?:\d{{1,2}}[.)-][^\S\n]*)?")
_NUMBER = re.compile(r"(?m)(?:^|(?<=[.;:!?][^\S\n]))[^\S\n]*\(?\d{1,2}(?:\)[^\S\n]+|[^\S\n]*\t[^\S\n]*)(?=\w)")
_LONE_SIGN = re.compile(r"(?<=\w)[^\S\n]+([-–−+])(?=[^\S\n]|$)")
_LINE, _PIECE = re.compile(r"[^\n]+"), re.compile(r"[^\n.]+")
_OPTIONS = re.compile(rf"(?m)(?<=:)[^\S\n]*(?={_BOX})[^\n;/]*")
_PREFIXES = re.compile(
    rf"(?m)(?:^|:|[.;/](?=[^\S\n]))[^\S\n]*(?:(?:[{BULLETS}#o]|\d{{1,2}}[.)])[^\S\n]+)?(?=\(\s*(?:[-–−+?øØ∅]|\+\+)\s*\)[^\S\n]*\w)[^\n]*"
)
_PREFIX = re.compile(r"[^\S\n]*\(\s*([-–−+?øØ∅])\+?\s*\)[^\S\n]*(?=\w)")
_SIGNS = re.compile(rf"[<>;#?|+\t±%/=(\[☐{_TICKED}{_SQUARES}]")
_VALUE_SIGNS = re.compile(r"[+\-–−—0øØ∅±]")
_SIGN_VALUE = re.compile(r":[^\S\n]*[-–−—+0øØ∅]")
_LONE_N = re.compile(r" [nN](?=[\s,;.|]|$)")
"""Every text that needs a rewriting holds one of these, or a value behind a colon."""


class Marks:
    """Rewrites the signs of one language's texts; see ``Signs`` for the words."""

    def __init__(self, signs: Signs) -> None:
        self._no, self._yes, self._absent, self._present = (
            signs.denial,
            signs.affirmation,
            signs.absence_of,
            signs.presence_of,
        )
        self._possible, self._fracture = signs.possible, signs.fracture
        self._before = re.compile(rf"(?i)\s*(?:{_any(signs.before)})\b")
        self._now = re.compile(rf"(?i)\s*(?:{_any(signs.now)})\b")
        self._sought = re.compile(rf"(?i)(?:^|[.\n])[^.\n/]*\b(?:{_any(signs.sought)})\s*[^.\n]*\Z")
        values = _any(signs.values)
        yes, no = _any(signs.yes_values), _any(signs.no_values)
        words = "|".join(value for value in (*signs.yes_values, *signs.no_values) if value[0].isalpha())
        self._is_no = re.compile(rf"(?i)\s*(?:{no})\.?\s*(?:\Z|[^\S\n]/)")
        self._is_yes = re.compile(rf"(?i)\s*(?:{yes}|{_any(signs.described)})(?!\w)")
        self._ticked_value = re.compile(rf"(?i)({_BOX})[^\S\n]*({words})\b")
        self._value_ticked = re.compile(rf"(?i)(?<=[\s:])({words})[^\S\n]*({_BOX})")
        self._flat = re.compile(
            rf"(?i)(?<=:)([^\S\n]*)({values})[^\S\n]+(?!(?:{_any(signs.complements)}))(?=[^\W\d_][^:\n.;,]{{2,45}}:)"
        )
        self._deny = re.compile(rf"(?i)(?:{_any(signs.determiners)})\Z")
        self._anatomy = re.compile(rf"(?i)\b(?:{'|'.join(signs.anatomies)})\b")
        self._normal = re.compile(
            rf"(?i)\b({'|'.join(signs.anatomies)})([^\S\n]*:?[^\S\n]*)(n)\b(?![^\S\n]*['’]|[^\S\n]+(?:{'|'.join(signs.verbs)})\b)"
        )
        self._normal_word = signs.normal
        self._glued = signs.glued
        self._compared = {"<": signs.below, ">": signs.above}
        before = _any(signs.before_bones)
        self._signature = re.compile(rf"(?i)(?<=\S)[^\S\n]+(?=(?:{_any(signs.signatures)})\b)")
        self._bone = re.compile(rf"(?i)#(?:s(?=\b))?[^\S\n]*(?=(?:(?:{before})\s*)*(?:{_any(signs.bones)}))")
        self._asks_bone = re.compile(rf"(?i)\b(?:{_any(signs.of_what)})[^\S\n]*(#)")
        self._index = re.compile(
            rf"(?i)(?:{_any(signs.indices)})(?:[^\n.;]|(?<=\w)\r?\n[^\S\n]*(?=\d)){{0,25}}?(\d\d)(?:[.,]\d)?[^\S\n]*%"
        )
        self._has_flat = re.compile(rf":[^\S\n]*(?i:{values})[^\S\n]+[^\W\d_]")
        self._steps: tuple[Callable[[str], Iterator[Piece]], ...] = (
            self.blanks,
            self.signatures,
            self.abbreviations,
            self.fractures,
            self.numbers,
            self.ticked_values,
            self.blanks,
            self.boxes,
            self.prefixes,
            self.tabs,
            self.columns,
            self.rows,
            self.values,
            self.flattened,
            self.questions,
            self.leaders,
            self.slashes,
            self.normals,
            self.percentages,
            self.comparisons,
        )

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
        if (
            ".." in text
            or any(map(text.__contains__, self._glued))
            or (("\no" in text or "\nO" in text or text[:1] in ("o", "O")) and _O_BULLET.search(text))
        ):
            return True
        if _LONE_N.search(text):
            return True
        return ":" in text and bool(_SIGN_VALUE.search(text) or self._has_flat.search(text))

    # ------------------------------------------------------------------ steps: what to put where
    def blanks(self, text: str) -> Iterator[Piece]:
        """Long runs of blanks, which every pattern would look over again from each of them."""
        yield from ((m.start(), m.end(), "   ") for m in _BLANKS.finditer(text))

    def signatures(self, text: str) -> Iterator[Piece]:
        """ "Pneumothorax : - Signé sans relecture": what stands before a signature is over."""
        yield from ((m.start(), m.end(), "\n") for m in self._signature.finditer(text))

    def abbreviations(self, text: str) -> Iterator[Piece]:
        """ "Nég. pour fracture": a stop that ends no sentence."""
        for glued in self._glued:
            at = text.find(glued)
            while at >= 0:
                if self._is_no.match(text[max(0, at - REACH) : at].rpartition("\n")[2].rpartition(" ")[2]):
                    yield at, at + 1, ""
                at = text.find(glued, at + 1)

    def fractures(self, text: str) -> Iterator[Piece]:
        """ "# costale", "pas de #": a fracture; any other "#" and an "o" at the start of a line are bullets."""
        if "#" in text:
            bones = {m.start() for m in self._bone.finditer(text)} | {
                m.start(1) for m in self._asks_bone.finditer(text)
            }
            starts = {at for at, sign in enumerate(text) if sign == "#" and _starts_line(text, at)}
            if len(starts) > 1 and not starts <= bones:
                bones -= starts  # a list: "# Arc aortique …" is no fracture where other items are none
            yield from ((at, at + 1, f"{self._fracture} ") for at in bones)
            yield from ((at, at + 1, "•") for at in starts - bones)
        yield from ((m.end(1), m.end(1) + 1, "•") for m in _O_BULLET.finditer(text))

    def numbers(self, text: str) -> Iterator[Piece]:
        """ "1) …", "(2) …", a number in a cell of its own: bullets."""
        if ")" in text or "\t" in text:
            yield from ((m.start(), m.end(), "• ") for m in _NUMBER.finditer(text))

    def ticked_values(self, text: str) -> Iterator[Piece]:
        """ "☐ oui ☒ non": what is ticked is the value."""
        if not _HAS_BOX.search(text):
            return
        taken = []
        for row in _LINE.finditer(text):
            behind, first = self._value_ticked.search(row[0]), _BOXES.search(row[0])
            if behind and first and behind.start(2) == first.start():  # "Oui ( ) Non (X)"
                taken.append(row.span())
                for m in self._value_ticked.finditer(text, *row.span()):
                    yield (m.start(2), m.end(2), " ") if _is_ticked(m[2]) else (m.start(), m.end(), " ")
        for options in _OPTIONS.finditer(text):  # "☒ oui ☐ non ☐ indéterminé": of all options what is ticked stays
            line, at = options[0], options.start()
            if any(start <= at < end for start, end in taken):
                continue
            boxes = list(_BOXES.finditer(line))
            ends = [*(box.start() for box in boxes[1:]), len(line)]
            if len(boxes) > 1 and self._ticked_value.search(line):
                taken.append((at, options.end()))
                for box, end in zip(boxes, ends, strict=True):
                    yield at + box.start(), at + (box.end() if _is_ticked(box[0]) else end), " "
        for m in self._ticked_value.finditer(text):
            if any(start <= m.start() < end for start, end in taken):
                continue
            if _is_ticked(m[1]):
                yield m.start(1), m.end(1), ":"
            else:
                yield m.start(), m.end(), " "

    def boxes(self, text: str) -> Iterator[Piece]:
        """Boxes before their items, or behind them where a line begins with an item."""
        if not _HAS_BOX.search(text):
            return
        ticked = any(map(_is_ticked, _BOXES.findall(text)))
        for m in _BOXES.finditer(text):
            if m[0] in _SQUARES and not ticked:
                continue
            reach = max(0, m.start() - REACH)
            line = text[max(text.rfind("\n", reach, m.start()) + 1, reach) : m.start()]
            first = _BOXES.search(text, m.start() - len(line))
            before = text[m.start() - len(line) : first.start()].strip(" \t-•.")
            before = _BREAK.split(before)[-1] if first.start() else before
            behind = any(map(str.isalpha, before)) and not text[
                max(0, first.start() - REACH) : first.start()
            ].rstrip().endswith(".")
            behind = behind and not before.endswith(":")
            if behind or _is_value(text, m):
                yield m.start(), m.end(), f" : {self._yes if _is_ticked(m[0]) else self._no}. "
                continue
            start = m.start() - (len(line) - len(line.rstrip()))
            if line.strip():
                yield start, m.start(), ". " if not line.rstrip().endswith(":") else " "
            yield m.start(), m.end(), self._present if _is_ticked(m[0]) else self._absent

    def prefixes(self, text: str) -> Iterator[Piece]:
        """ "(+) emphysème (-) nodule (?) infiltrat": signs that stand before their items."""
        if "(" in text:
            for row in _PREFIXES.finditer(text):
                for m in _PREFIX.finditer(row[0]):
                    word = {"+": self._present, "?": self._possible}.get(m[1], self._absent)
                    yield row.start() + m.start(), row.start() + m.end(), f". {word} "

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
                yield from ((at + cells[k].start(), at + cells[k].end() + 1, "") for k in earlier)
            at += len(line) + 1

    def rows(self, text: str) -> Iterator[Piece]:
        """A row of cells: the first is the label of the next; a denial beside an affirmation is not the row's value."""
        if "\t" in text or "|" in text or ";" in text:
            for row in _ROW.finditer(text):
                yield from self._row(row)

    def _row(self, row: re.Match[str]) -> Iterator[Piece]:
        line, at = row[0], row.start()
        marks = [m for m in _CELL.finditer(line) if line[: m.start()].strip()]
        if not marks or not line[marks[0].end() :].strip(" \t|"):
            return
        starts, ends = [m.end() for m in marks], [*(m.start() for m in marks[1:]), len(line)]
        cells = [line[a:b] for a, b in zip(starts, ends, strict=True)]
        affirmed = any(map(self._is_yes.match, cells))
        answers = affirmed or bool(self._is_no.match(cells[0]))
        label = line[_after_title(line[: marks[0].start()]) : marks[0].start()]
        has_title, is_value = ":" in line[: marks[0].start()], ":" in label + line[marks[0].end() :]
        if ";" in line and (is_value or not (affirmed or any(map(self._is_no.match, cells)))):
            return
        is_bare = not has_title and (len(cells) > 1 or "\t" in line)
        is_table = not is_value and (is_bare or self._is_anatomy(label) or answers)
        for k, (m, cell) in enumerate(zip(marks, cells, strict=True)):
            yield at + m.start(), at + m.end(), " : " if k == 0 and is_table else ". "
            if is_table and affirmed and self._is_no.match(cell):
                yield at + starts[k], at + ends[k], ""

    def _is_anatomy(self, label: str) -> bool:
        return self._anatomy.fullmatch(label.strip()) is not None

    def values(self, text: str) -> Iterator[Piece]:
        """ "(-)", ": -", "= 0", "(+)": no and yes; "+/-": possible."""
        if not _VALUE_SIGNS.search(text):
            return
        for row in _PIECE.finditer(text) if "+" in text else ():
            yield from self._signed(row)
        hedges = [(m.start(), m.end()) for m in _PLUS_MINUS.finditer(text)]
        yield from ((a, b, f" {self._possible} ") for a, b in hedges)
        for m in _SIGN.finditer(text):
            if any(a < m.end() and m.start() < b for a, b in hedges):
                continue
            sign = m["sign"] or m["value"]
            if m["value"] and sign[0] != "+" and not _ends_value(text, m.end()):
                continue
            yield m.start(), m.end(), f" : {self._yes if sign[0] == '+' else self._no}. "

    def _signed(self, row: re.Match[str]) -> Iterator[Piece]:
        """ "Masse - Nodule +": a line of nothing but items with a sign behind each, one of them a plus."""
        line = row[0].rstrip(" .")
        head = _HEAD.match(line, line.rfind(":") + 1).end()
        body, start = line[head:], row.start() + head
        signs = list(_LONE_SIGN.finditer(body))
        if not signs or signs[-1].end() != len(body) or all(m[1] != "+" for m in signs):
            return
        starts = [0, *(m.end() for m in signs)]
        items = [body[a : m.start()].strip() for a, m in zip(starts, signs, strict=False)]
        if all(map(_SIGNED.fullmatch, items)):
            yield from (
                (start + m.start(), start + m.end(), f" : {self._yes if m[1] == '+' else self._no}. ") for m in signs
            )

    def flattened(self, text: str) -> Iterator[Piece]:
        """ "Épanchement : non Pneumothorax : non": a value ends before the next label."""
        if ":" in text and self._has_flat.search(text):
            for m in self._flat.finditer(text):
                label = text[max(text.rfind(".", 0, m.start()), text.rfind("\n", 0, m.start())) + 1 : m.start()]
                if not (self._deny.match(m[2]) and self._anatomy.search(label)):  # "Plèvre : aucun épanchement Cœur :"
                    yield m.end(2), m.end(2), ". "

    def questions(self, text: str) -> Iterator[Piece]:
        """ "?pneumothorax": the sign stands before its word."""
        if "?" in text:
            yield from ((m.start(), m.end(), f" {self._possible} ") for m in _ASKS_BEFORE.finditer(text))

    def slashes(self, text: str) -> Iterator[Piece]:
        """ "X / Y" are cells; "X/Y" is a list and stays."""
        if "/" in text:
            for m in _SLASH.finditer(text):
                if not self._sought.search(text[max(0, m.start() - REACH) : m.start()]):
                    yield m.start(), m.end(), "."

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


def _any(patterns: Iterable[str]) -> str:
    """Return alternatives as one pattern; a blank stands for any number of them, or for a line end."""
    return "|".join(pattern.replace(" ", r"\s+") for pattern in patterns)


def _after_title(head: str) -> int:
    """Return where a row's label begins in its first cell: behind a title ("RAPPORT : …") or a sentence, else at 0."""
    behind = max(head.rfind(":") + 1, head.rfind(". ") + 1)
    return behind if head[behind:].strip() else 0


def _is_value(text: str, box: re.Match[str]) -> bool:
    """Say whether a box is the value behind a colon: "Pneumothorax : ☐", then a line end or another label."""
    if not text[max(0, box.start() - REACH) : box.start()].rstrip(" \t").endswith(":"):
        return False
    rest = text[box.end() : box.end() + REACH].partition("\n")[0]
    following = _BOXES.search(rest)
    between = (rest[: following.start()] if following else rest).strip()
    return not between or between[0] in ".;,/|" or (following is not None and between.endswith(":"))


def _starts_line(text: str, at: int) -> bool:
    return not text[text.rfind("\n", 0, at) + 1 : at].strip()


def _is_ticked(box: str) -> bool:
    return box[0] in _TICKED or any(sign in box for sign in "xX✓✔")


def _ends_value(text: str, at: int) -> bool:
    """Say whether a dash behind a colon is a value and no bullet: its line ends there or goes on with a label."""
    rest = text[at : text.find("\n", at) if "\n" in text[at:] else len(text)]
    return not rest.strip() or rest.lstrip()[0] in ",;|/.)" or ":" in rest
