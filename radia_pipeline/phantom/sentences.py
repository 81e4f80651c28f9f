"""Sentences about findings, each with the labels that the labelling guide (``docs/labelling_guide.md``) gives it.

A sentence is written here only if the guide decides its label; whatever it leaves open does not belong in a corpus with
known truth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from radia_pipeline.phantom.wording import (
    AFTER,
    BEFORE,
    HEART_AND_MEDIASTINUM,
    ORGAN,
    PHRASES,
    STATED,
    Phrase,
)

Place = tuple[int, str]
"""Side (−1 right, +1 left) and zone (upper, middle, lower) of a finding."""

LESS_OR_MORE = ("Diminution", "Régression partielle", "Légère amélioration", "Augmentation", "Progression")
GONE = ("Résolution", "Disparition", "Résorption", "Résolution complète", "Régression complète")
LASTING = ("Fracture", "Hernia", "Cardiomegaly", "Pleural Other", "Emphysema", "Enlarged Cardiomediastinum")
"""Classes that do not resolve from one film to the next."""
UNCHANGED = ("Pas de changement", "Pas de changement significatif", "Pas de progression", "Pas d'augmentation")
NO_TRACE = ("d'évidence", "de signe", "d'image")


@dataclass(frozen=True)
class Sentence:
    """Text without its full stop, what it says, and the organ under which a structured report puts it."""

    text: str
    said: dict[str, int]
    organ: str = "lung"


T = TypeVar("T")


def pick(rng: np.random.Generator, options: Sequence[T], weights: Sequence[float] | None = None) -> T:
    """Return one of ``options``, by weight if weights are given."""
    if weights is None:
        return options[int(rng.integers(len(options)))]
    total = np.cumsum(np.asarray(weights, dtype=float))
    return options[int(np.searchsorted(total, rng.random() * total[-1], side="right"))]


def phrase_of(name: str, rng: np.random.Generator, *, singular: bool = False) -> Phrase:
    """Return a noun phrase for the class; ``singular``: one that names nothing else, as denial and doubt need."""
    phrases = [p for p in PHRASES[name] if not (singular and (p.is_plural or p.also))]
    return pick(rng, phrases, [p.weight for p in phrases])


def _cap(text: str) -> str:
    return text[0].upper() + text[1:]


def _side_word(place: Place) -> str:
    return "droit" if place[0] < 0 else "gauche"


def located(phrase: Phrase, place: Place, rng: np.random.Generator) -> str:
    """Return the words that say where, with a leading blank, or nothing."""
    side, zone = _side_word(place), place[1]
    feminine = "droite" if side == "droit" else "gauche"
    if phrase.place == "none" or rng.random() < 0.12:
        return ""
    if phrase.place == "both":
        return f" {phrase.agree('bilatéral')}"
    if phrase.place == "side":
        return " " + pick(rng, [phrase.agree(side), phrase.agree(side), f"du côté {side}"])
    places = {
        "upper": [f"au lobe supérieur {side}", f"à l'apex {side}", f"au tiers supérieur du poumon {side}"],
        "middle": [f"en périhilaire {side}", f"au tiers moyen du poumon {side}", f"à la plage pulmonaire {feminine}"],
        "lower": [f"à la base {feminine}", f"au lobe inférieur {side}", f"au tiers inférieur du poumon {side}"],
    }
    return " " + pick(rng, places["upper" if phrase.place == "upper" else zone])


def qualified(phrase: Phrase, place: Place, rng: np.random.Generator, *, how_much: bool = True) -> str:
    """Return the phrase with a degree (which is severity only) and a place."""
    degree, where = rng.random(), located(phrase, place, rng)
    if how_much and degree < 0.3:
        return f"{phrase.agree(pick(rng, BEFORE))} {phrase.text}{where}"
    if how_much and degree < 0.42:
        return f"{phrase.text} {phrase.agree(pick(rng, AFTER))}{where}"
    return phrase.text + where


def said_by(name: str, phrase: Phrase, status: int) -> dict[str, int]:
    """Return what naming the phrase with a status says."""
    return dict.fromkeys((name, *phrase.also), status)


def _stated(name: str, status: int, place: Place, rng: np.random.Generator) -> Sentence | None:
    options = STATED.get((name, status))
    if not options or rng.random() > 0.4:
        return None
    text = pick(rng, options)
    return Sentence(text.replace("{side}", _side_word(place)), {name: status}, ORGAN.get(name, "lung"))


def positive(name: str, place: Place, rng: np.random.Generator) -> Sentence:
    """Return a sentence that affirms the class."""
    if stated := _stated(name, 1, place, rng):
        return stated
    p = phrase_of(name, rng)
    q = qualified(p, place, rng)
    where, was_not = located(p, place, rng), "n'étaient pas" if p.is_plural else "n'était pas"
    text = pick(
        rng,
        [
            lambda: _cap(q),
            lambda: _cap(q),
            lambda: f"Il y a {p.a(q)}",
            lambda: f"{pick(rng, ['On note', 'On retrouve', 'On observe', 'On visualise'])} {p.a(q)}",
            lambda: f"Présence {p.of_a(q)}",
            lambda: f"Apparition {p.of_a(q)}",
            lambda: f"Persistance {p.of_a(q)}",
            lambda: f"{_cap(p.text)}{where} {p.agree(pick(rng, ['inchangé', 'stable', 'connu']))}",
            lambda: f"{_cap(p.text)}{where} {p.agree('inchangé')} par rapport à l'examen antérieur",
            lambda: f"{pick(rng, UNCHANGED)} {p.of_the()}",
            lambda: f"{pick(rng, LESS_OR_MORE)} {p.of_the()}{where}",
            lambda: f"{_cap(p.text)} {p.agree('résiduel')}{where}",
            lambda: f"{_cap(q)} qui {was_not} {p.agree('présent')} à l'examen antérieur",
            lambda: f"Aspect compatible avec {p.a(q)}",
            lambda: f"Image en faveur {p.of_a(q)}",
            lambda: f"Aucune anomalie {pick(rng, ['à part', 'hormis'])} {p.a(q)}",
        ],
        [5, 3, 3, 5, 3, 1, 1, 2, 1, 0.8, 1.2, 0.5, 0.7, 0.7, 0.4, 0.4],
    )()
    return Sentence(text, said_by(name, p, 1), ORGAN.get(name, "lung"))


def opacity_because(name: str, place: Place, status: int, rng: np.random.Generator) -> Sentence:
    """Return an opacity that is seen, and its cause, certain or hedged: the opacity keeps its own status."""
    p = phrase_of(name, rng, singular=True)
    opacity = pick(rng, PHRASES["Lung Opacity"])
    seen = pick(rng, ["Opacité", "Il y a une opacité", "On note une opacité mal définie"])
    head = seen + located(opacity, place, rng)
    links = {
        1: ["en rapport avec", "compatible avec", "témoignant de", "traduisant"],
        -1: [
            "pouvant correspondre à",
            "qui pourrait correspondre à",
            "qui peut correspondre à",
            "évoquant",
            "qui pourrait donc être",
        ],
    }[status]
    link = pick(rng, links)
    cause = p.of_a()[2:] if link.endswith(" de") else p.a()
    text = f"{head} {link[:-2]}d'{cause}" if link.endswith(" de") else f"{head} {link} {cause}"
    return Sentence(text, {"Lung Opacity": 1} | said_by(name, p, status))


def two_positive(first: str, second: str, places: Mapping[str, Place], rng: np.random.Generator) -> Sentence:
    """Return one sentence that affirms two classes."""
    p, q = phrase_of(first, rng), phrase_of(second, rng)
    link = pick(rng, ["avec", "et", f"{'associé' if p.gender == 'm' else 'associée'}{'s' if p.is_plural else ''} à"])
    head, tail = qualified(p, places[first], rng), qualified(q, places[second], rng)
    text = f"{_cap(head)} {link} {tail if link == 'et' else q.a(tail)}"
    return Sentence(text, said_by(first, p, 1) | said_by(second, q, 1), ORGAN.get(first, "lung"))


def negative_then_positive(absent: str, name: str, place: Place, rng: np.random.Generator) -> Sentence:
    """Return a negation that ends at a new clause, where a finding is affirmed."""
    n, p = phrase_of(absent, rng, singular=True), phrase_of(name, rng)
    q = qualified(p, place, rng)
    tail = pick(rng, [f", {q}", f" mais {p.a(q)}", f", toutefois on note {p.a(q)}", f", par contre il y a {p.a(q)}"])
    return Sentence(f"Pas {n.bare()}{tail}", said_by(absent, n, 0) | said_by(name, p, 1), ORGAN.get(name, "lung"))


def uncertain(name: str, place: Place, rng: np.random.Generator) -> Sentence:
    """Return a sentence that doubts the class."""
    if stated := _stated(name, -1, place, rng):
        return stated
    p = phrase_of(name, rng, singular=True)
    q, where = qualified(p, place, rng), located(p, place, rng)
    text = pick(
        rng,
        [
            lambda: f"{p.agree(pick(rng, ['possible', 'probable', 'vraisemblable'])).capitalize()} {q}",
            lambda: f"{p.agree('possible').capitalize()} {q}",
            lambda: f"{_cap(p.text)}{where} {p.agree(pick(rng, ['possible', 'probable', 'douteux', 'suspecté']))}",
            lambda: f"{_cap(p.text)}{where} ne peut être {p.agree('exclu')}",
            lambda: f"On ne peut exclure {p.a(q)}",
            lambda: f"Bases mal visualisées, sans pouvoir exclure {p.a(q)}",
            lambda: f"{_cap(p.text)}{where} à {pick(rng, ['éliminer', 'exclure', 'écarter'])}",
            lambda: f"{pick(rng, ['Image évocatrice', 'Aspect évocateur', 'Aspect suggestif'])} {p.of_a(q)}",
            lambda: f"Aspect évoquant {p.a(q)}",
            lambda: f"{_cap(q)}?",
            lambda: f"{_cap(p.text)}{where} peu probable",
            lambda: f"Image suspecte {p.of_a()}",
            lambda: f"Je me questionne sur {p.a(q)}",
        ],
        [2, 4, 2, 1.5, 2, 0.7, 1, 1, 1, 1.5, 0.7, 0.5, 0.3],
    )()
    return Sentence(text, said_by(name, p, -1), ORGAN.get(name, "lung"))


def alternatives(first: str, second: str, place: Place, rng: np.random.Generator) -> Sentence:
    """Return two diagnoses offered as alternatives: both uncertain."""
    p, q = phrase_of(first, rng, singular=True), phrase_of(second, rng, singular=True)
    said = said_by(first, p, -1) | said_by(second, q, -1)
    where = located(p, place, rng)
    if rng.random() < 0.5:
        link = pick(rng, ["versus", "vs", "ou"])
        return Sentence(f"{_cap(p.text)} {link} {q.text}{where}", said)
    return Sentence(f"Opacité{where}, {p.text} ou {q.text}", {"Lung Opacity": 1} | said)


def negative(names: Sequence[str], rng: np.random.Generator) -> Sentence:
    """Return one sentence that denies the classes, as a list where there are several."""
    phrases = [phrase_of(name, rng, singular=True) for name in names]
    said: dict[str, int] = {}
    for name, phrase in zip(names, phrases, strict=True):
        said |= said_by(name, phrase, 0)
    organ = ORGAN.get(names[0], "lung")
    if len(phrases) == 1:
        return _one_negative(names[0], phrases[0], said, organ, rng)
    bare = [p.bare() for p in phrases]
    last = pick(rng, ["ni", "ni", "ou"])
    listed = f"{', '.join(bare[:-1])} {last} {bare[-1]}"
    text = pick(
        rng,
        [
            lambda: f"Pas {listed}",
            lambda: f"Il n'y a pas {listed}",
            lambda: f"On ne note pas {listed}",
            lambda: f"Absence {', '.join(bare[:-1])} {pick(rng, ['et', 'ou'])} {bare[-1]}",
            lambda: "On ne note ni " + " ni ".join(p.text for p in phrases),
            lambda: f"Pas d'évidence {listed}",
            lambda: f"Sans {', '.join(p.text for p in phrases[:-1])} ni {phrases[-1].text}",
        ],
        [5, 3, 2, 1.5, 1, 1, 0.7],
    )()
    return Sentence(text, said, organ)


def _one_negative(name: str, p: Phrase, said: dict[str, int], organ: str, rng: np.random.Generator) -> Sentence:
    if (name, 0) in STATED and rng.random() < 0.6:
        return Sentence(pick(rng, STATED[name, 0]), {name: 0}, organ)
    text = pick(
        rng,
        [
            lambda: f"Pas {p.bare()}",
            lambda: f"Il n'y a pas {p.bare()}",
            lambda: f"On ne voit pas {p.bare()}",
            lambda: f"Absence {p.bare()}",
            lambda: f"{p.agree('aucun').capitalize()} {p.text}",
            lambda: f"{p.agree('aucun').capitalize()} {p.text} visible",
            lambda: (
                f"Pas {p.bare()} {p.agree(pick(rng, ['franc', 'définitif', 'évident', 'significatif', 'suspect']))}"
            ),
            lambda: f"Pas {pick(rng, NO_TRACE)} {p.bare()}",
            lambda: f"{_cap(p.text)}: {p.agree('aucun')}",
            lambda: f"{_cap(p.the())} n'est plus visible",
            lambda: f"{pick(rng, GONE)} {p.of_the()}",
            lambda: f"{_cap(p.the())} a disparu",
            lambda: f"Plages pulmonaires exemptes {p.bare()}",
        ],
        [
            6,
            4,
            1.5,
            1.5,
            1.5,
            0.7,
            3,
            1.2,
            0.6,
            *([0, 0, 0] if name in LASTING else [0.8, 1.0, 0.5]),
            0.5 if organ == "lung" else 0,
        ],
    )()
    return Sentence(text, said, organ)


def heart_and_mediastinum_normal(rng: np.random.Generator) -> Sentence:
    """Return a sentence that calls heart and mediastinum normal."""
    return Sentence(pick(rng, HEART_AND_MEDIASTINUM), {"Cardiomegaly": 0, "Enlarged Cardiomediastinum": 0}, "heart")
