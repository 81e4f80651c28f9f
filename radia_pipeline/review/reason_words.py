"""What the page says of reasons, doubts and devices, in both languages.

English comes from where a reason is defined; French is the page's own (``french_reasons.yaml``). Not here: the page's
other words, which lie beside its scripts.
"""

from __future__ import annotations

import functools
from pathlib import Path

import yaml

from radia_pipeline.dicom.doubts import DOUBTS
from radia_pipeline.privacy.reasons import REASONS
from radia_pipeline.usecases.refusals import meaning, what_to_do


@functools.cache
def french() -> dict[str, dict]:
    """Return ``reasons``: name → [title, means, do], and ``devices``: kind → name."""
    return yaml.safe_load((Path(__file__).parent / "french_reasons.yaml").read_text(encoding="utf-8"))


def reason_words() -> dict[str, dict[str, dict[str, str]]]:
    """Return reason or doubt → ``title``, ``means`` and ``do``, each in ``english`` and ``french``."""
    said = french()["reasons"]
    english = {name: (_plain(name), meaning(name), what_to_do(name)) for name in (*sorted(REASONS), *DOUBTS)}
    return {
        name: {
            part: {"english": _sentence(words[i]) if i else words[i], "french": said[name][i]}
            for i, part in enumerate(("title", "means", "do"))
        }
        for name, words in english.items()
    }


def device_words() -> dict[str, dict[str, str]]:
    """Return kind of device → its name in ``english`` and ``french``."""
    return {kind: {"english": _plain(kind), "french": name} for kind, name in french()["devices"].items()}


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."
