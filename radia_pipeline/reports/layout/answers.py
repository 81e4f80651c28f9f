"""Labels and values in a table that was flattened to one line: what stands in a cell, and what a value says.

Belongs here: one cell, one label, one value. Does not belong here: which value answers which label (``pairs``), boxes
before their items (``boxes``), a sign by itself (``values``).
"""

from __future__ import annotations

import re
import sys
from typing import NamedTuple

from radia_pipeline.reports.language import Signs
from radia_pipeline.reports.layout.boxes import BOX, is_ticked
from radia_pipeline.reports.layout.pieces import REACH, Anywhere, any_of, matched
from radia_pipeline.reports.words import BULLETS

_APART = re.compile(rf"[{BULLETS}\s;,/|.]*")
"""Between a value and the next label in one cell."""
_SIGN_NO, _SIGN_YES = r"\(\s*[-–−]\s*\)|\(\s*[0øØ∅]\s*\)|[-–−—0øØ∅]", r"\(\s*\++\s*\)|\++"
_TITLE = re.compile(r".*(?:[:|;\t]|\.\s)\s*", re.S)
_BLANK, _TRAILS = " \t\n\r|", " \t\n\r|;,/."
_TWO_SENTENCES = re.compile(r"[^\W\d_]{2}\.[^\S\n]+[^\W\d_]")
_LONGEST = 70
"""Characters of a label."""
_DASHES = frozenset("-–−—+")
"""Values that may be bullets."""
_HAS_SEPARATOR = re.compile(r"[\t|→⇒➔>=…:;/,_.–—-]")
"""One of these stands in every text in which a value stands beside a separator."""
_PARTED = re.compile(r"[=>→⇒:…]")
Place = tuple[int, int]
Pair = tuple[Place, Place]
"""(label, value)."""


class Cell(NamedTuple):
    """What stands between two separators.

    ``leads``: a value at its start, ``rest``: the label behind it; ``ends``: a value at its end, ``front``: the label
    before it; ``whole``: all of it. ``leads`` is ``whole`` where it is nothing but a value.
    """

    whole: Place
    leads: Place | None
    rest: Place | None
    ends: Place | None
    front: Place | None

    def is_value(self) -> bool:
        return self.leads == self.whole


class Answers:
    """Tells labels and values of one language's texts apart."""

    def __init__(self, signs: Signs) -> None:
        self._no, self._yes, self._unknown, self._possible = (
            signs.denial, signs.affirmation, signs.unknown, signs.possible,
        )  # fmt: skip
        no, yes = (
            any_of(value for value in values if value[0].isalpha()) for values in (signs.no_values, signs.yes_values)
        )
        verdicts = any_of(value for value in signs.values if len(value) > 1)
        said = (
            rf"(?P<open>{any_of(signs.open_values)})|(?P<box>{BOX})|(?P<no>(?:{no})|{_SIGN_NO})"
            rf"|(?P<yes>(?:{yes})|{_SIGN_YES})|(?P<verdict>{verdicts})"
            r"|(?P<letter>(?:[a-cefh-z]|\d(?![^\S\n]*(?:[cm]m\b|%)))(?=[\s|;:=>,…]|\.(?:\s|\.|\Z)|/(?=[^\W\d_]{2}|\s|\Z)|\Z))"
        )
        apart = r"(?=$|[\s;|/]|[.,:](?!\d)|[^\w'’.,:-])"
        self._leads = re.compile(rf"(?i)(?:{said}){apart}(?!\s+(?:{any_of(signs.complements)}))")
        self._ends = re.compile(rf"(?i)(?:(?<=[\s;,/|])|^)(?:{said.rpartition('|(?P<letter>')[0]}|(?-i:[NO]))\Z")
        words = rf"{any_of(signs.open_values)}|{no}|{yes}|\([-–−+0øØ]+\)|{BOX}|[0øØ∅]|\++|(?-i:[NO])"
        self._word = re.compile(rf"(?i)(?<=\s)(?:{words})(?=\s|\Z)(?!\s+(?:{any_of(signs.complements)}))")
        self._column = re.compile(rf"[^\S\n](?!\?)(?i:{words})\s*\Z")
        self._last_column = re.compile(
            rf"[^\S\n](?!\?)(?i:{words})\.?\s*\Z"
        )  # the last line of a table may end in a stop
        self._says_more = re.compile(rf"(?i)(?<!\w)(?:{any_of((*signs.doubts, *signs.predicates))})\Z")
        self._last = re.compile(
            rf"[^\S\n](?i:{words})[^\S\n]*(?:\.(?=\s|\Z)|[\n|;,/\t]|\Z|(?<=\s)(?i:{any_of(signs.signatures)}))"
        )
        self._first_word = re.compile(rf"(?i)(?:{no}|{yes})\s")
        self._negated = re.compile(rf"(?i)(?<![\w'’])(?:{any_of(signs.negated)})")
        self._denies = re.compile(rf"(?i)(?:{any_of(signs.denied_openings)})(?!\w)")
        self._determiner = re.compile(rf"(?i)(?<!\w)(?:{any_of(signs.determiners)})\Z")
        self._praises = re.compile(rf"(?i)(?:{any_of(signs.praises)})\Z")
        self._anatomy_last = re.compile(rf"(?i)(?<!\w)(?:{any_of(signs.anatomies)})\W*\Z")
        self._anatomy = re.compile(rf"(?i)\W*(?:{any_of(signs.anatomies)})\W*\Z")
        self._title = re.compile(rf"(?i)(?:{any_of(signs.titles)})\Z")
        self._side = re.compile(rf"(?i)(?:{any_of(signs.sides)})\Z")
        self._described = re.compile(rf"(?i)(?:{any_of(signs.described)})(?!\w)")
        self._doubts = re.compile(rf"(?i)(?:{any_of(signs.doubts)})\s*(?:,|\Z)")
        self._qualifies = re.compile(rf"(?i)(?:{any_of((*signs.qualities, *signs.participles))})\b")
        self._says_which = re.compile(rf"(?i)\s*(?:{any_of(signs.participles)})(?:\s+[-–—])?\s+\w")
        value = re.sub(r"[?]P<[a-z]+>", "?:", said)
        at = r"(?:[\t|→⇒➔>=…:;/,_]|\.\.|(?:^|\s)[-–—])"
        self._beside_sign = Anywhere(rf"{at}\s*(?:{value}){apart}|(?<!\w)(?:{value})\s*{at}")
        self._open = Anywhere(rf"(?:{any_of(signs.open_values)})(?:\W|\Z)")
        self._listed = re.compile(
            rf":[^\S\n]*(?i:{any_of((*signs.values, *signs.open_values))}|\w)[^\S\n]*[,:]|:[^\S\n]*[A-Z\d][^\S\n]"
        )
        bare = "|".join(map(re.escape, signs.bare_values))
        self._bare = re.compile(bare)
        self._between_commas = re.compile(
            rf",[^\S\n]*(?i:{any_of(signs.open_values)}|{no}|{yes}|[0øØ∅])[^\S\n]*(?=[,.\n]|\Z)"
        )

    def may_hold(self, text: str) -> bool:
        """Say whether a text of letters, commas and stops holds several values that may stand alone."""
        if "Ø" in text or (":" in text and self._listed.search(text) is not None):
            return True
        if self._bare.search(text) is not None and self._last.search(text) is not None:
            return True
        is_parted = " - " in text or "–" in text or "—" in text or self._between_commas.search(text) is not None
        return is_parted and self._is_told(text)

    def may_stand(self, text: str, place: Place) -> bool:
        """Say whether a value stands in a line as in a table."""
        return self._is_told(text, *place) or self._last.search(text, *place) is not None

    def has_values(self, text: str) -> bool:
        """Say whether a text holds values, whatever signs it has."""
        return self._is_told(text) or self.may_hold(text)

    def _is_told(self, text: str, start: int = 0, end: int = sys.maxsize) -> bool:
        """Say whether a value stands beside a separator, or one that is open anywhere."""
        has_sign = _HAS_SEPARATOR.search(text, start, end) is not None
        return (has_sign and self._beside_sign.is_in(text, start, end)) or self._open.is_in(text, start, end)

    def begins(self, said: str) -> bool:
        """Say whether a line begins with a value."""
        return self._leads.match(said) is not None

    def cells(self, text: str, place: Place, separator: re.Pattern[str]) -> list[Cell]:
        cuts = [(m.start(), m.end()) for m in separator.finditer(text, *place)]
        starts, ends = [place[0], *(b for _, b in cuts)], [*(a for a, _ in cuts), place[1]]
        return [cell for a, b in zip(starts, ends, strict=True) if (cell := self._cell(text, a, b)) is not None]

    def _cell(self, text: str, start: int, end: int) -> Cell | None:
        whole = trimmed(text, start, end)
        if whole[0] >= whole[1]:
            return None
        start, end = whole
        leads = rest = ends = front = None
        if m := self._leads.match(text, start, end):
            behind = trimmed(text, matched(_APART.match(text, m.end(), end)).end(), end)
            leads, rest = (m.start(), m.end()), behind if behind[0] < behind[1] else None
            if rest is None:
                return Cell(whole, whole, None, None, None)
            if not text[rest[0]].isalnum() or self.says_kind(text, leads, end):
                leads = rest = None
        if (m := self._ends.search(text, start, end)) and m.start() > start:
            ends, front = (m.start(), m.end()), trimmed(text, start, m.start())
            if not (text[front[1] - 1].isalnum() or text[front[1] - 1] in ")"):
                ends = front = None
        return Cell(whole, leads, rest, ends, front)

    def says_kind(self, text: str, value: Place, end: int) -> bool:
        """ "Nodule non calcifié épanchement non": which nodule it is, and no value, where another noun follows."""
        is_no = text[slice(*value)].lower() == self._no
        return is_no and self._says_which.match(text, value[1], end) is not None

    def kind(self, text: str, value: Place) -> tuple[str, str]:
        """Return (kind, word) of a value."""
        m = self._leads.match(text, *value)
        if m is None or m.end() != value[1]:
            return "other", text[slice(*value)]
        kind, said = str(m.lastgroup), m[0]
        if kind == "box":
            return kind, self._yes if is_ticked(said) else self._no
        if kind in ("no", "yes"):
            return kind, self._no if kind == "no" else self._yes
        if kind in ("open", "letter"):
            return kind, self._possible if said == "?" else said if said[0] in "+±" else self._unknown
        return kind, said

    def is_no_value(self, text: str, value: Place) -> bool:
        """Say whether what stands before a label may go with it: a determiner, a bullet, a lone letter."""
        said = text[slice(*value)]
        return said in _DASHES or self._determiner.match(said) is not None or self.kind(text, value)[0] == "letter"

    def is_label(self, text: str, label: Place) -> bool:
        said = text[slice(*label)]
        if not any(map(str.isalpha, said)) or len(said) > _LONGEST or self._denies.match(said.lstrip(BULLETS)):
            return False
        name, _, last = said.rpartition("|")
        value = self._leads.fullmatch(last.strip()) if name else None
        if self._negated.search(said) or value is not None:
            return False  # "je n'en vois pas", "| nodule | non | non |"
        return self._side.match(said) is None and self._title.match(said) is None

    def describes(self, text: str, cell: Cell) -> bool:
        """Say whether a cell tells where or how large something is, doubts it, or denies it in words of its own."""
        at, end = cell.whole
        if _PARTED.search(text, *cell.whole):
            return False  # "aucun = densité"
        if self._doubts.match(text, at, end):
            return True
        return self._described.match(text, at) is not None or self._denies.match(text, at) is not None

    def is_told(self, text: str, label: Place) -> bool:
        """Say whether what stands behind a value says where, or holds two sentences: no label."""
        return self._described.match(text, label[0]) is not None or _TWO_SENTENCES.search(text, *label) is not None

    def is_anatomy(self, text: str, label: Place) -> bool:
        return self._anatomy.match(text[self.after_title(text, label) : label[1]]) is not None

    def ends_with_anatomy(self, text: str, label: Place) -> bool:
        """Say whether an anatomy is the last that a label names: "pas d'épanchement cœur"."""
        return self._anatomy_last.search(text, *label) is not None

    def after_title(self, text: str, label: Place) -> int:
        title = _TITLE.match(text, *label)
        return title.end() if title and title.end() < label[1] else label[0]

    def has_signs(self, text: str, pairs: list[Pair]) -> bool:
        return all(text[slice(*value)] in _DASHES for _, value in pairs)

    def is_denied(self, text: str, label: Place) -> bool:
        """ "Aucune anomalie | à répéter": what stands behind a determiner in its cell is denied by it, and no label."""
        before = text[max(0, label[0] - REACH) : label[0]].rstrip()
        return self._determiner.search(before) is not None


def trimmed(text: str, start: int, end: int) -> Place:
    """Return a place without blanks at its ends, and without separators that end a row."""
    while start < end and text[start] in _BLANK:
        start += 1
    while end > start and text[end - 1] in _TRAILS:
        end -= 1
    return start, end


def bare(text: str, value: Place) -> Place:
    """Return a value without the stop behind it."""
    end = value[1]
    while end > value[0] + 1 and text[end - 1] in ".;, ":
        end -= 1
    return value[0], end
