"""Where in the text as it was delivered a token lies.

Belongs here: tokens to characters. Does not belong here: what stands there (``assembly``).
"""

from __future__ import annotations

from itertools import accumulate

from radia_pipeline.reports.edits import Changed, places_before
from radia_pipeline.reports.reading import Mention
from radia_pipeline.reports.sections import Sentence
from radia_pipeline.reports.sentence.clause import Mention as ReadMention

_NO_CLASS = (None,)
_new = tuple.__new__
"""Makes a named tuple at a fifth of the cost of calling its class."""


class Places:
    """Ends of tokens and separators (``parts``) in the original ``text``, over the ``steps`` that changed it before it
    was read; worked out when the first finding asks."""

    __slots__ = ("_ends", "_parts", "_steps", "_text")

    def __init__(self, text: str, parts: list[str], steps: list[Changed]) -> None:
        self._text, self._parts, self._steps = text, parts, steps
        self._ends: list[int] = []

    def rows(self, s: Sentence, found: list[ReadMention], base: int, rows: list[Mention]) -> None:
        """Append to ``rows`` one per mention and class of what was ``found`` in a sentence, in tokens from ``base``."""
        ends = self._ends or self._worked_out()
        section, _, _, first, last, _, _, _, _ = s
        at, text, add = base - 1, self._text, rows.append
        sentence = text[ends[first - 1] : ends[last]]
        for m in found:
            _, concept, classes, _, _, _ = m.leaf
            cue, words = m.cue, None
            if cue is not None:
                _, begins, over, _ = cue
                words = text[ends[begins + at] : ends[over + base]]
            start, end, status, rule = ends[m.first + at], ends[m.last + base], m.status, m.rule
            for name in classes or _NO_CLASS:
                add(_new(Mention, (concept, name, status, section, sentence, start, end, words, rule)))

    def _worked_out(self) -> list[int]:
        ends = list(accumulate(map(len, self._parts)))
        for step in reversed(self._steps):
            ends = places_before(ends, step.edits)
        self._ends = ends
        return ends
