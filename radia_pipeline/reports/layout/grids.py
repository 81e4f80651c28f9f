"""Tables that were flattened to one line: labels and values in turn, "PNO | non Foyer | non", "non / PNO / oui / OAP".

Belongs here: which value answers which label, whatever separates them. Does not belong here: rows of one label
(``cells``), marks under heads (``columns``), a value by itself (``values``), boxes before their items (``boxes``).

A line is cut at one separator; what stands between two cuts is a label, a value, or one behind the other. Where the
line begins with a label and ends with a value, values stand behind their labels; the other way round before them. A
value that is not understood, and each label of a line whose order cannot be told, is given ``Signs.unknown``, which the
reader lists as unread.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from radia_pipeline.reports.language import Signs
from radia_pipeline.reports.layout.boxes import BOX, is_ticked
from radia_pipeline.reports.layout.pieces import REACH, Piece, any_of
from radia_pipeline.reports.words import BULLETS

_TABULAR = tuple(
    map(
        re.compile,
        (
            r"\t+",
            r"\|+",
            r"→|⇒|➔|[-=–]?>",
            r"=",
            r"…+|\.{3,}|(?<=\s)\.\.(?=\s)|_{2,}",
            r":",
            r";",
            r"(?<!\b[A-Za-z])/|/(?![A-Za-z]\b)",
        ),
    )
)
"""Separators of cells, the surest first; the stroke of "n/a" is none."""
_COLON = 5
_LOOSE = (re.compile(r"(?<=\s)[-–—](?=\s|\Z)"), re.compile(r",(?!\d)"))
"""Separators that prose has too: a line of them is a table only where every other piece is a value."""
_APART = re.compile(rf"[{BULLETS}\s;,/|.]*")
"""Between a value and the next label in one cell."""
_SIGN_NO, _SIGN_YES = r"\(\s*[-–−]\s*\)|\(\s*[0øØ∅]\s*\)|[-–−—0øØ∅]", r"\(\s*\++\s*\)|\++"
_TITLE = re.compile(r".*(?:[:|;\t]|\.\s)\s*", re.S)
_BLANK, _TRAILS = " \t\n\r|", " \t\n\r|;,/."
_LONGEST = 70
"""Characters of a label."""
_DASHES = frozenset("-–−—+")
"""Values that may be bullets."""
_ITEM = re.compile(rf"\s*(?:(?:[{BULLETS}]|\(?\d{{1,2}}[.)-])\s+(?=[^\W\d_]))?")
"""A bullet or a number before the first label."""
_PARTED = re.compile(r"[=>→⇒:…]")
_NEXT_ITEM = re.compile(r"\s*[,;/]\s+(?=\w)")
_MARKS = re.compile(r"[:;,|()/?\n]")
_ABBREVIATED = 4
"""Characters of the longest value that is an abbreviation: "n/a", and no "à revoir"."""
_Place = tuple[int, int]


class _Cell(NamedTuple):
    """What stands between two separators.

    ``leads``: a value at its start, ``rest``: the label behind it; ``ends``: a value at its end, ``front``: the label
    before it; ``whole``: all of it. ``leads`` is ``whole`` where it is nothing but a value.
    """

    whole: _Place
    leads: _Place | None
    rest: _Place | None
    ends: _Place | None
    front: _Place | None

    def is_value(self) -> bool:
        return self.leads == self.whole


class Grids:
    """Rewrites flattened tables of one language's texts as labels, colons and values."""

    def __init__(self, signs: Signs) -> None:
        self._no, self._yes, self._unknown, self._normal = signs.denial, signs.affirmation, signs.unknown, signs.normal
        self._absent, self._present, self._possible = signs.absence_of, signs.presence_of, signs.possible
        no, yes = (
            any_of(value for value in values if value[0].isalpha()) for values in (signs.no_values, signs.yes_values)
        )
        verdicts = any_of(value for value in signs.values if len(value) > 1)
        said = (
            rf"(?P<open>{any_of(signs.open_values)})|(?P<box>{BOX})|(?P<no>(?:{no})|{_SIGN_NO})"
            rf"|(?P<yes>(?:{yes})|{_SIGN_YES})|(?P<verdict>{verdicts})"
            r"|(?P<letter>(?:[a-cefh-z]|\d)(?=[\s|;:=>,…]|\.(?:\s|\.|\Z)|/(?=[^\W\d_]{2}|\s|\Z)|\Z))"
        )
        apart = r"(?=$|[\s;|/]|[.,:](?!\d)|[^\w'’.,:-])"
        self._leads = re.compile(rf"(?i)(?:{said}){apart}(?!\s+(?:{any_of(signs.complements)}))")
        self._ends = re.compile(rf"(?i)(?:(?<=[\s;,/|])|^)(?:{said.rpartition('|(?P<letter>')[0]}|(?-i:[NO]))\Z")
        words = rf"{any_of(signs.open_values)}|{no}|{yes}|\([-–−+0øØ]+\)|{BOX}|[0øØ∅]|(?-i:[NO])"
        self._word = re.compile(rf"(?i)(?<=\s)(?:{words})(?=\s|\Z)(?!\s+(?:{any_of(signs.complements)}))")
        self._column = re.compile(rf"[^\S\n](?i:{words})\s*\Z")
        self._last = re.compile(rf"[^\S\n](?i:{words})[^\S\n]*(?:\.(?=\s|\Z)|[\n|;,/\t]|\Z)")
        self._first_word = re.compile(rf"(?i)(?:{no}|{yes})\s")
        self._denies = re.compile(rf"(?i)(?:{any_of(signs.denied_openings)})(?!\w)")
        self._determiner = re.compile(rf"(?i)(?<!\w)(?:{any_of(signs.determiners)})\Z")
        self._anatomy = re.compile(rf"(?i)\W*(?:{'|'.join(signs.anatomies)})\W*\Z")
        self._title = re.compile(rf"(?i)(?:{any_of(signs.titles)})\Z")
        self._goes_on = re.compile(rf"(?i)\|[^|\n]*(?:,|\s(?:{any_of(signs.joints)}))\s*\Z")
        self._side = re.compile(rf"(?i)(?:{any_of(signs.sides)})\Z")
        self._described = re.compile(rf"(?i)(?:{any_of(signs.described)})(?!\w)")
        self._qualifies = re.compile(rf"(?i)(?:{any_of(signs.qualities)})\b")
        value = re.sub(r"[?]P<[a-z]+>", "?:", said)
        at = r"(?:[\t|→⇒➔>=…:;/,_]|\.\.|(?:^|\s)[-–—])"
        self._at = re.compile(
            rf"(?i){at}\s*(?:{value}){apart}|(?<!\w)(?:{value})\s*{at}|(?:{any_of(signs.open_values)})(?:\W|\Z)"
        )
        header = rf"(?:{any_of(signs.headers)})"
        self._head = re.compile(
            rf"(?i)\s*(?:(?:{any_of(signs.titles)})\s*:\s*)?"
            rf"(?P<header>{header}\s*[|;,\t/:>=]\s*{header}(?:\s*[|;,\t/:>=]\s*{header}(?=\s*[|;\t/:>=]))?"
            r"(?:\s*[|;\t/:>=]|\s|$)\s*)?"
        )
        self._stop = re.compile(
            r"(?<=[\w)\]☐☒☑+-])"
            + "".join(rf"(?<!\b{word})" for word in signs.referring)
            + r"\.(?=[^\S\n]+[^\W\d_]|[^\S\n]*[☐☒☑(\[])"
        )
        self._listed = re.compile(
            rf":[^\S\n]*(?i:{any_of((*signs.values, *signs.open_values))}|\w)[^\S\n]*[,:]|:[^\S\n]*[A-Z\d][^\S\n]"
        )
        self._bare = signs.bare_values

    def may_hold(self, text: str) -> bool:
        """Say whether a text of letters, commas and stops holds several values that may stand alone."""
        if "Ø" in text or (":" in text and self._listed.search(text) is not None):
            return True
        for bare in self._bare:
            if bare in text:
                if self._last.search(text) is not None:
                    return True
                break
        is_parted = " - " in text or "–" in text or "—" in text or any(f",{bare}" in text for bare in self._bare)
        return is_parted and self._at.search(text) is not None

    def grids(self, text: str) -> Iterator[Piece]:
        """Say each value behind its label."""
        if self._at.search(text) is None and not self.may_hold(text):
            return
        start, size = 0, len(text)
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
                    start = wrapped[1] + 1
                    continue
            at = start
            for stop in (*(m.start() for m in self._stop.finditer(text, start, end)), end):
                yield from self._table(text, (at, stop))
                at = stop + 1
            start = end + 1

    def _is_open(self, text: str, line: _Place, wrapped: _Place) -> bool:
        """Say whether a row goes on in the next line: one of both does not stand alone."""
        rest = text[line[1] + 1 : wrapped[1]].strip()
        if not rest or not text[slice(*line)].strip():
            return False
        begins = self._leads.match(rest) is not None or not (rest[0].isalnum() or rest[0] in BULLETS)
        return begins or not (text[slice(*line)].rstrip()[-1].isalnum() or text[slice(*line)].rstrip()[-1] in ".)")

    # ------------------------------------------------------------------ one table
    def _table(self, text: str, place: _Place, *, needs_all: bool = False) -> list[Piece]:
        """Return the pieces of a line that is a table; none for other lines."""
        if not self._at.search(text, *place) and not self._last.search(text, *place):
            return []
        head = self._head.match(text, *place)
        pieces = self._pairs_of(text, (_ITEM.match(text, head.end(), place[1]).end(), place[1]), needs_all=needs_all)
        return [(*head.span("header"), ""), *pieces] if pieces and head["header"] else pieces

    def _pairs_of(self, text: str, place: _Place, *, needs_all: bool) -> list[Piece]:
        told: list[list[_Cell]] = []
        for number, separator in enumerate((*_TABULAR, *_LOOSE)):
            if not separator.search(text, *place):
                continue
            cells = self._cells(text, place, separator)
            is_loose, is_comma = number >= len(_TABULAR), number == len(_TABULAR) + 1
            pairs = self._label_first(text, cells, is_strict=is_loose or needs_all or number == _COLON)
            if pairs and (len(pairs) > 1 or self._is_pair(text, pairs, number == _COLON, is_comma)):
                return list(self._behind(text, pairs)) if not is_comma or self._answers(text, pairs) else []
            pairs = self._value_first(text, cells) if number != _COLON else []  # "Négatif : …" is a heading
            if (len(pairs) > 1 or self._is_first(text, pairs, number)) and not (
                is_loose and self._has_signs(text, pairs)
            ):
                return list(self._before(text, pairs))
            pairs = self._within(text, cells)
            if pairs:
                first = pairs[0][1][0] < pairs[0][0][0]
                return list(self._before(text, pairs) if first else self._behind(text, pairs))
            if not is_loose and number != _COLON:
                told.append(cells)
        if needs_all:
            return []
        pairs = self._of_blanks(text, place)
        if pairs:
            return list(self._behind(text, pairs))
        for cells in told:
            if any(self._describes(text, cell) or self._side.match(text[slice(*cell.whole)]) for cell in cells):
                continue
            if sum(cell.is_value() for cell in cells) > 1 and sum(not cell.is_value() for cell in cells) > 1:
                return list(self._untold(text, cells))
        return []

    def _cells(self, text: str, place: _Place, separator: re.Pattern[str]) -> list[_Cell]:
        cuts = [(m.start(), m.end()) for m in separator.finditer(text, *place)]
        starts, ends = [place[0], *(b for _, b in cuts)], [*(a for a, _ in cuts), place[1]]
        return [cell for a, b in zip(starts, ends, strict=True) if (cell := self._cell(text, a, b)) is not None]

    def _cell(self, text: str, start: int, end: int) -> _Cell | None:
        whole = _trimmed(text, start, end)
        if whole[0] >= whole[1]:
            return None
        start, end = whole
        leads = rest = ends = front = None
        if m := self._leads.match(text, start, end):
            behind = _trimmed(text, _APART.match(text, m.end(), end).end(), end)
            leads, rest = (m.start(), m.end()), behind if behind[0] < behind[1] else None
            if rest is None:
                return _Cell(whole, whole, None, None, None)
            if not text[rest[0]].isalnum():
                leads = rest = None
        if (m := self._ends.search(text, start, end)) and m.start() > start:
            ends, front = (m.start(), m.end()), _trimmed(text, start, m.start())
            if not (text[front[1] - 1].isalnum() or text[front[1] - 1] in ")"):
                ends = front = None
        return _Cell(whole, leads, rest, ends, front)

    def _label_first(self, text: str, cells: list[_Cell], *, is_strict: bool) -> list[tuple[_Place, _Place]]:
        """Return (label, value) where values stand behind labels; [] for another order.

        ``is_strict``: nothing but known values may stand where one is expected.
        """
        pairs: list[tuple[_Place, _Place]] = []
        label: _Place | None = None
        titles = 0
        for k, cell in enumerate(cells):
            if label is None:
                if cell.is_value() or cell.ends or cell.leads or (k and self._describes(text, cell)):
                    return []
                label = cell.whole
            elif cell.is_value():
                pairs.append((label, _bare(text, cell.whole)))
                label = None
            elif cell.leads and not (
                self._determiner.match(text[slice(*cell.leads)]) and self._is_anatomy(text, label)
            ):
                pairs.append((label, cell.leads))
                label = cell.rest
            elif k + 1 < len(cells) and cells[k + 1].leads and not cell.ends and not pairs:
                label, titles = cell.whole, titles + 1  # what stood before is a title
            elif is_strict or cell.ends or not self._describes(text, cell) or self._is_denied(text, label):
                return []
            else:
                pairs.append((label, cell.whole))
                label = None
        if label is not None:
            return []
        if titles and len(pairs) < 2:
            return []
        pairs[:1] = [((self._after_title(text, label), label[1]), value) for label, value in pairs[:1]]
        return pairs if all(self._is_label(text, label) for label, _ in pairs) else []

    def _is_denied(self, text: str, label: _Place) -> bool:
        """ "Aucune anomalie | à répéter": what stands behind a determiner in its cell is denied by it, and no label."""
        before = text[max(0, label[0] - REACH) : label[0]].rstrip()
        return self._determiner.search(before) is not None

    def _value_first(self, text: str, cells: list[_Cell]) -> list[tuple[_Place, _Place]]:
        """Return (label, value) where values stand before labels; [] for another order."""
        pairs: list[tuple[_Place, _Place]] = []
        value: _Place | None = None
        for k, cell in enumerate(cells):
            if value is None:
                if not cell.is_value() or k + 1 == len(cells):
                    return []
                value = _bare(text, cell.whole)
            elif cell.is_value() or cell.leads:
                return []
            else:
                pairs.append((cell.front or cell.whole, value))
                value = cell.ends
        is_told = value is None and all(self._is_label(text, label) for label, _ in pairs)
        return pairs if is_told and not any(self._kind(text, value)[0] == "verdict" for _, value in pairs) else []

    def _within(self, text: str, cells: list[_Cell]) -> list[tuple[_Place, _Place]]:
        """ "Pneumothorax non | condensation non", "non – pneumothorax ; oui – condensation": pairs within cells."""
        if len(cells) < 2 or any(cell.is_value() for cell in cells):
            return []
        behind = [(cell.front, cell.ends) for cell in cells if cell.ends]
        before = [(cell.rest, cell.leads) for cell in cells if cell.leads]
        pairs = behind if len(behind) == len(cells) else before
        if len(pairs) != len(cells) or all(text[a:b] in _DASHES for _, (a, b) in pairs):
            return []
        if pairs is before and any(self._is_no_value(text, value) for _, value in pairs):
            return []  # "aucun pneumothorax ; aucune condensation", "A noter :⏎- épanchement"
        if not all(self._is_label(text, label) for label, _ in pairs):
            return []
        is_told = self._answers(text, pairs) and not any(self._kind(text, value)[0] == "verdict" for _, value in pairs)
        return pairs if is_told else []

    def _is_no_value(self, text: str, value: _Place) -> bool:
        """Say whether what stands before a label may go with it: a determiner, a bullet, a lone letter."""
        said = text[slice(*value)]
        return said in _DASHES or self._determiner.match(said) is not None or self._kind(text, value)[0] == "letter"

    def _of_blanks(self, text: str, place: _Place) -> list[tuple[_Place, _Place]]:
        """ "Pneumothorax non condensation non": nothing but blanks between labels and values that are words."""
        start, end = _trimmed(text, *place)
        values = [(m.start(), m.end()) for m in self._word.finditer(text, start, end)]
        if (
            not values
            or values[-1][1] != end
            or (len(values) < 2 and not self._is_told_alone(text, values[0], place))
            or _MARKS.search(self._word.sub("", text[start:end]))
        ):
            return []
        labels = [
            _trimmed(text, a, b) for a, b in zip([start, *(b for _, b in values)], (a for a, _ in values), strict=False)
        ]
        if all(self._kind(text, value)[0] == "box" for value in values):
            return []
        if self._first_word.match(text, start) or not all(self._is_label(text, label) for label in labels):
            return []
        qualified = sum(
            text[slice(*value)].lower() == self._no and self._qualifies.match(text, label[0]) is not None
            for value, label in zip(values, labels[1:], strict=False)
        )
        if 2 * qualified > len(values) - 1:
            return []  # "opacité non calcifiée …"
        return list(zip(labels, values, strict=True))

    def _answers(self, text: str, pairs: list[tuple[_Place, _Place]]) -> bool:
        """Say whether one value at least is understood, or it is the only one."""
        kinds = {self._kind(text, value)[0] for _, value in pairs}
        return len(pairs) < 2 or kinds == {"open"} or not kinds.isdisjoint(("no", "yes", "box"))

    def _is_first(self, text: str, pairs: list[tuple[_Place, _Place]], separator: int) -> bool:
        """Say whether one value stands before its label as in a table; behind a dash a number is none."""
        if not pairs or separator in (_COLON, len(_TABULAR) + 1):
            return False
        return separator < len(_TABULAR) or self._kind(text, pairs[0][1])[0] != "letter"

    def _is_pair(self, text: str, pairs: list[tuple[_Place, _Place]], is_colon: bool, is_comma: bool) -> bool:
        """Say whether one label with one value is told as a table does."""
        value = pairs[0][1]
        kind, word = self._kind(text, value)
        if is_colon:
            return kind == "open" and word == self._unknown
        if is_comma and kind == "open":
            return value[1] - value[0] <= _ABBREVIATED or text[slice(*value)].lower().startswith(self._no)
        return kind in (("no", "yes", "box") if is_comma else ("no", "yes", "box", "open", "letter"))

    def _is_told_alone(self, text: str, value: _Place, place: _Place) -> bool:
        """ "Condensation Ø", "condensation aucune": where the reader would look for more behind the value."""
        said = text[slice(*value)]
        if said == "?":
            return False
        before = text[max(0, place[0] - REACH) : place[0]].rstrip().rpartition("\n")[2]
        behind = text[place[1] : place[1] + REACH].lstrip().partition("\n")[0]
        if self._column.search(before) or (self._column.search(behind) and not self._qualifies.match(behind)):
            return True  # lines with a value at their ends
        return (
            said in ("0", "N", "O", "Ø", "∅")
            or self._kind(text, value)[0] == "open"
            or self._determiner.match(said) is not None
        )

    def _is_label(self, text: str, label: _Place) -> bool:
        said = text[slice(*label)]
        if not any(map(str.isalpha, said)) or len(said) > _LONGEST or self._denies.match(said.lstrip(BULLETS)):
            return False
        return self._side.match(said) is None and self._title.match(said) is None

    def _describes(self, text: str, cell: _Cell) -> bool:
        """Say whether a cell tells where or how large something is, or denies it in words of its own."""
        at = cell.whole[0]
        if _PARTED.search(text, *cell.whole):
            return False  # "aucun = densité"
        return self._described.match(text, at) is not None or self._denies.match(text, at) is not None

    def _is_anatomy(self, text: str, label: _Place) -> bool:
        return self._anatomy.match(text[self._after_title(text, label) : label[1]]) is not None

    def _after_title(self, text: str, label: _Place) -> int:
        title = _TITLE.match(text, *label)
        return title.end() if title and title.end() < label[1] else label[0]

    def _has_signs(self, text: str, pairs: list[tuple[_Place, _Place]]) -> bool:
        return all(text[slice(*value)] in _DASHES for _, value in pairs)

    # ------------------------------------------------------------------ what is put in their place
    def _kind(self, text: str, value: _Place) -> tuple[str, str]:
        """Return (kind, word) of a value."""
        m = self._leads.match(text, *value)
        if m is None or m.end() != value[1]:
            return "other", text[slice(*value)]
        kind, said = m.lastgroup, m[0]
        if kind == "box":
            return kind, self._yes if is_ticked(said) else self._no
        if kind in ("no", "yes"):
            return kind, self._no if kind == "no" else self._yes
        if kind in ("open", "letter"):
            return kind, self._possible if said == "?" else said if said[0] in "+±" else self._unknown
        return kind, said

    def _behind(self, text: str, pairs: list[tuple[_Place, _Place]]) -> Iterator[Piece]:
        for k, (label, value) in enumerate(pairs):
            following = pairs[k + 1][0][0] if k + 1 < len(pairs) else None
            kind, word = self._kind(text, value)
            if kind == "letter" and text[value[0]] in "nN" and self._is_anatomy(text, label):
                word = self._normal
            yield label[1], value[0], " : "
            if word != text[slice(*value)]:
                yield value[0], value[1], word
            if following is not None:
                yield value[1], following, ". "
            elif text[value[1] : value[1] + 1] != ".":
                yield value[1], value[1], "."

    def _before(self, text: str, pairs: list[tuple[_Place, _Place]]) -> Iterator[Piece]:
        for k, (label, value) in enumerate(pairs):
            kind, word = self._kind(text, value)
            is_open = kind in ("open", "letter")
            word = self._unknown if is_open else word
            is_yes = kind == "yes" or (kind == "box" and word == self._yes)
            yield value[0], label[0], "" if is_open else f"{self._present if is_yes else self._absent} "
            if not is_open:  # each item of a list has the value
                for m in _NEXT_ITEM.finditer(text, *label):
                    yield m.start(), m.end(), f". {self._present if is_yes else self._absent} "
            following = pairs[k + 1][1][0] if k + 1 < len(pairs) else label[1]
            yield label[1], following, f" : {self._unknown}. " if is_open else ". "

    def _untold(self, text: str, cells: list[_Cell]) -> Iterator[Piece]:
        for k, cell in enumerate(cells):
            end = cells[k + 1].whole[0] if k + 1 < len(cells) else cell.whole[1]
            if cell.is_value():
                yield cell.whole[0], end, ""
                continue
            label = cell.rest or cell.front or cell.whole
            if label[0] > cell.whole[0]:
                yield cell.whole[0], label[0], ""
            yield label[1], end, f" : {self._unknown}. "


def _trimmed(text: str, start: int, end: int) -> _Place:
    """Return a place without blanks at its ends, and without separators that end a row."""
    while start < end and text[start] in _BLANK:
        start += 1
    while end > start and text[end - 1] in _TRAILS:
        end -= 1
    return start, end


def _bare(text: str, value: _Place) -> _Place:
    """Return a value without the stop behind it."""
    end = value[1]
    while end > value[0] + 1 and text[end - 1] in ".;, ":
        end -= 1
    return value[0], end
