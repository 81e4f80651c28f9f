"""French report -> mentions, attributes, labels. The one entrance: ``Labeler.default().read(text)``.

Belongs here: putting a reading together. Does not belong here: words (``words``), rules (YAML), events
(``scan``), sections (``sections``), what a sentence says (``sentence``), tables (``extract``).

Nothing is learned and nothing is remembered between reports except single words, so a reading depends on its text only.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from radia_pipeline.contracts.label_values import no_finding, strongest_by_class
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.reports.cuts import join_cut_words, join_split_words
from radia_pipeline.reports.devices import devices_of
from radia_pipeline.reports.edits import Changed, places_before
from radia_pipeline.reports.french import FRENCH
from radia_pipeline.reports.kinds import ANSWERS, HAS_ADVICE, HAS_DEVICE, IS_FOREIGN, KIND, READS, SAYS_NORMAL, kinds
from radia_pipeline.reports.language import Words
from radia_pipeline.reports.lines import settle_lines
from radia_pipeline.reports.repair import PLAIN, is_lost, repair
from radia_pipeline.reports.rules import Rulebook, rulebook
from radia_pipeline.reports.scan import Scan
from radia_pipeline.reports.sections import ELSEWHERE, LABELLED, Sentence
from radia_pipeline.reports.sentence.clause import QUESTION_MARK, UNREAD
from radia_pipeline.reports.sentence.clause import Mention as ReadMention
from radia_pipeline.reports.sentence.reader import SentenceReader
from radia_pipeline.reports.words import TOKEN, UNKNOWN

_SPLIT = TOKEN.split
_NAMED = kinds("finding fixed_finding")
_ANSWER = kinds("deny deny_after none_after yes_after")
_DESCRIBES = kinds("comma modifier article of place quality hedge_near state and anatomy")
"""What an answer may go on with: "Pneumothorax ? Oui, apical droit."."""
_NO_CLASS = (None,)
_BLANKS = dict.fromkeys((0xA0, 0x202F), " ")
"""Blanks that do not break a line; the place of every character stays."""
ANSWERED = "answered"
"""Rule id of a question that a later sentence answers."""
_new = tuple.__new__
"""Makes a named tuple at a fifth of the cost of calling its class."""


class Mention(NamedTuple):
    """One finding named in the text, one row per class.

    concept: lexicon rule; class_: vocabulary class or None; status: 1, 0, -1, or None where it makes no label; section:
    where it stands; sentence: as written; start, end: characters in the text; cue: the words that decided, as written;
    rule_id: the rule that decided ("affirmed": none had to; "unread": a denial that no rule understands).
    """

    concept: str
    class_: str | None
    status: int | None
    section: str
    sentence: str
    start: int
    end: int
    cue: str | None
    rule_id: str


class Attributes(NamedTuple):
    """What is known of a report beside its labels, for weighting, review and drift."""

    has_findings_text: bool
    is_unlabelled: bool
    is_signed_unread: bool
    is_concordance_impossible: bool
    is_quality_limited: bool
    is_reference_only: bool
    has_open_question: bool
    has_other_abnormality: bool
    mention_count: int
    uncertain_share: float
    unread_count: int
    repaired: int
    devices: str
    misplaced_devices: str


class Asides(NamedTuple):
    """What reading gathers beside mentions: classes that the indication asks about, remarks, flags of kinds seen,
    whether history was told, repaired places, devices and those that lie wrong."""

    asked: Set[str] = frozenset()
    remarks: Set[str] = frozenset()
    seen: int = 0
    past: bool = False
    repaired: int = 0
    devices: Set[str] = frozenset()
    misplaced: Set[str] = frozenset()


class Reading(NamedTuple):
    """``labels``: class -> 1 | 0 | -1 as said, before closure; classes that are not mentioned are absent."""

    mentions: tuple[Mention, ...]
    attributes: Attributes
    labels: dict[str, int]


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
        original, steps, repaired = text, [], 0
        is_plain = PLAIN.match(text)
        if not is_plain:
            steps = repair(text)
            text = steps[-1].text if steps else text
            repaired = sum(len(step.edits) for step in steps)
            if (repaired or "\ufffd" in text) and is_lost(text):
                return _unreadable(original, repaired)
            text = text.translate(_BLANKS)
        if not is_plain or self.book.marks.may_touch(text):
            signs = self.book.marks.rewrite(text)
            if signs:
                text, steps = signs[-1].text, steps + signs
        if "- " in text or "-\n" in text or "-\r" in text or "-\u00a0" in text:
            steps.append(join_cut_words(text, self.book))
            text = steps[-1].text
        parts = _SPLIT(text)
        symbols = list(map(self.book.table.__getitem__, parts))
        if UNKNOWN in symbols:
            join_split_words(parts, symbols, self.book)
        if "\n" in text:
            settle_lines(parts, symbols, self.book)
        scan, place = Scan(symbols, self.book).run(), _Places(original, parts, steps)
        return _Assembly(scan, self.book.words, place).reading(repaired)


class _Assembly:
    """What the sentences of one report say, gathered one after the other. ``question``: rows of the question that a
    sentence may answer; ``device_before``: whether the sentence before named a device."""

    __slots__ = (
        "_asked", "_device_before", "_events", "_past", "_place", "_question", "_questions", "_remarks", "_rows",
        "_seen", "_sentences", "_symbols", "_words",
    )  # fmt: skip

    def __init__(self, scan: Scan, words: Words, place: _Places) -> None:
        self._events, self._symbols, self._words, self._place = scan.events, scan.symbols, words, place
        self._sentences, self._remarks = scan.sentences, scan.remarks
        self._rows: list[Mention] = []
        self._asked: set[str] = set()
        self._seen, self._past = 0, False
        self._question: Sequence[int] = ()
        self._questions = False
        self._device_before = 0

    def reading(self, repaired: int) -> Reading:
        """Gather all sentences."""
        for s in self._sentences:
            if not s[7] & READS:
                self._names_nothing(s)
            elif s[0] in LABELLED:
                self._is_seen(s)
            else:
                self._is_told(s)
        if self._questions:
            _settle_questions(self._rows)
        place = self._place
        said = self._asked, self._remarks, self._seen, self._past, repaired, place.found, place.wrong
        return _finish(self._rows, _new(Asides, said))

    def _names_nothing(self, s: Sentence) -> None:
        """A sentence without a finding or an anatomy: it may praise, name a device, or answer."""
        section, first, last, _, _, _, _, bits = s
        self._device_before = bits & HAS_DEVICE
        if section in LABELLED:
            self._seen |= bits & (SAYS_NORMAL | HAS_DEVICE)
            if self._device_before:
                self._place.devices(self._events[first:last])
        if self._question and bits & ANSWERS:
            _answer(self._rows, self._question, self._events[first:last], self._symbols)

    def _is_seen(self, s: Sentence) -> None:
        """A sentence of the findings or the conclusion."""
        section, first, last, start, end, _, is_asked, bits = s
        before, span = len(self._rows), self._events[first:last]
        reader = SentenceReader(span, self._symbols, self._words)
        if self._device_before:
            reader.device_before = True
        self._device_before = bits & HAS_DEVICE
        reader.read(is_asked, bits & HAS_ADVICE, end)
        if self._device_before:
            self._seen |= HAS_DEVICE * reader.shows_device
            self._place.devices(span)
        if reader.says_normal:
            self._seen |= SAYS_NORMAL
        if reader.tells_history:
            self._past = True
        found = reader.mentions
        if bits & IS_FOREIGN and self._words.french.isdisjoint(self._symbols[start : end + 1 : 2]):
            _short_forms_only(found, self._symbols)
        if section == ELSEWHERE:
            _thoracic_only(found)
        if found:
            self._place.rows(s, found, self._rows)
        if is_asked:
            self._question = range(before, len(self._rows))
            self._questions = self._questions or bool(self._question)
        elif self._question:
            self._question = ()

    def _is_told(self, s: Sentence) -> None:
        """A sentence of a section that makes no label."""
        self._device_before = s.bits & HAS_DEVICE
        found = _named_only(self._events[s.first : s.last], s.section)
        if s.section == "indication":
            self._asked.update(c for m in found for c in m.leaf.classes)
        if found:
            self._place.rows(s, found, self._rows)
        self._question = ()


def _named_only(span: list[tuple], section: str) -> list[ReadMention]:
    """Findings of a section that makes no label: kept as evidence, without a status."""
    return [ReadMention(e[3], e[1], e[2], None, None, f"section.{section}", "") for e in span if e[0] in _NAMED]


class _Places:
    """Tokens to characters of the original text; built when the first finding asks."""

    def __init__(self, text: str, parts: list[str], steps: list[Changed]) -> None:
        self._text, self._parts, self._steps = text, parts, steps
        self._ends: list[int] = []
        self.found: set[str] = set()
        self.wrong: set[str] = set()

    def devices(self, span: list[tuple]) -> None:
        """Remember the devices of a sentence."""
        found, wrong = devices_of(span)
        self.found |= found
        self.wrong |= wrong

    def rows(self, s: Sentence, found: list[ReadMention], rows: list[Mention]) -> None:
        """Append one row per mention and class."""
        ends, text, section = self._ends, self._text, s.section
        if not ends:
            ends = self._ends = list(accumulate(map(len, self._parts)))
            for step in reversed(self._steps):
                ends = self._ends = places_before(ends, step.edits)
        sentence = text[ends[s.start - 1] : ends[s.end]]
        add = rows.append
        for m in found:
            _, concept, classes, *_ = m.leaf
            cue = m.cue
            words = text[ends[cue[1] - 1] : ends[cue[2]]] if cue is not None else None
            start, end, status, rule = ends[m.first - 1], ends[m.last], m.status, m.rule
            for name in classes or _NO_CLASS:
                add(_new(Mention, (concept, name, status, section, sentence, start, end, words, rule)))


def _answer(rows: list[Mention], question: Sequence[int], span: list[tuple], symbols: list[int]) -> None:
    """ "Pneumothorax? Non.": the question that stands before is answered."""
    first = span[0]
    if first[0] not in _ANSWER or not all(event[0] in _DESCRIBES for event in span[1:]):
        return
    if first[0] == KIND["deny"] and first[1] + 2 < len(symbols) and not symbols[first[1] + 1]:
        return
    status = 1 if span[0][0] == KIND["yes_after"] else 0
    for k in question:
        if rows[k].status == -1:
            rows[k] = rows[k]._replace(status=status, rule_id=span[0][3].rule)


def _settle_questions(rows: list[Mention]) -> None:
    """A question that a later sentence answers is its answer: it makes no label itself."""
    answered: set[str | None] = set()
    for k in range(len(rows) - 1, -1, -1):
        row = rows[k]
        if row.rule_id == QUESTION_MARK and row.class_ in answered:
            rows[k] = row._replace(status=None, rule_id=ANSWERED)
        elif row.status is not None and row.class_ is not None:
            answered.add(row.class_)


def _thoracic_only(found: list[ReadMention]) -> None:
    for m in found:
        if "anywhere" in m.leaf.traits:
            m.status, m.cue, m.rule = None, None, f"section.{ELSEWHERE}"


def _short_forms_only(found: list[ReadMention], symbols: list[int]) -> None:
    """Of a sentence in another language only a denial or a doubt right before its findings is read."""
    for m in found:
        between = symbols[m.cue[2] + 2 : m.first : 2] if m.cue is not None and m.cue[2] < m.first else ()
        if m.status == 1 or UNKNOWN in between:
            m.status, m.cue, m.rule = None, None, UNREAD


def _unreadable(text: str, repaired: int) -> Reading:
    """The reading of a text whose letters transport destroyed: nothing but that it is listed."""
    row = Mention("unreadable", None, None, "findings", text, 0, len(text), None, UNREAD)
    return _finish([row], Asides(repaired=repaired))


def _finish(rows: list[Mention], about: Asides) -> Reading:
    labels = strongest_by_class([row[1:3] for row in rows])
    read = uncertain = unread = 0
    other, seen, remarks = about.past, about.seen, about.remarks
    for row in rows:
        name, status = row[1], row[2]
        if status is None:
            unread += row[8] == UNREAD
            continue
        read += 1
        uncertain += status == -1
        other = other or (name is None and status != 0)
    has_text = bool(read or seen)
    normal = no_finding(any(labels.values()), has_text and not other and unread == 0)
    if normal is not None:
        labels[vocabulary().no_finding] = normal
    attributes = (
        has_text,
        not labels,
        "is_signed_unread" in remarks,
        "is_concordance_impossible" in remarks,
        "is_quality_limited" in remarks,
        "is_reference" in remarks and not has_text,
        any(c not in labels for c in about.asked),
        other,
        len(rows),
        uncertain / read if read else 0.0,
        unread,
        about.repaired,
        " ".join(sorted(about.devices)) if about.devices else "",
        " ".join(sorted(about.misplaced)) if about.misplaced else "",
    )
    return Reading(tuple(rows), _new(Attributes, attributes), labels)
