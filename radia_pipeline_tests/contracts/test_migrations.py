"""Migrations of the vocabulary: what the list accepts, what becomes of names and values, what an error says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radia_pipeline.contracts.label_values import MISSING, NEGATIVE, POSITIVE, UNCERTAIN, merged
from radia_pipeline.contracts.migrations import renamed
from radia_pipeline.contracts.vocabulary import Vocabulary, parse_vocabulary, vocabulary
from radia_pipeline.errors import BadTable, VocabularyMismatch


def migration(name: str, before: str, after: str, *steps: dict) -> dict:
    return {"name": name, "from": before, "to": after, "steps": list(steps)}


def words(version: str, classes: str, *migrations: dict) -> Vocabulary:
    entries = [{"name": name, "kind": "pathology", "parents": []} for name in classes.split()]
    return parse_vocabulary({"version": version, "classes": entries, "migrations": list(migrations)})


LESIONS = migration("lesions", "1", "2", {"merge": ["B", "C"], "into": "A"}, {"retire": "D"})
NEW = migration("new", "2", "3", {"add": "E"})


def test_each_version_has_its_classes():
    found = words("3", "A E F", LESIONS, NEW).classes_by_version
    assert found == {"3": {"A", "E", "F"}, "2": {"A", "F"}, "1": {"A", "B", "C", "D", "F"}}


def test_names_are_followed_to_the_installed_version():
    path = words("3", "A E F", LESIONS, NEW).way_from("1")
    assert [renamed(name, path) for name in "ABCDEF"] == ["A", "A", "A", None, "E", "F"]


def test_an_older_holder_is_refused_and_the_error_names_migrations_steps_and_the_way():
    installed = words("3", "A E F", LESIONS, NEW)
    installed.require("3", "The lake")
    with pytest.raises(VocabularyMismatch) as caught:
        installed.require("1", "The lake", do="run `radia vocabulary migrate`")
    for part in ("vocabulary 1", "version 3", "lesions", "merge B, C into A", "retire D", "new", "vocabulary migrate"):
        assert part in str(caught.value)
    with pytest.raises(VocabularyMismatch, match="No migration leads from vocabulary 0"):
        installed.way_from("0")


@pytest.mark.parametrize(
    ("version", "classes", "migrations"),
    [
        ("3", "A F", [LESIONS]),  # ends at version 2
        ("3", "A F", [LESIONS, NEW]),  # E was added, but is not there
        ("2", "A B F", [LESIONS]),  # B was merged away, but is there
        ("2", "A D F", [LESIONS]),  # D was retired, but is there
        ("2", "F", [LESIONS]),  # A takes B and C, but is not there
        ("3", "A D E F", [LESIONS, migration("back", "2", "3", {"add": "D"})]),  # a retired name comes back
        ("2", "A", [migration("odd", "1", "2", {"add": "A", "retire": "B"})]),
        ("2", "A", [migration("odd", "1", "2", {"merge": ["A", "B"], "into": "A"})]),
        ("2", "A", [migration("odd", "1", "2", {"merge": ["B"]})]),
        ("2", "A", [{"name": "odd", "from": "1"}]),
        ("2", "A", ["odd"]),
    ],
)
def test_a_list_that_does_not_fit_is_refused(version, classes, migrations):
    with pytest.raises(BadTable, match=r"[Mm]igration"):
        words(version, classes, *migrations)


values = st.lists(st.sampled_from([POSITIVE, NEGATIVE, UNCERTAIN, MISSING]), min_size=6, max_size=6)


@given(values, values, values)
def test_a_merge_loses_no_finding_and_invents_no_absence(one, other, kept):
    parts = [np.array(one, np.int8), np.array(other, np.int8)]
    own = np.array(kept, np.int8)
    for result, all_said in ((merged(parts, None), zip(one, other)), (merged(parts, own), zip(one, other, kept))):
        for value, said in zip(result.tolist(), all_said):
            assert (value == POSITIVE) == (POSITIVE in said)
            assert value != UNCERTAIN or UNCERTAIN in said
            assert value != NEGATIVE or (set(said) == {NEGATIVE} or (len(said) == 3 and said[2] == NEGATIVE))


def test_the_installed_list_fits():
    assert vocabulary().version in vocabulary().classes_by_version
