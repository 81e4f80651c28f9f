"""Does a report name a person? The gate that headers pass in ``header``, for free French text. It fails closed.

Belongs here: the gate itself, what a site keeps, and putting a kind in the place of a name. Does not belong here: names
(``names``), numbers (``numbers``), words (``wording``), which rules a site softens (``policy``), and what becomes of a
report that breaks one (the reports' ingest). A finding names rule and place, never a value.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from radia_pipeline.privacy import wording as w
from radia_pipeline.privacy.disguise import undisguised
from radia_pipeline.privacy.names import Said, names
from radia_pipeline.privacy.numbers import Span, numbers
from radia_pipeline.privacy.patterns import (
    AT_SIGNS,
    BEFORE_TYPIST,
    CARET,
    DIGITS,
    MAIL,
    TYPIST,
    WEB,
    WITH_DEGREE,
    patterns,
)
from radia_pipeline.privacy.policy import ReportPolicy

_NAME, _NUMBER, _DATE, _ADDRESS = "NOM", "NUMÉRO", "DATE", "ADRESSE"
KIND_OF_RULE: Mapping[str, str] = {
    "titled_name": _NAME,
    "physician_name": _NAME,
    "staff_name": _NAME,
    "signature": _NAME,
    "relative_name": _NAME,
    "patient_name": _NAME,
    "labelled_name": _NAME,
    "listed_name": _NAME,
    "first_name": _NAME,
    "capitalised_words": _NAME,
    "person_subject": _NAME,
    "name_with_caret": _NAME,
    "health_insurance_number": _NUMBER,
    "social_insurance_number": _NUMBER,
    "phone_number": "TÉLÉPHONE",
    "record_number": _NUMBER,
    "postal_code": _ADDRESS,
    "street_address": _ADDRESS,
    "mail_address": "COURRIEL",
    "date_of_birth": _DATE,
    "date_without_examination": _DATE,
    "web_address": "LIEN",
    "place": "LIEU",
    "employer": "EMPLOYEUR",
    "institution": "ÉTABLISSEMENT",
    "room": "LOCAL",
    "typist_initials": "INITIALES",
    "age_above_89": "ÂGE",
}
"""Rule -> what stands in the place of that which breaks it."""
_REPLACED = re.compile("«(?:" + "|".join(sorted(set(KIND_OF_RULE.values()))) + ")»")
_INERT = "¤"
"""Takes the place of a replacement while the rest is judged: no letter, no digit, no blank."""
_SHIELDS = frozenset({"institution", "employer", "place", "physician_name"})
"""What a site keeps although a name is a part of it (Hôpital Pierre-Boucher)."""


@dataclass(frozen=True, order=True)
class Breach:
    """``place``: character in the text, from 1. ``rule``: which rule it breaks. Never a value."""

    place: int
    rule: str

    def __str__(self) -> str:
        return f"{self.rule} at character {self.place}"


@dataclass(frozen=True)
class Passed:
    """What the gate lets in of a text: as written, or with kinds in the place of what names a person.

    ``breaches``: why it stays outside, then ``text`` is empty; ``replaced``: how often each rule was, in its place.
    """

    text: str
    breaches: tuple[Breach, ...] = ()
    replaced: Mapping[str, int] = field(default_factory=dict)


def breaches(text: str, policy: ReportPolicy) -> list[Breach]:
    """Return the first breach of every rule that a text breaks, by place; an empty list means that nobody is named.

    What the site keeps, or always has replaced, is none.
    """
    found = _spans(text, policy)
    return _first_of_each(span for span in found if policy.choice(span.rule) == "refuse") if found else []


def passed(text: str, policy: ReportPolicy) -> Passed:
    """Return what may enter of a text. It counts as de-identified only where what is left of it passes again."""
    found = _spans(text, policy)
    refused = [span for span in found if policy.choice(span.rule) == "refuse"]
    if refused and policy.on_identity == "refuse":
        return Passed("", tuple(_first_of_each(refused)))
    if not found:
        return Passed(text)
    redacted = _with_kinds(text, found)
    left = _first_of_each(_spans(redacted, policy))
    if left:
        return Passed("", tuple(sorted(Breach(_before(breach.place - 1, found) + 1, breach.rule) for breach in left)))
    return Passed(redacted, (), dict(sorted(Counter(span.rule for span in _apart(found)).items())))


def _first_of_each(spans: Iterator[Span] | list[Span]) -> list[Breach]:
    found: dict[str, int] = {}
    for span in spans:
        found[span.rule] = min(span.start, found.get(span.rule, span.start))
    return sorted(Breach(at + 1, rule) for rule, at in found.items())


def _apart(spans: list[Span]) -> list[Span]:
    """Return spans that do not overlap: of several on one place the longest."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if kept and span.start < kept[-1].end:
            kept[-1] = kept[-1]._replace(end=max(span.end, kept[-1].end))
        else:
            kept.append(span)
    return kept


def _with_kinds(text: str, spans: list[Span]) -> str:
    parts, at = [], 0
    for span in _apart(spans):
        parts += [text[at : span.start], f"«{KIND_OF_RULE[span.rule]}»"]
        at = span.end
    return "".join((*parts, text[at:]))


def _before(place: int, spans: list[Span]) -> int:
    """Return where a place of a text with kinds lies in the text as written; inside a kind: where its name begins."""
    at = written = 0
    for span in _apart(spans):
        kept = span.start - written
        if place < at + kept:
            break
        at += kept + len(f"«{KIND_OF_RULE[span.rule]}»")
        if place < at:
            return span.start
        written = span.end
    return written + place - at


def _spans(text: str, policy: ReportPolicy) -> list[Span]:
    """Return what names a person, in the text as written, but for what the site keeps."""
    plain = undisguised(text)
    shown = plain.text
    if "«" in shown:
        shown = _REPLACED.sub(lambda match: _INERT * len(match[0]), shown)
    found = list(_all_spans(shown, policy))
    if not found:
        return found
    kept = [span for span in found if policy.choice(span.rule) == "keep"]
    shields = [span for span in kept if span.rule in _SHIELDS]
    found = [
        span
        for span in found
        if span not in kept and not (KIND_OF_RULE[span.rule] == _NAME and _lies_in(span, shields))
    ]
    return [Span(*plain.written(span.start, span.end), span.rule) for span in found]


def _all_spans(text: str, policy: ReportPolicy) -> Iterator[Span]:
    kinds = w.kinds_of(set(w.WORD.findall(text)))
    said = Said(text, policy.eponyms)
    if kinds & (w.NAME | w.INTRODUCES):
        yield from names(said)
    if kinds & w.PLACED:
        yield from _placed(said)
    if DIGITS.search(text):
        yield from numbers(text, policy.exam_dates)
    if ".D" in text or ".d" in text:
        yield from _matches(text, WITH_DEGREE, "physician_name")
    if "^" in text or "_" in text:
        yield from _matches(text, CARET, "name_with_caret")
    low = text.lower()
    if any(sign in low for sign in AT_SIGNS):
        yield from _matches(text, MAIL, "mail_address")
    if "//" in text or "www." in low:
        yield from _matches(text, WEB, "web_address")
    if "/" in text or ":" in text:
        yield from _typists(text)


def _matches(text: str, pattern: re.Pattern[str], rule: str) -> Iterator[Span]:
    yield from (Span(match.start(), match.end(), rule) for match in pattern.finditer(text))


def _typists(text: str) -> Iterator[Span]:
    """Yield initials of who dictated and who typed (ZW/kl), as they stand at the end of a line."""
    for typed in TYPIST.finditer(text):
        dictated = BEFORE_TYPIST.search(text, max(0, typed.start() - 4), typed.start())
        if dictated is not None and (dictated[0] or typed[0].startswith("/")):
            yield Span(dictated.start(), typed.end(), "typist_initials")


def _placed(said: Said) -> Iterator[Span]:
    """Yield institutions, employers and places, where a word announces one."""
    known = patterns()
    forms = ((known.institution, "institution"), (known.employer, "employer"), (known.place, "place"))
    for _, start, _, kind in said.words:
        if kind & w.PLACED:
            found = ((form.match(said.text, start), rule) for form, rule in forms)
            yield from (Span(match.start(), match.end(), rule) for match, rule in found if match is not None)


def _lies_in(span: Span, others: list[Span]) -> bool:
    return any(other.start <= span.start < other.end for other in others)
