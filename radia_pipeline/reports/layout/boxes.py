"""Boxes: empty or ticked, before their items or behind them, options of a form.

Belongs here: "☐", "[x]", "( )". Does not belong here: signs in brackets (``values``), cells (``cells``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from radia_pipeline.reports.language import Signs
from radia_pipeline.reports.layout.pieces import REACH, Piece, any_of

EMPTY, TICKED = "☐", "☒☑🗹⊠✗✘"
CHECKED, CROSSED = "✓✔", "✗✘"
"""Beside one another the first answers yes and the second no; alone, each is a box that is ticked."""
SQUARES = "□▢◻"
"""Bullets, unless a box of the same text is ticked."""
_BREAK = re.compile(r"[.;][^\S\n]+|[.;]$|[^\S\n]/(?:[^\S\n]|$)")
"""Between two statements of one line."""
BOX = rf"(?:[{EMPTY}{SQUARES}{TICKED}]|\[\s*[xX✓✔]?\s*\]|\(\s*[xX•●✓✔]\s*\)|\(\s+\))"
_BOXES = re.compile(BOX)
_HAS_BOX = re.compile(rf"[{EMPTY}{TICKED}]|\[\s*[xX]?\s*\]|\(\s*[xX•●✓✔]\s*\)")
_CROSS = re.compile(rf"\[\s*([{CHECKED}{CROSSED}])\s*\]|\(\s*([{CHECKED}{CROSSED}])\s*\)|([{CHECKED}{CROSSED}])")
_LINE = re.compile(r"[^\n]+")
_CELL = re.compile(r"[^|\t\n]+")
_ITEM = re.compile(r"[^\S\n]*\w[^\n☐☒☑🗹⊠✗✘□▢◻\[(:;.|,]*(?=\Z|\n)")
"""All that a line has behind its last box, where it is nothing but nouns."""
_STROKE = re.compile(r"[^\S\n]+/[^\S\n]+(?=[^\W\d_])")
_OPTIONS = re.compile(rf"(?m)(?<=:)[^\S\n]*(?={BOX})(?:(?!\.\s)[^\n;/:])*")
_WORD = re.compile(r"[^\S\n]*\w+")
"""The least that an option behind its box says."""
_GAP = re.compile(r"(?<=\w)[^\S\n]{2,}(?=\w)")
"""What parts an option from the next label on its line."""


class Boxes:
    """Rewrites boxes as the words of one language."""

    def __init__(self, signs: Signs) -> None:
        self._no, self._yes, self._unknown = signs.denial, signs.affirmation, signs.unknown
        self._absent, self._present = signs.absence_of, signs.presence_of
        values = (*signs.yes_values, *signs.no_values, *signs.verdicts)
        words = "|".join(value for value in values if value[0].isalpha())
        self._titled = re.compile(rf"(?im)^[^\S\n]*(?:{any_of(signs.titles)})(?=[^\S\n]+{BOX})")
        denies_more = rf"(?:{any_of(signs.determiners)})[^\S\n]+\w"  # "☑ Pas de pneumothorax"
        self._ticked_value = re.compile(rf"(?i)({BOX})[^\S\n]*(?!{denies_more})({words})\b")
        self._title = re.compile(rf"(?i)(?:{any_of(signs.titles)})\s*:\s*\Z")
        self._verdict = re.compile(rf"(?i)(?:{any_of(signs.verdicts)})")
        self._joint = re.compile(rf"(?i)(?<!\w)(?:{any_of(signs.joints)})\s*\Z")
        self._is_no = re.compile(rf"(?i)(?:{any_of(value for value in signs.no_values if value[0].isalpha())})")
        self._value_ticked = re.compile(rf"(?i)(?:(?<=[\s:])|^)({words})[^\S\n]*({BOX})")

    def crosses(self, text: str) -> Iterator[Piece]:
        """ "✓ Cardiomégalie ✗ Épanchement": ticked and not."""
        if not any(sign in text for sign in CHECKED) or not any(sign in text for sign in CROSSED):
            return
        for m in _CROSS.finditer(text):
            yield m.start(), m.end(), TICKED[0] if (m[1] or m[2] or m[3]) in CHECKED else EMPTY

    def titles(self, text: str) -> Iterator[Piece]:
        """ "Résultat ☒ normal ☐ anormal": a title whose colon was not typed."""
        if _HAS_BOX.search(text):
            yield from ((m.end(), m.end(), " :") for m in self._titled.finditer(text))

    def options(self, text: str) -> Iterator[Piece]:
        """ "☐ oui ☒ non": what is ticked is the value."""
        if not _HAS_BOX.search(text):
            return
        taken: list[tuple[int, int]] = []
        yield from self._boxes_behind(text, taken)
        yield from self._options_in_cells(text, taken)
        yield from self._one_of_several(text, taken)
        for m in self._ticked_value.finditer(text):
            if any(start <= m.start() < end for start, end in taken):
                continue
            if is_ticked(m[1]):
                yield m.start(1), m.end(1), ":"
            else:
                yield m.start(), m.end(), " "

    def _boxes_behind(self, text: str, taken: list[tuple[int, int]]) -> Iterator[Piece]:
        """ "Oui ( ) Non (X)"."""
        for row in _LINE.finditer(text):
            behind, first = self._value_ticked.search(row[0]), _BOXES.search(row[0])
            is_noun = behind and self._verdict.fullmatch(behind[1]) and row[0][: behind.start()].rstrip()[-1:].isalnum()
            if behind and first and behind.start(2) == first.start() and not is_noun:  # "densité anormale ☐"
                taken.append(row.span())
                heads = self._heads(row[0][: behind.start()], row[0][behind.end() :])
                for m in self._value_ticked.finditer(text, *row.span()):
                    if heads and is_ticked(m[2]):
                        yield m.start(), m.end(), self._absent if self._is_no.fullmatch(m[1]) else self._present
                    else:
                        yield (m.start(2), m.end(2), " ") if is_ticked(m[2]) else (m.start(), m.end(), " ")

    def _options_in_cells(self, text: str, taken: list[tuple[int, int]]) -> Iterator[Piece]:
        """ "Pneumothorax | ☐ Oui | ☒ Non": a cell for each option."""
        for row in _LINE.finditer(text) if "|" in text or "\t" in text else ():
            label, *cells = (m for m in _CELL.finditer(text, *row.span()) if m[0].strip())
            options = [self._ticked_value.fullmatch(m[0].strip()) for m in cells]
            if len(options) > 1 and all(options) and not _BOXES.search(label[0]):
                taken.append(row.span())
                ticked = [m[2] for m in options if m is not None and is_ticked(m[1])]
                word = ticked[0] if len(ticked) == 1 else self._unknown
                yield label.end() - (len(label[0]) - len(label[0].rstrip())), row.end(), f" : {word}."

    def _heads(self, before: str, behind: str) -> bool:
        """ "OUI ☐ NON ☒ pneumothorax": nothing but a title or a sentence stands before, an item behind."""
        begins = not any(map(str.isalnum, before)) or before.rstrip().endswith(".") or self._title.search(before)
        return bool(begins) and any(map(str.isalpha, _BOXES.split(behind)[-1]))

    def _one_of_several(self, text: str, taken: list[tuple[int, int]]) -> Iterator[Piece]:
        """ "☒ oui ☐ non ☐ indéterminé": of all options what is ticked stays."""
        for options in _OPTIONS.finditer(text):
            line, at = options[0], options.start()
            if any(start <= at < end for start, end in taken):
                continue
            boxes = list(_BOXES.finditer(line))
            if len(boxes) > 1 and self._ticked_value.search(line):
                last = len(line)
                behind = text[options.end() : options.end() + 1]
                if behind == ":" or (behind == "\n" and self._joint.search(line)):  # the next label follows, or wraps
                    last = self._end_of_option(line, boxes[-1])
                ends = [*(box.start() for box in boxes[1:]), last]
                taken.append((at, at + last))
                for box, end in zip(boxes, ends, strict=True):
                    yield at + box.start(), at + (box.end() if is_ticked(box[0]) else end), " "
                if last < len(line):
                    yield at + last, at + last, ". "

    def _end_of_option(self, line: str, box: re.Match[str]) -> int:
        """Return where the words of a line's last option end and a label begins: "☐ absent   Consolidation"."""
        gap, value = _GAP.search(line, box.end() + 1), self._ticked_value.match(line, box.start())
        word = value or _WORD.match(line, box.end())
        return min((m.start() if m is gap else m.end() for m in (gap, word) if m is not None), default=len(line))

    def boxes(self, text: str) -> Iterator[Piece]:
        """Boxes before their items, or behind them where a line begins with an item."""
        if not _HAS_BOX.search(text):
            return
        ticked = any(map(is_ticked, _BOXES.findall(text)))
        before, behind = -1, False
        for m in _BOXES.finditer(text):
            reach = max(0, m.start() - REACH)
            line = text[max(text.rfind("\n", reach, m.start()) + 1, reach) : m.start()]
            wraps = before >= 0 and self._goes_on(text[before : m.start()], behind)
            if before < 0 or ("\n" in text[before : m.start()] and not wraps):
                behind = _stands_behind(text, m, line)  # the first box of a line tells for all
            label_end = before + len(text[before : m.start()].rstrip()) if wraps and behind else m.start()
            before = m.end()
            if m[0] in SQUARES and not ticked:
                continue
            if behind or _is_value(text, m):
                yield label_end, m.end(), f" : {self._yes if is_ticked(m[0]) else self._no}. "
                continue
            start = m.start() - (len(line) - len(line.rstrip()))
            if line.strip():
                yield start, m.start(), ". " if not line.rstrip().endswith(":") else " "
            word = self._present if is_ticked(m[0]) else self._absent
            yield m.start(), m.end(), word
            item = _ITEM.match(text, m.end(), m.end() + REACH)
            for stroke in _STROKE.finditer(text, *item.span()) if item else ():
                yield stroke.start(), stroke.end(), f". {word} "  # "☐ nodule / masse": a box for both

    def _goes_on(self, between: str, behind: bool) -> bool:
        """Say whether a line of boxes goes on in the next: its last item has no box there, its last box no item, or its
        last word wants another.

        ``between``: from one box to the next; ``behind``: boxes stand behind their items.
        """
        first, end, rest = between.partition("\n")
        if not end or "\n" in rest:
            return False
        if behind:
            return any(map(str.isalpha, first)) and not rest.strip() and first.rstrip()[-1] not in ".;:"
        return (not first.strip() or self._joint.search(first) is not None) and any(map(str.isalpha, rest))


def _stands_behind(text: str, first: re.Match[str], line: str) -> bool:
    """Say whether the first box of a line stands behind its item; ``line``: what stands before it there."""
    before = line.strip(" \t-•.")
    before = _BREAK.split(before)[-1] if first.start() else before
    if not any(map(str.isalpha, before)) or before.endswith(":"):
        return False
    return not text[max(0, first.start() - REACH) : first.start()].rstrip().endswith(".")


def _is_value(text: str, box: re.Match[str]) -> bool:
    """Say whether a box is the value behind a colon: "Pneumothorax : ☐", then a line end or another label."""
    if not text[max(0, box.start() - REACH) : box.start()].rstrip(" \t").endswith(":"):
        return False
    rest = text[box.end() : box.end() + REACH].partition("\n")[0]
    following = _BOXES.search(rest)
    between = (rest[: following.start()] if following else rest).strip()
    return not between or between[0] in ".;,/|" or (following is not None and between.endswith(":"))


def is_ticked(box: str) -> bool:
    """Say whether a box is ticked."""
    return box[0] in TICKED or any(sign in box for sign in "xX✓✔•●")
