"""One sheet per source dataset: ``data_contracts/sources/<source>.yaml`` as a typed record. No adapter code here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from radia_pipeline.contracts.label_values import labelled_with_unions
from radia_pipeline.contracts.location import contracts_root, read_yaml
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadTable, UnknownName

_REQUIRED = ("source", "title", "licence", "citation", "labels", "label_origin")


@dataclass(frozen=True)
class SourceSheet:
    """What is known of a source before a file is read: terms of use, label map, what it labels and what not.

    ``label_origin``: rules, table or expert. ``columns``: those of each published table; ``asked_labels``: what readers
    of a table were asked for where its header does not say; ``identifiers``: column → how its identifiers look
    (``sources.identifiers``); ``mixed_studies``: how many studies of several patients the published table holds.
    ``other_tokens`` name no class of the vocabulary, ``unlabelled_tokens`` say that nobody labelled the image,
    ``open_tokens`` that what the others of a list do not name is not known; ``tree``: token → tokens that the publisher
    puts below it. ``held_splits``: published splits that are never trained on → the pool that their patients stand in.
    The rest of a sheet is for people.
    """

    source: str
    title: str
    licence: str
    citation: str
    labels: tuple[str, ...]
    labelled: frozenset[str]
    label_map: Mapping[str, Any]
    label_origin: str
    columns: Mapping[str, Sequence[str]]
    other_tokens: tuple[str, ...]
    unlabelled_tokens: tuple[str, ...]
    open_tokens: tuple[str, ...] = ()
    tree: Mapping[str, Sequence[str]] = field(default_factory=dict)
    asked_labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    identifiers: Mapping[str, str] = field(default_factory=dict)
    held_splits: Mapping[str, str] = field(default_factory=dict)
    mixed_studies: int = 0
    known_defects: tuple[str, ...] = ()
    deidentification: str = ""

    @property
    def is_read_from_reports(self) -> bool:
        """Whether rules read the labels in reports; else a table of the source says them."""
        return self.label_origin == "rules"


@cache
def known_sources() -> tuple[str, ...]:
    """Return the sources that have a sheet, sorted."""
    folder = contracts_root() / "sources"
    return tuple(sorted(path.stem for path in folder.glob("*.yaml") if read_yaml(path).get("source") == path.stem))


@cache
def source_sheet(source: str) -> SourceSheet:
    """Return the sheet of one source; raises UnknownName, or BadTable where it names an unknown class."""
    path = contracts_root() / "sources" / f"{source}.yaml"
    if source not in known_sources():
        raise UnknownName(f"Unknown source {source!r}", accepted=", ".join(known_sources()))
    raw = read_yaml(path)
    missing = [field for field in _REQUIRED if field not in raw]
    if missing:
        raise BadTable(f"{path.name} lacks {', '.join(missing)}", do="add the fields to the sheet")
    labels = tuple(raw["labels"])
    for name in labels:
        vocabulary().entry(name)
    return SourceSheet(
        source=raw["source"],
        title=raw["title"],
        licence=raw["licence"],
        citation=raw["citation"],
        labels=labels,
        labelled=labelled_with_unions(labels),
        label_map=raw.get("label_map") or {},
        label_origin=raw["label_origin"],
        columns=raw.get("columns") or {},
        other_tokens=tuple(raw.get("other_tokens") or ()),
        unlabelled_tokens=tuple(raw.get("unlabelled_tokens") or ()),
        open_tokens=tuple(raw.get("open_tokens") or ()),
        tree=raw.get("tree") or {},
        asked_labels=raw.get("asked_labels") or {},
        identifiers=raw.get("identifiers") or {},
        held_splits=raw.get("held_splits") or {},
        mixed_studies=int(raw.get("mixed_studies") or 0),
        known_defects=tuple(map(str, raw.get("known_defects") or ())),
        deidentification=str(raw.get("deidentification") or ""),
    )
