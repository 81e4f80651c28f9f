"""Does a report name a person? The gate that headers pass in ``dicom.audit``, for free French text. It fails closed.

Belongs here: the rules, and which of them a site softens (``reports:`` of its ``<source>_deid.yaml``). Does not belong
here: what becomes of a report that breaks one (``ingest``). A finding names rule and place, never a value. Measured: no
false alarm on 254 real reports and sentences, the development set and 3,000 phantom reports.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path

from radia_pipeline.contracts.location import contracts_root, read_yaml
from radia_pipeline.errors import BadTable

_NAMES = Path(__file__).with_name("names.yaml")
_EXAM_DATES = ("allow_with_exam", "refuse")
_PHYSICIANS = ("refuse", "allow")

_UPPER, _LETTER = "A-ZÀ-ÖØ-Þ", "A-Za-zÀ-ÖØ-öø-ÿ"
_NAME = rf"[{_UPPER}][{_LETTER}'’-]+"
_MONTHS = (
    "janvier|février|fevrier|mars|avril|mai|juin|juillet|août|aout|septembre|octobre|novembre|décembre|decembre|"
    r"janv?\.?|févr?\.?|fevr?\.?|avr\.?|juil\.?|sept?\.?|oct\.?|nov\.?|déc\.?|dec\.?"
)
_PLAIN_RULES = {
    # A NAM (RAMQ) is four letters and eight digits, however they are parted.
    "health_insurance_number": re.compile(rf"(?<![{_LETTER}])[{_LETTER}]{{4}}(?:[ .-]?\d){{8}}(?!\d)", re.IGNORECASE),
    "social_insurance_number": re.compile(r"(?<![\d,.])\d{3}[ -]\d{3}[ -]\d{3}(?!\d|[.,]\d)"),
    "phone_number": re.compile(
        r"(?<!\d)(?:\+?1[ .-]?)?\(?\d{3}\)?[ .-]{0,2}\d{3}[ .-]?\d{4}(?!\d)|(?<![\d-])\d{3}-\d{4}(?![\d-])|"
        r"\bt[ée]l(?:[ée]phone)?\.?\s*:?\s*\(?\d",
        re.IGNORECASE,
    ),
    "mail_address": re.compile(r"[\w.+-]+@[\w-]+\.\w+"),
    "postal_code": re.compile(
        r"(?<!\w)[ABCEGHJ-NPRSTVXY]\d[ABCEGHJ-NPRSTV-Z][ -]?\d[ABCEGHJ-NPRSTV-Z]\d(?!\w)", re.IGNORECASE
    ),
    "street_address": re.compile(
        r"\b\d{1,5}[A-Z]?,?\s+(?:rue|avenue|av\.|boulevard|boul\.|chemin|ch\.)\s+\w", re.IGNORECASE
    ),
    "record_number": re.compile(
        r"\b(?:dossier|mrn|accession|requ[êe]te|carte|ramq|nam|nas)\b\s*(?:no\.?|n°|num[ée]ro|#)?"
        r"\s*[:#]?\s*[A-Z]{0,4}\s?\d[\d -]{2,}|(?<![\d,.])\d{6,7}(?![\d,.]*\d)|(?<![\d,.])\d{9,}(?!\d)",
        re.IGNORECASE,
    ),
    "name_with_caret": re.compile(r"[^\W\d_]{2,}\^[^\W\d_]{2,}"),
}
_WITHOUT_DIGITS = frozenset({"mail_address", "name_with_caret"})
_BIRTH = re.compile(
    r"(?<!-)\b(?:n[ée]e?\s*(?:le|en|:)|(?:date de )?naissance|ddn|d\.d\.n\.|dob|born)\b[^.]{0,20}?\d", re.IGNORECASE
)
_DATE = re.compile(
    r"(?<!\d)(?:(?:19|20)\d\d[-/. ](?:0?[1-9]|1[0-2])[-/. ](?:[0-2]?\d|3[01])|(?:[0-2]?\d|3[01])[-/.](?:0?[1-9]|1[0-2])"
    r"[-/.](?:19|20)\d\d|(?:0[1-9]|[12]\d|3[01])[-/](?:0[1-9]|1[0-2])[-/]\d\d|(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01]))"
    rf"(?!\d)|(?<!\d)(?:1er|[0-2]?\d|3[01])\s+(?:{_MONTHS})\s+(?:19|20)\d\d",
    re.IGNORECASE,
)
_EXAM = re.compile(
    r"examens?|radio|cliché|compar|étude|etude|tdm|tomo|scan|écho|echo|irm|\brx\b|\btep\b|antérieur|anterieur|précédent|"
    r"precedent|contrôle|controle|suivi|depuis|chirurgie|opér|interven|hospitalis",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?;]\s|\n\s*\n")
_TITLED = re.compile(
    rf"(?<![\w.])(?<!\d )(?:M\.|Mr\.?|Mrs\.?|Ms\.?|Mme\.?|Mlle\.?|Monsieur|Madame|Mademoiselle)\s+({_NAME})"
)
_TITLED_ANY_CASE = re.compile(rf"\b(?:mr|mme|mlle|monsieur|madame)\.?\s+([{_LETTER}'’-]+)", re.IGNORECASE)
_PHYSICIAN = re.compile(
    rf"\b(?:D[Rr]e?s?|Docteure?|DOCTEURE?|Prof)\b\.?\s+(?:[A-Z]\.?[ -]?){{0,2}}{_NAME}"
    rf"|{_NAME},?\s+(?:M\.?D\.?|m\.d\.)(?!\w)"
)
_LABELLED = re.compile(
    rf"\b(?:(?:pré)?nom|prenom)\b(?:\s+(?:de famille|du patient|de la patiente|et prénom))?\s*[:=]\s*[{_LETTER}]"
    rf"|\b(?:nommée?|dénommée?|s'appelle)\s+{_NAME}",
    re.IGNORECASE,
)
_PATIENT = re.compile(
    rf"\bpatiente?\s+({_NAME})|\b[Pp]atiente?\s*:\s*({_NAME})[, ]+{_NAME}|\bPATIENTE?\s*:\s*({_NAME})[, ]+{_NAME}"
)
_CAPITALISED = re.compile(rf"[{_UPPER}][{_LETTER}]*(?:[-'’][{_LETTER}]+)*")
_WITHIN = re.compile(rf"[a-zà-öø-ÿ,]\s+([{_UPPER}][a-zà-öø-ÿ'’-]+)\s+([{_UPPER}][a-zà-öø-ÿ'’-][{_LETTER}'’-]*)")
_ORDINARY_WORDS = """
a ai as au aux avait avec chez connu connue connus de depuis des du en enfant est et etait femme homme il elle la le les
ne n'a non obese oui pas pour presente presentant qui sans se souffre sous sur un une vu vue age agee fumeur fumeuse
status post admis admise adresse adressee opere operee suivi suivie traite traitee porteur porteuse aurait
"""
"""What follows "Madame" or "Patient" without being a name."""
_ORDINARY = frozenset(_ORDINARY_WORDS.split())


@dataclass(frozen=True)
class ReportPolicy:
    """What a site declares for its reports; without a declaration everything is refused that names a person.

    ``exam_dates``: whether a full date may stand in a sentence about an examination. ``eponyms``: names of signs,
    diseases and devices, without accents and case.
    """

    exam_dates: str = "allow_with_exam"
    physicians: str = "refuse"
    eponyms: frozenset[str] = field(default_factory=frozenset)
    patient: re.Pattern[str] | None = None
    version: str = "basic"


@cache
def report_policy_of(source: str) -> ReportPolicy:
    """Return what a source's sheet declares; raises BadTable where it holds a word that is no choice."""
    path = contracts_root() / "sources" / f"{source}_deid.yaml"
    raw = read_yaml(path) if path.exists() else {}
    said = raw.get("reports") or {}
    for key, choices in (("exam_dates", _EXAM_DATES), ("physicians", _PHYSICIANS)):
        if said.get(key, choices[0]) not in choices:
            raise BadTable(f"{path.name} holds an unknown choice for reports.{key}", accepted=", ".join(choices))
    pattern = (raw.get("pseudonym") or {}).get("patient")
    return ReportPolicy(
        exam_dates=said.get("exam_dates", _EXAM_DATES[0]),
        physicians=said.get("physicians", _PHYSICIANS[0]),
        eponyms=frozenset(fold(word) for line in said.get("eponyms") or () for word in str(line).split()),
        patient=re.compile(pattern) if pattern else None,
        version=str(raw.get("version", "basic")),
    )


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


@lru_cache(maxsize=1 << 16)
def fold(word: str) -> str:
    """Return a word without accents and case."""
    split = unicodedata.normalize("NFKD", word)
    return "".join(c for c in split if not unicodedata.combining(c)).casefold()


_DISGUISED = re.compile("[^\n\r\t -~À-ÖØ-öø-ÿœŒ’°«»]")


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
    has_digits = re.search(r"\d", text) is not None
    for rule, pattern in _PLAIN_RULES.items():
        if not has_digits and rule not in _WITHOUT_DIGITS:
            continue
        for match in pattern.finditer(text):
            if rule in ("phone_number", "record_number", "social_insurance_number") and _DATE.fullmatch(match[0]):
                continue
            yield match.start(), rule
    if has_digits:
        yield from ((match.start(), "date_of_birth") for match in _BIRTH.finditer(text))
        yield from _dates(text, policy)
    yield from _names(text, policy)


def _dates(text: str, policy: ReportPolicy) -> Iterator[tuple[int, str]]:
    for match in _DATE.finditer(text):
        numbers = [int(number) for number in re.findall(r"\d+", match[0])]
        if len(numbers) == 3 and numbers[2] - numbers[1] == numbers[1] - numbers[0] == 1:
            continue  # ribs or segments, as in 10-11-12
        if policy.exam_dates == "refuse" or not _EXAM.search(_sentence(text, match.start(), match.end())):
            yield match.start(), "date_without_examination"


def _sentence(text: str, start: int, end: int) -> str:
    ends = [match.end() for match in _SENTENCE_END.finditer(text, 0, start)]
    following = _SENTENCE_END.search(text, end)
    return text[ends[-1] if ends else 0 : following.start() if following else len(text)]


def _names(text: str, policy: ReportPolicy) -> Iterator[tuple[int, str]]:
    taken: list[tuple[int, int]] = []
    for match in _PHYSICIAN.finditer(text):
        taken.append(match.span())
        if policy.physicians == "refuse":
            yield match.start(), "physician_name"
    for pattern, rule in ((_TITLED, "titled_name"), (_PATIENT, "patient_name")):
        for match in pattern.finditer(text):
            word = next(group for group in match.groups() if group)
            if fold(word) not in _ORDINARY | policy.eponyms:
                yield match.start(), rule
    for match in _TITLED_ANY_CASE.finditer(text):
        if fold(match[1]) in known_names():
            yield match.start(), "titled_name"
    for match in _LABELLED.finditer(text):
        yield match.start(), "labelled_name"
    for match in _WITHIN.finditer(text):
        if not _parts(match[1], match[2]) & policy.eponyms and not _lies_in(match.start(1), taken):
            yield match.start(1), "capitalised_words"
    yield from _listed_names(text, policy, taken)


def _listed_names(text: str, policy: ReportPolicy, taken: list[tuple[int, int]]) -> Iterator[tuple[int, str]]:
    """Yield common names of the region; one beside an eponym is a part of it (Claude Bernard-Horner)."""
    words = [(match.start(), match.end(), match[0]) for match in _CAPITALISED.finditer(text)]
    names = known_names()
    for place, (start, _, word) in enumerate(words):
        hits = {names[part] for part in (_parts(word) | {fold(word)}) & names.keys()}
        if not hits or _lies_in(start, taken):
            continue
        beside = [
            words[other][2]
            for other in (place - 1, place + 1)
            if 0 <= other < len(words) and _gap(text, words[min(place, other)], words[max(place, other)])
        ]
        if _parts(word, *beside) & policy.eponyms:
            continue
        if "alone" in hits or any(fold(other) in names for other in beside):
            yield start, "listed_name"


def _parts(*words: str) -> set[str]:
    return {fold(part) for word in words for part in re.split(r"[-'’]", word)}


def _gap(text: str, first: tuple[int, int, str], second: tuple[int, int, str]) -> bool:
    return re.fullmatch(r"[ ,]{1,2}|-", text[first[1] : second[0]]) is not None


def _lies_in(place: int, spans: list[tuple[int, int]]) -> bool:
    return any(start <= place < end for start, end in spans)


@cache
def known_names() -> dict[str, str]:
    """Return {name without accents and case: "alone" or "with_another"}."""
    raw = read_yaml(_NAMES)
    names = dict.fromkeys(raw["with_another"].split(), "with_another")
    return names | dict.fromkeys([*raw["surnames"].split(), *raw["given"].split()], "alone")
