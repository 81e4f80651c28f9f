"""Does a report name a person? The gate that headers pass in ``header``, for free French text. It fails closed.

Belongs here: the rules, and when a match breaks one. Does not belong here: words and patterns (``french.yaml``,
``patterns``), which rules a site softens (``policy``), and what becomes of a report that breaks one (the reports'
ingest). A finding names rule and place, never a value.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from radia_pipeline.privacy.letters import fold
from radia_pipeline.privacy.patterns import CAPITALISED, SENTENCE_END, TWO_CAPITALISED, patterns
from radia_pipeline.privacy.policy import ReportPolicy

_MAY_BE_DATES = frozenset({"phone_number", "record_number", "social_insurance_number"})
"""Rules of numbers that a date with blanks or hyphens would break; dates have a rule of their own."""
_DISGUISED = re.compile("[^\n\r\t -~À-ÖØ-öø-ÿœŒ’°«»]")


@dataclass(frozen=True, order=True)
class Breach:
    """``place``: character in the text, from 1. ``rule``: which rule it breaks. Never a value."""

    place: int
    rule: str

    def __str__(self) -> str:
        return f"{self.rule} at character {self.place}"


def breaches(text: str, policy: ReportPolicy) -> list[Breach]:
    """Return the first breach of every rule that a text breaks, by place; an empty list means that nobody is named."""
    text = _plain(text)
    found: dict[str, int] = {}
    for at, rule in _all_breaches(text, policy):
        found[rule] = min(at, found.get(rule, at))
    return sorted(Breach(at + 1, rule) for rule, at in found.items())


def _plain(text: str) -> str:
    """Undo disguises: compatibility forms, odd spaces and hyphens, invisible characters, words parted at line ends."""
    text = unicodedata.normalize("NFC", text)
    plain = []
    for character in text if _DISGUISED.search(text) else ():
        form = unicodedata.normalize("NFKC", character)
        kind = unicodedata.category(character)
        if kind == "Zs":
            form = " "
        elif kind == "Pd" or character == "\N{MINUS SIGN}":
            form = "-"
        plain.append(form if kind != "Cf" else "")
    return re.sub(r"(?<=[^\W\d_])-\n(?=[^\W\d_])", "", "".join(plain) or text)


def _all_breaches(text: str, policy: ReportPolicy) -> Iterator[tuple[int, str]]:
    if re.search(r"\d", text):
        yield from _numbers(text)
        yield from ((match.start(), "date_of_birth") for match in patterns().birth.finditer(text))
        yield from _dates(text, policy)
    for rule, pattern in patterns().without.items():
        yield from ((match.start(), rule) for match in pattern.finditer(text))
    yield from _titles(text, policy)
    yield from _capitalised(text, policy)


def _numbers(text: str) -> Iterator[tuple[int, str]]:
    date = patterns().date
    for rule, pattern in patterns().with_digits.items():
        for match in pattern.finditer(text):
            if not (rule in _MAY_BE_DATES and date.fullmatch(match[0])):
                yield match.start(), rule


def _dates(text: str, policy: ReportPolicy) -> Iterator[tuple[int, str]]:
    for match in patterns().date.finditer(text):
        numbers = [int(number) for number in re.findall(r"\d+", match[0])]
        if len(numbers) == 3 and numbers[2] - numbers[1] == numbers[1] - numbers[0] == 1:
            continue  # ribs or segments, as in 10-11-12
        sentence = _sentence(text, match.start(), match.end())
        if policy.exam_dates == "refuse" or not patterns().examination.search(sentence):
            yield match.start(), "date_without_examination"


def _sentence(text: str, start: int, end: int) -> str:
    ends = [match.end() for match in SENTENCE_END.finditer(text, 0, start)]
    following = SENTENCE_END.search(text, end)
    return text[ends[-1] if ends else 0 : following.start() if following else len(text)]


def _titles(text: str, policy: ReportPolicy) -> Iterator[tuple[int, str]]:
    """Yield names that a title, a label or the word patient gives away."""
    said = patterns()
    if policy.physicians == "refuse":
        yield from ((match.start(), "physician_name") for match in said.physician.finditer(text))
    for pattern, rule in ((said.titled, "titled_name"), (said.patient, "patient_name")):
        for match in pattern.finditer(text):
            word = next(group for group in match.groups() if group)
            if fold(word) not in said.ordinary | policy.eponyms:
                yield match.start(), rule
    for match in said.titled_in_any_case.finditer(text):
        if fold(match[1]) in said.names:
            yield match.start(), "titled_name"
    yield from ((match.start(), "labelled_name") for match in said.labelled.finditer(text))


def _capitalised(text: str, policy: ReportPolicy) -> Iterator[tuple[int, str]]:
    """Yield names that only their capitals give away; a physician's name is judged with its title."""
    physicians = [match.span() for match in patterns().physician.finditer(text)]
    for match in TWO_CAPITALISED.finditer(text):
        if not _parts(match[1], match[2]) & policy.eponyms and not _lies_in(match.start(1), physicians):
            yield match.start(1), "capitalised_words"
    words = list(CAPITALISED.finditer(text))
    for place, word in enumerate(words):
        if not _lies_in(word.start(), physicians) and _is_listed_name(text, words, place, policy):
            yield word.start(), "listed_name"


def _is_listed_name(text: str, words: list[re.Match[str]], place: int, policy: ReportPolicy) -> bool:
    """Tell whether a capitalised word is a common name of the region; one beside an eponym is a part of it (Claude
    Bernard-Horner)."""
    names, word = patterns().names, words[place][0]
    hits = {names[part] for part in (_parts(word) | {fold(word)}) & names.keys()}
    if not hits:
        return False
    beside = [
        words[other][0]
        for other in (place - 1, place + 1)
        if 0 <= other < len(words) and _touch(text, words[min(place, other)], words[max(place, other)])
    ]
    if _parts(word, *beside) & policy.eponyms:
        return False
    return "alone" in hits or any(fold(other) in names for other in beside)


def _parts(*words: str) -> set[str]:
    return {fold(part) for word in words for part in re.split(r"[-'’]", word)}


def _touch(text: str, first: re.Match[str], second: re.Match[str]) -> bool:
    return re.fullmatch(r"[ ,]{1,2}|-", text[first.end() : second.start()]) is not None


def _lies_in(place: int, spans: list[tuple[int, int]]) -> bool:
    return any(start <= place < end for start, end in spans)
