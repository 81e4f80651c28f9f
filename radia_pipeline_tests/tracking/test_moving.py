"""A history names no place: it is copied with its lake, goes on there, and leaves the old one as it was."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from radia_pipeline.tracking import history
from radia_pipeline.tracking.client import Tracker
from radia_pipeline.tracking.models import log_model, version_by_alias

TAGS = {"radia.recipe_hash": "abc", "radia.manifest_version": "m1", "radia.vocabulary_version": "1"}
NAMES = {
    "experiments": "artifact_location",
    "runs": "artifact_uri",
    "logged_models": "artifact_location",
    "model_versions": "storage_location",
}


def train(tracker: Tracker, folder: Path, name: str) -> str:
    """Record a run with a file and a model."""
    folder.mkdir()
    save_file({"w": np.ones(2, np.float32)}, folder / "model.safetensors")
    (folder / "recipe.json").write_text(json.dumps({"name": name}))
    run = tracker.start_or_resume(name, TAGS)
    run.log_artifact(folder / "recipe.json")
    log_model(run, folder, name)
    run.finish()
    return run.run_id


def addresses(root: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as database:
        return [row[0] for table, column in NAMES.items() for row in database.execute(f"select {column} from {table}")]


def bytes_of(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def logged_files(tracker: Tracker, run_id: str, to: Path) -> str:
    to.mkdir(exist_ok=True)
    return Path(tracker.client.download_artifacts(run_id, "recipe.json", str(to))).read_text()


@pytest.fixture(scope="module")
def first(tmp_path_factory) -> tuple[Tracker, str]:
    root = tmp_path_factory.mktemp("first")
    tracker = Tracker(root / "lake")
    return tracker, train(tracker, root / "model", "linear")


def test_no_address_of_a_history_says_where_it_lies(first, tmp_path):
    tracker, run_id = first
    found = addresses(history.history_root(tracker.lake_root))
    assert len(found) == 5
    assert all(one.startswith("mlflow-artifacts:/") for one in found)
    assert "linear" in logged_files(tracker, run_id, tmp_path / "out")


def test_a_copy_with_blanks_and_accents_goes_on_and_writes_nothing_into_the_old_one(first, tmp_path):
    tracker, run_id = first
    old = history.history_root(tracker.lake_root)
    before, there = bytes_of(old), tmp_path / "à côté du lac"
    shutil.copytree(old, there / "lake.history")
    copy = Tracker(there / "lake")
    assert "linear" in logged_files(copy, run_id, tmp_path / "out")
    again = train(copy, tmp_path / "model", "linear of the copy")
    assert (there / "lake.history" / "mlflow_artifacts" / again / "artifacts" / "recipe.json").is_file()
    assert version_by_alias(copy, "linear of the copy", "challenger").run_id == again
    assert bytes_of(old) == before


def test_a_history_of_an_earlier_release_is_rewritten_once_wherever_it_was_copied_to(first, tmp_path):
    tracker, run_id = first
    root = tmp_path / "lake.history"
    shutil.copytree(history.history_root(tracker.lake_root), root)
    with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as database, database:
        for table, column in NAMES.items():
            whole = f"replace({column}, 'mlflow-artifacts:', 'file:///old/place/lake.history/mlflow_artifacts')"
            database.execute(f"update {table} set {column} = {whole}")
        database.execute("update experiments set artifact_location = '/old/place/mlruns/0' where experiment_id = 0")
    served = history.server_addresses(tmp_path / "lake")
    assert served["--artifacts-destination"] == (root / "mlflow_artifacts").as_uri()
    assert sorted(addresses(root)) == sorted(addresses(history.history_root(tracker.lake_root)))
    stood = (root / "mlflow.db").read_bytes()
    history.server_addresses(tmp_path / "lake")
    assert (root / "mlflow.db").read_bytes() == stood
    assert "linear" in logged_files(Tracker(tmp_path / "lake"), run_id, tmp_path / "out")
