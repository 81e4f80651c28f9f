"""Numbers, dates and addresses of Québec, and the words before them, as patterns that are tried where digits begin.

Belongs here: one pattern a form. Does not belong here: the words (french.yaml), when a match is a breach (``numbers``),
names (``names``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from radia_pipeline.privacy.wording import said

_SEPARATED = r"[ .-]{0,2}"
_YEAR, _MONTH, _DAY = r"(?:19|20)\d\d", r"(?:0?[1-9]|1[0-2])", r"(?:0?[1-9]|[12]\d|3[01])"
_NUMERIC_DATES = (
    rf"{_YEAR}([-/. ]){_MONTH}\1{_DAY}",
    rf"{_DAY}([-/.]){_MONTH}\2{_YEAR}",
    rf"{_DAY} {_MONTH} {_YEAR}",
    r"(?:0[1-9]|[12]\d|3[01])([-/])(?:0[1-9]|1[0-2])\3\d\d",
    r"(?:3[2-9]|[4-9]\d)([-/])(?:0[1-9]|1[0-2])\4(?:0[1-9]|[12]\d|3[01])",
    rf"{_DAY}/{_MONTH}/\d\d",
    rf"{_YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])",
)
_CAPITALISED = r"[A-ZÀ-ÖØ-Þ0-9][\w'’&.-]*\w"
_PROPER = rf"({_CAPITALISED}(?:[ -](?:[a-z]{{1,3}}[ '’]){{0,2}}{_CAPITALISED}){{0,4}})"


@dataclass(frozen=True)
class Patterns:
    """Compiled. What is named ``before_…`` is searched in the text before digits, ``numbers`` match at them."""

    numbers: Mapping[str, re.Pattern[str]]
    date: re.Pattern[str]
    month_before: re.Pattern[str]
    rest_of_english_date: re.Pattern[str]
    before_birth: re.Pattern[str]
    before_born: re.Pattern[str]
    before_record: re.Pattern[str]
    before_cited: re.Pattern[str]
    before_telephone: re.Pattern[str]
    before_extension: re.Pattern[str]
    before_flat: re.Pattern[str]
    before_lodging: re.Pattern[str]
    age: re.Pattern[str]
    aged: re.Pattern[str]
    before_room: re.Pattern[str]
    street: re.Pattern[str]
    examination: re.Pattern[str]
    institution: re.Pattern[str]
    employer: re.Pattern[str]
    place: re.Pattern[str]


SENTENCE_END = re.compile(r"[.!?;]\s|\n\s*\n")
DIGITS = re.compile(r"\d+")
YEAR = re.compile(rf"{_YEAR}(?!\d|[.,]\d)")
HEALTH_LETTERS = re.compile(r"(?<![^\W\d_])(?:[^\W\d_][ .-]?){4}$")
AT_SIGNS = ("@", "(at)", "[at]", "(arobase)", "[arobase]")
MAIL = re.compile(rf"[\w.+-]+\s?(?:{'|'.join(map(re.escape, AT_SIGNS))})\s?[\w-]+(?:\s?\.\s?\w+)+", re.IGNORECASE)
WEB = re.compile(r"\w+://\S+|\bwww\.\S+", re.IGNORECASE)
CARET = re.compile(r"[^\W\d_]{2,}(?:\^|_{1,2})[^\W\d_]{2,}")
WITH_DEGREE = re.compile(rf"{_CAPITALISED},?\s+[Mm]\.[Dd](?![^\W_])")
TYPIST = re.compile(r"[/:][a-z]{2,3}(?=[ .]*(?:\n|\Z))")
BEFORE_TYPIST = re.compile(r"(?<![^\s.])(?:[A-Z]{2,3})?$")
NO_POSTAL_CODE = re.compile(r"\d{1,2}P\d{1,2}A\d|\dN\dM\d")
"""What has the form of a postal code behind its letter: pregnancies, births and losses (G2P1A0), a stage (T3N2M0)."""
LONG_RECORD = re.compile(r"(?:\d{8,}|\d{6,7}(?<!000))(?![\d,.]*\d)")
FOUR_DIGITS = re.compile(r"\d{4}")
RECORD_NUMBER = re.compile(r"\d[\d /-]*\d")


@cache
def patterns() -> Patterns:
    """Return the patterns of numbers and places, compiled once per process."""
    one = {name: _one_of(words) for name, words in said().items() if isinstance(words, list)}
    months = rf"{one['months']}\b\.?"
    number = rf"(?:\s*(?:{one['numbers']})\s*)?"
    before = {
        "before_birth": rf"\b(?:{one['birth']})\b[^.¤\n]{{0,20}}?",
        "before_born": rf"\b{one['born']}\s*{one['born_on']}?\s*(?:{months}\s*)?",
        "before_record": rf"(?:\b{one['records']}\b(?:\s+{one['of_records']}\b)?{number}\s*[:#]?\s*|"
        rf"\b{one['numbers']}\s*(?:de\s+|d['’]){one['records']}\s*:?\s*|#\s*)(?:[A-Z]{{1,4}}-?)?",
        "before_cited": rf"\b{one['cited']}\b\.?\s*{number}",
        "before_telephone": rf"\b{one['telephone']}\b\.?\s*(?:no\s*)?:?\s*\(?",
        "before_extension": rf"\b{one['extension']}\b\.?\s*:?\s*",
        "before_flat": rf"(?<!\w){one['flats']}\.?\s*",
        "before_lodging": rf"(?<!\w){one['lodgings']}\.?\s*",
        "before_room": rf"\b{one['rooms']}\b\.?\s*(?:{one['numbers']}\s*)?",
        "month_before": rf"\b{months}\s*",
    }
    return Patterns(
        numbers=_numbers(),
        date=_in_any_case(_dates(one)),
        rest_of_english_date=_in_any_case(rf"\d{{1,2}}(?:st|nd|rd|th)?,?\s+{_YEAR}(?!\d)"),
        street=_in_any_case(_streets(one)),
        aged=_in_any_case(rf",?\s*\d{{1,3}}\s?{one['years']}(?!\w)"),
        age=_in_any_case(rf"(?:9\d|1[0-4]\d)\s?{one['years']}(?!\w)"),
        examination=_in_any_case(rf"{one['examinations']}|\b{one['examinations_in_full']}\b"),
        institution=re.compile(rf"(?i:{one['institutions']})(?:\s+(?i:{one['of_whom']}))*\s*(?:['’]\s*)?{_PROPER}?"),
        employer=re.compile(rf"(?i:{one['employers']})\s*(?:['’]\s*)?{_PROPER}"),
        place=re.compile(rf"(?i:{one['places_before']})\s*{_PROPER}"),
        **{name: _in_any_case(pattern + "$") for name, pattern in before.items()},
    )


def _one_of(words: Iterable[str]) -> str:
    """Return an alternation of spellings, the longest first."""
    return "(?:" + "|".join(re.escape(str(word)) for word in sorted(words, key=lambda word: -len(str(word)))) + ")"


def _in_any_case(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


def _numbers() -> dict[str, re.Pattern[str]]:
    """Return rule -> pattern of numbers by their shape alone, tried where digits begin."""
    shapes = {
        "phone_number": r"(?:1[ .-]?)?\(?\d{3}\)?[ .-]{0,2}\d{3}[ .-]?\d{4}(?!\d)|\d{3}-\d{4}(?![\d-])",
        "social_insurance_number": r"\d{3}([ .-]?)\d{3}\1\d{3}(?!\d|[.,]\d)",
        "postal_code": r"\d[ABCEGHJ-NPRSTV-Z][ -]?\d[ABCEGHJ-NPRSTV-Z]\d(?!\w)",
        "health_insurance_number": rf"(?:\d{_SEPARATED}){{7}}\d(?!\d)",
    }
    return {rule: _in_any_case(shape) for rule, shape in shapes.items()}


def _dates(one: Mapping[str, str]) -> str:
    first = re.escape(str(said()["first_of_the_month"]))
    named = (
        rf"(?:{first}|{_DAY})(?:st|nd|rd|th)?[ -]{{0,2}}{one['months']}\b\.?,?[ -]{{0,2}}(?:{_YEAR}|\d\d(?!\s?[h:]))"
    )
    return rf"(?:{'|'.join(_NUMERIC_DATES)}|{named})(?!\d)"


def _streets(one: Mapping[str, str]) -> str:
    """Return the forms of an address, from its number on."""
    number, ordinal = r"\d{1,5}\s?[A-Z]?,?\s+(?:bis\s+)?", r"\d{1,3}(?:e|re|ère|ème|th|st|nd|rd)"
    name = r"(?:[\w'’.-]+\s+){1,3}?"
    return (
        rf"{number}(?:{one['streets']})\b\.?\s+[^\W\d_]\w*(?:[\s-]\w+){{0,3}}|\d{{3,5}},?\s+{one['hills']}\s+{one['hills_of']}[\s-]?\w+"
        rf"|{ordinal}\s+{one['numbered_streets']}\b|{number}{ordinal}\s+(?:{one['streets']}|{one['streets_behind']})\b|{number}{name}{one['streets_behind']}\b"
    )
