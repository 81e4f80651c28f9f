"""A step whose table breaks a promise: the check of that very table fails, and the run carries the error."""

from __future__ import annotations

import dagster as dg
import pytest

from radia_pipeline.defs.resources import Radia
from radia_pipeline.defs.tables import failed_with, table_assets
from radia_pipeline.errors import ContractViolation


@pytest.mark.parametrize(
    ("table", "failing"), [("splits", {"splits"}), ("evaluation_sets", {"evaluation_sets"}), (None, set())]
)
def test_the_contract_check_of_the_table_at_fault_fails(table, failing, tmp_path):
    @table_assets("splits", "evaluation_sets")
    def step(_context, _radia):
        raise ContractViolation("Table splits and others are named in the words alone", table=table)

    radia = Radia(lake_root=str(tmp_path / "lake"))
    done = dg.materialize([step], resources={"radia": radia}, raise_on_error=False)
    checks = done.get_asset_check_evaluations()
    assert {check.asset_key.to_user_string() for check in checks if not check.passed} == {table} - {None}
    (failed,) = [event for event in done.all_events if event.is_step_failure]
    error = failed_with(failed)
    assert (type(error), error.table) == (ContractViolation, table)
