"""French report -> mentions, attributes, labels. The one entrance: ``Labeler.default().read(text)``.

Belongs here: tokens to events, sentences, putting a reading together. Does not belong here: words (``words``), rules
(YAML), sections (``sections``), what a sentence says (``sentence``), tables (``extract``).

Nothing is learned and nothing is remembered between reports except single words, so a reading depends on its text only.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from radia_pipeline.reports.aggregate import no_finding
from radia_pipeline.reports.rules import (
    BITS,
    HAS_ADVICE,
    HAS_DEVICE,
    KIND,
    LEAF,
    READS,
    SAYS_NORMAL,
    Leaf,
    Rulebook,
    load_rules,
)
from radia_pipeline.reports.sections import (
    BRIEF,
    LABELLED,
    Sentence,
    bare_title,
    close_brief_sections,
    close_open_section,
    title_before,
)
from radia_pipeline.reports.sentence.clause import UNREAD
from radia_pipeline.reports.sentence.clause import Mention as ReadMention
from radia_pipeline.reports.sentence.reader import SentenceReader
from radia_pipeline.reports.words import (
    CLOSE,
    COLON,
    COMMA,
    DASH,
    FIRST_WORD,
    LAST_QUESTION,
    NEWLINE,
    OPEN,
    PARAGRAPH,
    QUESTION,
    SEMICOLON,
    SPACE,
    STOP,
    TOKEN,
)

_SPLIT = TOKEN.split
_CUT = re.compile(r"([^\W\d_]{2,})-[^\S\n]*\n\s*([^\W\d_]{2,})|([^\W\d_]{3,})- ([^\W\d_]{3,})")
_MARK = {
    COMMA: Leaf(KIND["comma"], "punctuation"),
    COLON: Leaf(KIND["colon"], "punctuation"),
    OPEN: Leaf(KIND["open"], "punctuation"),
    CLOSE: Leaf(KIND["close"], "punctuation"),
    SEMICOLON: Leaf(KIND["semicolon"], "punctuation"),
    DASH: Leaf(KIND["dash"], "punctuation"),
}
_SPOKEN = {"comma": _MARK[COMMA], "colon": _MARK[COLON]}
_LONGEST_SKIP = 3
"""Modifiers allowed between two words of a phrase: "hernie [volumineuse] hiatale"."""

_PUNCTUATION, _REMARK = KIND["punctuation"], KIND["remark"]
_NAMED = frozenset(KIND[k] for k in ("finding", "fixed_finding"))
_ENDS_SENTENCE = frozenset((STOP, QUESTION, PARAGRAPH, LAST_QUESTION))
_ASKS = frozenset((QUESTION, LAST_QUESTION))
_ENDS_PARAGRAPH = frozenset((PARAGRAPH, LAST_QUESTION))
_NO_CLASS = (None,)
_new = tuple.__new__
_FUNCTION_WORDS = frozenset(
    KIND[k]
    for k in (
        "de",
        "article",
        "and",
        "or",
        "nor",
        "avec",
        "deny",
        "not",
        "ne",
        "link",
        "hedge_before",
        "hedge_near",
        "modifier",
        "verb",
        "hedge_verb",
        "seem",
    )
)
_CONTINUATION = frozenset(
    KIND[k] for k in ("de", "and", "or", "nor", "avec", "link", "deny_after", "not", "no_more", "verb", "hedge_after")
)


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
    """What is known of a report beside its labels, for weighting, review and drift (issue 3, item 4)."""

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
        return cls(load_rules())

    def labels(self, text: str) -> dict[str, int]:
        """Return ``read(text).labels``."""
        return self.read(text).labels

    def read(self, text: str) -> Reading:
        """Read one report. Any string is accepted; an empty one is unlabelled. Time and memory are linear in length."""
        shifts = None
        if "- " in text or "-\n" in text or "-\r" in text:
            text, shifts, original = *self._join_cut_words(text), text
        else:
            original = text
        parts = _SPLIT(text)
        symbols = list(map(self.book.table.__getitem__, parts))
        if "\n" in text:
            self._settle_lines(parts, symbols)
        events, sentences, remarks = self._scan(symbols)
        return self._put_together(original, parts, symbols, events, sentences, remarks, shifts)

    # ------------------------------------------------------------------ text to events
    def _join_cut_words(self, text: str) -> tuple[str, list[tuple[int, int]]]:
        """Join words cut at a line end when the joined word is known; return (position, characters gone so far)."""
        pieces, shifts, at, gone = [], [], 0, 0
        for match in _CUT.finditer(text):
            left = 1 if match.group(1) else 3
            if not self.book.table.knows(match.group(left) + match.group(left + 1)):
                continue
            pieces.append(text[at : match.end(left)])
            at = match.start(left + 1)
            gone += at - match.end(left)
            shifts.append((at - gone, gone))
        return "".join(pieces) + text[at:], shifts

    def _settle_lines(self, parts: list[str], symbols: list[int]) -> None:
        """Decide for every line end whether it ends a statement or only wraps it."""
        mixed = any(p.islower() for p in parts[1::2])
        kinds, solo, tree = self._first_kind, self.book.solo, self.book.tree
        for k in range(2, len(symbols) - 1, 2):
            if symbols[k] != NEWLINE:
                continue
            before, after = kinds(symbols[k - 1], solo, tree), kinds(symbols[k + 1], solo, tree)
            wraps = before in _FUNCTION_WORDS or after in _CONTINUATION or (mixed and parts[k + 1][0].islower())
            symbols[k] = SPACE if wraps else STOP

    @staticmethod
    def _first_kind(symbol: int, solo: dict, tree: dict) -> int:
        leaf = solo.get(symbol) or tree.get(symbol, {}).get(LEAF)
        return leaf.kind if leaf else -1

    def _scan(self, symbols: list[int]) -> tuple[list[tuple], list[Sentence], set[str]]:
        """Match phrases and punctuation; cut into sentences. Events: (kind, first token, last token, leaf)."""
        book = self.book
        solo_get, tree_get, modifiers = book.solo.get, book.tree.get, book.modifiers
        all_bits = BITS
        events: list[tuple] = []
        sentences: list[Sentence] = []
        remarks: set[str] = set()
        brief = False
        section, first, start, broken, bits = "findings", 0, 1, 2, 0
        i, n, add, bare_first = 1, len(symbols), events.append, book.bare_first
        if n > 1 and symbols[1] in bare_first:
            i, section = self._after_titles(symbols, 1, section)
            start = i
        while i < n:
            symbol = symbols[i]
            end = i
            if symbol >= FIRST_WORD:
                leaf = solo_get(symbol)
                if leaf is None:
                    node = tree_get(symbol)
                    if node is not None:
                        following = symbols[i + 2] if i + 2 < n and not symbols[i + 1] else -2
                        if following in node or following in modifiers:
                            leaf, end = self._longest(symbols, i, n, node)
                        else:
                            leaf = node.get(LEAF)
                if leaf is not None:
                    kind = leaf.kind
                    if kind == _PUNCTUATION:
                        if leaf.value == "stop":
                            if self._is_spoken_stop(symbols, i, end):
                                symbols[end + 1] = symbols[end + 1] if symbols[end + 1] in _ENDS_SENTENCE else STOP
                        elif leaf.value == "colon":
                            symbols[end + 1] = COLON
                        else:
                            add((_MARK[COMMA].kind, i, end, _SPOKEN["comma"]))
                    elif kind == _REMARK:
                        remarks.add(leaf.value)
                    else:
                        add((kind, i, end, leaf))
                        bits |= all_bits[kind]
            mark = symbols[end + 1]
            i = end + 2
            if not mark:
                continue
            if mark == COLON:
                title = title_before(symbols, end + 1, start, book)
                if title is not None:
                    token, new_section = title
                    cut = len(events)
                    while cut > first and events[cut - 1][1] >= token:
                        cut -= 1
                    if token > start:
                        sentences.append(Sentence(section, first, cut, start, token - 2, broken, False, bits))
                    broken = 0
                    bits = 0
                    for event in events[cut:]:
                        bits |= all_bits[event[0]]
                    section, first, start = new_section, cut, token
                    brief = brief or new_section in BRIEF
                    if not (new_section == "findings" and cut < len(events) and events[cut][0] == KIND["anatomy"]):
                        del events[cut:]
                        start, bits = i, 0
                        if i < n and symbols[i] in bare_first:
                            i, section = self._after_titles(symbols, i, section)
                            start = i
                        continue
                add((_MARK[COLON].kind, end + 1, end + 1, _MARK[COLON]))
                continue
            if mark == STOP and symbol in book.abbreviations:
                continue
            if mark in _ENDS_SENTENCE:
                sentences.append(Sentence(section, first, len(events), start, end, broken, mark in _ASKS, bits))
                first, start, bits = len(events), i, 0
                broken = 2 if mark in _ENDS_PARAGRAPH else 0
                if i < n and symbols[i] in bare_first:
                    i, section = self._after_titles(symbols, i, section)
                    broken = 0 if i > start else broken
                    start = i
                continue
            leaf = _MARK.get(mark)
            if leaf is not None:
                add((leaf.kind, end + 1, end + 1, leaf))
        if first < len(events) or start < n:
            sentences.append(Sentence(section, first, len(events), start, min(n - 2, i - 2), broken, False, bits))
        if brief:
            sentences = close_brief_sections(sentences)
        if sentences and sentences[-1].section not in LABELLED:
            sentences = close_open_section(sentences, events, symbols, book)
        return events, sentences, remarks

    def _after_titles(self, symbols: list[int], i: int, section: str) -> tuple[int, str]:
        """Step over titles that stand at token ``i`` without a colon; return the next token and its section."""
        while i < len(symbols) and symbols[i] in self.book.bare_first:
            bare = bare_title(symbols, i, self.book, section)
            if bare is None:
                break
            i, section = bare
        return i, section

    def _longest(self, symbols: list[int], i: int, n: int, node: dict) -> tuple[Leaf | None, int]:
        """Return the longest phrase from token ``i`` and its last token; modifiers may stand inside a phrase."""
        leaf, end, j, skipped = node.get(LEAF), i, i, 0
        modifiers = self.book.modifiers
        while j + 2 < n and not symbols[j + 1]:
            symbol = symbols[j + 2]
            child = node.get(symbol)
            j += 2
            if child is None:
                if symbol in modifiers and skipped < _LONGEST_SKIP:
                    skipped += 1
                    continue
                break
            node = child
            found = node.get(LEAF)
            if found is not None:
                leaf, end = found, j
        return leaf, end

    def _is_spoken_stop(self, symbols: list[int], i: int, end: int) -> bool:
        """ "point" ends a sentence unless it is a noun: "au point de vue", "un point de"."""
        following = symbols[end + 2] if end + 2 < len(symbols) else 0
        words = self.book.words
        return end > i or following not in (words["de"], words["d"])

    # ------------------------------------------------------------------ events to a reading
    def _put_together(self, text, parts, symbols, events, sentences, remarks, shifts) -> Reading:
        book = self.book
        place = _Places(text, parts, shifts)
        rows: list[Mention] = []
        asked: set[str] = set()
        seen = 0
        for s in sentences:
            labelled = s.section in LABELLED
            if not s.bits & READS:
                seen |= s.bits if labelled else 0
                continue
            span = events[s.first : s.last]
            if labelled:
                reader = SentenceReader(span, symbols, book)
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
        return _finish(rows, asked, remarks, seen)


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
    labels: dict[str, int] = {}
    read = uncertain = unread = 0
    other = False
    for row in rows:
        name, status = row[1], row[2]
        if status is None:
            unread += row[8] == UNREAD
            continue
        read += 1
        uncertain += status == -1
        if name is None:
            other = other or status != 0
        elif status == 1 or labels.get(name, 0) == 0:
            labels[name] = status
    has_text = bool(read or seen)
    value = no_finding(labels, has_text=has_text, has_other=other or unread > 0)
    if value is not None:
        labels["No Finding"] = value
    attributes = Attributes(
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
    return Reading(tuple(rows), attributes, labels)


def _shifted(positions: list[int], shifts: list[tuple[int, int]]) -> list[int]:
    """Return where ascending positions of the joined text lie in the original. ``shifts``: (from here on, add this)."""
    moved, k, add = [], 0, 0
    for position in positions:
        while k < len(shifts) and shifts[k][0] < position:
            add = shifts[k][1]
            k += 1
        moved.append(position + add)
    return moved


def __getattr__(name: str) -> str:
    """``ENGINE_VERSION``: versions of lexicon and cues with a digest of both and of the code, when first asked for."""
    if name == "ENGINE_VERSION":
        return load_rules().version
    raise AttributeError(name)
