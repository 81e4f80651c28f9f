"""``known.yaml`` compiled: terms of the standard, values of the usual makers and tools, forms of coding schemes.

Belongs here: reading that file. Does not belong here: a hospital's own values (``policy``), and what breaks a rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydicom.datadict import tag_for_keyword

from radia_pipeline.contracts.location import read_yaml
from radia_pipeline.errors import BadTable

KNOWN = Path(__file__).with_name("known.yaml")
NOTHING = r"(?!)"
"""A pattern that nothing fits."""


@dataclass(frozen=True)
class Known:
    """``terms``, ``values``, ``forms`` by tag; words folded by ``folded``. See ``known.yaml`` for the rest."""

    terms: Mapping[int, frozenset[str]]
    values: Mapping[int, frozenset[str]]
    forms: Mapping[int, re.Pattern[str]]
    titles: frozenset[str]
    software: re.Pattern[str]
    implementation_roots: tuple[str, ...]
    encoders: re.Pattern[str]
    dummies: frozenset[str]
    dummy_dates: frozenset[str]
    methods: re.Pattern[str]
    schemes: Mapping[str, re.Pattern[str]]
    concept_words: frozenset[str]
    trade_words: frozenset[str]


def folded(value: str) -> str:
    """Return a value as lists are compared: no quotation marks around it, one case, single blanks."""
    return " ".join(value.strip(" \0").strip("\"'").upper().split())


def tag_of(keyword: str) -> int:
    """Return the tag of a keyword of PS3.6; raises BadTable."""
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise BadTable(f"{keyword!r} is no keyword of an element", accepted="keywords of PS3.6")
    return int(tag)


def any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    """Return one pattern for several, to be matched whole."""
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns) or NOTHING)


@cache
def known() -> Known:
    """Return the lists, compiled once per process."""
    raw = read_yaml(KNOWN)
    return Known(
        terms=_lists(raw["terms"]),
        values=_lists(raw["values"]),
        forms={tag_of(keyword): re.compile(form) for keyword, form in raw["forms"].items()},
        titles=frozenset(map(folded, raw["titles"])),
        software=any_of(raw["software"]),
        implementation_roots=tuple(raw["implementation_roots"]),
        encoders=any_of(raw["encoders"]),
        dummies=frozenset(map(folded, raw["dummies"])),
        dummy_dates=frozenset(raw["dummy_dates"]),
        methods=any_of(raw["methods"]),
        schemes={scheme: re.compile(form) for scheme, form in raw["schemes"].items()},
        concept_words=frozenset(raw["concept_words"].split()),
        trade_words=frozenset(raw["trade_words"].split()),
    )


def names_encoder(comment: bytes) -> bool:
    """Tell whether a comment of a codestream is empty or names an encoder of the list, and says nothing else."""
    text = comment.decode("latin-1").strip("\0 \r\n")
    return not text or known().encoders.fullmatch(text) is not None


def _lists(raw: Mapping[str, list]) -> dict[int, frozenset[str]]:
    return {tag_of(keyword): frozenset(folded(str(value)) for value in values) for keyword, values in raw.items()}
