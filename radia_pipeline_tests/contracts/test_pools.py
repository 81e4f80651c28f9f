"""The pools' names stand in one place, and every contract with a column of pools accepts exactly them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import radia_pipeline
from radia_pipeline.contracts.pools import HELD_OUT, LEVEL, POOLS, TEST, TRAIN, TRAIN_FOLDS, VALIDATION
from radia_pipeline.contracts.tables import contract, contract_names

PACKAGE = Path(radia_pipeline.__file__).parent
WITH_POOLS = [name for name in contract_names() if "pool" in contract(name).columns]


@pytest.mark.parametrize("table", WITH_POOLS)
def test_contracts_accept_the_pools_and_nothing_else(table):
    accepted = {"predictions": (VALIDATION,), "test_predictions": (TEST,), "predictions_out_of_fold": (TRAIN,)}
    accepted |= dict.fromkeys(("scorecard", "scorecard_subgroups"), HELD_OUT) | {"label_review_queue": (TRAIN,)}
    assert contract(table).columns["pool"].valid_values == accepted.get(table, POOLS)


def test_contracts_accept_the_folds_and_nothing_else():
    with_folds = [column for name in contract_names() if (column := contract(name).columns.get("fold"))]
    assert len(with_folds) == 3
    assert {(column.minimum, column.maximum) for column in with_folds} == {(0, TRAIN_FOLDS - 1)}


def test_splits_are_among_the_contracts_that_name_pools():
    assert "splits" in WITH_POOLS


def test_the_order_puts_what_is_trained_on_lowest():
    assert sorted(POOLS, key=LEVEL.__getitem__) == list(POOLS)
    assert (TRAIN, *HELD_OUT) == POOLS


def spelt(code: str) -> bool:
    """Tell whether a list, tuple, set or dictionary in the code spells two of the pools' names."""
    for node in ast.walk(ast.parse(code)):
        parts = {ast.List: "elts", ast.Tuple: "elts", ast.Set: "elts", ast.Dict: "keys"}.get(type(node))
        names = {part.value for part in getattr(node, parts or "_", ()) if isinstance(part, ast.Constant)}
        if len(names & set(POOLS)) > 1:
            return True
    return False


def test_no_other_module_spells_the_pools():
    """Publishers' names of their folders and lists are their own, also where they happen to be the same words."""
    theirs = {*PACKAGE.glob("sources/*.py"), *PACKAGE.rglob("phantom/**/*.py")}
    ours = set(PACKAGE.rglob("*.py")) - theirs - {PACKAGE / "contracts" / "pools.py"}
    assert [path.name for path in sorted(ours) if spelt(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("code", ["x = ('validation', 'test')", "f({'train': 0, 'test': 1})", "['train', a, 'test']"])
def test_a_second_spelling_is_seen(code):
    assert spelt(code)
