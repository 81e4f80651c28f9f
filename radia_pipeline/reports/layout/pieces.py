"""What the steps of layout share: a piece to be put in, alternatives as one pattern, how far a sign looks.

Belongs here: what two modules of this folder need. Does not belong here: any sign.
"""

from __future__ import annotations

from collections.abc import Iterable

Piece = tuple[int, int, str]
"""What stands in ``text[start:end]`` is to be this instead."""
REACH = 200
"""Characters of a line that a sign looks over, so that time stays linear in lines that never end."""


def any_of(patterns: Iterable[str]) -> str:
    """Return alternatives as one pattern; a blank stands for any number of them, or for a line end."""
    return "|".join(pattern.replace(" ", r"\s+") for pattern in patterns)
