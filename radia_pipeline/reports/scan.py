"""Symbols of a report to events and sentences, in one pass.

Belongs here: phrases of the rulebook, punctuation, where a sentence ends. Does not belong here: what a line end means
(``lines``), which section a title opens (``sections``) and what a sentence says (``sentence``).
"""

from __future__ import annotations

from itertools import compress
from typing import Any

from radia_pipeline.reports.kinds import BITS, IS_SPOKEN, KIND, Event, Leaf, kinds
from radia_pipeline.reports.phrases import NOTHING, Head
from radia_pipeline.reports.rules import Rulebook
from radia_pipeline.reports.sections import (
    BLANK_LINE,
    BRIEF,
    CLOSED_LINE,
    JOINED,
    TITLED,
    Sections,
    Sentence,
    bare_title,
    title_before,
)
from radia_pipeline.reports.statements import LONGEST, Statement
from radia_pipeline.reports.words import (
    CLOSE,
    COLON,
    COMMA,
    DASH,
    LAST_QUESTION,
    LINE_QUESTION,
    LINE_STOP,
    NUMBERS,
    OPEN,
    PARAGRAPH,
    QUESTION,
    SEMICOLON,
    STOP,
)

_INSIDE = {
    COMMA: Leaf(KIND["comma"], "punctuation"),
    OPEN: Leaf(KIND["open"], "punctuation"),
    CLOSE: Leaf(KIND["close"], "punctuation"),
    SEMICOLON: Leaf(KIND["semicolon"], "punctuation"),
    DASH: Leaf(KIND["dash"], "punctuation"),
}
"""Marks that stand inside a sentence, whatever surrounds them."""
_COLON = Leaf(KIND["colon"], "punctuation")
_new = tuple.__new__
"""Makes a named tuple at a fifth of the cost of calling its class."""
_NEW: Any = object()
"""Stands for a sentence that never came."""

_PUNCTUATION, _REMARK, _ANATOMY = KIND["punctuation"], KIND["remark"], KIND["anatomy"]
_OTHER_EXAM, _OF, _DENY_AFTER, _DASH = KIND["other_exam"], KIND["of"], KIND["deny_after"], KIND["dash"]
_FINDING = kinds("finding fixed_finding")
_ENDS_SENTENCE = frozenset((STOP, QUESTION, PARAGRAPH, LAST_QUESTION, LINE_STOP, LINE_QUESTION))
_ASKS = frozenset((QUESTION, LAST_QUESTION, LINE_QUESTION))
_APART = {PARAGRAPH: BLANK_LINE, LAST_QUESTION: BLANK_LINE, LINE_STOP: CLOSED_LINE, LINE_QUESTION: CLOSED_LINE}
_SIGNATURE = "signature"
_SIGNATURES = frozenset(("is_signed_unread", "is_concordance_impossible", _SIGNATURE))
"""Remarks behind the report: what stands before them is over, with a full stop or without; behind a signature stand
names, up to the end of the sentence."""
_BOILERPLATE = "advice"
_NO_NOUN = kinds("of article deny nor modifier")
"""Behind one of these the first word of a remark is a noun: "un signe par …"."""


class Scan:
    """One pass over the symbols of a report: words at odd places, separators at even ones.

    ``events``, ``sentences`` and ``remarks`` are the result; an event's tokens are counted from the separator before
    its sentence, so that a sentence is the same wherever it stands. Of the one under way: ``first`` event, ``start``
    token, ``apart`` (what stands before it), ``bits`` (of its kinds). ``titled``: a title has been seen; ``reported``:
    one that is not of a brief section; ``is_itself``: whether nothing but its own words told how to scan it so far.
    """

    def __init__(self, symbols: list[int], book: Rulebook) -> None:
        self.symbols, self.book = symbols, book
        self.events: list[Event] = []
        self.sentences: list[Sentence] = []
        self.remarks: set[str] = set()
        self.section, self.titled, self.reported, self.signed = "findings", False, False, False
        self.first, self.start, self.apart, self.bits, self.is_itself = 0, 1, BLANK_LINE, 0, True

    def run(self) -> Scan:
        """Fill ``events``, ``sentences`` and ``remarks``."""
        symbols, statements, titles = self.symbols, self.book.statements, self.book.titles.first
        n = len(symbols)
        ends = compress(range(2, n, 2), map(_ENDS_SENTENCE.__contains__, symbols[2::2]))
        end = next(ends, n)
        i = self.start = self.after_titles(1) if n > 1 else 1
        while i < n:
            while end < i:
                end = next(ends, n)
            if i != self.start or end == n or end - i > LONGEST or symbols[i] in titles:
                i = self.walk(i)
                continue
            key = tuple(symbols[i : end + 1])
            itself = statements.get(key, _NEW)
            if itself is _NEW:
                statements.first_seen(key)
                i = self.walk(i)
            else:
                i = self.again(i, end, itself) if itself is not None else self.walk_and_remember(i, key)
        return self.finish(i)

    def again(self, i: int, end: int, itself: Statement) -> int:
        """Take over a sentence that is known, from token ``i`` to its mark ``end``; return the next token."""
        events, first, mark = self.events, self.first, self.symbols[end]
        events += itself.events
        said = (self.section, first, len(events), i, end - 1, self.apart, mark in _ASKS, itself.bits, itself)
        self.sentences.append(_new(Sentence, said))
        self.first, self.bits = len(events), 0
        return self.begin(end, mark)

    def walk_and_remember(self, i: int, key: tuple[int, ...]) -> int:
        """Walk from token ``i`` to the next sentence; remember the one that ends there where it is all of ``key`` and
        nothing around it told how to scan it. A stop behind an abbreviation ends one only where a colon stands before.
        """
        first, count, self.is_itself = self.first, len(self.sentences), True
        following = self.walk(i)
        s = self.sentences[-1] if len(self.sentences) == count + 1 else None
        is_whole = self.is_itself and s is not None and (s.first, s.start, s.end) == (first, i, i + len(key) - 2)
        if s is not None and is_whole and not (key[-1] == STOP and key[-2] in self.book.words.abbreviations):
            itself = Statement(self.events[first : s.last], key, s.bits)
            self.sentences[-1] = _new(Sentence, (*s[:-1], itself))
            self.book.statements[key] = itself
        return following

    def walk(self, i: int) -> int:
        """Find the phrases from token ``i`` to where the next sentence begins; return its first token."""
        symbols, start, n = self.symbols, self.start, len(self.symbols)
        heads, bits_of, inside, add = self.book.heads.of, BITS, _INSIDE, self.events.append
        bits, base = 0, start - 1
        leaf: Any  # Leaf, Head or (Leaf, length), told apart by class: all that a loop over every word can afford
        while i < n:
            leaf, end = heads[symbols[i]], i
            mark = symbols[i + 1]
            if leaf.__class__ is Head:  # a longer phrase may begin here
                head = leaf
                while True:
                    end += 2
                    leaf = head[NOTHING if mark or end >= n else symbols[end]]
                    if leaf.__class__ is not Head:
                        break
                    head, mark = leaf, symbols[end + 1]
                if leaf.__class__ is tuple:
                    leaf, end = leaf[0], i + leaf[1]
                else:
                    end = i
                mark = symbols[end + 1]
            if leaf is not None:
                kind = leaf[0]
                flags = bits_of[kind]
                if flags < IS_SPOKEN:
                    add((kind, i - base, end - base, leaf))
                    bits |= flags
                else:
                    self.bits |= bits
                    bits = 0
                    self.spoken(leaf, i, end)
                    base, mark = self.start - 1, symbols[end + 1]
            i = end + 2
            if mark:
                leaf = inside.get(mark)
                if leaf is not None:
                    at = end + 1 - base
                    add((leaf[0], at, at, leaf))
                else:
                    self.bits |= bits
                    bits = 0
                    if mark in _ENDS_SENTENCE and (mark != STOP or not self.is_cut_short(end)):
                        self.close(len(self.events), end, mark in _ASKS)
                        return self.begin(end + 1, mark)
                    if mark == COLON:
                        i = self.colon(end)
                        if self.start != start:
                            return i
        self.bits |= bits
        return i

    def spoken(self, leaf: Leaf, i: int, end: int) -> None:
        """Dictated punctuation becomes a mark; a remark is remembered."""
        symbols, self.is_itself = self.symbols, False
        if leaf.kind == _REMARK:
            before, own = self.events[-1] if len(self.events) > self.first else None, i - self.start + 1
            if leaf.value == _SIGNATURE and before is not None and before[0] in _NO_NOUN and before[2] == own - 2:
                return
            self.remarks.add(leaf.value)
            if leaf.value in _SIGNATURES and i > self.start:
                self.close(len(self.events), i - 2, asked=False)
                self.start, self.apart = i, JOINED
            self.signed = self.signed or leaf.value == _SIGNATURE
            if leaf.value == "is_reference":  # "voir TDM pour la masse"
                self.add(_OTHER_EXAM, i, end, leaf)
        elif leaf.value == "comma":
            self.add(_INSIDE[COMMA].kind, i, end, _INSIDE[COMMA])
        elif leaf.value == "colon":
            symbols[end + 1] = COLON
        elif self.is_spoken_stop(i, end):
            if (not symbols[i - 1] or symbols[i - 1] == COMMA) and self.begins_with_its_object():
                self.add(_DENY_AFTER, i, end, leaf)  # "de pneumothorax(,) point": none
            if symbols[end + 1] not in _ENDS_SENTENCE:
                symbols[end + 1] = STOP

    def add(self, kind: int, i: int, end: int, leaf: Leaf) -> None:
        """Add the phrase from token ``i`` to ``end`` to the sentence under way."""
        base = self.start - 1
        self.events.append((kind, i - base, end - base, leaf))

    def is_spoken_stop(self, i: int, end: int) -> bool:
        """ "point" ends a sentence unless it is a noun: "au point de vue", "un point de"."""
        following = self.symbols[end + 2] if end + 2 < len(self.symbols) and not self.symbols[end + 1] else 0
        return end > i or following not in self.book.words.of

    def begins_with_its_object(self) -> bool:
        """ "De pneumothorax, …": a partitive and its finding, which only a denial behind them can mean."""
        begun = [event for event in self.events[self.first : self.first + 3] if event[0] != _DASH][:2]
        if len(begun) < 2 or begun[0][0] != _OF or begun[1][0] not in _FINDING or begun[1][1] != begun[0][2] + 2:
            return False
        return NUMBERS.issuperset(self.symbols[self.start : self.start - 1 + begun[0][1] : 2])  # "1- de pneumothorax"

    # ------------------------------------------------------------------ separators
    def is_cut_short(self, end: int) -> bool:
        """Say whether token ``end`` is an abbreviation, whose full stop ends no sentence; but "surcharge : no." """
        return self.symbols[end] in self.book.words.abbreviations and self.symbols[end - 1] != COLON

    def begin(self, end: int, mark: int) -> int:
        """Begin the sentence behind the ``mark`` at ``end``; return its first token, behind titles without a colon."""
        self.apart = _APART.get(mark, JOINED)
        start = end + 1
        if start < len(self.symbols) and self.symbols[start] in self.book.titles.first:
            start = self.after_titles(start)
        self.start = start
        return start

    def close(self, last: int, end: int, asked: bool) -> None:
        """End the sentence before event ``last``, at token ``end``; the next one begins."""
        section = _BOILERPLATE if self.signed else self.section
        self.signed = False
        said = (section, self.first, last, self.start, end, self.apart, asked, self.bits, None)
        self.sentences.append(_new(Sentence, said))
        self.first, self.bits = last, 0

    def colon(self, end: int) -> int:
        """A colon ends a title, or stands inside a sentence."""
        title = title_before(self.symbols, end + 1, self.start, self.book)
        if title is not None and self.open_section(*title):
            self.start = self.after_titles(end + 2)
            return self.start
        self.add(_COLON.kind, end + 1, end + 1, _COLON)
        return end + 2

    def open_section(self, token: int, section: str) -> bool:
        """Begin a section at its title; return False where the title is an anatomy that what follows is said of."""
        events, self.is_itself = self.events, False
        cut, moved = len(events), token - self.start
        while cut > self.first and events[cut - 1][1] > moved:
            cut -= 1
        if token > self.start:
            self.close(cut, token - 2, asked=False)
        self.look_back(token)
        self.section, self.first, self.start, self.apart, self.titled = section, cut, token, TITLED, True
        self.reported = self.reported or section not in BRIEF
        self.bits = 0
        for event in events[cut:]:
            self.bits |= BITS[event[0]]
        if section == "findings" and cut < len(events) and events[cut][0] == _ANATOMY:
            events[cut:] = [(kind, a - moved, b - moved, leaf) for kind, a, b, leaf in events[cut:]]
            return False
        del events[cut:]
        self.bits = 0
        return True

    def look_back(self, token: int) -> None:
        """At the first title of the report itself: what stands before it may be an indication without a title."""
        if not self.reported and self.symbols[token] in self.book.words.report_titles:
            self.sentences = Sections(self.events, self.symbols, self.book.words).untitled_indication(self.sentences)

    def after_titles(self, i: int) -> int:
        """Step over titles that stand at token ``i`` without a colon."""
        symbols, first = self.symbols, self.book.titles.first
        while i < len(symbols) and symbols[i] in first:
            bare = bare_title(symbols, i, self.book, self.section)
            if bare is None:
                break
            self.look_back(i)
            i, self.section = bare
            self.titled, self.apart = True, TITLED
            self.reported = self.reported or self.section not in BRIEF
        return i

    def finish(self, i: int) -> Scan:
        """End the last sentence and settle the sections."""
        n = len(self.symbols)
        if self.first < len(self.events) or self.start < n:
            self.close(len(self.events), min(n - 2, i - 2), asked=False)
        if self.titled:
            self.sentences = Sections(self.events, self.symbols, self.book.words).settle(self.sentences)
        return self
