"""What the sentences of one report say, gathered: mentions, devices, answers, what the indication asks.

Belongs here: which sentences make labels, and what one sentence means for the next. Does not belong here: what a
sentence says (``sentence``), the labels that follow (``reading``).
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

from radia_pipeline.reports.anaphora import answer, answers_first, named_again, settle, subject_of, take_up
from radia_pipeline.reports.devices import devices_of
from radia_pipeline.reports.kinds import (
    ANSWERS,
    HAS_DEVICE,
    IS_FOREIGN,
    KIND,
    READS,
    SAYS_NORMAL,
    Event,
    kinds,
)
from radia_pipeline.reports.language import Words
from radia_pipeline.reports.places import Places
from radia_pipeline.reports.reading import Asides, Mention, Reading, concluded
from radia_pipeline.reports.scan import Scan
from radia_pipeline.reports.sections import ELSEWHERE, LABELLED, Sentence
from radia_pipeline.reports.sentence.clause import UNREAD
from radia_pipeline.reports.sentence.clause import Mention as ReadMention
from radia_pipeline.reports.sentence.silence import MISPLACED
from radia_pipeline.reports.statements import read_alone
from radia_pipeline.reports.words import NUMBERS, STOP, UNKNOWN

_NAMED = kinds("finding fixed_finding")
_ANATOMY, _THAT_ONE = KIND["anatomy"], KIND["that_one"]
_STATE = KIND["state"]
_UNCHANGED = kinds("change state")
"""Alone in a sentence: all is as it was, which stands in an earlier report."""


class Assembly:
    """Goes through the sentences of one report. ``before``: events of the sentence before, in tokens from
    ``before_from``; ``last``: rows of the last one that named something; ``question``: rows of the question that a
    sentence may answer; ``shows_devices``, ``refers_back``: devices were told of, and that nothing changed (since
    an earlier report); ``device_before``: whether the sentence before named a device; ``devices_before``: which it
    showed; ``wrong``: devices that lie wrong, with the rows that say so."""

    __slots__ = (
        "_asked", "_before", "_before_from", "_device_before", "_devices_before", "_events", "_found", "_is_described",
        "_last", "_past", "_place", "_question", "_questions", "_refers_back", "_remarks", "_rows", "_sentences",
        "_shows_devices", "_symbols", "_words", "_wrong",
    )  # fmt: skip

    def __init__(self, scan: Scan, words: Words, place: Places) -> None:
        self._events, self._symbols, self._words, self._place = scan.events, scan.symbols, words, place
        self._sentences, self._remarks = scan.sentences, scan.remarks
        self._rows: list[Mention] = []
        self._asked: set[str] = set()
        self._found: set[str] = set()
        self._wrong: list[tuple[range, set[str]]] = []
        self._devices_before: set[str] = set()
        self._is_described = self._past = self._questions = self._shows_devices = self._refers_back = False
        self._question: Sequence[int] = ()
        self._last: Sequence[int] = ()
        self._before: list[Event] = []
        self._before_from = 0
        self._device_before = 0

    def reading(self, repaired: int) -> Reading:
        """Gather all sentences. ``repaired``: how many places of the text were mended before."""
        events, seen = self._events, self._is_seen
        for s in self._sentences:
            section, first, last, start, _, _, _, bits, _ = s
            span = events[first:last]
            if not bits & READS:
                self._names_nothing(s, span)
            elif section in LABELLED:
                seen(s, span)
            else:
                self._is_told(s, span)
            if span:  # a number of a list says nothing
                self._before, self._before_from = span, start - 1
        if self._questions:
            settle(self._rows)
        is_described = self._is_described or (self._shows_devices and not self._refers_back)
        said = self._asked, self._remarks, is_described, self._past, repaired, self._found, self._misplaced()
        return concluded(self._rows, Asides(*said))

    def _names_nothing(self, s: Sentence, span: list[Event]) -> None:
        """A sentence without a finding or an anatomy: it may praise, name a device, answer, or go on about the one
        before."""
        section, start, bits, symbols = s.section, s.start, s.bits, self._symbols
        if span and span[0][0] == _THAT_ONE and section in LABELLED:
            again = named_again(span, self._before)
            if again:
                self._is_seen(s._replace(itself=None), again)
                return
        first = start + 2 if symbols[start] in NUMBERS and start < s.end else start  # "2. Il est augmenté de volume."
        if section in LABELLED and symbols[first] in self._words.pronouns:
            subject = subject_of(span, self._before)
            if subject is not None:
                self._is_seen(s, span, subject)
                return
        self._device_before = bits & HAS_DEVICE
        if section in LABELLED:
            if self._device_before:  # "Drain bien en place" praises the drain
                self._shows_devices = True
                self._devices(span, range(0))
            elif bits & SAYS_NORMAL:
                self._is_described = True
            elif any(event[0] in _UNCHANGED for event in span):  # "Aucun changement depuis hier."
                self._refers_back = True
        if bits & ANSWERS and self._last:
            if self._question:
                answer(self._rows, self._question, span, symbols[start - 1 : s.end + 2], self._words)
            take_up(self._rows, self._last, span, s.end - start + 1 - span[-1][2])

    def _is_seen(self, s: Sentence, span: list[Event], subject: Event | None = None) -> None:
        """A sentence of the findings or the conclusion. ``subject``: what its pronoun stands for."""
        section, _, _, start, end, _, is_asked, bits, itself = s
        rows, words, base = self._rows, self._words, start - 1
        before = len(rows)
        if subject is not None:
            base, span, itself = self._before_from, self._with_subject(subject, span, base), None
        if itself is not None:
            reader = itself.read(is_asked, self._device_before, words)
        else:
            own = self._symbols[base : end + 2]
            own[0] = STOP
            reader = read_alone(span, own, bits, is_asked, self._device_before, words)
        self._device_before = bits & HAS_DEVICE
        if self._device_before:
            self._shows_devices = self._shows_devices or reader.shows_device
        if reader.says_normal:
            self._is_described = True
        if reader.tells_history:
            self._past = True
        found = reader.mentions
        if found and self._last and span[-1][0] == _STATE and "likewise" in span[-1][3].traits:
            found = self._same_as_before(found)
        if bits & IS_FOREIGN and words.french.isdisjoint(reader.symbols[1::2]):
            found = _short_forms(found, reader.symbols)
        if section == ELSEWHERE:
            found = _thoracic_only(found)
        if found:
            if bits & ANSWERS and self._question and answers_first(span):
                answer(rows, self._question, span[:1], self._symbols[base : end + 2], words)
            self._place.rows(s, found, base, rows)
        elif bits & ANSWERS and self._question:
            answer(rows, self._question, span, self._symbols[base : end + 2], words)
        elif not reader.says_normal and any(event[0] in _UNCHANGED for event in span):
            self._refers_back = True
        self._last = range(before, len(rows))
        if self._device_before:
            self._devices(span, self._last)
        elif self._devices_before:
            self._still_of_devices(self._last)
        if is_asked:
            self._question = self._last
            self._questions = self._questions or bool(self._last)
        elif self._question:
            self._question = ()

    def _same_as_before(self, found: list[ReadMention]) -> list[ReadMention]:
        """ "Épanchement : non. Pneumothorax : idem.": the same as in an earlier report, or denied too: unread."""
        if self._rows[self._last[-1]].status == 0 and found[-1].status == 1:
            found = list(map(copy, found))
            found[-1].status, found[-1].rule = None, UNREAD
        return found

    def _with_subject(self, subject: Event, span: list[Event], base: int) -> list[Event]:
        """Return the events of a sentence behind what its pronoun stands for, in tokens of the sentence before."""
        on = base - self._before_from
        return [subject, *((kind, a + on, b + on, leaf) for kind, a, b, leaf in span)]

    def _is_told(self, s: Sentence, span: list[Event]) -> None:
        """A sentence of a section that makes no label: its findings are kept as evidence, without a status."""
        section, bits = s.section, s.bits
        self._device_before = bits & HAS_DEVICE
        named = [event for event in span if event[0] in _NAMED]
        if section == "indication":
            self._asked.update(name for event in named for name in event[3].classes)
        if named:
            rule = f"section.{section}"
            found = [ReadMention(e[3], e[1], e[2], None, None, rule, "") for e in named]
            self._place.rows(s, found, s.start - 1, self._rows)
        self._question = self._last = ()

    def _devices(self, span: list[Event], said: range) -> None:
        """Remember the devices of a sentence, of which it says ``said`` (rows)."""
        found, wrong = devices_of(span)
        self._found |= found
        self._devices_before = found
        if wrong:
            self._wrong.append((said, wrong))

    def _still_of_devices(self, said: range) -> None:
        """ "Sonde nasogastrique en place. Trop haute.": the devices of the sentence before lie wrong."""
        if any(self._rows[k].concept == MISPLACED.rule for k in said):
            self._wrong.append((said, self._devices_before))
        self._devices_before = set()

    def _misplaced(self) -> set[str]:
        """Return the devices that lie wrong, but for those of which a later sentence denied it: "Mal placé ? Non."."""
        wrong: set[str] = set()
        for said, devices in self._wrong:
            told = [self._rows[k].status for k in said if self._rows[k].concept == MISPLACED.rule]
            if not told or any(told):
                wrong |= devices
        return wrong


def _thoracic_only(found: list[ReadMention]) -> list[ReadMention]:
    """Return what is read of a section on another region: what may lie outside the chest makes no label."""
    found = list(map(copy, found))
    for m in found:
        if "anywhere" in m.leaf.traits:
            m.status, m.cue, m.rule = None, None, f"section.{ELSEWHERE}"
    return found


def _short_forms(found: list[ReadMention], symbols: Sequence[int]) -> list[ReadMention]:
    """Return what is read of a sentence in another language: a denial or a doubt right before its findings, and no
    praise of an anatomy."""
    named = [copy(m) for m in found if m.leaf.kind != _ANATOMY or m.status != 0]
    for m in named:
        between = symbols[m.cue[2] + 2 : m.first : 2] if m.cue is not None and m.cue[2] < m.first else ()
        if m.status == 1 or UNKNOWN in between:
            m.status, m.cue, m.rule = None, None, UNREAD
    return named
