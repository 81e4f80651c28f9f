"""The vocabulary: 21 outputs in a fixed order, parents without circles, versions that are compared."""

from __future__ import annotations

import pytest

from radia_pipeline.contracts.vocabulary import parse_vocabulary, vocabulary
from radia_pipeline.errors import BadTable, UnknownName


def entry(name, parents=(), kind="pathology"):
    return {"name": name, "kind": kind, "parents": list(parents)}


def test_outputs_and_their_order():
    words = vocabulary()
    assert len(words.classes) == 21
    assert len(words.pathologies) == 14
    assert words.unions == ("Air", "Liquid", "Opacity")
    assert words.classes.index("Cardiomegaly") == words.index("Cardiomegaly") == 0
    assert words.no_finding == words.classes[-1] == "No Finding"


def test_parents_stand_before_children():
    words = vocabulary()
    position = {name: place for place, name in enumerate(words.topological)}
    assert all(position[parent] < position[name] for name in words.classes for parent in words.parents(name))


def test_ancestors_of_pneumonia_go_all_the_way_up():
    assert vocabulary().ancestors("Pneumonia") == ("Consolidation", "Lung Opacity", "Opacity")


def test_an_unknown_class_is_named_with_those_that_exist():
    with pytest.raises(UnknownName, match="Cardiomegaly"):
        vocabulary().index("Covid")


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        ([entry("A", ["B"]), entry("B", ["A"])], "circle"),
        ([entry("A", ["C"])], "unknown parents"),
        ([entry("A"), entry("A")], "twice"),
        ([entry("A", kind="thing")], "unknown kind"),
        ([{"name": "A"}], "lacks the field"),
    ],
)
def test_a_broken_vocabulary_is_refused(classes, words):
    with pytest.raises(BadTable, match=words):
        parse_vocabulary({"version": "1", "classes": classes})
