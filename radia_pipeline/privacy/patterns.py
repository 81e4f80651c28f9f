"""The words of french.yaml and the numbers of Québec as patterns: what names a person in a French report.

Belongs here: one pattern a rule. Does not belong here: the words (``french.yaml``), and when a match is a breach
(``text``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from radia_pipeline.contracts.location import read_yaml

_WORDS = Path(__file__).with_name("french.yaml")

_UPPER, _LOWER = "A-ZÀ-ÖØ-Þ", "a-zà-öø-ÿ"
_LETTER = "A-Za-zÀ-ÖØ-öø-ÿ"
_NAME = rf"[{_UPPER}][{_LETTER}'’-]+"

SENTENCE_END = re.compile(r"[.!?;]\s|\n\s*\n")
CAPITALISED = re.compile(rf"[{_UPPER}][{_LETTER}]*(?:[-'’][{_LETTER}]+)*")
TWO_CAPITALISED = re.compile(rf"[{_LOWER},]\s+([{_UPPER}][{_LOWER}'’-]+)\s+([{_UPPER}][{_LOWER}'’-][{_LETTER}'’-]*)")
"""Two capitalised words behind a small one: no beginning of a sentence."""

_NUMBERS = {
    # A NAM (RAMQ) is four letters and eight digits, however they are parted.
    "health_insurance_number": rf"(?<![{_LETTER}])[{_LETTER}]{{4}}(?:[ .-]?\d){{8}}(?!\d)",
    "social_insurance_number": r"(?<![\d,.])\d{3}[ -]\d{3}[ -]\d{3}(?!\d|[.,]\d)",
    "phone_number": r"(?<!\d)(?:\+?1[ .-]?)?\(?\d{3}\)?[ .-]{0,2}\d{3}[ .-]?\d{4}(?!\d)|(?<![\d-])\d{3}-\d{4}(?![\d-])",
    "postal_code": r"(?<!\w)[ABCEGHJ-NPRSTVXY]\d[ABCEGHJ-NPRSTV-Z][ -]?\d[ABCEGHJ-NPRSTV-Z]\d(?!\w)",
    "record_number": r"(?<![\d,.])\d{6,7}(?![\d,.]*\d)|(?<![\d,.])\d{9,}(?!\d)",
}
_WITHOUT_DIGITS = {"mail_address": r"[\w.+-]+@[\w-]+\.\w+", "name_with_caret": r"[^\W\d_]{2,}\^[^\W\d_]{2,}"}
_DATE = (
    r"(?<!\d)(?:(?:19|20)\d\d[-/. ](?:0?[1-9]|1[0-2])[-/. ](?:[0-2]?\d|3[01])|(?:[0-2]?\d|3[01])[-/.](?:0?[1-9]|1[0-2])"
    r"[-/.](?:19|20)\d\d|(?:0[1-9]|[12]\d|3[01])[-/](?:0[1-9]|1[0-2])[-/]\d\d|(?:19|20)\d\d(?:0[1-9]|1[0-2])"
    r"(?:[0-2]\d|3[01]))(?!\d)"
)


@dataclass(frozen=True)
class Patterns:
    """Compiled patterns. ``with_digits`` and ``without``: rule -> pattern whose match is a breach, the first of texts
    that hold a digit; ``ordinary``: what follows a title without being a name; ``names``: known name -> "alone" or
    "with_another". Words of both without accents and case."""

    with_digits: Mapping[str, re.Pattern[str]]
    without: Mapping[str, re.Pattern[str]]
    birth: re.Pattern[str]
    date: re.Pattern[str]
    examination: re.Pattern[str]
    titled: re.Pattern[str]
    titled_in_any_case: re.Pattern[str]
    physician: re.Pattern[str]
    labelled: re.Pattern[str]
    patient: re.Pattern[str]
    ordinary: frozenset[str]
    names: Mapping[str, str]


@cache
def patterns() -> Patterns:
    """Return the patterns of the gate, compiled once per process."""
    said = read_yaml(_WORDS)
    one = {name: _one_of(words) for name, words in said.items() if isinstance(words, list)}
    return Patterns(
        with_digits={rule: _in_any_case(pattern) for rule, pattern in _numbers(one).items()},
        without={rule: re.compile(pattern) for rule, pattern in _WITHOUT_DIGITS.items()},
        birth=_in_any_case(rf"(?<!-)\b(?:{one['born']}\s*{one['born_on']}|{one['birth']})\b[^.]{{0,20}}?\d"),
        date=_in_any_case(_dates(one, said["first_of_the_month"])),
        examination=_in_any_case(rf"{one['examinations']}|\b{one['examinations_in_full']}\b"),
        titled=re.compile(rf"(?<![\w.])(?<!\d ){one['titles']}\s+({_NAME})"),
        titled_in_any_case=_in_any_case(rf"\b{one['titles_in_any_case']}\s+([{_LETTER}'’-]+)"),
        physician=re.compile(
            rf"\b{one['physicians']}\b\.?\s+(?:[A-Z]\.?[ -]?){{0,2}}{_NAME}|{_NAME},?\s+{one['degrees']}(?!\w)"
        ),
        labelled=_in_any_case(
            rf"\b{one['name_labels']}\b(?:\s+{one['of_whom']})?\s*[:=]\s*[{_LETTER}]|\b{one['called']}\s+{_NAME}"
        ),
        patient=re.compile(rf"\b{one['patient']}\s+({_NAME})|\b{one['patient_labels']}\s*:\s*({_NAME})[, ]+{_NAME}"),
        ordinary=frozenset(said["ordinary_words"].split()),
        names=_names(said["names"]),
    )


def _one_of(words: Iterable[str]) -> str:
    """Return an alternation of spellings, the longest first."""
    return "(?:" + "|".join(re.escape(str(word)) for word in sorted(words, key=lambda word: -len(str(word)))) + ")"


def _in_any_case(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


def _numbers(one: Mapping[str, str]) -> dict[str, str]:
    """Return rule -> pattern: numbers by their shape, and those that a word before them gives away."""
    spoken = {
        "phone_number": rf"\b{one['telephone']}\s*:?\s*\(?\d",
        "street_address": rf"\b\d{{1,5}}[A-Z]?,?\s+{one['streets']}\s+\w",
        "record_number": rf"\b{one['records']}\b\s*{one['numbers']}?\s*[:#]?\s*[A-Z]{{0,4}}\s?\d[\d -]{{2,}}",
    }
    rules = dict.fromkeys((*_NUMBERS, *spoken))
    return {rule: "|".join(filter(None, (spoken.get(rule), _NUMBERS.get(rule)))) for rule in rules}


def _dates(one: Mapping[str, str], first: str) -> str:
    return rf"{_DATE}|(?<!\d)(?:{first}|[0-2]?\d|3[01])\s+{one['months']}\s+(?:19|20)\d\d"


def _names(listed: Mapping[str, str]) -> dict[str, str]:
    names = dict.fromkeys(listed["with_another"].split(), "with_another")
    return names | dict.fromkeys([*listed["surnames"].split(), *listed["given"].split()], "alone")
