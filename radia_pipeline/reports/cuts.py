"""Words in two pieces: cut by a hyphen at a line end, or by a blank where dictation heard two words.

Belongs here: putting a word together that the rulebook knows. Does not belong here: misspelt words (``typos``).
"""

from __future__ import annotations

import re

from radia_pipeline.reports.edits import Changed, change
from radia_pipeline.reports.kinds import kinds
from radia_pipeline.reports.rules import Rulebook
from radia_pipeline.reports.words import NEWLINE, NUMBERS, SPACE, UNKNOWN

_CUT = re.compile(r"([^\W\d_]{2,})-[^\S\n]*\n\s*([^\W\d_]{2,})|([^\W\d_]{3,})-[^\S\n]+([^\W\d_]{3,})")
_BLANK = frozenset((SPACE, NEWLINE))
_WHOLE = kinds("of article and or nor finding fixed_finding other excluded anatomy")
"""A half of one of these is a word of its own: "hyperinflation de compensation", "atélectasie sus-jacente"."""


def join_cut_words(text: str, book: Rulebook) -> Changed:
    """Join words cut at a line end: without the hyphen when that is a known word, else a compound with it."""
    pieces = []
    for match in _CUT.finditer(text):
        left = 1 if match.group(1) else 3
        if book.table.knows(match.group(left) + match.group(left + 1)):
            pieces.append((match.end(left), match.start(left + 1), ""))
        elif left == 1 and _goes_on(match[1], match[2], book):
            pieces.append((match.end(1), match.start(2), "-"))
    return change(text, pieces)


def _goes_on(left: str, right: str, book: Rulebook) -> bool:
    """Say whether a word goes on behind a hyphen at a line end; in capitals, where its first half is none or a small
    word stands at the hyphen ("CULS-DE-SAC")."""
    if right[0].islower() or book.table[right] in book.tree.get(book.table[left], ()):
        return True  # "CŒUR-⏎MÉDIASTIN"
    if not (left.isupper() and right.isupper()):
        return False
    inside = book.table[left] in book.words.joiners or book.table[right] in book.words.of
    return inside or not book.table.knows(left)


def join_split_words(parts: list[str], symbols: list[int], book: Rulebook) -> None:
    """Join two tokens that a blank parts and of which one is unknown, where together they are a word: "pneumo nie"."""
    at = 0
    try:
        while True:
            at = symbols.index(UNKNOWN, at)
            if at & 1 and (
                (symbols[at - 1] in _BLANK and _joins(parts, symbols, at - 2, book))
                or (symbols[at + 1] in _BLANK and _joins(parts, symbols, at, book))
            ):
                continue
            at += 1
    except ValueError:
        return  # no unknown token is left


def _joins(parts: list[str], symbols: list[int], at: int, book: Rulebook) -> bool:
    """Join the tokens at ``at`` and behind the blank there, where they are a word; say whether they were."""
    if at < 1 or at + 2 >= len(symbols):
        return False
    first, second = symbols[at], symbols[at + 2]
    if first in NUMBERS or second in NUMBERS:
        return False
    left, right = parts[at], parts[at + 2]
    if left[0].isdigit() or right[0].isdigit() or not parts[at + 1].isspace():
        return False
    known = second if first == UNKNOWN else first
    stands_alone = len(left) < 2 or len(right) < 2 or (known != UNKNOWN and book.kind_of(known) in _WHOLE)
    symbol = book.table.joined(left, right, stands_alone)
    if symbol == UNKNOWN:
        return False
    parts[at : at + 3] = [left + parts[at + 1] + right]
    symbols[at : at + 3] = [symbol]
    return True
