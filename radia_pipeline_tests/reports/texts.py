"""The development set and what tests do with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import yaml

CODES = {
    "CM": "Cardiomegaly",
    "EC": "Enlarged Cardiomediastinum",
    "PE": "Pleural Effusion",
    "PT": "Pneumothorax",
    "ED": "Edema",
    "AT": "Atelectasis",
    "CO": "Consolidation",
    "PN": "Pneumonia",
    "IN": "Infiltration",
    "LO": "Lung Opacity",
    "LL": "Lung Lesion",
    "NO": "Nodule",
    "MA": "Mass",
    "EM": "Emphysema",
    "PO": "Pleural Other",
    "FX": "Fracture",
    "HE": "Hernia",
    "NF": "No Finding",
}

WRITTEN = ("dev_set", "dev_set_probes", "dev_set_forms", "dev_set_stress", "dev_set_trials")
"""Files of texts that were written beside the rules."""

OPENED = (*"abcdefghijklmnopqrstuvwxyz", "aa", "bb")
"""Blind batches whose first scores are committed and that rules have been mended on since."""

MISSED = (
    "Celle du lobe inférieur s'est plutôt consolidée",
    "Ni l'un ni l'autre.",
    "si le cœur paraît gros, c'est surtout",
    "rejet versus infection",
    "coeur gros epenchements",
    "infectieux possible vs OAP",
    "Contrôle après ponction d'un épanchement droit : aucun",
    "pas d épenche ment hernie hiatale",
    "The heart is not enlarged.",
    "Densité nodulaire de 8 mm",
    "bien qu'une infection précoce",
    "laquelle montrait de multiples nodules",
    "Nous ne pouvons écarter une fissure",
    "vraisemblablement positionnel",
    "il y en a un en regard de la lingula",
    "Vous me demandez s'il y a une pneumonie",
    "Pas de récidive de la hernie. Résolution",
    "de 5 mm, non présent ce matin",
    "Opacité nodulaire de 9 mm à l'apex gauche, non visualisée",
    "possiblement lié à la technique AP",
    "Cela n'exclut pas une embolie",
    "en est l'explication la plus vraisemblable",
    "d'origine vraisemblablement néoplasique",
    "Status post pneumonectomie droite pour néoplasie",
    "Médiastin : non élargi | Épanchement : non | Pneumothorax : non | Foyer",
    "Pas de pneumothorax décelé, mais une petite composante antérieure",
    "Fil-guide retenu dans la veine cave supérieure",
    "Pneumonectomie gauche ancienne. Hémithorax gauche opaque",
    "ABDOMEN\nDistension du grêle",
    "pas d'emphysème sous-cut, ptx",
    "lu par md urgence",
    "hors de la cavité pleurale. Pas de pneumothorax décelable",
    "Contrairement à hier, il n'y a plus d'épanchement",
    "traitée récemment, a disparu; il n'en reste rien",
    "Depuis l'antibiothérapie, résolution complète",
    "Status post pneumonectomie gauche. La cavité",
    "Réponse à la question « rule out pneumonia »",
    "ATCD de métastases pulmonaires réséquées en 2021",
    "Comblement, à droite comme à gauche, du cul-de-sac",
)
"""What stands in texts of opened batches that rules still read otherwise than the guide says."""


def of_these_texts(labels: Mapping[str, int | None]) -> dict[str, int | None]:
    """Return the labels of classes that have a code here: of one that came into the vocabulary later these texts say
    nothing, until somebody reads them for it and gives it one."""
    return {name: value for name, value in labels.items() if name in CODES.values()}


def decode(labels: str) -> dict[str, int | None]:
    """Return {class: value} for "CM=1 NF=." (a dot: blank)."""
    pairs = (item.split("=") for item in labels.split())
    return {CODES[code]: None if value == "." else int(value) for code, value in pairs}


@lru_cache
def _texts(name: str) -> tuple[tuple[str, str, dict[str, int | None]], ...]:
    content = yaml.safe_load((Path(__file__).parent / name).read_text(encoding="utf-8"))
    return tuple((phenomenon, text, decode(labels)) for phenomenon, rows in content.items() for text, labels in rows)


def dev_set() -> tuple[tuple[str, str, dict[str, int | None]], ...]:
    """Return (phenomenon, text, labels) of every text written for development beside the rules."""
    return tuple(row for name in WRITTEN for row in _texts(f"{name}.yaml"))


def blind_set() -> tuple[tuple[str, str, dict[str, int | None]], ...]:
    """Return (batch, text, labels) of the reports that were written without looking at the rules and are open now, but
    for those that are missed."""
    return tuple(row for row in _opened() if not any(part in row[1] for part in MISSED))


def missed() -> tuple[tuple[str, str, dict[str, int | None]], ...]:
    """Return (batch, text, labels) of opened reports that are not read as the guide says yet."""
    return tuple(row for row in _opened() if any(part in row[1] for part in MISSED))


def _opened() -> tuple[tuple[str, str, dict[str, int | None]], ...]:
    return _texts("dev_set_blind.yaml") + tuple(row for name in OPENED for row in _texts(f"blind/batch_{name}.yaml"))


def all_texts() -> list[str]:
    """Return every text of the development set once, blind batches that have been opened among them."""
    return list(dict.fromkeys(text for _, text, _ in (*dev_set(), *_opened()) if text))


def genuine_sentences() -> list[str]:
    """Return the genuine French sentences that lie beside the repository; none where they do not."""
    path = Path(__file__).resolve().parents[3] / "shared" / "real" / "french" / "chest_radiograph_sentences.jsonl"
    if not path.exists():
        return []
    return [json.loads(line)["text"] for line in path.read_text(encoding="utf-8").splitlines()]
