"""The process that trains for Dagster and ``radia train``: one MLflow run, words for people, no orphans, sweeps."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest
import yaml

from radia_pipeline.cli.main import main
from radia_pipeline.defs.build import build_defs
from radia_pipeline.defs.instance import MAX_RUNTIME_S
from radia_pipeline.defs.one_run import instance_of
from radia_pipeline.defs.resources import Radia
from radia_pipeline.defs.sweep import sweep_tracked
from radia_pipeline.defs.training import classifier_asset
from radia_pipeline.defs.training_lines import ProgressLines
from radia_pipeline.defs.training_process import ToTrain, train_tracked
from radia_pipeline.errors import RunFailed
from radia_pipeline.processes import children
from radia_pipeline.processes.lifecycle import LAST_RESORT_S, StopRequest
from radia_pipeline.processes.parents import named, started_at
from radia_pipeline.tracking.client import Tracker
from radia_pipeline.tracking.provenance import TAG_RECIPE
from radia_pipeline.training.recipes import load_recipe
from radia_pipeline_tests.training.synthetic import tiny_recipe, write_lake

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """One lake for the module: a new MLflow history takes seconds. Each test trains recipes of its own names."""
    return write_lake(tmp_path_factory.mktemp("trained") / "lake", patients=40)


def runs_of(lake, recipe: str) -> list:
    return Tracker(lake).runs({TAG_RECIPE: recipe})


def recipe_file(folder: Path, name: str, **sections) -> str:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(tiny_recipe(name=name, **sections).model_dump(mode="json")))
    return str(path)


def test_a_finished_training_is_reported_with_its_run_and_force_trains_again(lake, tmp_path):
    path, lines = recipe_file(tmp_path, "once", training={"max_epochs": 1}), []
    first = train_tracked(ToTrain("classifier", path), lake, on_event=ProgressLines(lines.append))
    second = train_tracked(ToTrain("classifier", path), lake, on_event=ProgressLines(lines.append))
    third = train_tracked(ToTrain("classifier", path), lake, on_event=ProgressLines(lines.append), force=True)
    assert (first["reused"], second["reused"], third["reused"]) == (False, True, False)
    assert first["mlflow_run_id"] == second["mlflow_run_id"] != third["mlflow_run_id"]
    assert sum(line.startswith("training begins") for line in lines) == 2
    run = next(run for run in Tracker(lake).runs() if run.run_id == third["mlflow_run_id"])
    assert run.is_finished
    assert run.metrics["epoch/auc"] == pytest.approx(third["best_metric"])
    assert "empty_image/probability/Mass" in run.metrics
    for kind in ("picture", "empty_image"):
        assert (lake.root / run.tags[f"radia.preview.{kind}"]).is_file()


def test_recipes_that_lie_in_the_lake_are_assets_and_a_broken_one_is_left_out(lake, caplog):
    folder = lake.root / "recipes"
    folder.mkdir()
    (folder / "ours.yaml").write_text("extends: smoke_linear\ntitle: ours\n")
    (folder / "broken.yaml").write_text("extends: smoke_linear\noptimiser: {}\n")
    keys = build_defs(lake_root=lake.root, recipes=("smoke_linear",)).resolve_all_asset_keys()
    names = {key.path[1] for key in keys if key.path[0] == "classifiers"}
    assert names == {"smoke_linear", "ours"}
    assert "optimiser is not an option" in caplog.text
    figures = train_tracked(
        ToTrain("classifier", "ours", settings={"training.max_epochs": "1"}), lake, on_event=lambda _event: None
    )
    assert figures["recipe"].startswith("ours_s") and figures["epochs"] == 1


def test_dagster_and_radia_train_do_the_same_and_dagster_shows_it(lake, capsys):
    """A real Pipes process; then the command finds the training finished and names the same MLflow run."""
    resources = {"radia": Radia(lake_root=str(lake.root)), "pipes": dg.PipesSubprocessClient()}
    with dg.DagsterInstance.ephemeral() as instance:
        asset = classifier_asset(load_recipe("smoke_linear"))
        done = dg.materialize([asset], instance=instance, resources=resources)
        log = [record.message for record in done.all_events]
        lines = [entry.user_message for entry in instance.all_logs(done.run_id)]
    (event,) = done.get_asset_materialization_events()
    shown = {name: value.value for name, value in event.materialization.metadata.items()}
    assert any(line.startswith("training begins") for line in lines), log
    assert any(line.startswith("epoch 2 of 2: training loss") for line in lines)
    assert "data:image/svg+xml" in shown["curves"]
    assert "data:image/png" in shown["empty_image"]
    assert Path(shown["training_batch"]).is_file()
    assert shown["recipe"]["optimizer"]["lr"] == load_recipe("smoke_linear").optimizer.lr
    assert main(["train", "smoke_linear", "--lake", str(lake.root), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert answer["reused"] is True
    assert answer["mlflow_run_id"] == shown["mlflow_run_id"]
    assert answer["best_metric"] == shown["best_validation_auc"]


def test_run_monitoring_finds_the_longest_runtime(lake):
    """Dagster reads it from a run's tags, else from the instance; a tag on an op is read by nobody."""
    from dagster._core.storage.tags import MAX_RUNTIME_SECONDS_TAG

    definitions = build_defs(lake_root=lake.root, recipes=("smoke_linear",))
    for job in ("training", "detection"):
        assert float(definitions.resolve_job_def(job).tags[MAX_RUNTIME_SECONDS_TAG]) == MAX_RUNTIME_S
    with instance_of(lake) as instance:
        assert instance.run_monitoring_max_runtime_seconds == MAX_RUNTIME_S


def test_the_nightly_upkeep_ends_runs_that_nobody_writes_to(lake):
    tracker = Tracker(lake)
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    dead = tracker.start_or_resume("nobody", {TAG_RECIPE: "nobody"}, pid=child.pid)
    child.kill()
    child.wait()
    mine = tracker.start_or_resume("somebody", {TAG_RECIPE: "somebody"})
    definitions = build_defs(lake_root=lake.root, recipes=("smoke_linear",))
    with dg.DagsterInstance.ephemeral() as instance:
        assert definitions.resolve_job_def("upkeep").execute_in_process(instance=instance).success
    assert (dead.status, mine.status) == ("KILLED", "RUNNING")
    mine.finish()
    assert definitions.resolve_schedule_def("upkeep_schedule").default_status == dg.DefaultScheduleStatus.RUNNING


def test_lines_say_where_a_training_stands():
    lines, said = [], {"event": "start", "recipe": "r", "max_epochs": 7, "steps_per_epoch": 75, "resumed_at_step": 12}
    say = ProgressLines(lines.append)
    say(said)
    say._last_s -= 60
    say({"event": "step", "step": 120, "epoch": 1, "lr": 1e-3, "loss": 0.5, "images_per_s": 85.0, "left_s": 700.0})
    say({"event": "step", "step": 121, "epoch": 1, "lr": 1e-3, "loss": 0.5, "images_per_s": 85.0, "left_s": 700.0})
    say({"event": "epoch", "epoch": 1, "step": 150, "train_loss": 0.4, "auc": 0.81, "is_best": True, "elapsed_s": 61})
    assert lines[0].startswith("training goes on after step 12")
    assert lines[1] == "step 120 of 525 (epoch 2): loss 0.5, learning rate 0.001, 85.0 images/s, 12 min left at most"
    assert lines[2] == "epoch 2 of 7: training loss 0.4; validation auc 0.81, the best so far, 61 s in all"
    assert len(lines) == 3


# --- nothing outlives what it was started for -------------------------------------------------------------------------
ENDLESS = {"training": {"max_epochs": 5000}, "stopping": {"patience": 5000}}
WORKER = """
import subprocess, sys, time
trainer = subprocess.Popen(sys.argv[1:])
print(trainer.pid, flush=True)
time.sleep(600)
"""


def start_endless(lake, path: str, launcher: tuple[str, ...] = (), **environment: str) -> subprocess.Popen:
    """Start a training that does not end, and wait for its second epoch."""
    command = [sys.executable, "-m", "radia_pipeline.defs.training_process", "classifier", path, "--lake"]
    process = subprocess.Popen(
        [*launcher, *command, str(lake.root)],
        cwd=REPOSITORY,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stderr:
        if line.startswith("epoch 2 "):
            return process
    raise AssertionError("the training ended before its second epoch")


def wait_until_gone(process: int, within_s: float) -> float:
    begun = time.monotonic()
    while started_at(process) is not None:
        assert time.monotonic() - begun < within_s, "the trainer outlives the process that it was started for"
        time.sleep(0.05)
    return time.monotonic() - begun


def test_a_killed_run_worker_leaves_no_trainer_and_the_training_goes_on(lake, tmp_path):
    path = recipe_file(tmp_path, "left_alone", **ENDLESS)
    worker = start_endless(lake, path, (sys.executable, "-c", WORKER))
    trainer = int(worker.stdout.readline())
    worker.kill()
    worker.wait()
    assert wait_until_gone(trainer, within_s=15) < 15
    (run,) = runs_of(lake, "left_alone")
    assert run.status == "KILLED"
    stop, lines = StopRequest(), []

    def once(event) -> None:
        lines.append(event)
        if event["event"] == "start":
            stop.set("seen enough")

    with pytest.raises(RunFailed):
        train_tracked(ToTrain("classifier", path), lake, on_event=once, stop=stop)
    assert next(event for event in lines if event["event"] == "start")["resumed_at_step"] > 0
    assert [again.run_id for again in runs_of(lake, "left_alone")] == [run.run_id], "the same run goes on"


DIES = """
import os, signal, sys
from radia_pipeline.lake.lake import Lake
from radia_pipeline.tracking.client import Tracker
Tracker(Lake.open(sys.argv[1])).start_or_resume("dies", {"radia.recipe": "dies"})
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_step_of_a_killed_trainer_ends_its_mlflow_run(lake, monkeypatch):
    """MLflow's server, which does it else, may be away."""
    monkeypatch.setattr(children, "module", lambda *_: [sys.executable, "-c", DIES, str(lake.root)])
    resources = {"radia": Radia(lake_root=str(lake.root)), "pipes": dg.PipesSubprocessClient()}
    with dg.DagsterInstance.ephemeral() as instance:
        asset = classifier_asset(load_recipe("smoke_linear"))
        assert not dg.materialize([asset], instance=instance, resources=resources, raise_on_error=False).success
    (run,) = runs_of(lake, "dies")
    assert run.status == "KILLED"


@pytest.mark.slow
def test_a_trainer_does_not_outlive_the_run_worker_behind_its_step(lake, tmp_path):
    """The step process between them lives on: only the worker's number tells the trainer."""
    worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    trainer = start_endless(lake, recipe_file(tmp_path, "behind", **ENDLESS), **named(worker.pid))
    worker.kill()  # nobody waits for it: it stays a zombie, as under a busy code server
    assert trainer.wait(timeout=15) == 1


def test_an_interrupt_leaves_a_checkpoint_within_30_seconds(lake, tmp_path):
    trainer = start_endless(lake, recipe_file(tmp_path, "endless", **ENDLESS))
    begun = time.monotonic()
    trainer.send_signal(signal.SIGINT)
    _, said = trainer.communicate(timeout=30)
    assert time.monotonic() - begun < 30
    assert "continues from its checkpoint" in said
    assert list(lake.models_dir.glob("endless/*/checkpoints/last.safetensors"))
    assert LAST_RESORT_S < 30


# --- sweeps -----------------------------------------------------------------------------------------------------------
RANGES = {"optimizer.lr": {"low": 1e-4, "high": 1e-2, "log": True}, "model.head": {"choices": ["linear", "pcam"]}}


def test_a_sweep_that_is_interrupted_goes_on_with_the_same_trials(lake, tmp_path):
    whole, torn = (recipe_file(tmp_path, name, sweep=RANGES, training={"max_epochs": 1}) for name in ("whole", "torn"))
    expected = sweep_tracked(whole, lake, trials=3, on_event=lambda _event: None)
    events: list[dict] = []

    def interrupt(event) -> None:
        events.append(event)
        if event["event"] == "step" and sum(line["event"] == "trial" for line in events) == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(RunFailed, match="stopped"):
        sweep_tracked(torn, lake, trials=3, on_event=interrupt)
    found = sweep_tracked(torn, lake, trials=3, on_event=events.append)
    assert found["best_options"] == expected["best_options"]
    assert found["best_metric"] == expected["best_metric"]
    asked = [event for event in events if event["event"] == "trial"]
    assert [event["number"] for event in asked] == [0, 1, 1, 2]
    assert asked[1] == asked[2], "the interrupted trial is asked again with the same options"
    starts = [event["resumed_at_step"] for event in events if event["event"] == "start"]
    assert starts[0] == 0 and starts[1] == 0 and starts[2] > 0 and starts[3] == 0
    check_nesting(lake, found["mlflow_run_id"], trials=3)
    again = sweep_tracked(torn, lake, trials=3, on_event=lambda event: pytest.fail(f"trained again: {event}"))
    assert again == found


def check_nesting(lake, parent: str, trials: int) -> None:
    """One parent, as many nested finished runs as trials, none registered as a model."""
    runs = {run.run_id: run for run in Tracker(lake).runs()}
    nested = [run for run in runs.values() if run.tags.get("mlflow.parentRunId") == parent]
    assert runs[parent].is_finished
    assert len(nested) == trials
    assert all(run.is_finished for run in nested)
    assert runs[parent].tags["radia.best.model.head"] in ("linear", "pcam")


def test_radia_sweep_answers_in_json(lake, tmp_path, capsys):
    path = recipe_file(tmp_path, "asked", sweep=RANGES, training={"max_epochs": 1})
    assert main(["sweep", path, "--trials", "1", "--lake", str(lake.root), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert answer["trials"] == 1
    assert set(answer["best_options"]) == set(RANGES)
    plain = recipe_file(tmp_path, "plain")
    assert main(["sweep", plain, "--lake", str(lake.root)]) == 2
    assert "declares no ranges" in capsys.readouterr().err
