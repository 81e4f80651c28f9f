"""One word of dictation to one symbol: case, accents, inflexion and typing errors are settled here.

Belongs here: what a single token is, whatever stands around it. Does not belong here: phrases (``rules``), sentences
(``engine``), inflexion (the language's) or meaning (``sentence``). A word is looked up once and remembered, so the cost
of normalising is paid per distinct word, not per report; the memory is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from radia_pipeline.privacy.letters import fold
from radia_pipeline.reports.repair import LATIN
from radia_pipeline.reports.typos import SHORTEST_TYPO, Typos

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
    LINE_STOP,
    LINE_QUESTION,
    RATIO_BELOW,
    RATIO_AT,
    RATIO_ABOVE,
) = range(20)
NUMBERS = frozenset((NUMBER, YEAR, RATIO_BELOW, RATIO_AT, RATIO_ABOVE))
SIGN_BULLETS = "•→▪■▫◦‣⁃●○◆◇❖►▶▸➢➤⇒✓✔❑\uf000-\uf0ff"
"""Signs that are nothing but bullets, wherever they stand; private-use signs are those of word processors."""
BULLETS = rf"-–—−*·>+‐‑_~{SIGN_BULLETS}"
"""What may stand before an item at the start of its line."""

FIRST_WORD = 24
"""Symbols below this are punctuation; words of the rulebook are numbered from here."""

MARKS = "\u00ad\u200b\u200c\u200d\u0300-\u036f"
TOKEN = re.compile(
    rf"([{LATIN}][{LATIN}\u0152\u0153]+(?![\w{MARKS}])|\d+(?:[.,]\d+)*|(?:[^\W\d_]\.){{2,}}|\w[\w{MARKS}]*)"
)
"""Plain words (most of them, and found fastest), numbers, dotted abbreviations, other words; what stands between two
tokens is one separator."""

WORD = re.compile(r"(\w+)")
"""Tokens of a text without other signs (``repair.PLAIN``), but where a mark stands inside one, as in "0,44", "R.C."."""
_INSIDE_TOKENS = frozenset((".", ","))
"""Marks that may also stand inside a number or an abbreviation, where no blank is beside them."""

CACHE_LIMIT = 200_000
"""Distinct tokens remembered before the memory is dropped: about 20 MB, months of a hospital's vocabulary."""
CHUNK_LIMIT = 50_000
"""Distinct pieces between two blanks remembered before the memory is dropped: some 20 MB."""
LONGEST_CHUNK = 40
"""Characters of the longest piece that is remembered; longer ones are lines or tables without blanks."""
LONGEST_NUMBER = 3
"""Digits of the longest number that is remembered; longer ones seldom come again."""
_BEHIND_NUMBERS = {
    "": (" ", SPACE), ".": (". ", STOP), ",": (", ", COMMA), ":": (": ", COLON), ";": ("; ", SEMICOLON),
}  # fmt: skip
"""Mark that stands behind a number -> the separator that it makes with the blank behind it, and its symbol."""

SHORTEST_SPLIT = 8
"""Letters of a word in two pieces that may be misspelt as well."""

_RATIO = re.compile(r"0[.,]\d{1,2}\Z")
_HALF = 0.5
"""The index of the heart at which it is neither normal nor enlarged."""
_YEAR_DIGITS, _CENTURIES = 4, ("19", "20")
_UNSEEN = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d."))
"""What may stand inside a word and tells nothing: invisible marks, and the dots of an abbreviation."""
_BLANK_LINE = re.compile(r"\n[^\S\n]*\n")
_ORDER = (  # first match wins: the strongest punctuation inside one separator
    (re.compile(r"\?[^\S\n]*\n"), LINE_QUESTION),
    (re.compile(r"\?"), QUESTION),
    (re.compile(r"[.!…][^\S\n]*\n"), LINE_STOP),
    (re.compile(r"[.!…]"), STOP),
    (re.compile(r";"), SEMICOLON),
    (re.compile(r":"), COLON),
    (re.compile(rf"\n\s*[{BULLETS}]"), STOP),
    (re.compile(r"[,،]"), COMMA),
    (re.compile(r"\n"), NEWLINE),
    (re.compile(r"[(\[{]"), OPEN),
    (re.compile(r"[)\]}]"), CLOSE),
    (re.compile(rf"\s[-–—•*−]+\s|[{SIGN_BULLETS}]|--+|[—|]"), DASH),
)


def plain(token: str) -> str:
    """Return ``token`` folded, without invisible marks and dots: "Œdème" -> "oedeme", "R.A.S." -> "ras"."""
    return fold(token.translate(_UNSEEN))


def separator_symbol(text: str) -> int:
    """Return the symbol of what stands between two tokens; apostrophes, hyphens inside words and slashes are SPACE."""
    blank = _BLANK_LINE.search(text)
    if blank:
        return LAST_QUESTION if "?" in text[: blank.start()] else PARAGRAPH  # a question may end its paragraph
    for pattern, symbol in _ORDER:
        if pattern.search(text):
            return symbol
    return SPACE


def number_symbol(digits: str) -> int:
    """Return the symbol of a number without a decimal mark: YEAR or NUMBER."""
    return YEAR if len(digits) == _YEAR_DIGITS and digits[:2] in _CENTURIES else NUMBER


def written_symbol(word: str, symbols: Mapping[str, int], stem: Callable[[str], str]) -> int | None:
    """Return the symbol of a word as it is spelt, in a form "9" for any number; None where it is not in ``symbols``."""
    word = plain(word)
    return number_symbol(word) if word.isdigit() and word != "0" else symbols.get(stem(word))


class WordTable(dict):
    """Token or separator, as it stands in the text -> symbol. Fills itself; drops its memory at ``CACHE_LIMIT``.

    ``symbols``: stem -> symbol. ``findings``: stems that may be glued to one of the ``elided`` letters.
    ``nought``: the word as which a typed 0 is read.
    """

    def __init__(
        self,
        symbols: dict[str, int],
        stem: Callable[[str], str],
        typos: Typos,
        findings: frozenset[str],
        elided: frozenset[str],
        nought: str,
    ) -> None:
        super().__init__()
        self._symbols, self._stem, self._typos = symbols, stem, typos
        self._findings, self._elided, self._nought = findings, elided, nought
        self.pairs: dict[tuple[str, str], int] = {}
        self._chunks, self._plain_chunks = _Chunks(self, TOKEN), _PlainChunks(self, WORD)

    def split(self, text: str, is_plain: bool) -> tuple[list[str], list[int]]:
        """Return separators (at even places) and tokens, and their symbols. ``is_plain``: ``repair.PLAIN`` matches."""
        if is_plain:
            try:
                parts, symbols = self._put_together(text, self._plain_chunks)
            except KeyError:
                pass  # a number or an abbreviation with marks inside
            else:
                if parts[0] not in _INSIDE_TOKENS:
                    return parts, symbols
        return self._put_together(text, self._chunks)

    def _put_together(self, text: str, chunks: _Chunks) -> tuple[list[str], list[int]]:
        """Split a text at blanks, which no token holds, and look up what stands between them."""
        parts, symbols, gap = [""], [SPACE], ""
        for lead, words, said in map(chunks.__getitem__, text.split(" ")):
            if lead or gap:  # "épanchement (droit)", "nodule  droit": a separator goes on behind a blank
                gap += lead
                if not words:
                    continue
                parts[-1] += gap
                symbols[-1] = self[parts[-1]]
                gap = ""
            parts += words
            symbols += said
        parts[-1] = (parts[-1] + gap)[:-1]  # no blank stands behind the last
        symbols[-1] = self[parts[-1]]
        return parts, symbols

    def __missing__(self, token: str) -> int:
        if token.isdecimal() and token != "0":  # numbers seldom come again: they are not remembered
            return number_symbol(token)
        if len(self) >= CACHE_LIMIT:
            self.clear()
        symbol = self[token] = self._symbol(token)
        return symbol

    def written(self, word: str) -> int | None:
        """Return the symbol of a word as it is spelt, None where the rulebook does not have it."""
        return written_symbol(word, self._symbols, self._stem)

    def knows(self, word: str) -> bool:
        """Say whether the word, as it stands or corrected, belongs to the rulebook."""
        return self[word] >= FIRST_WORD

    def joined(self, left: str, right: str, stands_alone: bool) -> int:
        """Return the symbol of a word in two pieces, UNKNOWN where they make none; misspelt by one letter at most.

        ``stands_alone``: one of them is a word of its own. What is found is remembered in ``pairs``.
        """
        symbol = self.pairs.get((left, right))
        if symbol is None:
            if len(self.pairs) >= CACHE_LIMIT:
                self.pairs.clear()
            symbol = UNKNOWN if stands_alone else self._joined(plain(left), plain(right))
            self.pairs[left, right] = symbol
        return symbol

    def _joined(self, left: str, right: str) -> int:
        word = left + right
        if self._stem(word) in self._findings:
            return self._symbols[self._stem(word)]
        if not word.isalpha() or len(word) < SHORTEST_SPLIT or any(map(self._typos.is_real, (left, right))):
            return UNKNOWN
        near = self._typos.nearest(word, edits=1)
        return UNKNOWN if near is None or near[0] != word[0] else self._symbols[self._stem(near)]

    def _symbol(self, token: str) -> int:
        if not token or not TOKEN.match(token):
            return separator_symbol(token)
        if token[0].isdigit():
            if token == "0":
                return self._symbols.get(self._nought, NUMBER)  # "épanchement : 0"
            if _RATIO.match(token):
                ratio = float(token.replace(",", "."))
                return RATIO_AT if ratio == _HALF else RATIO_ABOVE if ratio > _HALF else RATIO_BELOW
            return NUMBER
        word = plain(token)
        symbol = self._symbols.get(self._stem(word))
        if symbol is not None:
            return symbol
        if len(word) > SHORTEST_TYPO and word[0] in self._elided and self._stem(word[1:]) in self._findings:
            return self._symbols[self._stem(word[1:])]  # "dépanchement": the apostrophe was not typed
        near = self._typos.nearest(word)
        return UNKNOWN if near is None else self._symbols[self._stem(near)]


_Chunk = tuple[str, tuple[str, ...], tuple[int, ...]]
"""What stands between two blanks, with the second: the separator before its first token (all of it, where it has none),
then tokens and the separators behind them in turn, and their symbols."""


class _Chunks(dict[str, _Chunk]):
    """What stands between two blanks -> its tokens, parted by a pattern. Fills itself from a ``table``; bounded."""

    def __init__(self, table: WordTable, pattern: re.Pattern[str]) -> None:
        super().__init__()
        self._table, self._pattern = table, pattern

    def __missing__(self, chunk: str) -> _Chunk:
        number, mark = (chunk, "") if chunk.isdecimal() else (chunk[:-1], chunk[-1:])
        if number.isdecimal() and mark in _BEHIND_NUMBERS and len(number) > LONGEST_NUMBER:
            separator, said = _BEHIND_NUMBERS[mark]
            return "", (number, separator), (number_symbol(number), said)
        lead, *parts = self._parted(chunk)
        found = lead, tuple(parts), tuple(map(self._table.__getitem__, parts))
        if len(chunk) <= LONGEST_CHUNK and not any(part.isdecimal() and len(part) > LONGEST_NUMBER for part in parts):
            if len(self) >= CHUNK_LIMIT:
                self.clear()
            self[chunk] = found
        return found

    def _parted(self, chunk: str) -> list[str]:
        """Return separators (at even places) and tokens of a chunk and the blank behind it."""
        return self._pattern.split(chunk + " ")


class _PlainChunks(_Chunks):
    """The same for plain texts; raises KeyError where ``TOKEN`` may part otherwise than ``WORD``."""

    def _parted(self, chunk: str) -> list[str]:
        parts = super()._parted(chunk)
        if not _INSIDE_TOKENS.isdisjoint(parts[2::2]):
            raise KeyError(chunk)
        return parts
