"""Numbers in a report that lead to a person: health and social insurance, telephone, records, dates, addresses.

Belongs here: when digits break a rule. Every form is tried only where digits begin, so that a report without long
numbers costs next to nothing. Does not belong here: the forms (``patterns``), and names (``names``).
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from radia_pipeline.privacy.patterns import (
    DIGITS,
    FOUR_DIGITS,
    HEALTH_LETTERS,
    LONG_RECORD,
    NO_POSTAL_CODE,
    RECORD_NUMBER,
    SENTENCE_END,
    YEAR,
    Patterns,
    patterns,
)


class Span(NamedTuple):
    """A range of a text and the rule that it breaks."""

    start: int
    end: int
    rule: str


_LOOK_BACK = 40
"""Characters before digits in which a word may say what they are."""
_LEAST_DIGITS = 4
_CITED_DIGITS = 7
"""Digits of the number of an examination that a report cites; hospitals' own have up to these."""
_POSTAL_LETTERS = frozenset("ABCEGHJKLMNPRSTVXYabceghjklmnprstvxy")


def numbers(text: str, exam_dates: str) -> Iterator[Span]:
    """Yield what the digits of a text give away. ``exam_dates``: whether a date may stand where care is spoken of."""
    known, done = patterns(), -1
    for run in DIGITS.finditer(text):
        at = run.start()
        if at < done:
            continue
        found = _at(text, at, run.end(), known, exam_dates)
        if found is not None:
            done = found.end
            if found.rule:
                yield found


def _at(text: str, at: int, end: int, known: Patterns, exam_dates: str) -> Span | None:
    """Judge the digits that begin here; a span without a rule is a date that may stay."""
    before = text[max(0, at - _LOOK_BACK) : at]
    date = known.date.match(text, at)
    if (birth := _birth(text, at, before, date, known)) is not None:
        return birth
    if date is not None and not _is_a_row(date[0]):
        return Span(at, date.end(), "" if _may_stay(text, at, date.end(), exam_dates) else "date_without_examination")
    if (month := known.month_before.search(before)) and (rest := known.rest_of_english_date.match(text, at)):
        start = at - len(before) + month.start()
        return Span(
            start, rest.end(), "" if _may_stay(text, at, rest.end(), exam_dates) else "date_without_examination"
        )
    return (
        _insured(text, at, before, known)
        or _introduced(text, at, before, known)
        or _by_shape(text, at, before, known)
        or _soft(text, at, end, before, known)
    )


def _birth(text: str, at: int, before: str, date: re.Match[str] | None, known: Patterns) -> Span | None:
    if (said_so := date or YEAR.match(text, at)) is None:
        month = known.month_before.search(before)
        short = month is not None and text[at : at + 3].strip(" .,;\n").isdigit() and known.before_born.search(before)
        return Span(at - len(before) + short.start(), at + 2, "date_of_birth") if short else None
    end = said_so.end()
    for pattern in (known.before_birth, known.before_born):
        if (said := pattern.search(before)) is not None:
            return Span(at - len(before) + said.start(), end, "date_of_birth")
    return None


def _is_a_row(date: str) -> bool:
    """Ribs or segments, as in 10-11-12."""
    numbers = [int(run) for run in DIGITS.findall(date)]
    return len(numbers) == 3 and numbers[2] - numbers[1] == numbers[1] - numbers[0] == 1


def _may_stay(text: str, start: int, end: int, exam_dates: str) -> bool:
    return exam_dates != "refuse" and _sentences_of(text).name_an_examination(start, end)


class _Sentences:
    """Where the sentences of a text end, and which of them name an examination: asked for each date, found once."""

    def __init__(self, text: str) -> None:
        self._text = text
        found = [match.span() for match in SENTENCE_END.finditer(text)]
        self._starts, self._ends = [0, *(end for _, end in found)], [*(start for start, _ in found), len(text)]
        self._known: dict[tuple[int, int], bool] = {}

    def name_an_examination(self, start: int, end: int) -> bool:
        """Tell whether the sentences from ``start`` to ``end`` do."""
        first, last = bisect_right(self._starts, start) - 1, bisect_left(self._ends, end)
        if (first, last) not in self._known:
            said = self._text[self._starts[first] : self._ends[last]]
            self._known[first, last] = patterns().examination.search(said) is not None
        return self._known[first, last]


@lru_cache(maxsize=1)
def _sentences_of(text: str) -> _Sentences:
    return _Sentences(text)


def _insured(text: str, at: int, before: str, known: Patterns) -> Span | None:
    """A health insurance number (RAMQ): four letters and eight digits, however they are parted."""
    if (letters := HEALTH_LETTERS.search(before)) is None:
        return None
    number = known.numbers["health_insurance_number"].match(text, at)
    return None if number is None else Span(at - len(letters[0]), number.end(), "health_insurance_number")


def _introduced(text: str, at: int, before: str, known: Patterns) -> Span | None:
    """Judge digits by the word before them."""
    if (number := RECORD_NUMBER.match(text, at) or DIGITS.match(text, at)) is None:
        return None
    count = sum(map(str.isdigit, number[0]))
    is_year = YEAR.fullmatch(number[0]) is not None
    said = known.before_telephone.search(before) or (known.before_extension.search(before) if count > 2 else None)
    if said is not None:
        return Span(at - len(before) + said.start(), number.end(), "phone_number")
    said = known.before_record.search(before) if count >= 3 and not is_year else None
    is_fracture = said is not None and said[0].strip() == "#" and FOUR_DIGITS.search(number[0]) is None
    if said is not None and not is_fracture:
        return Span(at - len(before) + said.start(), number.end(), "record_number")
    if (street := known.street.match(text, at)) is not None:
        return Span(at, street.end(), "street_address")
    said = known.before_flat.search(before) or (known.before_lodging.search(before) if count > 2 else None)
    if said is not None:
        return Span(at - len(before) + said.start(), number.end(), "street_address")
    return None


def _by_shape(text: str, at: int, before: str, known: Patterns) -> Span | None:
    """Judge digits by their own form."""
    last = before[-1:]
    code = known.numbers["postal_code"].match(text, at) if last in _POSTAL_LETTERS else None
    if code is not None and not before[-2:-1].isalnum() and not NO_POSTAL_CODE.fullmatch(code[0]):
        return Span(at - 1, code.end(), "postal_code")
    if last.isdigit() or (last in (",", ".") and before[-2:-1].isdigit()):
        return None
    if last == "+" and (number := RECORD_NUMBER.match(text, at)) and sum(map(str.isdigit, number[0])) >= 9:
        return Span(at - 1, number.end(), "phone_number")
    for rule in ("phone_number", "social_insurance_number"):
        number = known.numbers[rule].match(text, at)
        if number is not None and not (last == "-" and len(number[0]) == 8):
            return Span(at - (last in ("(", "+")), number.end(), rule)
    number = LONG_RECORD.match(text, at)
    if number is not None and not (len(number[0]) <= _CITED_DIGITS and known.before_cited.search(before)):
        return Span(at, number.end(), "record_number")
    return None


def _soft(text: str, at: int, end: int, before: str, known: Patterns) -> Span | None:
    """Judge what a site may keep: ages above 89 and rooms."""
    if (age := known.age.match(text, at)) is not None and not before[-1:].isalnum():
        return Span(at, age.end(), "age_above_89")
    if (said := known.before_room.search(before)) is not None and end - at <= _LEAST_DIGITS:
        stop = end + (text[end : end + 1].isupper() and not text[end + 1 : end + 2].isalnum())
        return Span(at - len(before) + said.start(), stop, "room")
    return None
