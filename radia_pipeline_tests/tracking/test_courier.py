"""MLflow locked, gone or slow: the training goes on, says so, and its figures arrive later, each once."""

from __future__ import annotations

import threading

import pytest

from radia_pipeline.errors import AlreadyRunning, TrainingDiverged
from radia_pipeline.lake.lake import Lake
from radia_pipeline.tracking import courier as module
from radia_pipeline.tracking.client import Tracker
from radia_pipeline.tracking.courier import Courier, deliver_left, header_of
from radia_pipeline.tracking.tracked_run import TrackedRun

TAGS = {"radia.recipe": "r", "radia.recipe_hash": "h", "radia.manifest_version": "m", "radia.vocabulary_version": "1"}


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    lake = Lake.open(tmp_path_factory.mktemp("spool") / "lake")
    _ = Tracker(lake).experiment_id
    return lake


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(module, "RETRY_S", 0.02)
    monkeypatch.setattr(module, "START_WAIT_S", 30.0)


@pytest.fixture
def broken(monkeypatch):
    """MLflow that refuses everything, until ``broken.undo()``."""
    patch = pytest.MonkeyPatch()
    for name in ("start_or_resume", "take_up"):
        patch.setattr(Tracker, name, _locked)
    patch.setattr(TrackedRun, "_log_batch", _locked)
    yield patch
    patch.undo()


def _locked(*_args, **_kwargs):
    raise RuntimeError("database is locked")


def courier_of(lake, name: str, said: list, **options) -> Courier:
    whole = {"force": False, "goes_on": False, "fingerprint": None, **options}
    return Courier(lake, header_of(name, {"lr": 1}, {**TAGS, "radia.recipe": name}, **whole), said.append)


def speak(courier: Courier) -> None:
    courier({"event": "start", "fingerprint": f"{id(courier)}"})
    for step in range(3):
        courier({"event": "step", "step": step, "loss": 1.0 - step / 10, "note": "dropped"})
    courier({"event": "done", "auc": 0.9})


def spooled(lake) -> list:
    return sorted((lake.models_dir / "_spool").glob("*.jsonl"))


def is_dead(monkeypatch) -> None:
    monkeypatch.setattr(module, "owner_lives", lambda _tags: False)


def losses(lake, run: TrackedRun) -> list[tuple[int, float]]:
    points = Tracker(lake).client.get_metric_history(run.run_id, "train/loss")
    return [(point.step, round(point.value, 3)) for point in points]


ALL = [(0, 1.0), (1, 0.9), (2, 0.8)]


def test_a_training_arrives_and_leaves_nothing(lake):
    said, courier = [], courier_of(lake, "plain", [])
    courier.start()
    speak(courier)
    courier.end()
    (run,) = Tracker(lake).runs({"radia.recipe": "plain"})
    assert (run.run_id, run.status, run.params) == (courier.run_id, "FINISHED", {"lr": "1"})
    assert losses(lake, run) == ALL
    assert (said, spooled(lake)) == ([], [])


def test_without_mlflow_a_training_runs_says_so_and_is_sent_later(lake, broken, monkeypatch):
    said, name = [], "without"
    courier = courier_of(lake, name, said)
    courier.start()
    speak(courier)
    courier.end()
    assert courier.run_id is None
    assert [event["event"] for event in said] == ["warning", "warning"]
    assert "RuntimeError" in said[0]["message"] and "goes on" in said[0]["message"]
    assert "models/_spool" in said[1]["message"] and "has ended" in said[1]["message"]
    (path,) = spooled(lake)
    assert "dropped" not in path.read_text()
    broken.undo()
    assert deliver_left(lake, Tracker(lake)) == 0, "its process lives"
    is_dead(monkeypatch)
    assert deliver_left(lake, Tracker(lake)) == 1
    (run,) = Tracker(lake).runs({"radia.recipe": name})
    assert (run.status, losses(lake, run), run.metrics["final/auc"]) == ("FINISHED", ALL, 0.9)
    assert spooled(lake) == []


def test_a_history_that_comes_back_gets_everything_once(lake):
    said, tries = [], iter(range(100))
    original = TrackedRun._log_batch

    def sometimes(run, **rows):
        if next(tries) in (2, 4):
            raise OSError("gone for a moment")
        original(run, **rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrackedRun, "_log_batch", sometimes)
        courier = courier_of(lake, "flaky", said)
        courier.start()
        speak(courier)
        courier.end()
    (run,) = Tracker(lake).runs({"radia.recipe": "flaky"})
    assert (run.status, losses(lake, run)) == ("FINISHED", ALL)
    assert spooled(lake) == []


def test_a_slow_history_is_not_waited_for(lake, monkeypatch):
    said, answer = [], threading.Event()
    monkeypatch.setattr(module, "START_WAIT_S", 0.05)
    monkeypatch.setattr(module, "END_WAIT_S", 0.05)
    original = Tracker.start_or_resume

    def slow(*args, **kwargs):
        answer.wait(30)
        return original(*args, **kwargs)

    monkeypatch.setattr(Tracker, "start_or_resume", slow)
    courier = courier_of(lake, "slow", said)
    courier.start()
    speak(courier)
    courier.end()
    assert "it does not answer" in said[0]["message"]
    assert len(spooled(lake)) == 1
    answer.set()
    courier._thread.join(30)
    (run,) = Tracker(lake).runs({"radia.recipe": "slow"})
    assert (losses(lake, run), spooled(lake)) == (ALL, [])


def test_what_a_killed_training_left_is_sent_and_its_run_is_killed(lake, broken, monkeypatch):
    courier = courier_of(lake, "killed", [])
    courier.start()
    speak(courier)
    (path,) = spooled(lake)
    copy = path.with_name("copy.jsonl")
    copy.write_text(path.read_text() + '{"event": {"ev')
    broken.undo()
    courier.end()
    for run in Tracker(lake).runs({"radia.recipe": "killed"}):
        Tracker(lake).client.delete_run(run.run_id)
    is_dead(monkeypatch)
    assert deliver_left(lake, Tracker(lake)) == 1
    (run,) = Tracker(lake).runs({"radia.recipe": "killed"})
    assert (run.status, run.tags["radia.end_reason"], losses(lake, run)) == ("KILLED", "ProcessGone", ALL)


def test_a_failed_training_fails_its_run_and_a_forced_one_that_was_stopped_goes_on_in_its_own(lake):
    done = courier_of(lake, "forced", [])
    done.start()
    done.end()
    first = courier_of(lake, "forced", [], force=True)
    first.start()
    first.end(TrainingDiverged("x"))
    (run, _) = Tracker(lake).runs({"radia.recipe": "forced"})
    assert (run.status, run.tags["radia.end_reason"]) == ("FAILED", "TrainingDiverged")
    second = courier_of(lake, "forced", [], force=True, goes_on=True)
    second.start()
    second.end()
    assert done.run_id != first.run_id == second.run_id
    assert run.is_finished


def test_a_run_that_another_process_writes_to_is_the_one_refusal(lake, monkeypatch):
    first = courier_of(lake, "twice", [])
    first.start()
    monkeypatch.setattr(TrackedRun, "is_mine", False)
    with pytest.raises(AlreadyRunning):
        courier_of(lake, "twice", []).start()
    monkeypatch.undo()
    first.end()
    assert spooled(lake) == []
