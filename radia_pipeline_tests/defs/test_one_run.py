"""A run that fails hands its error on whole: through Dagster, and out of a process of its own."""

from __future__ import annotations

import os
import sys
import time

import dagster as dg
import psutil
import pytest

from radia_pipeline.defs.one_run import GRACE_S, Run, run_apart, run_one
from radia_pipeline.defs.tables import failure
from radia_pipeline.errors import BadTable, ContractViolation, RadiaError, RunFailed
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import change_settings
from radia_pipeline.processes import children
from radia_pipeline.processes.lifecycle import StopRequest
from radia_pipeline.processes.parents import named
from radia_pipeline_tests.training.synthetic import write_lake

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


@pytest.mark.parametrize(("error", "words"), [(KeyError("odd"), "odd"), (dg.Failure("another's"), "another's")])
def test_another_error_is_a_failed_run_in_its_own_words(error, words):
    report = run_of(error)
    assert type(report.failure) is RunFailed
    assert words in report.error and words in str(report.failure)


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


@pytest.mark.slow
def test_a_run_apart_that_is_stopped_leaves_a_checkpoint_and_no_process(tmp_path, monkeypatch):
    """As when a person interrupts ``radia run`` while several recipes train side by side."""
    lake = write_lake(tmp_path / "lake", patients=1500)
    change_settings(lake.root, recipes=("demo_linear",))
    stop, begun, family = StopRequest(), [], []
    others = set(psutil.Process().children(recursive=True))

    def listen(line: str) -> int:
        if "epoch 1 of" in line and not begun:
            family.extend(set(psutil.Process().children(recursive=True)) - others)
            begun.append(time.monotonic())
            stop.set("interrupted")
        return len(line)

    monkeypatch.setattr(sys.stderr, "write", listen)
    name = "classifiers/demo_linear"
    report = run_apart(lake, Run(name, (name,)), children.environment(named()), stop)
    assert time.monotonic() - begun[0] < GRACE_S
    assert report.failure is not None
    assert len(family) >= 2, "the run and its training were seen"
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
    assert list(lake.models_dir.glob("demo_linear/*/checkpoints/last.safetensors"))
