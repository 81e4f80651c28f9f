"""What a sentence says by itself, and a bounded memory of it: stock sentences are scanned and read once.

Belongs here: a sentence's own words, phrases and reading, wherever it stands. Does not belong here: its section, what
the sentences around it mean for it (``assembly``), where it lies in a text (``places``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from radia_pipeline.reports.kinds import HAS_ADVICE, Event
from radia_pipeline.reports.language import Words
from radia_pipeline.reports.sentence.clause import Mention
from radia_pipeline.reports.sentence.reader import SentenceReader
from radia_pipeline.reports.words import STOP

LIMIT = 50_000
"""Sentences remembered before the memory is dropped: some 30 MB, of which those that came once take a tenth."""
LONGEST = 160
"""Words and separators of the longest sentence that is remembered; longer ones seldom come again."""


class Outcome(NamedTuple):
    """What reading a sentence found: ``mentions``, in its own tokens, and the flags of the reader."""

    mentions: list[Mention]
    says_normal: bool
    tells_history: bool
    shows_device: bool


class Statement:
    """One sentence by itself. ``symbols``: separators at even places, a full stop before its first word; ``events``:
    its phrases in these places; ``bits``: of their kinds."""

    __slots__ = ("_outcomes", "bits", "events", "symbols")

    def __init__(self, events: list[Event], symbols: Iterable[int], bits: int) -> None:
        """Make a sentence of its ``symbols`` from the first word on, its end mark with them."""
        self.events, self.symbols, self.bits = events, (STOP, *symbols), bits
        self._outcomes: list[Outcome | None] = [None, None]

    def read(self, asked: bool, device_before: bool, words: Words) -> Outcome:
        """Return what it says. ``asked``: it ends in a question mark; ``device_before``: the sentence before names a
        device. What is returned is remembered and must not be changed."""
        known = self._outcomes[device_before]
        if known is None:
            reader = SentenceReader(self.events, self.symbols, words)
            if device_before:
                reader.device_before = True
            reader.read(asked, self.bits & HAS_ADVICE, len(self.symbols) - 2)
            known = Outcome(reader.mentions, reader.says_normal, reader.tells_history, reader.shows_device)
            self._outcomes[device_before] = known
        return known


class Memory(dict[tuple[int, ...], Statement | None]):
    """Symbols of a sentence, its end mark with them -> the sentence, None where it came once. Drops everything at
    ``LIMIT``; what never comes again costs a look."""

    def was_seen(self, key: tuple[int, ...]) -> bool:
        """Say whether a sentence came before, and remember that it came."""
        if key in self:
            return True
        if len(self) >= LIMIT:
            self.clear()
        self[key] = None
        return False
