"""What a sentence says by itself, and a bounded memory of it: stock sentences are scanned and read once.

Belongs here: a sentence's own words, phrases and reading, wherever it stands. Does not belong here: its section, what
the sentences around it mean for it (``assembly``), where it lies in a text (``places``).
"""

from __future__ import annotations

from collections.abc import Sequence

from radia_pipeline.reports.kinds import HAS_ADVICE, Event
from radia_pipeline.reports.language import Words
from radia_pipeline.reports.sentence.reader import SentenceReader
from radia_pipeline.reports.words import STOP

LIMIT = 50_000
"""Sentences remembered before the memory is dropped: some 30 MB, of which those that came once take a tenth."""
LONGEST = 160
"""Words and separators of the longest sentence that is remembered; longer ones seldom come again."""


def read_alone(
    events: list[Event], symbols: Sequence[int], bits: int, asked: bool, device_before: int, words: Words
) -> SentenceReader:
    """Return the reader of a sentence after its walk.

    ``symbols``: separators at even places, a full stop before its first word; ``events``: its phrases in these places;
    ``bits``: of their kinds; ``asked``: it ends in a question mark; ``device_before``: the one before names a device.
    """
    reader = SentenceReader(events, symbols, words)
    if device_before:
        reader.device_before = True
    reader.read(asked, bits & HAS_ADVICE, len(symbols) - 2)
    return reader


class Statement:
    """One sentence by itself, as in ``read_alone``."""

    __slots__ = ("_read", "bits", "events", "symbols")

    def __init__(self, events: list[Event], key: tuple[int, ...], bits: int) -> None:
        """Make a sentence of its symbols from the first word on, its end mark with them."""
        self.events, self.symbols, self.bits = events, (STOP, *key), bits
        self._read: list[SentenceReader | None] = [None, None]

    def read(self, asked: bool, device_before: int, words: Words) -> SentenceReader:
        """Return its reader after the walk. It is remembered, and must not be changed."""
        at = 1 if device_before else 0
        known = self._read[at]
        if known is None:
            known = read_alone(self.events, self.symbols, self.bits, asked, device_before, words)
            self._read[at] = known
        return known


class Memory(dict[tuple[int, ...], Statement | None]):
    """Symbols of a sentence, its end mark with them -> the sentence, None where it came once. Drops everything at
    ``LIMIT``; what never comes again costs a look."""

    def first_seen(self, key: tuple[int, ...]) -> None:
        """Remember that a sentence came."""
        if len(self) >= LIMIT:
            self.clear()
        self[key] = None
