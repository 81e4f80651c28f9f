"""Which part of a report a sentence stands in: indication, findings, conclusion, technique, comparison, advice.

Belongs here: titles and where a section without a following title ends. Does not belong here: what a sentence says.
"""

from __future__ import annotations

from typing import NamedTuple

from radia_pipeline.reports.kinds import KIND, READABLE, READS, Event, kinds
from radia_pipeline.reports.language import Words
from radia_pipeline.reports.rules import Rulebook
from radia_pipeline.reports.words import COMMA, SPACE

ELSEWHERE = "elsewhere"
"""A section on another region: what may lie outside the chest makes no label there."""
LABELLED = frozenset(("findings", "conclusion", ELSEWHERE))
"""Only what the radiologist saw makes labels: no question, no history, no advice."""

LONGEST_TITLE = 6

_STATEMENT = kinds("deny nor contrast normal clear free enlarged limit state device")
_INDICATION = kinds("advice no_label")
_DESCRIBED = kinds("finding fixed_finding other")
_MODIFIER = KIND["modifier"]
_ANATOMY, _IMPERATIVE = KIND["anatomy"], KIND["imperative"]


class Sentence(NamedTuple):
    """``first``..``last``: events; ``start``..``end``: tokens; ``apart``: a blank line stands before it; ``asked``: it
    ends in a question mark; ``bits``: of its kinds."""

    section: str
    first: int
    last: int
    start: int
    end: int
    apart: bool
    asked: bool
    bits: int


def title_before(symbols: list[int], colon: int, start: int, book: Rulebook) -> tuple[int, str] | None:
    """Return (token, section) of the longest title whose last word stands right before the separator ``colon``."""
    found, words, token = None, (), colon - 1
    for _ in range(LONGEST_TITLE):
        if token < start or (words and symbols[token + 1]):
            break
        words = (symbols[token], *words)
        if words in book.titles.section_of and not (token > start and _is_noun_of_a_phrase(symbols, token, book)):
            found = token, book.titles.section_of[words]
        token -= 2
    return found


def _is_noun_of_a_phrase(symbols: list[int], token: int, book: Rulebook) -> bool:
    """ "Élargissement du médiastin : aucun", "cœur, médiastin, hiles : normaux": no title begins at such a noun."""
    if symbols[token - 1] == SPACE:
        return symbols[token - 2] in book.words.joiners
    return symbols[token - 1] == COMMA and book.kind_of(symbols[token]) == _ANATOMY


def bare_title(symbols: list[int], token: int, book: Rulebook, section: str) -> tuple[int, str] | None:
    """Return (token after, section) of a title without a colon at the start of a sentence."""
    words: tuple[int, ...] = ()
    found = None
    for k in range(token, min(token + 8, len(symbols)), 2):
        if words and symbols[k - 1]:
            break
        words += (symbols[k],)
        if (words in book.titles.bare and not _goes_on(symbols, k, book)) or (
            words in book.titles.bare_ends and (k + 1 >= len(symbols) or symbols[k + 1] or section not in LABELLED)
        ):
            found = k + 2, book.titles.section_of[words]
    return found


def _goes_on(symbols: list[int], token: int, book: Rulebook) -> bool:
    """ "ATCD de pontage.": a noun with its complement is no title."""
    return token + 2 < len(symbols) and not symbols[token + 1] and symbols[token + 2] in book.words.of


BRIEF = frozenset(("comparison", "technique"))
"""Sections of one sentence: what follows in the same paragraph and names something is what the radiologist saw."""


class Sections:
    """Corrects the sections of one report where a title is missing."""

    def __init__(self, events: list[Event], symbols: list[int], words: Words) -> None:
        self._events, self._symbols, self._words = events, symbols, words

    def settle(self, sentences: list[Sentence]) -> list[Sentence]:
        """Let findings begin after a brief section, and after an indication that no title ends."""
        sentences = self.close_indications(close_brief_sections(sentences))
        end = len(sentences)
        while end and sentences[end - 1].section == "conclusion":
            end -= 1
        if end and sentences[end - 1].section not in LABELLED:
            return self._close_open_section(sentences[:end]) + sentences[end:]
        return sentences

    def close_indications(self, sentences: list[Sentence]) -> list[Sentence]:
        """Let findings begin behind a blank line or a closed line of an indication, where nothing is asked or told."""
        closed: list[Sentence] = []
        is_open = False
        for k, s in enumerate(sentences):
            if s.section != "indication":
                is_open = False
            elif is_open or (
                k and sentences[k - 1].section == s.section and s.apart and not (s.asked or self._tells(s))
            ):
                is_open = True
                s = s._replace(section="findings")
            closed.append(s)
        return closed

    def untitled_indication(self, sentences: list[Sentence]) -> list[Sentence]:
        """What stands before the title of the report itself and asks, or tells of the patient, is the indication."""
        if any(s.asked or self._tells(s) for s in sentences):
            return [s._replace(section="indication") for s in sentences]
        return sentences

    def _tells(self, sentence: Sentence) -> bool:
        first = self._events[sentence.first][0] if sentence.first < sentence.last else -1
        return first == _IMPERATIVE or self._speaks_of_the_patient(sentence.start, sentence.end + 1)

    def _speaks_of_the_patient(self, start: int, end: int) -> bool:
        return not self._words.indication.isdisjoint(self._symbols[start:end:2])

    def _close_open_section(self, sentences: list[Sentence]) -> list[Sentence]:
        """Let findings begin where an indication without a following title visibly ends.

        Policy: an indication ends at the next title. Where no title follows, a new paragraph ends it; inside one
        paragraph, the first sentence that describes (a denial, a neutral anatomy, a located finding) and asks
        nothing.
        """
        run = len(sentences)
        while run and sentences[run - 1].section not in LABELLED:
            run -= 1
        rest = sentences[run:]
        described = [self._describes(s) for s in rest]
        last = max((k for k, is_described in enumerate(described) if is_described), default=0)
        begins = [k for k in range(1, last + 1) if rest[k].apart]
        begins += [k for k in range(1, last + 1) if described[k]]
        if not begins:
            return sentences
        k = begins[0]
        return sentences[:run] + rest[:k] + [s._replace(section="findings") for s in rest[k:]]

    def _describes(self, sentence: Sentence) -> bool:
        """Say whether a sentence reads like a finding and not like a question or a symptom."""
        said = {event[0] for event in self._events[sentence.first : sentence.last]}
        if sentence.asked or said & _INDICATION or not said & READABLE:
            return False
        if self._speaks_of_the_patient(sentence.start, sentence.end):
            return False
        return bool(said & _STATEMENT) or (bool(said & _DESCRIBED) and _MODIFIER in said)


def close_brief_sections(sentences: list[Sentence]) -> list[Sentence]:
    """Let findings begin after the first sentence of a comparison or a technique."""
    closed: list[Sentence] = []
    running = ""
    for k, s in enumerate(sentences):
        if s.section not in BRIEF:
            running = ""
        elif k and sentences[k - 1].section == s.section and (s.bits & READS or running):
            running = "findings"
        closed.append(s._replace(section=running) if running else s)
    return closed
