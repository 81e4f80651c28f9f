"""French report -> mentions, attributes, labels. The one entrance: ``Labeler.default().read(text)``.

Belongs here: tokens to events, sentences, and putting a reading together. Does not belong here: words (``words``), rules
(YAML), sections (``sections``), what a sentence says (``scopes``), tables (``extract``).

Nothing is learned and nothing is remembered between reports except single words, so a reading depends on its text only.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from radia_pipeline.reports.aggregate import aggregate, no_finding
from radia_pipeline.reports.rules import KIND, KINDS, LEAF, Leaf, Rulebook, load_rules
from radia_pipeline.reports.scopes import UNREAD, SentenceReader
from radia_pipeline.reports.sections import LABELLED, Sentence, bare_title, close_open_section, title_before
from radia_pipeline.reports.words import (
    CLOSE, COLON, COMMA, DASH, FIRST_WORD, NEWLINE, NUMBER, OPEN, PARAGRAPH, QUESTION, SEMICOLON, SPACE, STOP, TOKEN,
)  # fmt: skip

_SPLIT = TOKEN.split
_CUT = re.compile(r"([^\W\d_]{2,})-[^\S\n]*\n\s*([^\W\d_]{2,})|([^\W\d_]{3,})- ([^\W\d_]{3,})")
_MARK = {
    COMMA: Leaf(KIND["comma"], "punctuation"), COLON: Leaf(KIND["colon"], "punctuation"), OPEN: Leaf(KIND["open"], "punctuation"),
    CLOSE: Leaf(KIND["close"], "punctuation"), SEMICOLON: Leaf(KIND["semicolon"], "punctuation"), DASH: Leaf(KIND["dash"], "punctuation"),
}  # fmt: skip
_SPOKEN = {"comma": _MARK[COMMA], "colon": _MARK[COLON]}
_LONGEST_SKIP = 3
"""Modifiers allowed between two words of a phrase: "hernie [volumineuse] hiatale"."""

_PUNCTUATION, _REMARK, _DEVICE, _ADVICE_VERB = (KIND[k] for k in ("punctuation", "remark", "device", "advice_verb"))
_READ = frozenset(KIND[k] for k in ("finding", "fixed_finding", "fixed", "other", "anatomy", "quality"))
_NAMED = frozenset(KIND[k] for k in ("finding", "fixed_finding"))
_SAYS_NORMAL = frozenset(KIND[k] for k in ("normal", "clear"))
_FUNCTION_WORDS = frozenset(KIND[k] for k in ("de", "article", "and", "or", "nor", "avec", "deny", "not", "ne", "link", "hedge_before", "hedge_near", "modifier", "verb", "hedge_verb", "seem"))
_CONTINUATION = frozenset(KIND[k] for k in ("de", "and", "or", "nor", "avec", "link", "deny_after", "not", "no_more", "verb", "hedge_after"))


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
        """Join words cut at a line end when the joined word is known; return where how many characters went."""
        pieces, shifts, at = [], [], 0
        for match in _CUT.finditer(text):
            left = 1 if match.group(1) else 3
            if not self.book.table.knows(match.group(left) + match.group(left + 1)):
                continue
            pieces += [text[at : match.end(left)]]
            at = match.start(left + 1)
            shifts.append((sum(map(len, pieces)), at - match.end(left)))
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
        solo, tree = book.solo, book.tree
        events: list[tuple] = []
        sentences: list[Sentence] = []
        remarks: set[str] = set()
        section, first, start, broken = "findings", 0, 1, 2
        i, n, add = 1, len(symbols), events.append
        bare = bare_title(symbols, 1, book, section) if n > 1 else None
        if bare:
            i = start = bare[0]
            section = bare[1]
        while i < n:
            symbol = symbols[i]
            end = i
            if symbol >= FIRST_WORD:
                leaf = solo.get(symbol)
                if leaf is None:
                    node = tree.get(symbol)
                    if node is not None:
                        leaf, end = self._longest(symbols, i, n, node)
                if leaf is not None:
                    kind = leaf.kind
                    if kind == _PUNCTUATION:
                        if leaf.value == "stop":
                            if self._is_spoken_stop(symbols, i, end):
                                symbols[end + 1] = symbols[end + 1] if symbols[end + 1] in (PARAGRAPH, STOP) else STOP
                        elif leaf.value == "colon":
                            symbols[end + 1] = COLON
                        else:
                            add((_MARK[COMMA].kind, i, end, _SPOKEN["comma"]))
                    elif kind == _REMARK:
                        remarks.add(leaf.value)
                    else:
                        add((kind, i, end, leaf))
            elif symbol == NUMBER:
                pass
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
                        sentences.append(Sentence(section, first, cut, start, token - 2, broken, False))
                    broken = 0
                    section, first, start = new_section, cut, token
                    if not (new_section == "findings" and cut < len(events) and events[cut][0] == KIND["anatomy"]):
                        del events[cut:]
                        start = i
                        continue
                add((_MARK[COLON].kind, end + 1, end + 1, _MARK[COLON]))
                continue
            if mark == STOP and symbol in book.abbreviations:
                continue
            if mark in (STOP, QUESTION, PARAGRAPH):
                sentences.append(Sentence(section, first, len(events), start, end, broken, mark == QUESTION))
                first, start = len(events), i
                broken = 2 if mark == PARAGRAPH else 0
                if i < n:
                    bare = bare_title(symbols, i, book, section)
                    if bare:
                        i = start = bare[0]
                        section = bare[1]
                        if bare[0] - 1 < n and symbols[bare[0] - 1] in (STOP, PARAGRAPH):
                            broken = 0
                continue
            leaf = _MARK.get(mark)
            if leaf is not None:
                add((leaf.kind, end + 1, end + 1, leaf))
        if first < len(events) or start < n:
            sentences.append(Sentence(section, first, len(events), start, min(n - 2, i - 2), broken, False))
        if section not in LABELLED:
            sentences = close_open_section(sentences, events, symbols, book)
        return events, sentences, remarks

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
        ends = None
        mentions: list[Mention] = []
        asked: set[str] = set()
        unread = 0
        says_normal = has_device = False
        for s in sentences:
            span = events[s.first : s.last]
            if not span:
                continue
            kinds = {e[0] for e in span}
            if kinds.isdisjoint(_READ):
                if s.section in LABELLED:
                    says_normal = says_normal or not kinds.isdisjoint(_SAYS_NORMAL)
                    has_device = has_device or _DEVICE in kinds
                continue
            if ends is None:
                ends = list(accumulate(map(len, parts)))
            if s.section not in LABELLED:
                found = [(e[3], e[1], e[2], None, None, f"section.{s.section}") for e in span if e[0] in _NAMED]
                if s.section == "indication":
                    asked.update(c for f in found for c in f[0].classes)
            else:
                reader = SentenceReader(span, symbols, book)
                reader.read(s.asked, _ADVICE_VERB in kinds)
                says_normal = says_normal or reader.says_normal
                has_device = has_device or _DEVICE in kinds
                found = [(m.leaf, m.first, m.last, m.status, m.cue, m.rule) for m in reader.mentions]
            if not found:
                continue
            a, b = ends[s.start - 1], ends[min(s.end, len(ends) - 1)]
            sentence = text[a:b] if shifts is None else text[_shift(a, shifts) : _shift(b, shifts)]
            for leaf, t0, t1, status, cue, rule in found:
                c0, c1 = ends[t0 - 1], ends[t1]
                cue_text = None
                if cue is not None:
                    k0, k1 = ends[cue[1] - 1], ends[cue[2]]
                    cue_text = text[k0:k1] if shifts is None else text[_shift(k0, shifts) : _shift(k1, shifts)]
                if shifts is not None:
                    c0, c1 = _shift(c0, shifts), _shift(c1, shifts)
                if rule == UNREAD:
                    unread += 1
                for class_ in leaf.classes or (None,):
                    mentions.append(Mention(leaf.rule, class_, status, s.section, sentence, c0, c1, cue_text, rule))
        return self._finish(mentions, asked, remarks, unread, says_normal, has_device)

    def _finish(self, mentions, asked, remarks, unread, says_normal, has_device) -> Reading:
        labels = aggregate((m.class_, m.status) for m in mentions)
        other = any(m.class_ is None and m.status is not None and m.status != 0 for m in mentions)
        read = [m.status for m in mentions if m.status is not None]
        has_text = bool(says_normal or has_device or read)
        value = no_finding(labels, has_text=has_text, has_other=other or unread > 0)
        if value is not None:
            labels["No Finding"] = value
        attributes = Attributes(
            has_findings_text=has_text,
            is_unlabelled=not labels,
            is_signed_unread="is_signed_unread" in remarks,
            is_concordance_impossible="is_concordance_impossible" in remarks,
            is_quality_limited="is_quality_limited" in remarks,
            is_reference_only="is_reference" in remarks and not has_text,
            has_open_question=any(c not in labels for c in asked),
            has_other_abnormality=other,
            mention_count=len(mentions),
            uncertain_share=read.count(-1) / len(read) if read else 0.0,
            unread_count=unread,
        )
        return Reading(tuple(mentions), attributes, labels)


def _shift(position: int, shifts: list[tuple[int, int]]) -> int:
    """Return where a character of the joined text stands in the original."""
    return position + sum(gone for at, gone in shifts if at <= position)


def __getattr__(name: str) -> str:
    """``ENGINE_VERSION``: versions of lexicon and cues with a digest of both and of the code; read when first asked for."""
    if name == "ENGINE_VERSION":
        return load_rules().version
    raise AttributeError(name)
