"""What single words of a report are to the gate: known to a lexicon, a common name, a title, strange.

Belongs here: one word, whatever stands around it; each is looked up once and remembered. Does not belong here: the
words themselves (french.yaml, ``proper_names.yaml``, ``trade_words.txt`` and the French list of pyspellchecker), and
what two of them say together (``names``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TypedDict, cast

from radia_pipeline.contracts.location import read_yaml
from radia_pipeline.privacy.letters import fold

_HERE = Path(__file__).parent
WORDS = _HERE / "french.yaml"
PROPER, TRADE = _HERE / "proper_names.yaml", _HERE / "trade_words.txt"

WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
"""A word; parts that hyphens join are one."""

STRANGE, SURNAME, GIVEN, DOUBTFUL = 1, 2, 4, 8
"""No lexicon knows it; a listed surname; a listed first name; a listed name that is a word too."""
CAPITAL, CAPITALS, INITIAL = 32, 64, 128
TITLE, PHYSICIAN, DEGREE, ROLE, SIGNED, SEEN = 1 << 8, 1 << 9, 1 << 10, 1 << 11, 1 << 12, 1 << 13
KIN, PATIENT, LABEL, CALLED, ORDINARY, DEED, STATE = (1 << 14, 1 << 15, 1 << 16, 1 << 17, 1 << 18, 1 << 19, 1 << 20)
PARTICLE, BETWEEN, OF_WHOM, PLACED = 1 << 21, 1 << 22, 1 << 23, 1 << 24
DESCRIBED, QUIET, BY = 1 << 25, 1 << 26, 1 << 27
LISTED = SURNAME | GIVEN | DOUBTFUL
NAME = STRANGE | LISTED
INTRODUCES = TITLE | PHYSICIAN | DEGREE | ROLE | SIGNED | SEEN | KIN | PATIENT | LABEL | CALLED

_LISTS = {
    "titles": TITLE,
    "physicians": PHYSICIAN,
    "degrees": DEGREE,
    "roles": ROLE,
    "signed": SIGNED,
    "seen_by": SEEN,
    "kin": KIN,
    "patients": PATIENT,
    "name_labels": LABEL,
    "called": CALLED,
    "deeds": DEED,
    "states": STATE,
    "particles": PARTICLE,
    "between": BETWEEN,
    "of_whom": OF_WHOM,
    "described": DESCRIBED,
    "by": BY,
}
_PHRASES = ("institutions", "employers", "places_before")
"""Lists whose entries begin with a word that announces a place."""
_SHORT, _SHORT_IN_CAPITALS = 2, 4
"""Letters of what is no name by its looks: in capitals, abbreviations have up to four."""
_SHORTEST_TYPO = 7
_COMMON, _FREQUENT = 300, 500
"""Occurrences in the list of pyspellchecker, whose rarest words have 50."""
_ENDINGS = re.compile(
    r"(?:oses?|ites?|omes?|emies?|uries?|pathies?|ectomies?|scopies?|graphies?|plasties?|algies?|tomies?|stomies?|megalies?|"
    r"cardies?|pnees?|rragies?|plasies?|trophies?|oides?|ogenes?|grammes?|centeses?|ismes?|asies?|tions?|ateux|ateuses?|iques?|"
    r"aires?|atifs?|atives?|ements?|ables?|elles?|iennes?|ieres?|aux|eux|euses?|ants?|antes?|istes?|mycines?|illines?|olol|"
    r"statines?|thorax|thoracique|vasculaires?|bronchiques?|pulmonaires?|pleura(?:l|les|ux))\Z"
)
_SHORTEST_WITH_ENDING = 9
"""Letters of a word that its ending gives away as one of medicine.

Some long surnames end so too, and others lie a slip away from a frequent word: of the listed surnames that no lexicon
holds about one in six would pass alone. Titles, labels and names beside them give those away.
"""
_PRODUCT = re.compile(
    r"(?!Mc|Mac|De|Du|Di|Da|Le|La|Van|Von|El|Al|Ben|Fitz|O)[^\W\d_][^\W\d_a-z]*[a-zà-ÿ]+[A-Z][^\W\d_]*"
)
"""Capitals inside a word, as makers write them; prefixes of names aside."""


def kinds_of(words: Iterable[str]) -> int:
    """Return everything that these words are, together."""
    found = 0
    for word in words:
        found |= KINDS[word]
    return found


class _Kinds(dict):
    """Word as written → what it is. The memory is emptied when it is full: strange words never end."""

    _MOST = 200_000

    def __missing__(self, word: str) -> int:
        if len(self) >= self._MOST:
            self.clear()
        found = self[word] = _kind(word)
        return found


KINDS: Mapping[str, int] = _Kinds()


def _kind(word: str) -> int:
    folded, case = fold(word), _case(word)
    kind = _said().get(folded, 0)
    if len(word) == 1:
        return kind | case | (INITIAL if case else 0)
    parts = {fold(part) for part in word.split("-")} | {folded}
    kind |= _listed(parts, folded, case)
    if not kind & LISTED and (kind & ORDINARY or is_known(folded, word)):
        return kind | case
    if kind & LISTED:
        return kind | case
    looks_short = len(word) <= (_SHORT_IN_CAPITALS if case & CAPITALS else _SHORT)
    is_said = kind & ~(DOUBTFUL | PARTICLE)
    return kind | case | (0 if looks_short or is_said else STRANGE)


def _case(word: str) -> int:
    if not word[0].isupper():
        return 0
    return CAPITAL | (CAPITALS if len(word) > 1 and word.isupper() else 0)


def _listed(parts: set[str], folded: str, case: int) -> int:
    """Return whether it is a common name; in small letters one that is a word of the language too is QUIET."""
    kind = 0
    for part in parts & names().keys():
        kind |= names()[part]
    if not case and kind and folded in _common():
        return QUIET
    return kind


def is_known(folded: str, written: str = "") -> bool:
    """Tell whether a word, or each part of it, stands in a lexicon, looks like a term of medicine or a slip in one."""
    if _PRODUCT.fullmatch(written):
        return True
    return all(len(part) <= _SHORT or _is_known(part) for part in folded.split("-"))


def _is_known(word: str) -> bool:
    if word in general() or word in trade_words() or word in proper_words():
        return True
    if any(word.endswith(end) and (word[: -len(end)] in trade_words()) for end in ("s", "e", "es", "x")):
        return True
    if len(word) >= _SHORTEST_WITH_ENDING and _ENDINGS.search(word):
        return True
    return len(word) >= _SHORTEST_TYPO and any(slip in trade_words() or slip in _frequent() for slip in _slips(word))


def _slips(word: str) -> Iterable[str]:
    """Yield what one slip of the hand could have made this of: a letter lost, added or changed, two changed about."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    for at in range(len(word) + 1):
        head, tail = word[:at], word[at:]
        if tail:
            yield head + tail[1:]
            yield from (head + letter + tail[1:] for letter in letters)
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]
        yield from (head + letter + tail for letter in letters)


class _Names(TypedDict):
    """Common names in one string each, parted by blanks."""

    with_another: str
    given: str
    surnames: str


@cache
def said() -> Mapping[str, list[str] | str | _Names]:
    """Return french.yaml."""
    return read_yaml(WORDS)


def _text_of(name: str) -> str:
    return cast(str, said()[name])  # the file's own layout: a text, where it has no list


def _names_of(name: str) -> _Names:
    return cast(_Names, said()[name])  # likewise: the one mapping


@cache
def _said() -> dict[str, int]:
    kinds: dict[str, int] = {}
    for name, kind in _LISTS.items():
        for word in said()[name]:
            kinds[fold(word)] = kinds.get(fold(word), 0) | kind
    for phrase in (phrase for name in _PHRASES for phrase in said()[name]):
        first = next(word for word in WORD.findall(phrase) if len(word) > _SHORT)
        kinds[fold(first)] = kinds.get(fold(first), 0) | PLACED
    for word in _text_of("ordinary_words").split():
        kinds[word] = kinds.get(word, 0) | ORDINARY
    return kinds


@cache
def names() -> Mapping[str, int]:
    """Return common names, folded: SURNAME or GIVEN where they count alone, DOUBTFUL where beside another only."""
    listed = _names_of("names")
    found = dict.fromkeys(listed["with_another"].split(), DOUBTFUL)
    found |= dict.fromkeys(listed["given"].split(), GIVEN)
    for name in listed["surnames"].split():
        found[name] = found.get(name, 0) & GIVEN | SURNAME
    return found


@cache
def general() -> frozenset[str]:
    """Return the words of French, folded."""
    return frozenset(_counted())


@cache
def _counted() -> Mapping[str, int]:
    """Return the words of French, folded, and how often they are said."""
    from spellchecker import SpellChecker

    counted: dict[str, int] = {}
    for word, count in SpellChecker(language="fr", distance=1).word_frequency.items():
        folded = word if word.isascii() else fold.__wrapped__(word)  # words of a list are not worth remembering
        counted[folded] = max(count, counted.get(folded, 0))
    return counted


@cache
def _common() -> frozenset[str]:
    """Return the words of French that are words first, where they are names too."""
    return frozenset(word for word, count in _counted().items() if count >= _COMMON)


@cache
def _frequent() -> frozenset[str]:
    """Return the words of French that a slip is likely to have been: those that people say often."""
    return frozenset(word for word, count in _counted().items() if count >= _FREQUENT)


@cache
def trade_words() -> frozenset[str]:
    """Return the words of medicine that dictionaries do not have, folded."""
    return frozenset(TRADE.read_text(encoding="utf-8").split())


@cache
def _proper() -> Mapping[str, frozenset[str]]:
    return {name: frozenset(words.split()) for name, words in read_yaml(PROPER).items()}


@cache
def proper_words() -> frozenset[str]:
    """Return words with a capital that are nobody's name."""
    return frozenset().union(*_proper().values())


@cache
def eponyms() -> frozenset[str]:
    """Return names of signs, diseases and devices that are no common names besides."""
    return _proper()["eponyms"] - names().keys()
