"""Where a training is put: a lake that moved, names with blanks and accents, one study, more processes than studies."""

from __future__ import annotations

import errno
import shutil
import subprocess
import sys

import pytest
import yaml

from radia_pipeline.errors import BadRecipe, EmptyPool, LakeUnwritable
from radia_pipeline.lake.lake import Lake
from radia_pipeline.training import model_folders
from radia_pipeline.training.inference import predict_manifest
from radia_pipeline.training.launch import Processes, train_in_processes
from radia_pipeline.training.model_folders import latest_model
from radia_pipeline.training.trainer import train
from radia_pipeline_tests.training.synthetic import tiny_recipe, write_lake

SHORT = {"max_epochs": 1}


@pytest.fixture
def lake(tmp_path):
    return write_lake(tmp_path / "lake", patients=40)


def test_a_lake_that_moved_to_a_name_with_blanks_and_accents_stands(lake, tmp_path):
    recipe = tiny_recipe(name="moved", training=SHORT)
    first = train(recipe, lake)
    there = tmp_path / "Données de l'été" / "mon lac, né à Montréal"
    there.parent.mkdir()
    moved = Lake.open(shutil.move(lake.root, there))
    again = train(recipe, moved)
    assert (again.reused, again.fingerprint) == (True, first.fingerprint)
    assert latest_model(moved, "moved").is_relative_to(there)
    assert predict_manifest(moved, "moved").rows > 0
    assert not train(tiny_recipe(name="new", training=SHORT), moved).reused


def test_a_models_folder_that_cannot_be_written_is_said_before_anything_is_packed(lake, monkeypatch):
    def refuse(**_arguments):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(model_folders.tempfile, "TemporaryFile", refuse)
    with pytest.raises(LakeUnwritable, match="is on a read-only file system"):
        train(tiny_recipe(name="stuck", training=SHORT), lake)
    assert not lake.packed_dir.exists()


def keep(lake, pool: str, count: int) -> None:
    """Leave so many studies in a pool."""
    rows = lake.read("manifest", "ccsmtl").to_pylist()
    names = sorted({row["study_id"] for row in rows if row["pool"] == pool})[count:]
    lake.write("manifest", [row for row in rows if row["study_id"] not in names], partition="ccsmtl")


def test_a_training_pool_of_one_study_says_what_is_missing(lake):
    keep(lake, "train", 1)
    with pytest.raises(BadRecipe, match="batch_size is 8 but an epoch has 1 studies"):
        train(tiny_recipe(name="one", training=SHORT), lake)
    with pytest.raises(EmptyPool, match="no class has both positives and negatives"):
        train(tiny_recipe(name="one", training={**SHORT, "batch_size": 1}), lake)


def test_a_validation_pool_of_one_study_is_refused_before_the_first_step(lake):
    keep(lake, "validation", 1)
    events = []
    with pytest.raises(EmptyPool, match=r"No class has 2 positives and a negative in validation \(1 studies\)"):
        train(tiny_recipe(name="one", training=SHORT, stopping={"min_positives": 2}), lake, on_event=events.append)
    assert not [event for event in events if event["event"] == "step"]


def recipe_file(folder, name: str, **training) -> str:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(tiny_recipe(name=name, training={**SHORT, **training}).model_dump(mode="json")))
    return str(path)


def test_more_processes_than_studies_in_a_batch_are_refused(lake, tmp_path):
    with pytest.raises(BadRecipe, match="batch_size is 1 and 2 processes share it"):
        train_in_processes(recipe_file(tmp_path, "few", batch_size=1), lake, processes=Processes(2, threads=1))


def test_two_recipes_trained_at_once_share_what_is_packed(lake, tmp_path):
    command = [
        sys.executable,
        "-m",
        "radia_pipeline.training.run",
        "--threads",
        "1",
        "--lake",
        str(lake.root),
        "--recipe",
    ]
    both = [subprocess.Popen([*command, recipe_file(tmp_path, name)], stdout=subprocess.PIPE) for name in ("a", "b")]
    assert [process.communicate(timeout=200) and process.returncode for process in both] == [0, 0]
    assert all(latest_model(lake, name) for name in ("a", "b"))
