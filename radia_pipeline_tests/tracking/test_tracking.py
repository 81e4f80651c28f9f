"""The MLflow history: one run per training, resumed and never doubled; nothing private enters it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from radia_pipeline.errors import AlreadyRunning, BadInput, NotTrained, UnknownName
from radia_pipeline.tracking import history, provenance
from radia_pipeline.tracking.artifacts import place_of
from radia_pipeline.tracking.client import Tracker
from radia_pipeline.tracking.models import log_model, name_champions, set_alias, version_by_alias
from radia_pipeline.tracking.reaper import reap
from radia_pipeline.tracking.recorder import EventRecorder, Resumption, record_training

TAGS = {"radia.recipe_hash": "abc", "radia.manifest_version": "m1", "radia.vocabulary_version": "1"}


@pytest.fixture(scope="module")
def shared_tracker(tmp_path_factory) -> Tracker:
    """One database for the module: creating it takes seconds. Each test uses names of its own."""
    return Tracker(tmp_path_factory.mktemp("tracking") / "lake")


@pytest.fixture
def tracker(shared_tracker) -> Tracker:
    return Tracker(shared_tracker.lake_root)


def start_in_dead_process(tracker: Tracker, name: str):
    """A run whose owner has died without a word."""
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    run = tracker.start_or_resume(name, TAGS, pid=child.pid)
    child.kill()
    child.wait()
    return run


def test_history_lies_beside_the_lake(tracker):
    assert tracker.experiment_id
    root = tracker.lake_root
    assert (root.parent / f"{root.name}.history" / "mlflow.db").is_file()
    assert not root.exists()


def test_no_telemetry_and_no_pickle_once_mlflow_is_there(tracker):
    assert tracker.client is not None
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"


def test_importing_tracking_does_not_import_mlflow():
    modules = "client, tracked_run, models, recorder, reaper, provenance, history"
    code = f"from radia_pipeline.tracking import {modules}; import sys; sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_events_become_metrics_and_settings_parameters(tracker):
    with record_training(tracker, "events", {"model": {"width": 8}, "lr": 1e-3}, TAGS) as record:
        for step in range(3):
            record({"event": "step", "step": step, "loss": 1.0 - step / 10})
        record({"event": "epoch", "epoch": 1, "validation": {"auc": {"Mass": 0.8}}, "note": "dropped"})
        record({"event": "done", "auc": 0.9, "bad": float("nan")})
    assert record.run.status == "FINISHED"
    assert record.run.params == {"model.width": "8", "lr": "0.001"}
    assert record.run.metrics == {"train/loss": 0.8, "epoch/validation/auc/Mass": 0.8, "final/auc": 0.9}
    points = tracker.client.get_metric_history(record.run.run_id, "train/loss")
    assert [point.step for point in points] == [0, 1, 2]


def test_finished_training_is_reported_and_not_run_again(tracker):
    with record_training(tracker, "twice", {}, TAGS) as first:
        first({"event": "done", "auc": 0.7})
    with record_training(tracker, "twice", {}, TAGS) as second:
        second({"event": "done", "auc": 0.1})
    assert second.run.run_id == first.run.run_id
    assert second.run.metrics == {"final/auc": 0.7}
    with record_training(tracker, "twice", {}, TAGS, Resumption(force=True)) as third:
        pass
    assert third.run.run_id != first.run.run_id


def train_with(tracker: Tracker, name: str, fingerprint: str, auc: float, *, end: str = "done") -> EventRecorder:
    with record_training(tracker, name, {"lr": 1}, TAGS) as record:
        record({"event": "start", "fingerprint": fingerprint})
        record({"event": end, "auc": auc})
    return record


def test_training_that_runs_again_after_a_change_of_code_has_a_run_of_its_own(tracker):
    first = train_with(tracker, "changed", "one", 0.7)
    second = train_with(tracker, "changed", "two", 0.9)
    assert second.run.run_id != first.run.run_id
    assert (first.run.metrics, second.run.metrics) == ({"final/auc": 0.7}, {"final/auc": 0.9})
    assert second.run.params == {"lr": "1"}


def test_the_run_of_a_model_that_stands_is_found_though_its_tags_were_of_another_form(tracker):
    """A release that described the same training otherwise has left run and model; both are reported."""
    now = {**TAGS, "radia.recipe": "carried", "radia.recipe_hash": "of today"}
    with record_training(tracker, "carried", {}, {**now, "radia.recipe_hash": "of then"}) as first:
        first({"event": "start", "fingerprint": "f1"})
        first({"event": "done", "auc": 0.7})
    with record_training(tracker, "carried", {}, now, Resumption(fingerprint="f1")) as second:
        second({"event": "done", "auc": 0.7})
    with record_training(tracker, "carried", {}, now) as third:
        pass
    assert first.run.run_id == second.run.run_id == third.run.run_id
    assert first.run.tags["radia.recipe_hash"] == "of today"
    with record_training(
        tracker, "carried", {}, {**now, "radia.recipe_hash": "other"}, Resumption(fingerprint="f2")
    ) as other:
        pass
    assert other.run.run_id != first.run.run_id


def test_a_model_of_the_same_fingerprint_under_another_recipe_has_its_own_run(tracker):
    with record_training(tracker, "one", {}, {**TAGS, "radia.recipe": "one"}) as first:
        first({"event": "start", "fingerprint": "shared"})
    with record_training(
        tracker, "two", {}, {**TAGS, "radia.recipe": "two"}, Resumption(fingerprint="shared")
    ) as second:
        pass
    assert first.run.run_id != second.run.run_id


def test_stopped_training_is_killed_and_its_run_continued(tracker):
    first = train_with(tracker, "stopped", "one", 0.1, end="stopped")
    assert first.run.status == "KILLED"
    second = train_with(tracker, "stopped", "one", 0.8)
    assert (second.run.run_id, second.run.status) == (first.run.run_id, "FINISHED")


def test_checkpoint_of_other_code_is_not_continued_in_the_same_run(tracker):
    first = train_with(tracker, "superseded", "one", 0.1, end="stopped")
    second = train_with(tracker, "superseded", "two", 0.8)
    assert first.run.run_id != second.run.run_id
    assert (first.run.status, second.run.status) == ("KILLED", "FINISHED")


def test_other_manifest_is_another_training(tracker):
    first = tracker.start_or_resume("manifest", TAGS)
    second = tracker.start_or_resume("manifest", {**TAGS, "radia.manifest_version": "m2"})
    assert first.run_id != second.run_id
    first.finish()
    second.finish()


def test_failed_training_says_so_and_is_continued(tracker):
    with pytest.raises(RuntimeError), record_training(tracker, "fails", {"lr": 1}, TAGS) as first:
        first({"event": "step", "step": 0, "loss": 1.0})
        raise RuntimeError("patient 12")
    assert first.run.status == "FAILED"
    assert "patient" not in str(first.run.tags)
    with record_training(tracker, "fails", {"lr": 1}, TAGS) as second:
        second({"event": "step", "step": 1, "loss": 0.5})
    assert second.run.run_id == first.run.run_id
    assert second.run.status == "FINISHED"
    assert len(tracker.client.get_metric_history(second.run.run_id, "train/loss")) == 2


def test_interrupted_training_is_killed(tracker):
    with pytest.raises(KeyboardInterrupt), record_training(tracker, "interrupted", {}, TAGS) as record:
        raise KeyboardInterrupt
    assert record.run.status == "KILLED"


def test_reaper_ends_the_runs_of_dead_processes_only(tracker):
    dead = start_in_dead_process(tracker, "dead")
    alive = tracker.start_or_resume("alive", TAGS)
    result = reap(tracker)
    assert dead.run_id in result.reaped
    assert (dead.status, alive.status) == ("KILLED", "RUNNING")
    assert reap(tracker).reaped == ()
    alive.finish()


def test_run_of_a_silent_other_machine_is_ended(tracker):
    run = tracker.start_or_resume("elsewhere", TAGS)
    run.log_tags({provenance.TAG_HOST: "another-machine"})
    assert run.run_id not in reap(tracker).reaped
    assert run.run_id in reap(tracker, silent_after_s=-1.0).reaped


def test_dead_processs_run_is_taken_over(tracker):
    dead = start_in_dead_process(tracker, "taken over")
    assert tracker.start_or_resume("taken over", TAGS).run_id == dead.run_id
    assert dead.is_mine
    dead.finish()


def test_living_processs_run_is_not_touched(tracker):
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    try:
        run = tracker.start_or_resume("busy", TAGS, pid=child.pid)
        with pytest.raises(AlreadyRunning):
            Tracker(tracker.lake_root).start_or_resume("busy", TAGS)
    finally:
        child.kill()
        child.wait()
    run.fail()


@pytest.mark.parametrize(
    "name", ["image.png", "rows.parquet", "report.txt", "weights.pt", "x.pkl", "film.dcm", "noname"]
)
def test_pixels_rows_text_and_pickles_are_refused(tracker, tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    run = tracker.start_or_resume("refuses", TAGS)
    with pytest.raises(BadInput):
        run.log_artifact(tmp_path / name)


def test_model_is_weights_and_settings_registered_as_challenger(tracker, tmp_path):
    for name in ("weights.safetensors", "recipe.json", "checkpoint.safetensors", "curves.png", "state.pt"):
        (tmp_path / name).write_bytes(b"{}")
    run = tracker.start_or_resume("model", TAGS)
    version = log_model(run, tmp_path, "small", params={"size_px": 160})
    logged = {path.name for path in place_of(version.artifacts, tracker.uri).iterdir()}
    assert logged == {"weights.safetensors", "recipe.json", "MLmodel", "input_example.json"}
    assert version_by_alias(tracker, "small", "challenger").version == version.version
    assert version_by_alias(tracker, "small", "champion") is None
    assert log_model(run, tmp_path, "small").version == version.version
    set_alias(tracker, "small", "champion", version.version)
    assert version_by_alias(tracker, "small", "champion").run_id == run.run_id
    with pytest.raises(UnknownName):
        set_alias(tracker, "small", "best", version.version)
    run.finish()


def test_the_champion_s_alias_follows_its_models_and_leaves_all_others(tracker, tmp_path):
    (tmp_path / "weights.safetensors").write_bytes(b"{}")
    for name, fingerprint in (("left", "aa01"), ("left", "aa02"), ("right", "bb01")):
        run = tracker.start_or_resume(f"{name} {fingerprint}", {**TAGS, provenance.TAG_FINGERPRINT: fingerprint})
        log_model(run, tmp_path, name)
        run.finish()

    def champions() -> tuple:
        found = (version_by_alias(tracker, name, "champion") for name in ("left", "right"))
        return tuple(one and tracker.client.get_run(one.run_id).data.tags[provenance.TAG_FINGERPRINT] for one in found)

    assert name_champions(tracker, {"left": "aa02", "right": "bb01"}, "research") == 2
    assert champions() == ("aa02", "bb01")
    number = version_by_alias(tracker, "left", "champion").version
    assert tracker.client.get_model_version("left", number).tags["radia.standing"] == "research"
    assert name_champions(tracker, {"left": "aa01", "gone": "cc01"}) == 1 and champions() == ("aa01", None)
    assert name_champions(tracker, {}) == 0 and champions() == (None, None)


def test_model_without_weights_is_refused(tracker, tmp_path):
    run = tracker.start_or_resume("weightless", TAGS)
    with pytest.raises(NotTrained):
        log_model(run, tmp_path, "weightless")
    run.finish()


def test_provenance_names_the_code_and_the_data():
    tags = provenance.provenance_tags(
        recipe="small", recipe_hash="h", manifest_version="m", vocabulary_version="1", asset="classifiers/small"
    )
    assert tags["dagster.asset"] == "classifiers/small"
    assert tags["radia.git_revision"]
    assert "dagster.run_id" not in tags


def test_identity_ignores_what_does_not_identify():
    assert provenance.identity("a", TAGS) == provenance.identity("a", {**TAGS, "radia.git_revision": "x"})
    assert provenance.identity("a", TAGS) != provenance.identity("b", TAGS)


@pytest.mark.slow
def test_six_processes_open_a_fresh_history_at_once(tmp_path):
    code = f"from radia_pipeline.tracking.client import Tracker; Tracker({str(tmp_path / 'lake')!r}).experiment_id"
    children = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(6)]
    assert [child.wait() for child in children] == [0] * 6
    assert (history.history_root(tmp_path / "lake") / "mlflow.db").is_file()
