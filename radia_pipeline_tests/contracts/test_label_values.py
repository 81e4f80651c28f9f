"""What label values mean: laws of closure and resolution, the one order and its laws."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from radia_pipeline.contracts.label_values import (
    MISSING,
    NEGATIVE,
    ORDER,
    POSITIVE,
    UNCERTAIN,
    close_up,
    has_finding,
    labelled_with_unions,
    no_finding,
    no_findings,
    resolve,
    strengths,
    stronger,
    strongest,
    strongest_by_cell,
    strongest_by_class,
    values_of,
)
from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.contracts.vocabulary import vocabulary

WORDS = vocabulary()
RANK = {MISSING: 0, NEGATIVE: 1, UNCERTAIN: 2, POSITIVE: 3}
values = st.sampled_from([None, NEGATIVE, UNCERTAIN, POSITIVE])
cells = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.sampled_from(ORDER)), max_size=20)
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


def test_the_order_is_written_down_once_and_says_one_over_doubt_over_zero_over_null():
    assert sorted(RANK, key=RANK.get) == list(ORDER)
    places = strengths(np.array(ORDER, dtype=np.int8))
    assert places.tolist() == [0, 1, 2, 3]
    assert tuple(values_of(places).tolist()) == ORDER


@given(values, values, values)
def test_the_stronger_of_two_is_commutative_associative_and_idempotent(a, b, c):
    assert stronger(a, b) == stronger(b, a)
    assert stronger(stronger(a, b), c) == stronger(a, stronger(b, c))
    assert stronger(a, a) == a
    assert stronger(a, None) == a


@given(said_rows, said_rows, said_rows)
def test_the_strongest_of_arrays_obeys_the_same_laws_and_agrees_with_single_values(a, b, c):
    assert (strongest(a, b) == strongest(b, a)).all()
    assert (strongest(strongest(a, b), c) == strongest(a, b, c)).all()
    assert (strongest(a, a) == a).all()
    assert (strongest(a, np.full_like(a, MISSING)) == a).all()
    one_by_one = [stronger(x, y) for x, y in zip(a.ravel().tolist(), b.ravel().tolist(), strict=True)]
    assert strongest(a, b).ravel().tolist() == one_by_one


@given(cells, st.randoms())
def test_cells_that_come_several_times_hold_their_strongest_value_in_whatever_order(given_cells, random):
    def together(some) -> np.ndarray:
        rows, columns, said = (np.array([cell[k] for cell in some], dtype=np.int64) for k in range(3))
        return strongest_by_cell(rows, columns, said.astype(np.int8), (3, 4))

    expected = np.full((3, 4), MISSING, dtype=np.int8)
    for row, column, value in given_cells:
        expected[row, column] = stronger(int(expected[row, column]), value)
    assert (together(given_cells) == expected).all()
    shuffled = random.sample(given_cells, len(given_cells))
    assert (together(shuffled) == expected).all()
    assert (together(given_cells + shuffled) == expected).all()


@given(st.lists(st.tuples(st.sampled_from(["Mass", "Edema", None]), values), max_size=12), st.randoms())
def test_statements_on_classes_hold_the_strongest_in_whatever_order(said, random):
    labels = strongest_by_class(said)
    assert strongest_by_class(random.sample(said, len(said))) == labels
    assert strongest_by_class([*labels.items(), *said]) == labels
    assert None not in labels and None not in labels.values()


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1))
def test_no_finding_is_one_rule_for_one_study_and_for_many(studies):
    found, clear = np.array(studies).T
    many = [None if value == MISSING else value for value in no_findings(found, clear).tolist()]
    assert many == [no_finding(*study) for study in studies]


def test_no_finding_is_denied_by_a_finding_and_stated_only_by_a_text_without_one():
    assert (no_finding(True, True), no_finding(True, False)) == (NEGATIVE, NEGATIVE)
    assert (no_finding(False, True), no_finding(False, False)) == (POSITIVE, None)


@given(said_rows)
def test_a_row_has_a_finding_where_a_class_but_no_finding_is_positive_or_uncertain(said):
    others = [name for name in WORDS.classes if name != WORDS.no_finding]
    expected = [any(line[WORDS.index(name)] in (POSITIVE, UNCERTAIN) for name in others) for line in said]
    assert has_finding(said).tolist() == expected


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
