"""What the steps of layout share: a piece to be put in, alternatives as one pattern, how far a sign looks.

Belongs here: what two modules of this folder need. Does not belong here: any sign.
"""

from __future__ import annotations

import re
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
