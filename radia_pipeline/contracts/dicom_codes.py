"""What classes, places and measures are called in DICOM objects: ``data_contracts/dicom_codes.yaml``, read and checked.

Plain data, without a DICOM library. Not here: what is said with these codes (``usecases.structured_report``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from radia_pipeline.contracts.location import contracts_root, read_yaml
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadTable, UnknownName

OWN = "99RADIA"
_MOST_VALUE, _MOST_MEANING = 16, 64
"""Characters that SH and LO hold (PS3.5 6.2)."""


class DicomCode(NamedTuple):
    """One coded concept (PS3.3 8)."""

    scheme: str
    value: str
    meaning: str


@dataclass(frozen=True)
class Site:
    """A place in the body. ``has_side``: whether left or right may be said of it."""

    code: DicomCode
    has_side: bool


@dataclass(frozen=True)
class DicomCodes:
    """All codes. ``classes`` by class of the vocabulary; ``site_of``: of a box of a class, None for a union."""

    version: str
    scheme: dict[str, str]
    classes: dict[str, DicomCode]
    site_of: dict[str, Site | None]
    concepts: dict[str, DicomCode]

    def concept(self, name: str) -> DicomCode:
        """Return a measure or value by name; raises UnknownName."""
        if name not in self.concepts:
            raise UnknownName(f"No concept is called {name}", accepted=", ".join(self.concepts))
        return self.concepts[name]


@cache
def dicom_codes() -> DicomCodes:
    """Return the codes; raises BadTable where the file misses a class or a code does not fit its element."""
    return codes_of(read_yaml(contracts_root() / "dicom_codes.yaml"))


def codes_of(content: dict[str, Any]) -> DicomCodes:
    """Return codes as read from YAML; raises BadTable."""
    names = vocabulary().classes
    if set(content["classes"]) != set(names):
        odd = sorted(set(content["classes"]) ^ set(names))
        raise BadTable(f"Codes of other classes than the vocabulary's: {', '.join(odd)}")
    sites = {name: Site(_code(one["code"]), one["has_side"]) for name, one in content["sites"].items()}
    classes = {name: _code(content["classes"][name]["code"]) for name in names}
    placed = {name: content["classes"][name]["site"] for name in names}
    if unknown := {site for site in placed.values() if site is not None} - set(sites):
        raise BadTable(f"Sites without a code: {', '.join(sorted(unknown))}")
    concepts = {name: _code(one) for name, one in content["concepts"].items()}
    said = [*classes.values(), *concepts.values(), *(site.code for site in sites.values())]
    if len({code[:2] for code in said}) != len(said):
        raise BadTable("Two concepts have one code")
    at = {name: None if site is None else sites[site] for name, site in placed.items()}
    return DicomCodes(content["version"], content["scheme"], classes, at, concepts)


def _code(parts: list[str]) -> DicomCode:
    code = DicomCode(*parts)
    fits = 0 < len(code.value) <= _MOST_VALUE and 0 < len(code.meaning) <= _MOST_MEANING
    if not fits or not all(part.isascii() for part in code):
        raise BadTable(
            f"The code {code.value} does not fit its element",
            accepted=f"ASCII; at most {_MOST_VALUE} characters of value and {_MOST_MEANING} of meaning",
        )
    return code
