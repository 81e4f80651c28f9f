"""What label values mean: laws of closure and resolution, and the traps that DESIGN names."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from radia_pipeline.contracts.label_values import (
    MISSING,
    NEGATIVE,
    POSITIVE,
    UNCERTAIN,
    close_up,
    labelled_with_unions,
    resolve,
)
from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.contracts.vocabulary import vocabulary

WORDS = vocabulary()
RANK = {MISSING: 0, NEGATIVE: 1, UNCERTAIN: 2, POSITIVE: 3}
said_rows = arrays(np.int8, (3, len(WORDS.classes)), elements=st.sampled_from([MISSING, NEGATIVE, UNCERTAIN, POSITIVE]))


def row(**values: int) -> np.ndarray:
    """Return one row of said values; names with underscores for spaces."""
    said = np.full((1, len(WORDS.classes)), MISSING, np.int8)
    for name, value in values.items():
        said[0, WORDS.index(name.replace("_", " "))] = value
    return said


def value(values: np.ndarray, name: str) -> int:
    return int(values[0, WORDS.index(name)])


ALL = labelled_with_unions((*WORDS.pathologies, *WORDS.finding_groups, WORDS.no_finding))


@given(said_rows)
def test_closure_only_raises_and_is_idempotent(said):
    closed = close_up(said)
    ranks = np.vectorize(RANK.get)
    assert (ranks(closed) >= ranks(said)).all()
    assert (close_up(closed) == closed).all()


@given(said_rows)
def test_a_parent_is_never_below_a_positive_or_uncertain_child(said):
    closed = close_up(said)
    for child in WORDS.classes:
        for parent in WORDS.ancestors(child):
            lower, upper = closed[:, WORDS.index(child)], closed[:, WORDS.index(parent)]
            for a, b in zip(lower.tolist(), upper.tolist(), strict=True):
                assert RANK[a] < RANK[UNCERTAIN] or RANK[b] >= RANK[a]


@given(said_rows, st.permutations([0, 1, 2]))
def test_rows_do_not_touch_each_other(said, order):
    assert (resolve(said[order], ALL) == resolve(said, ALL)[order]).all()


def test_a_positive_cardiomegaly_raises_its_parent_although_the_source_said_zero():
    values = resolve(row(Cardiomegaly=1, Enlarged_Cardiomediastinum=0), ALL)
    assert value(values, "Enlarged Cardiomediastinum") == POSITIVE


def test_edema_raises_both_of_its_branches():
    values = resolve(row(Edema=-1), ALL)
    assert {value(values, name) for name in ("Liquid", "Lung Opacity", "Opacity")} == {UNCERTAIN}


def test_an_absent_child_says_nothing_of_its_parent():
    assert value(resolve(row(Pneumonia=0), ALL), "Consolidation") == MISSING


def test_no_finding_sets_only_classes_that_the_source_labels_to_zero():
    labelled = source_sheet("nih_cxr14").labelled
    values = resolve(row(No_Finding=1), labelled)
    assert value(values, "Mass") == NEGATIVE
    assert value(values, "Fracture") == MISSING
    assert value(values, "Air") == NEGATIVE


def test_no_finding_does_not_overwrite_what_was_said():
    assert value(resolve(row(No_Finding=1, Fracture=-1), ALL), "Fracture") == UNCERTAIN


def test_a_union_is_zero_only_when_all_its_labelled_children_are():
    assert value(resolve(row(Emphysema=0, Pneumothorax=0), ALL), "Air") == NEGATIVE
    assert value(resolve(row(Emphysema=0), ALL), "Air") == MISSING


def test_nih_does_not_label_opacity_since_it_does_not_label_lung_opacity():
    labelled = source_sheet("nih_cxr14").labelled
    assert {"Air", "Liquid"} <= labelled
    assert not {"Opacity", "Lung Opacity", "Fracture"} & labelled
