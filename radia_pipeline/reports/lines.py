"""Line ends: words that one cuts, and whether it ends a statement or only wraps it.

Belongs here: the layout of a text. Does not belong here: what stands in a line (``scan``).
"""

from __future__ import annotations

import re

from radia_pipeline.reports.kinds import kinds
from radia_pipeline.reports.rules import Rulebook
from radia_pipeline.reports.words import NEWLINE, SPACE, STOP

_CUT = re.compile(r"([^\W\d_]{2,})-[^\S\n]*\n\s*([^\W\d_]{2,})|([^\W\d_]{3,})-[^\S\n]+([^\W\d_]{3,})")
_FUNCTION_WORDS = kinds(
    "of article and or nor with deny not particle link hedge_before hedge_near modifier verb hedge_verb seem"
)
_CONTINUATION = kinds("of and or nor with link deny_after not no_more verb hedge_after")
_PREDICATES = kinds("normal enlarged blunted clear free limit quality place complete partial")
"""At the start of a line in capitals these go on with the line before."""


def join_cut_words(text: str, book: Rulebook) -> tuple[str, list[tuple[int, int]]]:
    """Join words cut at a line end when the joined word is known; return (position, characters gone so far)."""
    pieces, shifts, at, gone = [], [], 0, 0
    for match in _CUT.finditer(text):
        left = 1 if match.group(1) else 3
        if not book.table.knows(match.group(left) + match.group(left + 1)):
            continue
        pieces.append(text[at : match.end(left)])
        at = match.start(left + 1)
        gone += at - match.end(left)
        shifts.append((at - gone, gone))
    return "".join(pieces) + text[at:], shifts


def settle_lines(parts: list[str], symbols: list[int], book: Rulebook) -> None:
    """Decide for every line end whether it ends a statement or only wraps it."""
    mixed = any(p.islower() for p in parts[1::2])
    for k in range(2, len(symbols) - 1, 2):
        if symbols[k] == NEWLINE:
            before, after = book.kind_of(symbols[k - 1]), book.kind_of(symbols[k + 1])
            joined = before in _FUNCTION_WORDS or symbols[k - 1] in book.words.joiners
            wraps = joined or after in _CONTINUATION
            goes_on = after in _PREDICATES or symbols[k + 1] in book.words.line_starts
            wraps = wraps or (parts[k + 1][0].islower() if mixed else goes_on)
            symbols[k] = SPACE if wraps else STOP
