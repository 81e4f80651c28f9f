"""The queue in Dagster: counts and a chart by class, no word of a report; without answers a warning that helps."""

from __future__ import annotations

import dagster as dg

from radia_pipeline.contracts.tables import contract
from radia_pipeline.defs.resources import Radia
from radia_pipeline.defs.review import review_queue_asset
from radia_pipeline.lake.lake import Lake
from radia_pipeline_tests.readings.queues import CLASSES, make_world, put_report_world

SENTENCE = "Phrase que personne ne doit lire ici."


def materialized(lake: Lake) -> tuple[dict, dg.AssetCheckEvaluation]:
    radia = Radia(lake_root=str(lake.root))
    done = dg.materialize([review_queue_asset(("demo_linear",))], resources={"radia": radia})
    assert done.success
    (event,) = done.get_asset_materialization_events()
    checks = {check.check_name: check for check in done.get_asset_check_evaluations()}
    assert checks["contract"].passed
    return dict(event.step_materialization_data.materialization.metadata), checks["models_answer"]


def test_a_materialization_counts_by_class_and_shows_them(tmp_path):
    metadata, check = materialized(make_world(tmp_path, studies=200).lake)
    assert check.passed
    assert set(metadata["by_class"].value) == set(CLASSES)
    assert metadata["dagster/row_count"].value == metadata["queued"].value > 0
    assert "svg" in metadata["queue_by_class"].value


def test_no_word_of_a_report_is_in_the_metadata(tmp_path):
    lake = put_report_world(tmp_path, SENTENCE)
    metadata, _ = materialized(lake)
    assert metadata["queued"].value > 0
    assert SENTENCE not in str(metadata) and "sentence" not in contract("label_review_queue").columns


def test_without_models_trained_fold_by_fold_it_is_empty_and_warns(tmp_path):
    metadata, check = materialized(make_world(tmp_path, models=(), studies=40).lake)
    assert metadata["queued"].value == 0
    assert not check.passed and check.severity == dg.AssetCheckSeverity.WARN
    assert "--by-fold" in check.metadata["do"].value
