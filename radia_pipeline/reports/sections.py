"""Which part of a report a sentence stands in: indication, findings, conclusion, technique, comparison, advice.

Belongs here: titles and where a section without a following title ends. Does not belong here: what a sentence says.
"""

from __future__ import annotations

from typing import NamedTuple

from radia_pipeline.reports.kinds import HAS_DEVICE, KIND, READABLE, READS, SAYS_NORMAL, Event, kinds
from radia_pipeline.reports.language import Words
from radia_pipeline.reports.rules import Rulebook
from radia_pipeline.reports.statements import Statement
from radia_pipeline.reports.words import COLON, COMMA, NUMBERS, SPACE

ELSEWHERE = "elsewhere"
"""A section on another region: what may lie outside the chest makes no label there."""
_CONCLUSION = "conclusion"
LABELLED = frozenset(("findings", _CONCLUSION, ELSEWHERE))
"""Only what the radiologist saw makes labels: no question, no history, no advice."""
_FINDINGS = LABELLED - {_CONCLUSION}

LONGEST_TITLE = 6

TITLED, JOINED, CLOSED_LINE, BLANK_LINE = -1, 0, 1, 2
"""Before a sentence: its section's title, nothing, the end of a line that closes a sentence, a blank line."""

SPEAKS = READS | SAYS_NORMAL | HAS_DEVICE
"""Flags of a sentence that says something of the picture."""
_STATEMENT = kinds("deny nor contrast normal clear free enlarged limit state device resolved resolved_after lessened")
_INDICATION = kinds("advice no_label")
_DESCRIBED = kinds("finding fixed_finding other")
_LOCATES = kinds("modifier place")
_ANATOMY, _COMMA, _IMPERATIVE = KIND["anatomy"], KIND["comma"], KIND["imperative"]


class Sentence(NamedTuple):
    """``first``..``last``: events; ``start``..``end``: tokens; ``apart``: what stands before it (TITLED, JOINED,
    CLOSED_LINE, BLANK_LINE); ``asked``: it ends in a question mark; ``bits``: of its kinds; ``itself``: what it is
    wherever it stands, where that is known."""

    section: str
    first: int
    last: int
    start: int
    end: int
    apart: int
    asked: bool
    bits: int
    itself: Statement | None


def title_before(symbols: list[int], colon: int, start: int, book: Rulebook) -> tuple[int, str] | None:
    """Return (token, section) of the longest title whose last word stands right before the separator ``colon``."""
    found: tuple[int, str] | None = None
    words: tuple[int, ...] = ()
    token = colon - 1
    for _ in range(LONGEST_TITLE):
        if token < start or (words and symbols[token + 1]):
            break
        words = (symbols[token], *words)
        if words in book.titles.section_of and not (token > start and _is_inside(symbols, token, words, book)):
            found = token, book.titles.section_of[words]
        token -= 2
    return found


def _is_inside(symbols: list[int], token: int, words: tuple[int, ...], book: Rulebook) -> bool:
    """ "Élargissement du médiastin : aucun", "cœur, médiastin, hiles : normaux", "examens alors demandés :": inside a
    phrase such a word is no title."""
    if symbols[token - 1] == SPACE:
        before = symbols[token - 2]
        is_phrase = symbols[token] in book.tree.get(before, ())  # "pneumo thorax :", "gros cœur :"
        at_start = words in book.titles.at_start and before not in NUMBERS  # "2- maintenant :"
        return is_phrase or before in book.words.joiners or at_start
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
            words in book.titles.bare_ends
            and (k + 1 >= len(symbols) or symbols[k + 1] or section not in LABELLED)
            and not _goes_on(symbols, k, book)
        ):
            found = k + 2, book.titles.section_of[words]
    return found


def _goes_on(symbols: list[int], token: int, book: Rulebook) -> bool:
    """ "ATCD de pontage.", "résultat communiqué": a noun with its complement is no title."""
    if token + 2 >= len(symbols) or symbols[token + 1]:
        return False
    following = symbols[token + 2]
    return following in book.words.of or following in book.tree.get(symbols[token], ())


BRIEF = frozenset(("comparison", "technique"))
"""Sections of one sentence: what follows in the same paragraph and names something is what the radiologist saw."""


class Sections:
    """Corrects the sections of one report where a title is missing."""

    def __init__(self, events: list[Event], symbols: list[int], words: Words) -> None:
        self._events, self._symbols, self._words = events, symbols, words

    def settle(self, sentences: list[Sentence]) -> list[Sentence]:
        """Let findings begin after a brief section, and after an indication that no title ends."""
        sentences = close_brief_sections(sentences)
        closed = self.close_indications(sentences)
        if any(s.section in LABELLED and s.bits & SPEAKS for s in closed):
            sentences = closed  # else only a signature or the like stands behind the indication
        settled: list[Sentence] = []
        at = 0
        while at < len(sentences):
            end = at
            while end < len(sentences) and (sentences[end].section in LABELLED) == (sentences[at].section in LABELLED):
                end += 1
            run = sentences[at:end]
            is_open = run[0].section not in LABELLED and not self._findings_follow(sentences[end:])
            settled += self._close_open_section(run) if is_open else run
            at = end
        return settled

    def _findings_follow(self, sentences: list[Sentence]) -> bool:
        """Say whether what stands behind a section makes findings; a conclusion alone, or a signature, does not."""
        for s in sentences:
            if s.section in _FINDINGS and s.bits & SPEAKS:
                return True
            if s.section not in LABELLED:
                return False
        return False

    def close_indications(self, sentences: list[Sentence]) -> list[Sentence]:
        """Let findings begin behind a blank line or a closed line of an indication.

        Not where something is asked or told of the patient: behind a closed line, and behind a blank one too where the
        title of the findings is still to come.
        """
        closed: list[Sentence] = []
        is_open = is_behind_blank = False
        titles = (k for k, s in enumerate(sentences) if s.apart == TITLED and s.section in _FINDINGS)
        titled = max(titles, default=-1)
        for k, s in enumerate(sentences):
            if s.section != "indication":
                is_open = is_behind_blank = False
            else:
                is_behind_blank = s.apart != TITLED and (is_behind_blank or s.apart == BLANK_LINE)
                ends = self._ends_indication(sentences, k, titled) or (is_behind_blank and self._is_told(s))
                is_open = s.apart != TITLED and (is_open or ends)
                if is_open:
                    s = s._replace(section="findings")
            closed.append(s)
        return closed

    def _ends_indication(self, sentences: list[Sentence], k: int, titled: int) -> bool:
        s = sentences[k]
        if not k or sentences[k - 1].section != s.section or s.apart <= JOINED:
            return False
        return (s.apart == BLANK_LINE and (titled < k or self._is_told(s))) or not (s.asked or self._tells(s))

    def _is_told(self, s: Sentence) -> bool:
        """Say whether a finding is a label with its value: "Grille trauma — Fracture costale : oui"."""
        named = (event[2] + 1 for event in self._events[s.first : s.last] if event[0] in READABLE)
        first = next(named, s.end)
        return not s.asked and COLON in self._symbols[first : s.end : 2]

    def untitled_indication(self, sentences: list[Sentence]) -> list[Sentence]:
        """What stands before the title of the report itself and asks, or tells of the patient, is the indication."""
        sentences = close_brief_sections(sentences)
        before = [s for s in sentences if s.section == "findings"]
        if any(s.asked or self._tells(s) for s in before):
            return [s._replace(section="indication") if s.section == "findings" else s for s in sentences]
        return sentences

    def _tells(self, sentence: Sentence) -> bool:
        kinds_of = [event[0] for event in self._events[sentence.first : sentence.last]]
        orders = any(kind == _IMPERATIVE and (not k or kinds_of[k - 1] == _COMMA) for k, kind in enumerate(kinds_of))
        return orders or self._speaks_of_the_patient(sentence.start, sentence.end + 1)

    def _speaks_of_the_patient(self, start: int, end: int) -> bool:
        return not self._words.indication.isdisjoint(self._symbols[start:end:2])

    def _close_open_section(self, rest: list[Sentence]) -> list[Sentence]:
        """Let findings begin where an indication without a following title visibly ends.

        Policy: an indication ends at the next title. Where no title follows, a new paragraph ends it; inside one
        paragraph, the first sentence that describes (a denial, a neutral anatomy, a located finding) and asks
        nothing.
        """
        described = [self._describes(s) for s in rest]
        last = max((k for k, is_described in enumerate(described) if is_described), default=0)
        begins = [k for k in range(1, last + 1) if rest[k].apart > JOINED]
        begins += [k for k in range(1, last + 1) if described[k]]
        if not begins:
            return rest
        k = begins[0]
        end = next((n for n in range(k, len(rest)) if rest[n].apart == TITLED), len(rest))
        return rest[:k] + [s._replace(section="findings") for s in rest[k:end]] + rest[end:]

    def _describes(self, sentence: Sentence) -> bool:
        """Say whether a sentence reads like a finding and not like a question or a symptom."""
        said = {event[0] for event in self._events[sentence.first : sentence.last]}
        if sentence.asked or said & _INDICATION or not said & READABLE:
            return False
        if self._speaks_of_the_patient(sentence.start, sentence.end):
            return False
        return bool(said & _STATEMENT) or (bool(said & _DESCRIBED) and bool(said & _LOCATES))


def close_brief_sections(sentences: list[Sentence]) -> list[Sentence]:
    """Let findings begin after the first sentence of a comparison or a technique, or behind its line."""
    closed: list[Sentence] = []
    running = ""
    for k, s in enumerate(sentences):
        if s.section not in BRIEF or s.apart == TITLED:
            running = ""
        elif k and sentences[k - 1].section == s.section and (s.bits & READS or s.apart > JOINED or running):
            running = "findings"
        closed.append(s._replace(section=running) if running else s)
    return closed
