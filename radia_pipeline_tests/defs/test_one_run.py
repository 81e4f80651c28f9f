"""A run that fails hands its error on whole: through Dagster, and out of a process of its own."""

from __future__ import annotations

import os

import dagster as dg
import pytest

from radia_pipeline.defs.one_run import Run, run_apart, run_one
from radia_pipeline.defs.tables import failure
from radia_pipeline.errors import BadTable, ContractViolation, RadiaError, RunFailed
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import change_settings
from radia_pipeline.processes import children
from radia_pipeline.processes.lifecycle import StopRequest

OURS = (
    BadTable("reports.csv lacks a column", accepted="id, text", do="add it"),
    ContractViolation("splits would hold a patient twice", table="splits"),
)


def run_of(error: Exception):
    """Report on a run whose one asset raises this."""

    @dg.asset
    def broken():
        raise error

    job = dg.Definitions(assets=[broken]).resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        return run_one(job, instance, Run("broken", ("broken",)))


@pytest.mark.parametrize("error", OURS, ids=lambda error: error.kind)
def test_an_error_of_ours_comes_out_of_dagster_as_it_was(error: RadiaError):
    report = run_of(failure(error))
    assert report.error == f"{error.kind}: {error}"
    assert type(report.failure) is type(error)
    assert vars(report.failure) == vars(error)


@pytest.mark.parametrize("error", [KeyError("odd"), dg.Failure("somebody else's")], ids=["any", "dagster"])
def test_another_error_is_a_failed_run_in_its_own_words(error):
    report = run_of(error)
    assert type(report.failure) is RunFailed
    assert "odd" in report.error or "somebody else's" in report.error


def test_an_error_comes_whole_out_of_a_process_of_its_own(tmp_path):
    """A training without a manifest."""
    lake = Lake.open(tmp_path / "lake")
    change_settings(lake.root, recipes=("smoke_linear",))
    name = "classifiers/smoke_linear"
    report = run_apart(lake, Run(name, (name,)), children.environment(), StopRequest())
    assert (report.failure.kind, report.error) == ("MissingTable", f"MissingTable: {report.failure}")
    assert report.failure.do


def test_a_process_that_dies_is_a_failed_run(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    report = run_apart(Lake(tmp_path / "none"), Run("a", ("a",)), environment, StopRequest())
    assert type(report.failure) is RunFailed
    assert "ended early" in report.error
