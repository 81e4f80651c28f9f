"""Names in a report: given away by a title, a role, a signature, a label, another name beside them, or a deed.

Belongs here: what words say together. Does not belong here: what one word is (``wording``), and what a site keeps
(``text``). Each rule looks at the words around one that introduces names or may be one, so that a text without such
words costs next to nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from radia_pipeline.privacy import wording as w
from radia_pipeline.privacy.numbers import Span
from radia_pipeline.privacy.patterns import patterns
from radia_pipeline.privacy.wording import KINDS, WORD

_LONGEST_NAME = 12
"""Words of a name; of a longer row each word is found by itself."""
_SENTENCE_ENDS = re.compile(r"[.!?;:\n•▪]")
_INSIDE_A_NAME = re.compile(r"[ ,]{1,2}|-|['’]|\.? ?|\^|_{1,2}")
_BESIDE = re.compile(r"[ ,]{1,2}|-|\^|_{1,2}")
_CLOSE = re.compile(r" {1,2}|\.? {0,2}\n?|['’]")
_INTRODUCED = re.compile(r"[ :.,(\n#]{1,4}")
_OPENED = re.compile(r",? ?[(\[]?")
_IS = re.compile(r"\s*[:=]\s*")
_NEAR = 4
"""Words between one that introduces names and a name."""
_SHORTEST_SUBJECT, _MOST_INITIALS = 4, 3


@dataclass(frozen=True)
class Said:
    """A text and its words. ``shields``: eponyms, those that the site declares among them."""

    text: str
    shields: frozenset[str] = frozenset()

    @cached_property
    def words(self) -> list[tuple[str, int, int, int]]:
        """Return (word, start, end, kinds) of every word."""
        return [(word := match[0], *match.span(), KINDS[word]) for match in WORD.finditer(self.text)]

    def kind(self, place: int) -> int:
        """Return what a word is; nothing beyond the text."""
        return self.words[place][3] if 0 <= place < len(self.words) else 0

    def gap(self, place: int) -> str:
        """Return what stands between a word and the next one."""
        if not 0 <= place < len(self.words) - 1:
            return "\n\n"
        return self.text[self.words[place][2] : self.words[place + 1][1]]

    def begins(self, place: int) -> bool:
        """Tell whether a word begins a sentence or a line."""
        return place == 0 or _SENTENCE_ENDS.search(self.gap(place - 1)) is not None

    def may_be_a_name(self, place: int) -> bool:
        """Tell whether a word with a capital may be a name."""
        kind = self.kind(place)
        return bool(kind & w.NAME) and bool(kind & w.CAPITAL)

    def is_name(self, place: int) -> bool:
        """Tell whether a word, in any case, is strange or a name that counts alone."""
        kind = self.kind(place)
        return bool(kind & (w.STRANGE | w.SURNAME | w.GIVEN)) or (kind & w.DOUBTFUL > 0 and kind & w.CAPITAL > 0)

    def run(self, first: int) -> tuple[int, int]:
        """Return the words of the name that begins or goes on at a word: the first and the last of them."""
        start = last = first
        furthest = max(0, first - _LONGEST_NAME)
        while start > furthest and self._goes_on(start - 1) and self.may_be_a_name_or_initial(start - 1):
            start -= 1
        while last < first + _LONGEST_NAME and self._goes_on(last):
            step = 1 + (bool(self.kind(last + 1) & w.PARTICLE) and not self.may_be_a_name(last + 1))
            if step == 2 and not self._goes_on(last + 1):
                break
            if not self.may_be_a_name_or_initial(last + step):
                break
            last += step
        return start, last

    def may_be_a_name_or_initial(self, place: int) -> bool:
        """Tell whether a word may be a part of a name: with a capital a name or an initial, in small letters a name."""
        return self.is_name(place) or bool(self.kind(place) & w.INITIAL)

    def _goes_on(self, place: int) -> bool:
        return _INSIDE_A_NAME.fullmatch(self.gap(place)) is not None

    def span(self, first: int, rule: str, *, since: int | None = None) -> Span:
        """Return the range of the name at a word, from the word ``since`` on."""
        start, last = self.run(first)
        return Span(self.words[start if since is None else min(since, start)][1], self.words[last][2], rule)


def names(said: Said) -> Iterator[Span]:
    """Yield the names in a text."""
    for place, (_, _, _, kind) in enumerate(said.words):
        if kind & w.INTRODUCES:
            for bit, rule in _RULES.items():
                if kind & bit and (found := rule(said, place)) is not None:
                    yield found
        if kind & w.NAME:
            yield from _by_itself(said, place)


def _next_name(said: Said, place: int, *, gap: re.Pattern[str] = _CLOSE) -> int | None:
    """Return the word behind one that introduces names, past initials and particles; None where the text goes on
    otherwise."""
    if gap.fullmatch(said.gap(place)) is None:
        return None
    place += 1
    for _ in range(_NEAR):
        kind = said.kind(place)
        if (
            said.may_be_a_name(place)
            or not kind & (w.INITIAL | w.PARTICLE)
            or _CLOSE.fullmatch(said.gap(place)) is None
        ):
            return place
        place += 1
    return None


def _titled(said: Said, place: int) -> Span | None:
    word = said.words[place][0]
    if len(word) <= 2 and (not word[0].isupper() or word == "MS"):
        return None
    if len(word) == 1 and re.search(r"\d\s?$", said.text[: said.words[place][1]]):
        return None
    name = _next_name(said, place)
    if name is None:
        return None
    kind = said.kind(name)
    is_capitalised_word = bool(kind & w.CAPITAL) and not kind & (w.CAPITALS | w.ORDINARY | w.INITIAL)
    if said.is_name(name) or (is_capitalised_word and word[0].isupper() and not said.begins(name)):
        return said.span(name, "titled_name", since=place)
    if is_capitalised_word and word[0].isupper() and len(word) <= 3 and not kind & w.STATE:
        return said.span(name, "titled_name", since=place)  # the full stop is the title's
    return None


def _physician(said: Said, place: int) -> Span | None:
    word = said.words[place][0]
    name = _next_name(said, place)
    if name is None:
        return None
    kind = said.kind(name)
    is_capitalised_word = bool(kind & w.CAPITAL) and not kind & (w.ORDINARY | w.ROLE)
    if said.is_name(name) or (
        is_capitalised_word and not kind & w.CAPITALS and word[0].isupper() and word[1].islower()
    ):
        return said.span(name, "physician_name", since=place)
    return None


def _degree(said: Said, place: int) -> Span | None:
    before = place - 1
    while before > 0 and said.kind(before) & w.DEGREE:
        before -= 1
    is_close = _OPENED.fullmatch(said.gap(place - 1).replace(".", "")) is not None
    is_one = said.may_be_a_name(before) and not said.begins(place)
    return said.span(before, "physician_name") if place and is_close and is_one else None


def _role(said: Said, place: int) -> Span | None:
    name = _next_name(said, place, gap=_INTRODUCED)
    if name is not None and ":" not in said.gap(place) and not said.may_be_a_name(name):
        name = name + 1 if ":" in said.gap(name) else None
    if name is not None and said.is_name(name) and not (said.kind(place) & w.CAPITAL and "." in said.gap(place)):
        return said.span(name, "staff_name", since=place)
    if (
        place
        and _OPENED.fullmatch(said.gap(place - 1))
        and said.may_be_a_name(place - 1)
        and said.gap(place - 1).strip()
    ):
        return said.span(place - 1, "staff_name")
    return None


def _signed(said: Said, place: int) -> Span | None:
    """A name behind ``dicté par`` or ``signé :``."""
    is_said = ":" in said.gap(place)
    for at in range(place + 1, min(place + 1 + _NEAR, len(said.words))):
        if "\n" in said.gap(at - 1) and not is_said:
            return None
        kind, word = said.kind(at), said.words[at][0]
        if said.is_name(at) and (is_said or said.may_be_a_name(at)):
            return said.span(at, "signature", since=place)
        if not kind & (w.BETWEEN | w.INITIAL | w.SIGNED | w.PARTICLE | w.TITLE) and not _may_be_initials(word):
            is_word = (
                is_said and kind & w.CAPITAL and not kind & (w.ORDINARY | w.ROLE | w.CAPITALS) and word[1:].islower()
            )
            return said.span(at, "signature", since=place) if is_word and said.kind(at - 1) & w.BETWEEN else None
        is_said = is_said or bool(kind & w.BY) or ":" in said.gap(at)
    return None


def _may_be_initials(word: str) -> bool:
    return word.isupper() and len(word) <= _MOST_INITIALS


def _seen(said: Said, place: int) -> Span | None:
    """A name behind ``vu par`` or ``discuté avec``, or right behind ``avisé``."""
    for at in range(place + 1, place + 3):
        if said.may_be_a_name(at) and said.gap(at - 1) == " ":
            kind = said.kind(at)
            return said.span(at, "staff_name") if kind & (w.STRANGE | w.SURNAME | w.GIVEN) else None
        if not said.kind(at) & w.BETWEEN:
            return None
    return None


def _kin(said: Said, place: int) -> Span | None:
    name = place + 1
    if _INTRODUCED.fullmatch(said.gap(place)) is None:
        return None
    while (
        said.kind(name) & (w.PARTICLE | w.INITIAL | w.TITLE) and not said.may_be_a_name(name) and name < place + _NEAR
    ):
        name += 1
    is_parted = "." in said.gap(place) or "\n" in said.gap(place)
    return said.span(name, "relative_name", since=place) if said.may_be_a_name(name) and not is_parted else None


def _patient(said: Said, place: int) -> Span | None:
    gap = said.gap(place)
    if not (_IS.fullmatch(gap) or gap.strip() == "") or "\n\n" in gap:
        return None
    name = place + 1
    if said.may_be_a_name(name) and (said.kind(name) & ~w.DOUBTFUL & w.NAME or _is_pair(said, name)):
        return said.span(name, "patient_name", since=place)
    if _IS.fullmatch(gap) and said.is_name(name) and said.is_name(name + 1):
        return said.span(name, "patient_name", since=place)
    return None


def _labelled(said: Said, place: int) -> Span | None:
    at = place
    while at < place + _NEAR and not _IS.fullmatch(said.gap(at)):
        if said.gap(at) != " " or not said.kind(at + 1) & w.OF_WHOM:
            return None
        at += 1
    is_named = at < place + _NEAR and at + 1 < len(said.words)
    return said.span(at + 1, "labelled_name", since=place) if is_named else None


def _called(said: Said, place: int) -> Span | None:
    is_named = said.gap(place) == " " and (said.kind(place + 1) & w.CAPITAL or said.is_name(place + 1))
    return said.span(place + 1, "labelled_name", since=place) if is_named else None


_RULES: dict[int, Callable[[Said, int], Span | None]] = {
    w.TITLE: _titled,
    w.PHYSICIAN: _physician,
    w.DEGREE: _degree,
    w.ROLE: _role,
    w.SIGNED: _signed,
    w.SEEN: _seen,
    w.KIN: _kin,
    w.PATIENT: _patient,
    w.LABEL: _labelled,
    w.CALLED: _called,
}
"""What introduces names -> how the name behind it (or before it) is found."""


def _by_itself(said: Said, place: int) -> Iterator[Span]:
    """Yield a name that nothing introduces: a listed one, two beside each other, who does what persons do."""
    kind = said.kind(place)
    if kind & w.CAPITAL and kind & (w.SURNAME | w.GIVEN) and not _is_shielded(said, place):
        is_first = kind & w.GIVEN and not kind & w.SURNAME and said.run(place) == (place, place)
        yield said.span(place, "first_name" if is_first else "listed_name")
    elif _is_pair(said, place):
        is_listed = (kind | said.kind(place + 1)) & w.LISTED
        yield said.span(place, "listed_name" if is_listed else "capitalised_words")
    elif kind & w.STRANGE and kind & w.CAPITAL and _is_initial(said, place - 1) and said.gap(place - 1) in (". ", "."):
        yield said.span(place, "capitalised_words")
    elif _is_small_pair(said, place):
        yield said.span(place, "listed_name")
    elif _is_subject(said, place):
        yield said.span(place, "person_subject")


def _is_shielded(said: Said, place: int) -> bool:
    """Tell whether a name is a part of an eponym: beside one (Claude Bernard-Horner), or behind what bears names (angle
    de Louis)."""
    first = said.run(place)[0]
    if said.kind(first - 1) & w.PARTICLE and said.kind(first - 2) & w.DESCRIBED and said.run(place)[1] - first < 2:
        return True
    around = [place]
    around += [place - 1] if _BESIDE.fullmatch(said.gap(place - 1)) else []
    around += [place + 1] if _BESIDE.fullmatch(said.gap(place)) else []
    parts = {part for at in around if 0 <= at < len(said.words) for part in _parts(said.words[at][0])}
    return bool(parts & said.shields or parts & w.eponyms())


def _parts(word: str) -> set[str]:
    return {w.fold(part) for part in word.split("-")} | {w.fold(word)}


def _is_pair(said: Said, place: int) -> bool:
    """Tell whether this and the next word are a name of two parts, particles between; or one part and an initial."""
    if not _BESIDE.fullmatch(said.gap(place)) or _is_shielded(said, place):
        return False
    if said.kind(place) & (w.STRANGE | w.SURNAME) and said.kind(place) & w.CAPITAL and _is_initial(said, place + 1):
        return said.gap(place).strip() in ("", ",")
    other = place + 1
    while said.kind(other) & w.PARTICLE and not said.may_be_a_name(other) and said.gap(other) == " ":
        other += 1
    first, second = said.kind(place), said.kind(other)
    if not (said.may_be_a_name(place) and said.may_be_a_name(other)):
        return False
    if said.kind(place - 1) & w.DESCRIBED and said.gap(place - 1) == " " and not (first | second) & w.LISTED:
        return False  # a device and its maker's word for it
    both_listed = bool(first & second & w.DOUBTFUL) and other == place + 1
    return both_listed or bool((first | second) & (w.STRANGE | w.SURNAME | w.GIVEN))


def _is_initial(said: Said, place: int) -> bool:
    return bool(said.kind(place) & w.INITIAL) and said.gap(place).startswith((".", "\n\n"))


def _is_small_pair(said: Said, place: int) -> bool:
    """Tell whether two words in small letters are a name: both listed and no words of the language, or both strange at
    the beginning of a sentence about what persons do."""
    first, second = said.kind(place), said.kind(place + 1)
    if (first | second) & w.CAPITAL or not _BESIDE.fullmatch(said.gap(place)):
        return False
    is_listed = bool((first | second) & (w.SURNAME | w.GIVEN))
    if is_listed and first & (w.LISTED | w.QUIET) and second & (w.LISTED | w.QUIET):
        return True
    both = bool(first & w.NAME and second & w.NAME)
    return both and said.begins(place) and (is_listed or bool(said.kind(place + 2) & (w.DEED | w.STATE)))


def _is_subject(said: Said, place: int) -> bool:
    """Tell whether a strange word stands where a person does something."""
    word, _, _, kind = said.words[place]
    if not (kind & w.STRANGE and kind & w.CAPITAL) or len(word) < _SHORTEST_SUBJECT:
        return False
    if said.begins(place) and patterns().aged.match(said.text, said.words[place][2]):
        return True
    if said.gap(place) != " ":
        return False
    following = said.kind(place + 1)
    if following & w.DEED:
        return True
    return bool(following & w.STATE) and said.begins(place)
