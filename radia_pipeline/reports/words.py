"""One word of dictation to one symbol: case, accents, œ, plural, gender and typing errors are settled here.

Belongs here: what a single token is, whatever stands around it. Does not belong here: phrases (``rules``), sentences
(``engine``) or meaning (``sentence``). A word is looked up once and remembered, so the cost of normalising is paid per
distinct word, not per report; the memory is bounded.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

(
    SPACE,
    UNKNOWN,
    COMMA,
    COLON,
    STOP,
    QUESTION,
    NEWLINE,
    PARAGRAPH,
    OPEN,
    CLOSE,
    SEMICOLON,
    DASH,
    NUMBER,
    LAST_QUESTION,
    YEAR,
) = range(15)
FIRST_WORD = 16
"""Symbols below this are punctuation; words of the rulebook are numbered from here."""

MARKS = "\u00ad\u200b\u200c\u200d\u0300-\u036f"
TOKEN = re.compile(rf"(\d+(?:[.,]\d+)*|(?:[^\W\d_]\.){{2,}}|\w[\w{MARKS}]*)")
"""Dotted abbreviations, numbers, words; what stands between two tokens is one separator."""

CACHE_LIMIT = 200_000
"""Distinct tokens remembered before the memory is dropped: about 20 MB, months of a hospital's vocabulary."""

SHORTEST_TYPO = 6
"""Words below six letters have too many real neighbours ("masse", "passe") to be corrected."""
LONG_WORD = 9
"""From nine letters on, two edits are allowed; below, one."""

_YEAR = re.compile(r"(?:19|20)\d\d\Z")
STEMS = {"mais": "mais", "pointe": "pointe", "pointes": "pointe", "toux": "toux"} | {
    w + s: w for w in ("suspect", "suspecte", "suspectee") for s in ("", "s")
}
"""Words whose stem would be another word (mai, point, tous), and a participle that is not its adjective."""

_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d"))
_BLANK_LINE = re.compile(r"\n[^\S\n]*\n")
_ORDER = (  # first match wins: the strongest punctuation inside one separator
    (re.compile(r"\?"), QUESTION),
    (re.compile(r"[.!…]"), STOP),
    (re.compile(r";"), SEMICOLON),
    (re.compile(r":"), COLON),
    (re.compile(r"\n\s*[-–—•*·>]"), STOP),
    (re.compile(r"[,،]"), COMMA),
    (re.compile(r"\n"), NEWLINE),
    (re.compile(r"[(\[{]"), OPEN),
    (re.compile(r"[)\]}]"), CLOSE),
    (re.compile(r"\s[-–—•*]+\s|[•→]|--+|[—|]"), DASH),
)


def fold(token: str) -> str:
    """Return ``token`` in lower case without accents, ligatures, invisible marks or dots: "Œdème" -> "oedeme"."""
    if token.isascii():
        return token.lower().replace(".", "")
    text = token.lower().replace("œ", "oe").replace("æ", "ae").translate(_INVISIBLE)
    text = unicodedata.normalize("NFKD", text)
    return "".join(c for c in text if not unicodedata.combining(c)).replace(".", "")


def stem(word: str) -> str:
    """Return the folded ``word`` without plural and gender: "pleuraux" and "pleurale" -> "pleural"."""
    if len(word) < 4 or word in STEMS:
        return STEMS.get(word, word)
    if word.endswith("eaux"):
        word = word[:-1]
    elif word.endswith("aux") and len(word) > 4:
        word = word[:-3] + "al"
    elif word[-1] in "sx":
        word = word[:-1]
    if len(word) < 4:
        return word
    if word.endswith("ee") and len(word) > 4:
        word = word[:-2]
    elif word[-1] == "e":
        word = word[:-1]
        if word.endswith(("eus", "aus")) and len(word) > 4:
            word = word[:-1]
        elif word.endswith("iv") and len(word) > 4:
            word = word[:-1] + "f"
        elif word.endswith(("nn", "tt", "ll")) and len(word) > 4:
            word = word[:-1]
    return word


def separator_symbol(text: str) -> int:
    """Return the symbol of what stands between two tokens; apostrophes, hyphens inside words and slashes are SPACE."""
    blank = _BLANK_LINE.search(text)
    if blank:
        return LAST_QUESTION if "?" in text[: blank.start()] else PARAGRAPH  # a question may end its paragraph
    for pattern, symbol in _ORDER:
        if pattern.search(text):
            return symbol
    return SPACE


def _deletions(word: str, edits: int) -> set[str]:
    """Return ``word`` and all strings made by deleting up to ``edits`` letters."""
    found, frontier = {word}, {word}
    for _ in range(edits):
        frontier = {w[:i] + w[i + 1 :] for w in frontier for i in range(len(w))}
        found |= frontier
    return found


def edit_distance(a: str, b: str) -> int:
    """Return the optimal string alignment distance: insertion, deletion, substitution and swap of neighbours cost 1."""
    before, last = [], list(range(len(b) + 1))
    for i, ca in enumerate(a, 1):
        row = [i]
        for j, cb in enumerate(b, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (ca != cb))
            if i > 1 and j > 1 and ca == b[j - 2] and a[i - 2] == cb:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]


def slips_of(word: str) -> set[str]:
    """Return ``word`` with two neighbours swapped or one letter doubled, the first letter kept."""
    swapped = {word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(1, len(word) - 1)}
    return (swapped | {word[:i] + word[i - 1 :] for i in range(1, len(word) + 1)}) - {word}


class Typos:
    """Nearest known word by bounded edit distance, found through shared deletions (no scan over the lexicon).

    ``targets``: folded words that may be misspelt, with the edits allowed at most; their plurals too. ``real``: folded
    words that exist and are never corrected. ``rules``: stem -> rule of a word that is a form by itself; two such words
    of one rule are as good as one.
    """

    def __init__(self, targets: Mapping[str, int], real: Iterable[str], rules: Mapping[str, str]) -> None:
        self._rules = rules
        self._real = {stem(w) for w in real}
        self._edits: dict[str, int] = {}
        self._index: dict[str, list[str]] = {}
        for word in sorted(targets):
            for form in (word, *_plurals(word)):
                if len(form) >= SHORTEST_TYPO and form not in self._edits:
                    self._edits[form] = edits = min(_edits(form), targets[word])
                    for key in _deletions(form, edits):
                        self._index.setdefault(key, []).append(form)

    def nearest(self, word: str) -> str | None:
        """Return the one closest target within the bound, None when there is none or when two are equally close."""
        if len(word) < SHORTEST_TYPO - 1 or len(word) > 24 or stem(word) in self._real:
            return None
        candidates = {w for key in _deletions(word, _edits(word)) for w in self._index.get(key, ())}
        best: list[tuple[int, str]] = sorted((edit_distance(word, w), w) for w in candidates)
        best = [(d, w) for d, w in best if d <= min(self._edits[w], _edits(word)) and _plausible(word, w, d)]
        nearest = [w for d, w in best if d == best[0][0]]
        if len({stem(w) for w in nearest}) > 1 and len({self._rules.get(stem(w), w) for w in nearest}) > 1:
            return None
        return nearest[0] if nearest else None


def _plurals(word: str) -> tuple[str, ...]:
    if word[-1] in "sx":
        return ()
    return (word + "s", word[:-2] + "aux") if word.endswith("al") else (word + "s",)


def _edits(word: str) -> int:
    return 2 if len(word) >= LONG_WORD else 1


def _plausible(word: str, target: str, distance: int) -> bool:
    """Two edits must leave the first letter alone: another first letter is usually another word."""
    return distance < 2 or word[0] == target[0]


class WordTable(dict):
    """Token or separator, as it stands in the text -> symbol. Fills itself; drops its memory at ``CACHE_LIMIT``."""

    def __init__(self, symbols: dict[str, int], typos: Typos, findings: frozenset[str]) -> None:
        super().__init__()
        self._symbols, self._typos, self._findings = symbols, typos, findings

    def __missing__(self, token: str) -> int:
        if len(self) >= CACHE_LIMIT:
            self.clear()
        symbol = self[token] = self._symbol(token)
        return symbol

    def knows(self, word: str) -> bool:
        """Say whether the word, as it stands or corrected, belongs to the rulebook."""
        return self[word] >= FIRST_WORD

    def _symbol(self, token: str) -> int:
        if not token or not TOKEN.match(token):
            return separator_symbol(token)
        if token[0].isdigit():
            if token == "0":
                return self._symbols.get("zero", NUMBER)  # "épanchement : 0"
            return YEAR if _YEAR.match(token) else NUMBER
        word = fold(token)
        symbol = self._symbols.get(stem(word))
        if symbol is not None:
            return symbol
        if len(word) > SHORTEST_TYPO and word[0] in "dl" and stem(word[1:]) in self._findings:
            return self._symbols[stem(word[1:])]  # "dépanchement": the apostrophe was not typed
        near = self._typos.nearest(word)
        return self._symbols[stem(near)] if near else UNKNOWN
