"""Text that is burned into the pixels: which of it is a mark of the trade, which may name a person.

Belongs here: judging what was read. Does not belong here: reading (``reader``), the header's text (``header``). Marks
of the trade (L, R, PORTABLE, …) are allowed by exact list; what was read never leaves this module.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from radia_pipeline.errors import Refusal
from radia_pipeline.privacy import reasons
from radia_pipeline.privacy.letters import fold
from radia_pipeline.privacy.reader import Line, lines

FLOOR = 0.65
"""Confidence below which ribs and wires are read as letters; a strict site takes less."""
_SURER = 0.2
"""How much surer than a word a short one must be to be called initials: shadows are read as two letters."""
DATE, NUMBER, TEXT, INITIALS = "burned-in date", "burned-in number", "burned-in text", "initials"
_MOST_LETTERS = 4
"""Letters of a word that may be somebody's initials."""
_LEAST_DIGITS, _LEAST_DIGITS_OF_A_ROOM = 4, 3
_APART = 1.5
"""Letters a part, below which parts are letters apart and no words."""
_LEAST_LETTERS = 3
_ALIKE_LETTERS = str.maketrans("0158", "OISB")
_LETTERS = re.compile(r"[A-Z]")
_TOKEN = re.compile(r"[^\W_]+")
_DATE = re.compile(r"(?<!\d)(?:\d{1,2}[./\- ]\d{1,2}[./\- ]\d{2,4}|\d{4}[./\- ]\d{1,2}[./\- ]\d{1,2})(?!\d)")
_TIME = re.compile(r"(?<![\d:])[0-2]?\d[:hH][0-5]\d(?::[0-5]\d)?(?![\d:])")
_DIGITS = re.compile(r"\d")
_NEAR, _NEAR_IN_A_ROW = 2.0, 8.0
"""Heights of letters between two words that belong together, and between letters apart in one row."""
_ALIKE, _ALIGNED, _MOST_IN_A_PART = 1.6, 0.5, 3
"""How much higher one letter of a row may be than another, how many heights off its line, and letters of one part."""


@dataclass(frozen=True)
class Print:
    """What stands in the pixels: the rule that it breaks, None where it breaks none, and whether it may be initials."""

    rule: str | None = None
    has_initials: bool = False


def find_text(shown: np.ndarray, allowed: frozenset[str], floor: float = FLOOR) -> Print:
    """Read a picture and judge it; ``shown``: (H, W) in [0, 65535] at native size.

    Raises Refusal (unaudited_pixels) where the picture cannot be read: what nobody has looked at is not clean.
    """
    try:
        found = lines(shown)
    except MemoryError:
        raise
    except Exception:  # whatever it is: the reader is another's code, and its words could quote what it read
        raise Refusal(reasons.UNAUDITED_PIXELS, "the reader of print failed") from None
    return judge(found, allowed, floor)


def judge(read: Iterable[Line], allowed: frozenset[str], floor: float = FLOOR) -> Print:
    """Judge lines of text: a date, a number of four digits, a word or two short ones beside each other are refused.

    One short word alone is mostly the technologist's initials; the site decides.
    """
    has_initials = False
    sure = [line for line in read if line.confidence >= floor and not _is_of_marks(line.text, allowed)]
    for group in _together(sure):
        text = _in_order(group)
        rule = _rule_of(text)
        if rule is not None:
            return Print(rule)
        words = [word for word in _words(text) if not _is_mark(word, allowed)]
        if len(words) > 1 or any(len(word) > _MOST_LETTERS or _is_place(word) for word in words):
            return Print(TEXT)
        is_sure = min(line.confidence for line in group) >= floor + _SURER
        has_initials = has_initials or (is_sure and bool(words))
    return Print(None, has_initials)


def _is_of_marks(text: str, allowed: frozenset[str]) -> bool:
    """Tell whether a line is nothing but marks of the trade; letters alone may be parts of a word."""
    tokens = [fold(token).upper() for token in _TOKEN.findall(text)]
    return bool(tokens) and all(len(token) > 1 and _is_mark(token, allowed) for token in tokens)


def _together(read: list[Line]) -> list[list[Line]]:
    """Return the lines in groups that stand near each other."""
    groups: list[list[Line]] = []
    for line in read:
        near = [group for group in groups if any(_are_near(line, other) for other in group)]
        groups = [group for group in groups if group not in near]
        groups.append([line, *(other for group in near for other in group)])
    return groups


def _in_order(group: list[Line]) -> str:
    """Return the texts of a group as one; letters apart as one word."""
    boxes = [line.box for line in group]
    width = max(box.right for box in boxes) - min(box.left for box in boxes)
    height = max(box.bottom for box in boxes) - min(box.top for box in boxes)
    first = (lambda line: line.box.left) if width >= height else (lambda line: line.box.top)
    texts = [line.text.strip() for line in sorted(group, key=first)]
    are_apart = len(texts) > 2 and sum(map(len, texts)) < _APART * len(texts)
    return ("" if are_apart else " ").join(texts)


def _rule_of(text: str) -> str | None:
    """Return what the digits of a line break."""
    if _DATE.search(text):
        return DATE
    digits = _DIGITS.findall(_TIME.sub(" ", text))
    return NUMBER if len(digits) >= _LEAST_DIGITS else None


def _words(text: str) -> list[str]:
    """Return the words of a line, folded and in capitals: letters, or rooms (512A).

    Single letters are none, but where they are spaced out; nor is a letter with a digit or two (R1, S7).
    """
    found = [fold(token).upper() for token in _TOKEN.findall(text)]
    if len(found) > 2 and sum(map(len, found)) < _APART * len(found):
        found = ["".join(found)]
    return [token for token in found if (token.isalpha() and len(token) > 1) or _is_word(token)]


def _is_place(word: str) -> bool:
    """Tell whether letters and digits together may be a room or a ward (512A)."""
    return len(_DIGITS.findall(word)) >= _LEAST_DIGITS_OF_A_ROOM and not word.isdigit()


def _is_word(token: str) -> bool:
    """Tell whether letters and digits together are a room, or a word of which a letter was taken for a digit."""
    return _is_place(token) or len(_LETTERS.findall(token)) >= _LEAST_LETTERS


def _is_mark(word: str, allowed: frozenset[str]) -> bool:
    """Tell whether a word is a mark of the trade, or two long ones run together; GAUCHER is not GAUCHE and R.

    Marks are compared as they look: the reader takes RI for N, and O for a nought.
    """
    if word in allowed or (len(word) > _MOST_LETTERS and _look(word) in _looks(allowed)):
        return True
    halves = ((word[:at], word[at:]) for at in range(_MOST_LETTERS, len(word) - _MOST_LETTERS + 1))
    return any(first in allowed and second in allowed for first, second in halves)


def _look(word: str) -> str:
    """Return a word with one letter for those that small print does not tell apart."""
    return word.translate(_ALIKE_LETTERS).replace("RI", "N").replace("RN", "M")


@lru_cache(maxsize=8)
def _looks(allowed: frozenset[str]) -> frozenset[str]:
    return frozenset(_look(word) for word in allowed if len(word) > _MOST_LETTERS)


def _are_near(one: Line, other: Line) -> bool:
    """Tell whether two lines belong together: beside each other, or letters apart in one row, upright or turned."""
    least, most = sorted((one.height_px, other.height_px))
    across = max(one.box.left, other.box.left) - min(one.box.right, other.box.right)
    down = max(one.box.top, other.box.top) - min(one.box.bottom, other.box.bottom)
    if max(across, down) < _NEAR * most:
        return True
    are_parts = max(len(one.text.strip()), len(other.text.strip())) <= _MOST_IN_A_PART and most < _ALIKE * least
    return are_parts and min(across, down) < -_ALIGNED * least and max(across, down) < _NEAR_IN_A_ROW * most
