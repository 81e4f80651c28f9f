"""Every choice by name leads somewhere: tables resolve, refuse what they do not hold, and a planted gap is seen."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

import radia_pipeline
from radia_pipeline.contracts import choices
from radia_pipeline.contracts.choices import Later, Table
from radia_pipeline.errors import UnknownName
from radia_pipeline_tests.imports import graph_of


def tables() -> Iterator[tuple[str, Table]]:
    """Yield every table of the package with its place."""
    for module, imported in graph_of(Path(radia_pipeline.__file__).parent).items():
        if choices.__name__ in imported:
            found = vars(importlib.import_module(module)).items()
            yield from ((f"{module}.{name}", one) for name, one in found if isinstance(one, Table))


TABLES = dict(tables())


def leads_nowhere(entry: Any) -> bool:
    """Whether an entry, or a part of it, names a place at which there is nothing to call."""
    if isinstance(entry, Later):
        try:
            return not callable(entry.found())
        except (ImportError, AttributeError):
            return True
    parts = [getattr(entry, field.name) for field in fields(entry)] if is_dataclass(entry) else []
    return any(map(leads_nowhere, parts))


def gaps(table: Table) -> list[str]:
    """Return the names of a table that nothing stands behind."""
    return [name for name, entry in table.items() if leads_nowhere(entry)]


@pytest.mark.parametrize("name", TABLES)
def test_every_name_has_what_it_names(name):
    assert len(TABLES[name]) > 1
    assert gaps(TABLES[name]) == []


@pytest.mark.parametrize("name", TABLES)
def test_an_unknown_name_is_refused_with_those_that_there_are(name):
    with pytest.raises(UnknownName, match=f"Unknown {TABLES[name].what} 'nothing'") as caught:
        TABLES[name]["nothing"]
    assert ", ".join(TABLES[name]) in str(caught.value)


def test_the_tables_of_all_that_is_chosen_by_name_are_found():
    wanted = {
        "training.schedules.SCHEDULES",
        "training.optimizers.OPTIMIZERS",
        "training.choices.HEADS",
        "localisation.maps.METHODS",
        "evaluation.combinations.RULES",
        "evaluation.class_figures.FORMS",
        "evaluation.coherence.WAYS",
        "evaluation.calibration.METHODS",
        "labels.box_files.formats.FORMATS",
    }
    assert {f"radia_pipeline.{name}" for name in wanted} <= set(TABLES)


@dataclass(frozen=True)
class Whole:
    """An entry of two parts."""

    is_good: bool
    make: Later


@pytest.mark.parametrize(
    "entry",
    [
        Later("radia_pipeline.training.heads:AttentionHead"),
        Later("radia_pipeline.training.no_such_module:LinearHead"),
        Later("radia_pipeline.training.heads:__doc__"),
        Whole(True, Later("radia_pipeline.training.tasks:BinaryTask.made_of")),
    ],
)
def test_a_planted_name_without_an_implementation_is_seen(entry):
    table = Table("head", {"linear": Later("radia_pipeline.training.heads:LinearHead"), "planted": entry})
    assert gaps(table) == ["planted"]


def test_a_later_is_the_thing_itself_once_it_is_called():
    assert Later("radia_pipeline.contracts.choices:Table")("word", {"a": 1})["a"] == 1
