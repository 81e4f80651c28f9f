"""Readings on top of what a source says: which cell they set, what they end, and how they follow their class."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest

from radia_pipeline.contracts.label_values import MISSING
from radia_pipeline.contracts.migrations import parse_migrations
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.labels.origins import ORIGIN_CODE, ORIGINS
from radia_pipeline.labels.readings import put_on_top, reviewed_values, reviews_across


@dataclass(frozen=True)
class Given:
    """A verdict as the store hands it on."""

    review_id: str
    value: int | None


def test_only_verdicts_of_the_source_that_say_something_are_in_force():
    verdicts = {
        ("nih_cxr14", "s1", "Mass"): Given("r1", 0),
        ("nih_cxr14", "s2", "Mass"): Given("r2", None),
        ("chexpert", "s1", "Mass"): Given("r3", 1),
    }
    assert reviewed_values(verdicts, "nih_cxr14") == {("s1", "Mass"): 0}
    assert reviewed_values({}, "nih_cxr14") == {}


@pytest.mark.parametrize(
    ("reviewed", "normal", "origin"),
    [
        ({"Mass": 1}, 0, "review"),
        ({"Mass": -1}, 0, "review"),
        ({"Mass": 0}, 1, "table"),
        ({"Mass": 1, "No Finding": 1}, 1, "review"),
    ],
)
def test_a_review_that_finds_something_ends_a_no_finding_that_nobody_reviewed(reviewed, normal, origin):
    words = vocabulary()
    said = np.full((1, len(words.classes)), MISSING, dtype=np.int8)
    column = words.index(words.no_finding)
    said[0, column] = 1
    base = np.full(said.shape, ORIGIN_CODE["table"], dtype=np.int8)
    problems: Counter = Counter()
    cells = {("s", name): value for name, value in reviewed.items()} | {("gone", "Mass"): 1}
    assert put_on_top(["s"], said, base, cells, problems) == len(reviewed)
    assert said[0, words.index("Mass")] == reviewed["Mass"]
    assert (said[0, column], ORIGINS[base[0, column]]) == (normal, origin)
    assert problems == {"reviews_without_study": 1}


MERGE = [{"merge": ["Nodule", "Mass"], "into": "Lung Lesion"}]


@pytest.mark.parametrize(
    ("verdicts", "steps", "after"),
    [
        ({"Nodule": ("r1", 1)}, MERGE, {"Lung Lesion": 1}),
        ({"Nodule": ("r1", 0)}, MERGE, {}),
        ({"Nodule": ("r1", 0), "Mass": ("r2", 0)}, MERGE, {}),
        ({"Nodule": ("r1", 0), "Mass": ("r2", 0)}, [{"add": "Lung Lesion"}, *MERGE], {"Lung Lesion": 0}),
        ({"Nodule": ("r1", 1), "Lung Lesion": ("r2", 0)}, MERGE, {"Lung Lesion": 0}),
        ({"Lung Lesion": ("r1", 0), "Nodule": ("r2", 1)}, MERGE, {"Lung Lesion": 1}),
        ({"Hernia": ("r1", 1), "Edema": ("r2", 1)}, [{"retire": "Hernia"}], {"Edema": 1}),
    ],
)
def test_reviews_follow_their_class_and_the_later_verdict_wins(verdicts, steps, after):
    path = parse_migrations([{"name": "m", "from": "1", "to": "2", "steps": steps}])
    found = reviews_across({("s", name): verdict for name, verdict in verdicts.items()}, path)
    assert {name: value for (_, name), value in found.items()} == after
    assert all(isinstance(value, int) and not isinstance(value, np.integer) for value in found.values())
