"""The development set and what tests do with it."""

from __future__ import annotations

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
    return _texts("dev_set.yaml") + _texts("dev_set_probes.yaml") + _texts("dev_set_forms.yaml")


def blind_set() -> tuple[tuple[str, str, dict[str, int | None]], ...]:
    """Return (batch, text, labels) of the reports that were written without looking at the rules."""
    return _texts("dev_set_blind.yaml")
