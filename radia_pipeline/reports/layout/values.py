"""Signs that answer: "(-)", ": +", "= 0", "(?)", "+/-", a lone minus behind an item of a list.

Belongs here: plus, minus and nought. Does not belong here: boxes (``boxes``), words that answer (the rules).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from radia_pipeline.reports.language import Signs
from radia_pipeline.reports.layout.pieces import REACH, Piece, any_of, matched, starts
from radia_pipeline.reports.words import BULLETS

_SIGN = re.compile(
    r"[^\S\n]*\(\s*(?P<sign>[-–−]+|\++|[0øØ∅])\s*\)|[^\S\n]*[:=][^\S\n]*(?P<value>[-–−—]|\++|0|[øØ∅])(?=[^\S\n]*(?:$|[\n;|/()]|[,.](?!\d))|[^\S\n]+[^\W\d])",
    re.M,
)
_PLUS_MINUS = re.compile(r"\+\s?/\s?[-–−]|±")
_SIGNED = re.compile(r"[^\W\d_][^;.,()]{2,45}")
"""What a lone sign behind it may answer: "Masse - Nodule +"."""
_HEAD = re.compile(rf"[{BULLETS}#\s]*(?:\d{{1,2}}[.)-][^\S\n]*)?")
_LONE_SIGN = re.compile(r"(?<=\w)[^\S\n]+([-–−+])(?=[^\S\n]|$)")
_PIECE = re.compile(r"[^\n.]+")
_PREFIXES = re.compile(
    rf"(?m)(?:^|:|[.;/](?=[^\S\n]))[^\S\n]*(?:(?:[{BULLETS}#o]|\d{{1,2}}[.)])[^\S\n]+)?(?=\(\s*(?:[-–−+?øØ∅]|\+\+)\s*\)[^\S\n]*\w)[^\n]*"
)
_PREFIX = re.compile(r"[^\S\n]*\(\s*([-–−+?øØ∅])\+?\s*\)[^\S\n]*(?=\w)")
_ARROWS = re.compile(r"[→⇒➔>]")
_LIKELIER = re.compile(r"(?<=\w)[^\S\n]+>{1,3}[^\S\n]+(?=[^\W\d_])|(?<=[^\W\d_]{4})>{1,3}(?=[^\W\d_]{4})")
_LETTER = re.compile(r":[^\S\n]*([NOno])(?=[^\S\n]*(?:[;|,\n]|\Z|\([^()\n]*\)))")
_ROW = re.compile(r"[^\n]+")
_ENDS_IN_LETTER = re.compile(r"(?<=[^\W\d_])[ ]+[nNoO][ ]*(?:[,;.|\n]|\Z)")
_LONE_LETTER = re.compile(
    r"(?<=[^\W\d_])[ ]+(?:(?P<last>[nNoO])(?=[ ]*(?:[,;.|]|\Z))|(?P<inner>[nNoO])(?=[ ]+[^\W\d_]{2}))"
)
_LABEL = re.compile(r"[^:.;|]*:")
"""What goes on with a label: neither a cell nor a sentence ends before its colon."""
_VALUE_SIGNS = re.compile(r"[+\-–−—0øØ∅±]")


class Values:
    """Rewrites signs that answer as the words of one language."""

    def __init__(self, signs: Signs) -> None:
        self._no, self._yes, self._possible = signs.denial, signs.affirmation, signs.possible
        self._absent, self._present = signs.absence_of, signs.presence_of
        self._arrow = re.compile(
            rf"(?i)[^\S\n]*(?:→|⇒|➔|[-=–]?>)[^\S\n]*(?=(?:{any_of((*signs.values, *signs.described))})(?!\w))"
        )
        self._titled = re.compile(rf"(?i)(?:{starts(signs)})(?:{any_of(signs.titles)})[^\S\n]*\Z")
        self._alternative, self._unknown = signs.alternative, signs.unknown
        self._is_verb = re.compile(rf"(?i)[^\S\n]+(?:{any_of(signs.verbs)})(?!\w)")
        self._of_anatomy = re.compile(
            rf"(?i)(?<!\w)(?:{any_of(signs.anatomies)})(?!\w)(?:(?![^\S\n][nNO][^\S\n])[^.;,|\n])*\Z"
        )  # "cœur : taille N"
        self._is_anatomy = re.compile(rf"(?i)(?:{any_of(signs.anatomies)})[^\S\n]*\Z")

    def prefixes(self, text: str) -> Iterator[Piece]:
        """ "(+) emphysème (-) nodule (?) infiltrat": signs that stand before their items."""
        if "(" in text:
            for row in _PREFIXES.finditer(text):
                for m in _PREFIX.finditer(row[0]):
                    word = {"+": self._present, "?": self._possible}.get(m[1], self._absent)
                    yield row.start() + m.start(), row.start() + m.end(), f". {word} "

    def lone_letters(self, text: str) -> Iterator[Piece]:
        """ "Pneumothorax N. Épanchement O.", "PNO N foyer O": the same behind blanks; an "n" alone may mean more than
        one thing."""
        if not _ENDS_IN_LETTER.search(text):
            return
        found: list[re.Match[str]] = []
        for row in _ROW.finditer(text):
            letters = list(_LONE_LETTER.finditer(text, *row.span()))
            found += letters if letters and letters[-1]["last"] else ()
        found = [m for m in found if not self._of_anatomy.search(text, max(0, m.start() - REACH), m.start())]
        found = [m for m in found if not (m["inner"] and self._is_verb.match(text, m.end()))]  # "n est pas"
        is_coded = {(m["last"] or m["inner"]).upper() for m in found} == {"N", "O"}
        for m in found:
            said = (m["last"] or m["inner"]).upper()
            if is_coded or said != "O":
                word = {"O": self._yes, "N": self._no}[said] if is_coded else self._unknown
                yield m.start(), m.end(), f" : {word}{'' if m['last'] else '.'}"

    def letters(self, text: str) -> Iterator[Piece]:
        """ "PTX : N ; opacité : O (base D)": N is no and O yes where both stand, else neither is known."""
        if ":" not in text:
            return
        found = [
            m for m in _LETTER.finditer(text) if not self._is_anatomy.search(text, max(0, m.start() - REACH), m.start())
        ]
        is_coded = {m[1].upper() for m in found} == {"N", "O"}  # an O alone may be a nought
        for m in found:
            word = {"O": self._yes, "N": self._no}[m[1].upper()] if is_coded else self._unknown
            yield m.start(1), m.end(1), word

    def arrows(self, text: str) -> Iterator[Piece]:
        """ "Pneumothorax → absent": a value; "pneumonie > atélectasie": alternatives, the likelier first."""
        for m in self._arrow.finditer(text) if _ARROWS.search(text) else ():
            if text[: m.start()].rpartition("\n")[2].strip():
                yield m.start(), m.end(), " : "
        for m in _LIKELIER.finditer(text) if ">" in text else ():
            if not self._arrow.match(text, m.start()):
                yield m.start(), m.end(), f" {self._alternative} "

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
            if m["value"] and sign[0] != "+" and not self._ends_value(text, *m.span()):
                continue
            yield m.start(), m.end(), f" : {self._yes if sign[0] == '+' else self._no}. "

    def _signed(self, row: re.Match[str]) -> Iterator[Piece]:
        """ "Masse - Nodule +": a line of nothing but items with a sign behind each, one of them a plus."""
        line = row[0].rstrip(" .")
        head = matched(_HEAD.match(line, line.rfind(":") + 1)).end()
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

    def _ends_value(self, text: str, colon: int, at: int) -> bool:
        """Say whether a dash behind a colon is a value and no bullet: its line ends there or goes on with a label; what
        stands behind a title of the findings is none ("Rapport : Ø PNO")."""
        rest = text[at : text.find("\n", at) if "\n" in text[at:] else len(text)]
        if not rest.strip() or rest.lstrip()[0] in ",;|/.()":
            return True
        return _LABEL.match(rest) is not None and not self._titled.search(text, max(0, colon - REACH), colon)
