"""Where each class stands on the reading screen and which key is its own: by place on the keyboard, for the left hand.

Sections go by where a reader looks. A class that a later vocabulary brings stands in the last section, under the next
free key; groups that follow from others have none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.readings.lists import answerable

_PLEURA, _LUNG, _OTHER, _GROUPS = "pleura_and_air", "lung", "heart_bones_other", "groups"
SECTIONS = {
    _PLEURA: ("Pleura and air", "Plèvre et air"),
    _LUNG: ("Lung", "Poumon"),
    _OTHER: ("Heart, bones, other", "Cœur, os, autre"),
    _GROUPS: ("Groups", "Groupes"),
}
"""Section → its name in English and French."""
_PLACES = {
    "Pneumothorax": (_PLEURA, "KeyQ"),
    "Pleural Effusion": (_PLEURA, "KeyW"),
    "Pleural Other": (_PLEURA, "KeyE"),
    "Emphysema": (_PLEURA, "KeyR"),
    "Atelectasis": (_LUNG, "KeyA"),
    "Consolidation": (_LUNG, "KeyS"),
    "Pneumonia": (_LUNG, "KeyD"),
    "Infiltration": (_LUNG, "KeyF"),
    "Edema": (_LUNG, "KeyG"),
    "Nodule": (_LUNG, "KeyZ"),
    "Mass": (_LUNG, "KeyX"),
    "Lung Opacity": (_LUNG, "KeyC"),
    "Lung Lesion": (_LUNG, "KeyV"),
    "Cardiomegaly": (_OTHER, "KeyT"),
    "Enlarged Cardiomediastinum": (_OTHER, "KeyY"),
    "Fracture": (_OTHER, "Digit5"),
    "Hernia": (_OTHER, "Digit6"),
}
_SPARE = ("Digit4", "Digit3", "Digit2", "Digit7", "KeyH")
"""Keys of classes that have no place here yet."""


def placed_classes() -> list[dict[str, Any]]:
    """Return every class of the vocabulary with names, parents, section and key, in the order of the screen."""
    words, asked = vocabulary(), set(answerable(vocabulary().classes))
    spare = iter(_SPARE)
    places = {
        name: _PLACES[name] if name in _PLACES else (_OTHER, next(spare, None)) if name in asked else (_GROUPS, None)
        for name in words.classes
    }
    order = [*_PLACES, *(name for name in words.classes if name not in _PLACES)]
    ranked = sorted(places, key=lambda name: (list(SECTIONS).index(places[name][0]), order.index(name)))
    return [
        {
            "class": name,
            "english": name,
            "french": _capital(words.entry(name).french),
            "kind": words.entry(name).kind,
            "parents": list(words.parents(name)),
            "section": places[name][0],
            "key": places[name][1],
            "has_place": name in asked,
        }
        for name in ranked
    ]


def sections() -> Iterator[dict[str, str]]:
    """Yield the sections in order, with their names."""
    for name, (english, french) in SECTIONS.items():
        yield {"section": name, "english": english, "french": french}


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
