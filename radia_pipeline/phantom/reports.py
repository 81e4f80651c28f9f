"""A whole report: which findings it states, denies, doubts or leaves out, its sections, and how it was typed.

``labels_said`` is what ``docs/labelling_guide.md`` makes of the text, before closure, nulls left out. Sentences are
made in ``sentences``; typing habits in ``typing_habits``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from radia_pipeline.contracts.label_values import no_finding, strongest_by_class
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.phantom import wording
from radia_pipeline.phantom.sentences import (
    Place,
    Sentence,
    alternatives,
    heart_and_mediastinum_normal,
    negative,
    negative_then_positive,
    opacity_because,
    phrase_of,
    pick,
    positive,
    two_positive,
    uncertain,
)
from radia_pipeline.phantom.signs import drawn
from radia_pipeline.phantom.typing_habits import retype

DOUBTED = 0.07
"""Share of what is in the picture that the report only suspects."""
OVERLOOKED = 0.015
FALSE_ALARM = 0.04
"""Share of studies in which something is suspected that is not there."""
UNREADABLE_SHARE = 0.012
DENIED = {
    "Pleural Effusion": 0.62,
    "Pneumothorax": 0.55,
    "Cardiomegaly": 0.5,
    "Consolidation": 0.32,
    "Pneumonia": 0.22,
    "Edema": 0.28,
    "Infiltration": 0.12,
    "Nodule": 0.10,
    "Mass": 0.13,
    "Atelectasis": 0.09,
    "Fracture": 0.13,
    "Lung Lesion": 0.05,
    "Lung Opacity": 0.06,
    "Emphysema": 0.03,
    "Pleural Other": 0.05,
    "Hernia": 0.03,
    "Enlarged Cardiomediastinum": 0.2,
}
"""Chance that a report says of an absent class that it is absent."""
WITH_CAUSE = ("Consolidation", "Pneumonia", "Atelectasis", "Infiltration")
ORGANS = ("lung", "pleura", "heart", "bone", "device")


@dataclass(frozen=True)
class Report:
    """The text and what it says: class → 1, 0 or −1; a class that is not in ``said`` was not mentioned."""

    text: str
    said: Mapping[str, int]


def combined(*statements: Mapping[str, int]) -> dict[str, int]:
    """Join statements about the same study: any positive, else any uncertain, else any negative."""
    return strongest_by_class(pair for statement in statements for pair in statement.items())


def write_report(findings: Mapping[str, Place], rng: np.random.Generator) -> Report:
    """Write the report of a study that shows ``findings`` (class → where)."""
    if rng.random() < UNREADABLE_SHARE:
        return Report(pick(rng, wording.UNREADABLE), {})
    sentences, statuses = _findings(findings, rng)
    sentences += _denials(statuses, rng)
    remarks, is_blocked, tells_history = _remarks(statuses, rng)
    sentences += remarks
    if not sentences or (not statuses and not is_blocked and rng.random() < 0.12):
        sentences, tells_history = [Sentence(pick(rng, wording.NORMAL_EXAM), {}, "lung")], False
    closing = _conclusion(findings, statuses, is_blocked, rng)
    said = combined(*(sentence.said for sentence in [*sentences, *closing]))
    normal = no_finding(any(said.values()), not (is_blocked or tells_history))
    if normal is not None:
        said[vocabulary().no_finding] = normal
    return Report(retype(_assemble(sentences, closing, rng), rng), said)


def _findings(findings: Mapping[str, Place], rng: np.random.Generator) -> tuple[list[Sentence], dict[str, int]]:
    """Return the sentences about what is there (or suspected), and the status given to each class."""
    statuses: dict[str, int] = {}
    for name in findings:
        chance = rng.random()
        if chance >= OVERLOOKED:
            statuses[name] = -1 if chance < OVERLOOKED + DOUBTED else 1
    places = dict(findings)
    if rng.random() < FALSE_ALARM:
        name = pick(rng, [c for c in drawn() if c not in findings])
        statuses[name], places[name] = -1, (int(pick(rng, [-1, 1])), pick(rng, ["upper", "middle", "lower"]))
    waiting, sentences = list(statuses), []
    rng.shuffle(waiting)
    while waiting:
        name = str(waiting.pop())
        sentences.append(_about(name, statuses, waiting, places, rng))
    return sentences, statuses


def _about(
    name: str, statuses: dict[str, int], waiting: list, places: Mapping[str, Place], rng: np.random.Generator
) -> Sentence:
    """Return a sentence about a class, which may take another waiting one with it."""
    chance = rng.random()
    if statuses[name] == -1:
        others = [c for c in WITH_CAUSE if c != name and c not in statuses]
        if name in WITH_CAUSE and chance < 0.15:
            other = pick(rng, others) if others else None
            if other:
                statuses[other] = -1
                return alternatives(name, other, places[name], rng)
        return (
            opacity_because(name, places[name], -1, rng)
            if name in WITH_CAUSE and chance < 0.45
            else uncertain(name, places[name], rng)
        )
    partners = [c for c in waiting if statuses[c] == 1]
    if partners and chance < 0.15:
        partner = pick(rng, partners)
        waiting.remove(partner)
        return two_positive(name, str(partner), places, rng)
    if name in WITH_CAUSE and chance < 0.33:
        return opacity_because(name, places[name], 1, rng)
    if chance > 0.95:
        absent = [c for c in ("Pleural Effusion", "Pneumothorax", "Edema") if c not in statuses]
        if absent:
            return negative_then_positive(pick(rng, absent), name, places[name], rng)
    return positive(name, places[name], rng)


def _denials(statuses: Mapping[str, int], rng: np.random.Generator) -> list[Sentence]:
    """Return sentences that deny absent classes; nothing is denied whose child or parent is affirmed or suspected."""
    words = vocabulary()
    touched = set(statuses)
    for name in statuses:
        touched.update(words.ancestors(name))
    touched.update(c for c in words.classes if any(parent in statuses for parent in words.ancestors(c)))
    if touched & set(WITH_CAUSE):
        touched.add("Lung Opacity")
    denied = [c for c, chance in DENIED.items() if c not in touched and rng.random() < chance]
    sentences = []
    if {"Cardiomegaly", "Enlarged Cardiomediastinum"} <= set(denied) and rng.random() < 0.7:
        sentences.append(heart_and_mediastinum_normal(rng))
        denied = [c for c in denied if c not in ("Cardiomegaly", "Enlarged Cardiomediastinum")]
    listed = [c for c in denied if c not in ("Cardiomegaly", "Enlarged Cardiomediastinum", "Fracture", "Hernia")]
    rng.shuffle(listed)
    while listed:
        count = min(len(listed), int(pick(rng, [1, 2, 3, 4], [4, 3, 2, 1])))
        sentences.append(negative([str(c) for c in listed[:count]], rng))
        listed = listed[count:]
    sentences += [
        negative([c], rng) for c in denied if c in ("Cardiomegaly", "Enlarged Cardiomediastinum", "Fracture", "Hernia")
    ]
    return sentences


def _remarks(statuses: Mapping[str, int], rng: np.random.Generator) -> tuple[list[Sentence], bool, bool]:
    """Return true remarks that label nothing, and whether an abnormality, and whether history, blocks No Finding."""
    remarks, is_blocked, tells_history = [], False, False
    for organ, options in wording.NEUTRAL.items():
        if organ == "lung" and statuses:
            options = ("Hiles sans particularité", "Les hiles sont normaux", "Bonne inspiration")
        if rng.random() < {"lung": 0.45, "pleura": 0.08, "bone": 0.3, "device": 0.14}[organ]:
            remarks.append(Sentence(pick(rng, options), {}, organ))
    for organ, options in wording.BLOCKING.items():
        if rng.random() < {"lung": 0.02, "heart": 0.08, "bone": 0.06}[organ]:
            remarks.append(Sentence(pick(rng, options), {}, organ))
            is_blocked = True
    if 1 in statuses.values() and rng.random() < 0.06:
        lookalike = pick(rng, wording.LOOKALIKES).replace("{side}", pick(rng, ["droit", "gauche"]))
        remarks.append(Sentence(lookalike, {}, "lung"))
    if rng.random() < 0.03:
        past = phrase_of(pick(rng, ["Pneumonia", "Emphysema", "Hernia", "Fracture"]), rng, singular=True)
        told = [f"Patient connu pour {past.text}", f"Status post {past.text}", f"Antécédent {past.bare()}"]
        remarks.append(Sentence(pick(rng, told), {}, "lung"))
        tells_history = True
    return remarks, is_blocked, tells_history


def _conclusion(
    findings: Mapping[str, Place], statuses: Mapping[str, int], is_blocked: bool, rng: np.random.Generator
) -> list[Sentence]:
    """Return the sentences of a conclusion, which repeat statuses already given; often there is none."""
    if rng.random() > 0.35:
        return []
    if not statuses:
        return [] if is_blocked else [Sentence(pick(rng, wording.NEGATIVE_CONCLUSIONS), {})]
    closing = []
    for name, status in statuses.items():
        if name not in findings or rng.random() < 0.3:
            continue
        phrase = phrase_of(name, rng, singular=True)
        text = phrase.text if status == 1 else f"{phrase.agree('possible')} {phrase.text}"
        closing.append(Sentence(text[0].upper() + text[1:], {name: status}))
    return closing


def _preamble(rng: np.random.Generator) -> str:
    """Return an indication, which makes no label whatever it names, ended by the next title."""
    name = pick(rng, drawn())
    phrase = phrase_of(name, rng, singular=True)
    symptom = pick(rng, wording.SYMPTOMS)
    question = pick(
        rng,
        [
            f"Éliminer {phrase.text}",
            f"R/O {phrase.text}",
            f"{phrase.text.capitalize()}?",
            f"Suivi {phrase.of_a()}",
            f"ATCD: {phrase.text}",
            "",
            "",
        ],
    )
    return f"{pick(rng, wording.INDICATION_TITLES)} {symptom}. {question + '.' if question else ''}".strip().replace(
        "?.", "?"
    )


def _recommendation(rng: np.random.Generator) -> str:
    phrase = phrase_of(pick(rng, ["Mass", "Nodule", "Pneumonia", "Lung Lesion"]), rng, singular=True)
    return pick(
        rng,
        [
            f"Un contrôle est suggéré pour exclure {phrase.a()}.",
            f"TDM thoracique recommandée afin d'éliminer {phrase.a()}.",
            f"Contrôle suggéré dans 6 semaines pour exclure {phrase.a()} sous-jacente.".replace(
                "sous-jacente", "sous-jacent" + ("e" if phrase.gender == "f" else "")
            ),
            "Contrôle radiologique suggéré au besoin.",
        ],
    )


def _end(sentence: Sentence) -> str:
    return sentence.text if sentence.text.endswith(("?", ".")) else sentence.text + "."


def _assemble(sentences: list[Sentence], closing: list[Sentence], rng: np.random.Generator) -> str:
    """Put sentences into a free paragraph, a titled one, or one paragraph per organ."""
    gap = pick(rng, [" ", "\n"])
    parts = []
    has_indication = rng.random() < 0.45
    if has_indication:
        parts.append(_preamble(rng))
    technique = pick(rng, wording.TECHNIQUES) + "." if rng.random() < 0.3 else ""
    if rng.random() < 0.3:
        for organ in ORGANS:
            said_here = [_end(s) for s in sentences if s.organ == organ]
            if said_here:
                parts.append(f"{wording.ORGAN_TITLES[organ]} {' '.join(said_here)}")
    else:
        order = list(sentences)
        if rng.random() < 0.5:
            order.sort(key=lambda s: ORGANS.index(s.organ))
        title = pick(rng, wording.FINDINGS_TITLES) + " " if has_indication or rng.random() < 0.25 else ""
        parts.append(title + " ".join([technique, *(_end(s) for s in order)]).strip())
    if closing:
        parts.append(f"{pick(rng, wording.CONCLUSION_TITLES)} {' '.join(_end(s) for s in closing)}")
    if rng.random() < 0.12:
        parts.append(_recommendation(rng))
    if rng.random() < 0.12:
        parts.append(pick(rng, wording.SIGNATURES))
    return gap.join(part for part in parts if part)
