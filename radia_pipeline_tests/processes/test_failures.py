"""Errors across processes: every class of the tree comes back as it was; anything else is a failed run."""

from __future__ import annotations

import copy
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radia_pipeline import errors
from radia_pipeline.errors import BadInput, RadiaError, RunFailed
from radia_pipeline.processes.failures import UNREADABLE, as_record, from_record, kinds

WHOLE_TREE = sorted(kinds().values(), key=lambda kind: kind.__name__)
texts = st.none() | st.text()


def example(kind: type[RadiaError]) -> RadiaError:
    return kind(**{name: f"words of {name}" for name in kind.fields})


def below(kind: type[RadiaError]) -> set[type[RadiaError]]:
    return {kind}.union(*(below(child) for child in kind.__subclasses__()))


def test_the_tree_is_the_one_that_is_drawn_in_errors():
    ours = {kind for kind in below(RadiaError) if kind.__module__.startswith("radia_pipeline.")}
    assert set(WHOLE_TREE) == ours
    assert {kind.__module__ for kind in ours} == {errors.__name__}


@pytest.mark.parametrize("kind", WHOLE_TREE, ids=lambda kind: kind.__name__)
def test_kind_words_fields_and_exit_code_survive(kind):
    error = example(kind)
    for back in (
        from_record(json.loads(json.dumps(as_record(error)))),
        pickle.loads(pickle.dumps(error)),
        copy.copy(error),
    ):
        assert type(back) is kind
        assert (str(back), back.exit_code, vars(back)) == (str(error), error.exit_code, vars(error))


@given(st.sampled_from(WHOLE_TREE), st.data())
def test_whatever_the_words_they_survive(kind, data):
    first, *others = kind.fields
    fields = {first: data.draw(st.text()), **{name: data.draw(texts) for name in others}}
    error = kind(**fields)
    back = from_record(json.loads(json.dumps(as_record(error))))
    assert (type(back), str(back), vars(back)) == (kind, str(error), vars(error))


def test_a_kind_that_is_not_of_the_tree_is_a_failed_run_in_its_words():
    for kind in ("ValueError", "annotations", "ClassVar", "", None, 7):
        back = from_record({"kind": kind, "received": "odd"})
        assert (type(back), str(back)) == (RunFailed, "odd.")


@given(st.recursive(texts | st.integers(), lambda inner: st.dictionaries(st.text(), inner) | st.lists(inner)))
def test_what_is_no_record_is_a_failed_run(record):
    assert str(from_record(record)) == UNREADABLE + "."


@given(
    st.sampled_from(WHOLE_TREE), st.dictionaries(st.sampled_from(("received", "do", "table", "detail")), st.integers())
)
def test_a_record_of_the_tree_that_is_not_whole_is_a_failed_run(kind, fields):
    assert type(from_record({"kind": kind.__name__, **fields})) is RunFailed


def test_of_an_unforeseen_error_only_kind_and_place_go_on():
    try:
        raise ValueError("what it stumbled over")
    except ValueError as caught:
        record = as_record(caught)
    assert record["kind"] == "ValueError"
    assert "test_failures.py:" in record["received"]
    assert "stumbled" not in json.dumps(record)


def test_a_subclass_of_somebody_else_is_taken_for_its_words():
    class Mine(BadInput):
        pass

    assert str(from_record(as_record(Mine("mine")))) == "mine."
