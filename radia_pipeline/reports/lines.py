"""Line ends: whether one ends a statement or only wraps it.

Belongs here: the lines of a text. Does not belong here: words that a line end cuts (``cuts``), what stands in a line
(``scan``).
"""

from __future__ import annotations

from typing import NamedTuple

from radia_pipeline.reports.kinds import KIND, kinds
from radia_pipeline.reports.phrases import LEAF
from radia_pipeline.reports.rules import Rulebook
from radia_pipeline.reports.sections import LABELLED, title_before
from radia_pipeline.reports.words import (
    COLON,
    COMMA,
    LAST_QUESTION,
    LINE_QUESTION,
    NEWLINE,
    NUMBERS,
    QUESTION,
    SPACE,
    STOP,
    UNKNOWN,
)

_FUNCTION_WORDS = kinds(
    "of article and or nor with deny not particle link hedge_before hedge_near modifier verb hedge_verb seem "
    "exclude_word advice presence resolved lessened enlargement no_label"
)
_ENDS_A_LINE = kinds("not resolved lessened presence enlargement")
"""Those of them that may end a statement too: behind one of them a capital begins another."""
_DESCRIBING = kinds("modifier hedge_near")
"""At the end of a line they describe what stands before them, unless the next line goes on in small letters."""
_NAMED = kinds("finding fixed_finding other excluded anatomy device quality place")
_VERBS = kinds("verb hedge_verb")
_CLOSED = kinds("modifier hedge_near lessened resolved enlargement no_label")
"""A denial in the next line is no denial of these."""
_CONTINUATION = kinds("of and or nor with link deny_after not no_more verb hedge_after")
_OPENERS = kinds(
    "finding fixed_finding other excluded anatomy deny no_more presence contrast enlargement resolved device other_exam"
)
_DESCRIBES = kinds("modifier hedge_near hedge_before state article")
FULL_LINE = 60
"""Characters of a line that was wrapped because it was full."""
_ASKS = frozenset((QUESTION, LINE_QUESTION, LAST_QUESTION, COLON))
_DENIES = kinds("deny not no_more contrast")
_PART = kinds("anatomy modifier of and article filler or")
"""What a title that names a part of the body is made of."""
_TITLE = 6
"""Words of the longest such title."""
_LABEL = 10
"""Words of the longest label of a finding with its place."""
_DENY_AFTER, _NONE_AFTER = KIND["deny_after"], KIND["none_after"]
_DENIES_ANEW = kinds("deny not none_after")
"""Behind a denial that ends a line these begin another."""
_NEW_STATEMENT = kinds("finding fixed_finding nor article filler prior presence contrast other_exam device")
"""Behind a bare "non" that ends a line they begin another statement: no word that says which kind a finding is."""
_LOOK = 4
"""Words of a line that tell how it begins."""
_PREDICATES = kinds("normal enlarged blunted clear free limit quality place complete partial")
"""At the start of a line in capitals these go on with the line before."""


def settle_lines(parts: list[str], symbols: list[int], book: Rulebook) -> None:
    """Decide for every line end whether it ends a statement or only wraps it."""
    ends = [k for k in range(2, len(parts), 2) if "\n" in parts[k]]
    starts = [1, *(k + 1 for k in ends)]
    small = [any(map(str.islower, parts[a:b:2])) for a, b in zip(starts, [*ends, len(parts)], strict=True)]
    for line, k in enumerate(ends):
        if symbols[k] == NEWLINE and k < len(symbols) - 1:
            is_mixed = (small[line] or small[line + 1]) and not (
                _is_in_capitals(parts, symbols, k - 1, -2) and _is_in_capitals(parts, symbols, k + 1, 2)
            )
            case = _Case(parts[k + 1][0], is_mixed, parts[starts[line] : k])
            is_value = ")" in parts[k] and symbols[k - 1] in book.words.none  # "pneumothorax (aucun)"
            symbols[k] = SPACE if not is_value and _wraps(symbols, k, book, case) else STOP


def _is_in_capitals(parts: list[str], symbols: list[int], token: int, step: int) -> bool:
    """Say whether a statement is in capitals from ``token`` on (``step`` 2) or up to it (-2), whatever else its line
    holds: one of several words, since one alone may be an abbreviation."""
    count = 0
    while 0 < token < len(parts) and parts[token].isupper():
        count += 1
        token += step
        mark = token - step // 2
        if not 0 < mark < len(symbols) - 1 or symbols[mark] not in (SPACE, COMMA):
            return count > 1
    return False


class _Case(NamedTuple):
    """How a line begins, whether it or the line before has small letters, and the line before."""

    first: str
    mixed: bool
    before: list[str]

    def is_prose(self) -> bool:
        """Say whether the line before was full: then the next goes on with it, whatever it begins with."""
        return self.first.islower() and sum(map(len, self.before)) >= FULL_LINE


def _wraps(symbols: list[int], k: int, book: Rulebook, case: _Case) -> bool:
    """Say whether the line end at ``k`` only wraps a statement."""
    before, after = book.kind_of(symbols[k - 1]), book.kind_of(symbols[k + 1])
    is_value = symbols[k - 2] == COLON and symbols[k - 1] in book.words.none
    is_value = is_value and (_is_label(symbols, k + 1, book) or not _opens_a_part(symbols, k - 2, book))
    if (is_value and after != KIND["of"]) or (
        before in _CLOSED and (after in _DENIES or symbols[k + 1] in book.words.notices)
    ):
        return False
    if symbols[k - 1] in book.words.there and (
        (case.mixed and case.first.isupper()) or (symbols[k - 2] == COLON and _is_label(symbols, k + 1, book))
    ):
        return False  # "emphysème : présent ⏎ rotation : aucune"
    if symbols[k - 1] in book.words.none and after != KIND["of"] and _is_denied_whole(symbols, k, book):
        return False  # "épanchement : je n'en vois pas ⏎ pneumothorax : non"
    if before == _NONE_AFTER and symbols[k + 1] in book.words.which_kind:
        return True  # "ÉPANCHEMENT NON ⏎ CLOISONNÉ"
    if before == _NONE_AFTER and (
        after < 0  # "nodule gauche non ⏎ interval …": no word that says which
        or after in _DENIES_ANEW
        or symbols[k + 1] in book.words.notices
        or _begins_with(_NEW_STATEMENT, symbols, k + 1, book)
    ):
        return False  # "stase du lobe moyen non ⏎ pas d'opacité"
    is_answer = symbols[k - 2] == QUESTION and symbols[k - 1] in book.words.none
    if is_answer and ((case.mixed and case.first.isupper()) or _is_label(symbols, k + 1, book)):
        return False  # "fracture ? aucune ⏎ pneumothorax ? non"
    if before in _DESCRIBING and any("?" in mark for mark in case.before[1::2]) and _is_label(symbols, k + 1, book):
        return False  # "pneumonie ? oui, LSD ⏎ épanchement ? non"
    if before == KIND["particle"] and symbols[k - 2] == COLON:
        return False  # "épanchement : N"
    is_told = before == KIND["no_label"] and symbols[k - 1] not in book.words.joiners
    if is_told and case.mixed and case.first.isupper():
        return False  # "pneumonie connue par ATCD ⏎ Cœur normal"
    if before in _DESCRIBING and (
        (case.mixed and case.first.isupper())
        or _is_label(symbols, k + 1, book)
        or (after in _OPENERS and _describes_a_noun(symbols, k, book))
    ):
        return False
    is_excluded = before == KIND["exclude_word"] and symbols[k - 1] not in book.words.to_exclude
    if is_excluded and any(book.kind_of(symbols[at]) in _VERBS for at in (k - 3, k - 5) if at > 0):
        return False  # "une infection ne peut être exclue"
    if symbols[k - 1] in book.words.to_exclude and symbols[k - 3] in book.words.places and after in _DENIES:
        return False  # "un infiltrat est difficile à exclure ⏎ pas d'épanchement"
    if before in _ENDS_A_LINE and case.mixed and case.first.isupper():
        return False  # "ce qui ne l'exclut pas ⏎ Poumons clairs"
    if before == KIND["resolved"] and after == KIND["article"] and begins_statement(symbols, k + 1, book):
        return False  # "tdm haute résolution ⏎ le cœur est normal"
    is_whole = before == KIND["not"] and k > 5 and symbols[k - 5] in book.words.definite
    if is_whole and book.kind_of(symbols[k - 3]) == KIND["exclude_word"]:
        return False  # "ce qui ne l'exclut pas ⏎ poumons clairs"
    if before in _FUNCTION_WORDS or symbols[k - 1] in book.words.joiners:
        return True
    if symbols[k - 2] == COLON and after != KIND["normal"] and _is_label(symbols, k + 1, book):
        return False  # "fracture de clavicule : RAS ⏎ pneumothorax : oui"
    if symbols[k + 1] in book.words.notices:
        return False  # "il n'y a pas": a statement of its own
    if after in _CONTINUATION:
        return not (case.first.isupper() and case.mixed)
    if case.mixed and case.first.isupper():
        return False
    if after in _PREDICATES or symbols[k + 1] in book.words.line_starts or case.is_prose():
        return True
    return case.mixed and not _is_label(symbols, k + 1, book) and not begins_statement(symbols, k + 1, book)


def _is_label(symbols: list[int], token: int, book: Rulebook) -> bool:
    """Say whether the line that begins at ``token`` is a question or a label itself."""
    for at in range(token + 1, min(token + 1 + 2 * _LABEL, len(symbols)), 2):
        is_wrap = symbols[at] == NEWLINE and book.kind_of(symbols[at - 1]) in _FUNCTION_WORDS
        if symbols[at] != SPACE and not is_wrap:  # "fracture de ⏎ clavicule :"
            return symbols[at] in _ASKS
    return False


def _is_denied_whole(symbols: list[int], k: int, book: Rulebook) -> bool:
    """Say whether the line that ends at ``k`` ends in a denial of what was named before, which wants no noun."""
    for at in range(k - 5, max(0, k - 3 - 2 * _TITLE), -2):
        node = book.tree.get(symbols[at], {})
        for token in range(at + 2, k, 2):
            node = node.get(symbols[token], {}) if not symbols[token - 1] else {}
        leaf = node.get(LEAF)
        if leaf is not None and leaf.kind == _DENY_AFTER:
            return True
    return False


def _describes_a_noun(symbols: list[int], k: int, book: Rulebook) -> bool:
    """Say whether what ends the line at ``k`` describes a noun of that line: "épanchement gauche possible"."""
    for at in range(k - 3, max(0, k - 3 - 2 * _LOOK), -2):
        if symbols[at + 1] not in (SPACE, COMMA):
            return False
        kind = book.kind_of(symbols[at])
        if kind in _NAMED or symbols[at] == UNKNOWN:
            return True
        if kind not in _DESCRIBING:
            return False
    return False


def _names_a_finding(symbols: list[int], token: int, end: int, book: Rulebook) -> bool:
    """Say whether the words from ``token`` on are a finding of several: "image dense : aucune"."""
    node = book.tree.get(symbols[token], {})
    for at in range(token + 2, end, 2):
        node = node.get(symbols[at], {})
    leaf = node.get(LEAF)
    return leaf is not None and leaf.kind in _OPENERS and leaf.kind != KIND["anatomy"]


def _begins_with(wanted: frozenset[int], symbols: list[int], token: int, book: Rulebook) -> bool:
    """Say whether a phrase of such a kind, of one word or of several ("compression de d9"), begins at ``token``."""
    node = book.tree.get(symbols[token])
    if node is None:
        return book.kind_of(symbols[token]) in wanted
    while node:
        leaf = node.get(LEAF)
        if leaf is not None and leaf.kind in wanted:
            return True
        node = node.get(symbols[token + 2]) if token + 2 < len(symbols) and not symbols[token + 1] else None
        token += 2
    return False


def _opens_a_part(symbols: list[int], colon: int, book: Rulebook) -> bool:
    """Say whether a section or a part of the body stands before ``colon``: a denial behind it goes on in the next line
    ("plèvre : aucun ⏎ épanchement"), where behind a finding it is the whole answer ("épanchement : aucun")."""
    title = title_before(symbols, colon, 1, book)
    if title is not None:
        return title[1] in LABELLED
    for at in range(colon - 1, max(0, colon - 1 - 2 * _TITLE), -2):
        if book.kind_of(symbols[at]) not in _PART or _names_a_finding(symbols, at, colon, book):
            return False
        if at < 2 or symbols[at - 1] in (STOP, NEWLINE, COLON):
            return True
    return False


def begins_statement(symbols: list[int], token: int, book: Rulebook) -> bool:
    """Say whether a line in lower case begins a statement: with a noun, a denial or a doubt, described or not."""
    for at in range(token, min(token + 2 * _LOOK, len(symbols)), 2):
        if at > token and symbols[at - 1]:
            return False
        kind = book.kind_of(symbols[at])
        if kind in _OPENERS:
            return True
        if kind not in _DESCRIBES:
            return symbols[at] in NUMBERS
    return False
