"""French report -> mentions, attributes, labels. The one entrance: ``Labeler.default().read(text)``.

Belongs here: the order of the steps. Does not belong here: words (``words``), rules (YAML), events (``scan``),
sections (``sections``), what a sentence says (``sentence``), what sentences make together (``assembly``), tables
(``extract``).

Nothing is learned. Single words, and sentences that come again (``statements``), are remembered by what they say in
themselves, so a reading depends on its text only.
"""

from __future__ import annotations

from functools import lru_cache

from radia_pipeline.reports.assembly import Assembly
from radia_pipeline.reports.cuts import join_cut_words, join_split_words
from radia_pipeline.reports.french import FRENCH
from radia_pipeline.reports.lines import settle_lines
from radia_pipeline.reports.places import Places
from radia_pipeline.reports.reading import Asides, Mention, Reading, concluded
from radia_pipeline.reports.repair import PLAIN, is_lost, repair
from radia_pipeline.reports.rules import Rulebook, rulebook
from radia_pipeline.reports.scan import Scan
from radia_pipeline.reports.sentence.clause import UNREAD
from radia_pipeline.reports.words import UNKNOWN

_BLANKS = dict.fromkeys((0xA0, 0x202F), " ")
"""Blanks that do not break a line; the place of every character stays."""


class Labeler:
    """Reads reports with one rulebook. ``version`` changes whenever a rule, a word or the code that reads them does."""

    def __init__(self, book: Rulebook) -> None:
        self.book = book
        self.version = book.version

    @classmethod
    @lru_cache(maxsize=1)
    def default(cls) -> Labeler:
        """Return the labeler with the rulebook of the package; compiled once per process."""
        return cls(rulebook(FRENCH))

    def read(self, text: str) -> Reading:
        """Read one report. Any string is accepted; an empty one is unlabelled. Time and memory are linear in length."""
        book, original, steps, repaired = self.book, text, [], 0
        is_plain = PLAIN.match(text)
        if not is_plain:
            steps = repair(text)
            text = steps[-1].text if steps else text
            repaired = sum(len(step.edits) for step in steps)
            if (repaired or "\ufffd" in text) and is_lost(text):
                return _unreadable(original, repaired)
            text = text.translate(_BLANKS)
        if "-" in text and ("- " in text or "-\n" in text or "-\r" in text):
            steps.append(join_cut_words(text, book))
            text = steps[-1].text
        if not is_plain or book.marks.may_touch(text):
            signs = book.marks.rewrite(text)
            if signs:
                text, steps = signs[-1].text, steps + signs
        parts, symbols = book.table.split(text, is_plain is not None and not steps)
        if UNKNOWN in symbols:
            join_split_words(parts, symbols, book)
        if "\n" in text:
            settle_lines(parts, symbols, book)
        return Assembly(Scan(symbols, book).run(), book.words, Places(original, parts, steps)).reading(repaired)


def _unreadable(text: str, repaired: int) -> Reading:
    """The reading of a text whose letters transport destroyed: nothing but that it is listed."""
    row = Mention("unreadable", None, None, "findings", text, 0, len(text), None, UNREAD)
    return concluded([row], Asides(repaired=repaired))
