"""A breaking change of a contract needs a new major version: compared with the promises that are kept."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from radia_pipeline.contracts.tables import contract, contract_names
from radia_pipeline_tests.contracts.compatibility import breaking_changes, is_announced, promise

PROMISES = json.loads(Path(__file__).with_name("promises.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("table", sorted(PROMISES))
def test_no_promise_is_broken_without_a_new_major_version(table):
    assert table in contract_names(), f"{table} is gone"
    now = promise(contract(table))
    broken = breaking_changes(PROMISES[table], now)
    assert not broken or is_announced(PROMISES[table], now), (
        f"{table}: {broken}; raise its version, then `make generated`"
    )


def drop(new):
    del new["columns"]["said"]


def retype(new):
    new["columns"]["said"]["type"] = "string"


def relax(new):
    new["columns"]["class"]["required"] = False


def widen(new):
    new["columns"]["origin"]["valid"].append("oracle")


def rekey(new):
    new["key"] = ["study_id"]


@pytest.mark.parametrize("change", [drop, retype, relax, widen, rekey])
def test_a_planted_breaking_change_is_seen_and_a_new_major_version_allows_it(change):
    old = promise(contract("labels"))
    new = copy.deepcopy(old)
    assert breaking_changes(old, new) == []
    change(new)
    assert len(breaking_changes(old, new)) == 1
    assert not is_announced(old, new)
    major = int(old["version"].split(".")[0]) + 1
    assert is_announced(old, {**new, "version": f"{major}.0.0"})


def test_a_new_column_breaks_nobody():
    old = promise(contract("labels"))
    new = copy.deepcopy(old)
    new["columns"]["reader"] = {"type": "string", "required": False, "valid": None}
    assert breaking_changes(old, new) == []
