"""French report -> mentions, attributes, labels. The one entrance: ``Labeler.default().read(text)``.

Belongs here: putting a reading together. Does not belong here: words (``words``), rules (YAML), events
(``scan``), sections (``sections``), what a sentence says (``sentence``), tables (``extract``).

Nothing is learned and nothing is remembered between reports except single words, so a reading depends on its text only.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from radia_pipeline.contracts.label_values import no_finding, strongest_by_class
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.reports.french import FRENCH
from radia_pipeline.reports.kinds import HAS_ADVICE, HAS_DEVICE, READS, SAYS_NORMAL, kinds
from radia_pipeline.reports.lines import join_cut_words, settle_lines
from radia_pipeline.reports.rules import Rulebook, rulebook
from radia_pipeline.reports.scan import Scan
from radia_pipeline.reports.sections import LABELLED, Sentence
from radia_pipeline.reports.sentence.clause import UNREAD
from radia_pipeline.reports.sentence.clause import Mention as ReadMention
from radia_pipeline.reports.sentence.reader import SentenceReader
from radia_pipeline.reports.words import TOKEN

_SPLIT = TOKEN.split
_NAMED = kinds("finding fixed_finding")
_NO_CLASS = (None,)
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
        shifts = None
        if "- " in text or "-\n" in text or "-\r" in text or "-\u00a0" in text:
            text, shifts, original = *join_cut_words(text, self.book), text
        else:
            original = text
        parts = _SPLIT(text)
        symbols = list(map(self.book.table.__getitem__, parts))
        if "\n" in text:
            settle_lines(parts, symbols, self.book)
        return self._put_together(Scan(symbols, self.book).run(), _Places(original, parts, shifts))

    # ------------------------------------------------------------------ events to a reading
    def _put_together(self, scan: Scan, place: _Places) -> Reading:
        rows: list[Mention] = []
        asked: set[str] = set()
        seen = 0
        words = self.book.words
        for s in scan.sentences:
            labelled = s.section in LABELLED
            if not s.bits & READS:
                seen |= s.bits if labelled else 0
                continue
            span = scan.events[s.first : s.last]
            if labelled:
                reader = SentenceReader(span, scan.symbols, words)
                reader.read(s.asked, s.bits & HAS_ADVICE, s.end)
                seen |= s.bits & HAS_DEVICE
                if reader.says_normal:
                    seen |= SAYS_NORMAL
                found = reader.mentions
            else:
                found = _named_only(span, s.section)
                if s.section == "indication":
                    asked.update(c for m in found for c in m.leaf.classes)
            if found:
                place.rows(s, found, rows)
        return _finish(rows, asked, scan.remarks, seen)


def _named_only(span: list[tuple], section: str) -> list[ReadMention]:
    """Findings of a section that makes no label: kept as evidence, without a status."""
    return [ReadMention(e[3], e[1], e[2], None, None, f"section.{section}", "") for e in span if e[0] in _NAMED]


class _Places:
    """Tokens to characters of the original text; built when the first finding asks."""

    def __init__(self, text: str, parts: list[str], shifts: list[tuple[int, int]] | None) -> None:
        self._text, self._parts, self._shifts = text, parts, shifts
        self._ends: list[int] = []

    def rows(self, s: Sentence, found: list[ReadMention], rows: list[Mention]) -> None:
        """Append one row per mention and class."""
        ends, text, shifts, section = self._ends, self._text, self._shifts, s.section
        if not ends:
            ends = self._ends = list(accumulate(map(len, self._parts)))
            if shifts:
                ends = self._ends = _shifted(ends, shifts)
        sentence = text[ends[s.start - 1] : ends[s.end]]
        for m in found:
            leaf, cue = m.leaf, m.cue
            words = text[ends[cue[1] - 1] : ends[cue[2]]] if cue is not None else None
            start, end = ends[m.first - 1], ends[m.last]
            for name in leaf.classes or _NO_CLASS:
                rows.append(_new(Mention, (leaf.rule, name, m.status, section, sentence, start, end, words, m.rule)))


def _finish(rows: list[Mention], asked: set[str], remarks: set[str], seen: int) -> Reading:
    labels = strongest_by_class([row[1:3] for row in rows])
    read = uncertain = unread = 0
    other = False
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
        any(c not in labels for c in asked),
        other,
        len(rows),
        uncertain / read if read else 0.0,
        unread,
    )
    return Reading(tuple(rows), _new(Attributes, attributes), labels)


def _shifted(positions: list[int], shifts: list[tuple[int, int]]) -> list[int]:
    """Return where ascending positions of the joined text lie in the original. ``shifts``: (from here on, add this)."""
    moved, k, add = [], 0, 0
    for position in positions:
        while k < len(shifts) and shifts[k][0] < position:
            add = shifts[k][1]
            k += 1
        moved.append(position + add)
    return moved
