"""The small phantom through the whole graph, in an ephemeral Dagster instance, with real trainings in processes."""

from __future__ import annotations

import csv
from pathlib import Path

import dagster as dg
import numpy as np
import pyarrow.compute as pc
import pytest

from radia_pipeline.contracts.tables import contract, contract_names
from radia_pipeline.defs.build import build_defs
from radia_pipeline.defs.pipeline import Listener, execute, make_plan
from radia_pipeline.defs.tables import ASKED_FOR
from radia_pipeline.errors import NoLayout
from radia_pipeline.evaluation.coherence import violations
from radia_pipeline.evaluation.panel import read_panel
from radia_pipeline.evaluation.pool_uses import uses
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.publishing import standing
from radia_pipeline.lake.settings import change_settings
from radia_pipeline.phantom.write import write_phantom
from radia_pipeline.tracking.client import Tracker
from radia_pipeline.usecases.summary import as_text, collect
from radia_pipeline_tests import governance_page
from radia_pipeline_tests.tour import cells as tour_cells
from radia_pipeline_tests.tour import run as run_tour

RECIPES = ("smoke_linear", "smoke_pcam")
SOURCES = ["ccsmtl", "nih_cxr14"]
CANARY = "ZQX-CANARI-1950"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Return (lake, definitions, instance, deliveries) after one run of everything; reports carry a canary identity."""
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setenv("RADIA_PSEUDONYM_KEY", "a key that only this test uses")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    root = tmp_path_factory.mktemp("world")
    deliveries = root / "deliveries"
    write_phantom(deliveries, seed=3, patients={"ccsmtl": 70, "nih_cxr14": 40}, size_px=192, workers=2)
    plant_canary(deliveries / "ccsmtl" / "reports.csv")
    lake = Lake.open(root / "lake")
    change_settings(lake.root, sources_root=str(deliveries), recipes=RECIPES, detector="smoke", ocr="off")
    definitions = build_defs(lake_root=lake.root)
    with dg.DagsterInstance.ephemeral() as instance:
        run_all(definitions, lake, instance)
        yield lake, definitions, instance, deliveries
    monkeypatch.undo()


def plant_canary(reports: Path) -> None:
    """Write an identity into one report's text: it may reach the restricted table of reports and nothing else."""
    with reports.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    rows[0]["report"] += f" {CANARY}."
    with reports.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, rows[0])
        writer.writeheader()
        writer.writerows(rows)


INTERVALS = [
    (table, name, name.removesuffix("low") + "high")
    for table in contract_names()
    for name in contract(table).columns
    if name.endswith("low") and name.removesuffix("low") + "high" in contract(table).columns
]
"""Every pair of columns of every table that are the ends of an interval."""


DAMAGED = ("ingest", "labels", "cohort")
"""Whose tables a run finds damaged: each step makes its own again and asks nothing of what stood."""


def run_all(definitions, lake, instance) -> list:
    errors = []
    listener = Listener(ended=lambda report: errors.append(report.error) if report.error else None)
    reports = execute(definitions, lake, make_plan(definitions, SOURCES), listener, instance=instance)
    assert not errors
    return reports


def versions(lake: Lake) -> dict[str, dict[str, str]]:
    tables = ("images", "labels", "splits", "manifest", "evaluation_sets", "data_profile", "predictions", "scorecard")
    return {table: lake.versions(table) for table in tables}


def test_every_asset_is_materialized_in_both_partitions(world):
    _, definitions, instance, _ = world
    graph = definitions.resolve_asset_graph()
    for key in graph.materializable_asset_keys:
        if ASKED_FOR in graph.get(key).tags:
            assert not instance.get_latest_materialization_event(key), f"{key}: nobody asked"
            continue
        if graph.get(key).group_name == "monitoring":  # of a day, not of a run
            continue
        assert instance.get_latest_materialization_event(key), key
        if graph.get(key).partitions_def:
            assert set(SOURCES) <= instance.get_materialized_partitions(key), key


def test_no_check_failed_and_nothing_was_lost(world):
    lake, definitions, instance, _ = world
    checks = definitions.resolve_asset_graph().asset_check_keys
    statuses = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(checks))
    assert {key.name for key in checks} >= {"contract", "nothing_lost"}
    failed = {key.name for key, record in statuses.items() if record.status.value != "SUCCEEDED"}
    assert failed == {"models_answer"}, "no recipe was trained fold by fold, so nobody doubts a label yet"
    for counts in collect(lake)["sources"]:
        assert counts["found"] == counts["ingested"] + counts["quarantined"] + counts["duplicates"] > 0


def test_no_patient_group_or_exposure_stands_in_two_pools(world):
    lake = world[0]
    manifest = lake.read("manifest")
    manifest = manifest.filter(pc.is_null(manifest["excluded"]))
    hashes = lake.read("images", columns=["image_id", "pixel_sha256"])
    joined = manifest.drop_columns(["boxes"]).join(hashes, "image_id").to_pylist()
    for name in ("patient_key", "group_id", "pixel_sha256"):
        pools = {}
        for row in joined:
            pools.setdefault(row[name], set()).add(row["pool"])
        assert all(len(found) == 1 for found in pools.values()), name


def test_labels_of_reports_are_mostly_what_the_phantom_meant(world):
    import pyarrow.parquet as pq

    lake, _, _, deliveries = world
    keys = Pseudonymizer.from_environment(lake)
    truth = {
        (keys.study_id(row["source"], row["native_study_id"]), row["class"]): row["value"]
        for row in pq.read_table(deliveries / "truth" / "labels.parquet").to_pylist()
        if row["source"] == "ccsmtl" and row["value"] is not None
    }
    labels = {(row["study_id"], row["class"]): row["value"] for row in lake.read("labels", "ccsmtl").to_pylist()}
    compared = [(truth[cell], labels[cell]) for cell in truth if cell in labels]
    assert len(compared) > 300
    assert sum(a == b for a, b in compared) / len(compared) > 0.97


def test_each_classifier_has_one_finished_run_with_its_figures_of_validation_alone(world):
    lake = world[0]
    runs = Tracker(lake).runs()
    names = [run.tags["radia.recipe"] for run in runs]
    assert sorted(names) == sorted([*RECIPES, "detector", "ensemble"])
    assert all(run.is_finished for run in runs)
    mine = [run.metrics for run in runs if run.tags["radia.recipe"] in RECIPES]
    assert all("validation/studies" in metrics and "test/studies" not in metrics for metrics in mine)


def test_nothing_was_shown_of_the_test_pool_and_no_interval_has_zero_width(world):
    lake = world[0]
    assert uses(lake) == []
    assert lake.read("test_predictions").num_rows == 0
    looked_at: dict[str, int] = {}
    for table, low, high in INTERVALS:
        rows = [row for row in lake.read(table).to_pylist() if row[low] is not None] if lake.partitions(table) else []
        assert not [row for row in rows if row[high] <= row[low]], (table, low)
        looked_at[table] = looked_at.get(table, 0) + len(rows)
    for table in ("scorecard", "scorecard_subgroups", "detector_scorecard"):
        assert looked_at[table], table
    tests = {row["image_id"] for row in lake.read("manifest").to_pylist() if row["pool"] == "test"}
    assert not tests & set(lake.read("pseudo_boxes")["image_id"].to_pylist())


def test_probabilities_of_the_ensemble_are_coherent(world):
    assert violations(read_panel(world[0], "ensemble").probability) == 0


def test_boxes_lie_inside_their_images(world):
    lake = world[0]
    sizes = {
        row["image_id"]: row for row in lake.read("images", columns=["image_id", "width_px", "height_px"]).to_pylist()
    }
    boxes = lake.read("pseudo_boxes").to_pylist()
    assert boxes
    for box in boxes:
        size = sizes[box["image_id"]]
        assert box["x_px"] >= -0.5
        assert box["x_px"] + box["width_px"] <= size["width_px"] + 0.5
        assert box["y_px"] + box["height_px"] <= size["height_px"] + 0.5


def test_the_summary_reads_as_tables(world):
    text = as_text(collect(world[0]))
    for words in ("Delivered files", "Patients per pool", "smoke_linear", "ensemble", "identity_in_header"):
        assert words in text


@pytest.mark.slow
def test_unchanged_input_gives_the_same_data_versions_and_no_second_training_though_tables_are_damaged(world):
    lake, definitions, instance, _ = world
    before = versions(lake)
    places = [place for place in lake.places() if contract(place.path.parent.name).domain in DAMAGED]
    for number, place in enumerate(places):
        content = place.path.read_bytes()
        place.path.write_bytes(content[: len(content) // 2] if number % 2 else content.replace(b"PAR1", b"PAR0"))
    models = sorted(lake.models_dir.glob("*/*/model.safetensors"))
    stamps = [path.stat().st_mtime_ns for path in models]
    run_all(definitions, lake, instance)
    assert [place.name for place in places if standing(place) is None] == []
    assert versions(lake) == before
    assert [path.stat().st_mtime_ns for path in models] == stamps
    assert len(Tracker(lake).runs()) == len([*RECIPES, "detector", "ensemble"])


def test_an_absent_source_fails_its_partition_only_and_says_so(world):
    lake, definitions, instance, _ = world
    before = versions(lake)
    plan = make_plan(definitions, ["chexpert"], "images")
    with pytest.raises(NoLayout, match="Source chexpert is absent"):
        execute(definitions, lake, plan, Listener(), instance=instance)
    assert versions(lake) == before


def test_no_identity_reaches_dagster_mlflow_or_a_page(world):
    lake, _, instance, deliveries = world
    with (deliveries / "ccsmtl" / "reports.csv").open(encoding="utf-8", newline="") as handle:
        native = {row["patient_id"] for row in csv.DictReader(handle)}
    native = {name for name in native if name.startswith("CC")} | {CANARY}
    assert len(native) > 20
    events = "".join(
        dg.serialize_value(entry) for run in instance.get_runs() for entry in instance.all_logs(run.run_id)
    )
    assert events
    assert not [name for name in native if name in events]
    for folder in (lake.history_dir, lake.root / "predictions", lake.root / "manifest", lake.models_dir):
        for path in folder.rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                assert CANARY.encode() not in content, path
                assert not [name for name in native if f'"{name}"'.encode() in content], path


def test_every_place_of_the_lake_is_named_for_who_judges_privacy(world):
    lake, *_ = world
    assert (lake.root / "scorecard.html").exists()
    assert governance_page.unlisted(lake.root) == []
    (lake.root / "planted").mkdir()
    assert governance_page.unlisted(lake.root) == ["planted"]
    (lake.root / "planted").rmdir()


def test_the_tour_shows_every_stage_of_the_lake(world):
    lake, *_ = world
    shown = [value for cell, value in run_tour(lake.root) if cell.is_code]
    pictures = [np.asarray(value.convert("L")) for value in shown if hasattr(value, "_repr_png_")]
    assert len(shown) == sum(cell.is_code for cell in tour_cells())
    assert len(pictures) == 4
    assert all(picture.std() > 20 for picture in pictures)
    pools, film, _, report, evidence, labels, pool, *_ = shown
    assert pools.to_numpy().sum() == lake.read("manifest").num_rows
    assert film.loc["bits_stored"].notna().all()
    assert report.count("<mark") >= 1
    assert set(evidence["words"].str.len() > 0) == {True}
    assert (labels["value"] == 1).any()
    assert pool["pool"].tolist() == ["train"]
