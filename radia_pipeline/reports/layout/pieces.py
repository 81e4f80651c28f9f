"""What the steps of layout share: a piece to be put in, alternatives as one pattern, how far a sign looks.

Belongs here: what two modules of this folder need. Does not belong here: any sign.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import cast

from radia_pipeline.reports.language import Signs
from radia_pipeline.reports.words import BULLETS

Piece = tuple[int, int, str]
"""What stands in ``text[start:end]`` is to be this instead."""
REACH = 200
"""Characters of a line that a sign looks over, so that time stays linear in lines that never end."""


BULLET = rf"(?:[{BULLETS}]|\(?\d{{1,2}}[.)-])"
"""What may stand before an item of a list."""


_MORE_CASES = tuple(map(chr, (0x130, 0x131, 0x17F)))
"""Dotted and dotless I and long s, which ``re.IGNORECASE`` takes for "i" and "s" and ``str.lower`` does not."""
_LOOKS_BACK = 32
"""Characters before a place that are kept, for patterns that look back; those of the language look over three."""


class Anywhere:
    """Says whether a pattern is found in letters of either case.

    It is asked of small letters: a pattern that ignores case tries each of its alternatives at each character, where
    one of small letters passes over those that begin otherwise.
    """

    def __init__(self, pattern: str) -> None:
        """``pattern``: without groups that are named or that switch flags."""
        small = re.sub(r"\\.|[^\\]+", lambda part: part[0] if part[0][0] == "\\" else part[0].lower(), pattern)
        self._small, self._any = re.compile(small), re.compile(pattern, re.IGNORECASE)

    def is_in(self, text: str, start: int = 0, end: int = sys.maxsize) -> bool:
        """Say whether it is found between two places of a text."""
        begin = max(0, start - _LOOKS_BACK)
        said = text[begin:end]
        if any(letter in said for letter in _MORE_CASES):
            return self._any.search(text, start, end) is not None
        return self._small.search(said.lower(), start - begin) is not None


def starts(signs: Signs) -> str:
    """Return what stands before a statement, as a pattern: a line's start, a stop, a title of the findings, bullets."""
    before = rf"(?:^|[\n;|]|(?<=\s)/(?=\s)|(?<=[^\s.])\.[^\S\n]|(?:{any_of(signs.titles)})[^\S\n]*:)"
    return rf"{before}[^\S\n]*(?:{BULLET}[^\S\n]*)*"


def matched(match: re.Match[str] | None) -> re.Match[str]:
    """Return the match of a pattern that takes the empty text too, so that there is always one."""
    return cast(re.Match[str], match)  # re cannot know it


def any_of(patterns: Iterable[str]) -> str:
    """Return alternatives as one pattern; a blank stands for any number of them, or for a line end."""
    return "|".join(pattern.replace(" ", r"\s+") for pattern in patterns)
