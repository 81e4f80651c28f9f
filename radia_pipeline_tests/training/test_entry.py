"""The entry of a training and who starts it: options, exit codes, the composed command, the machine's parts."""

from __future__ import annotations

import argparse
import json
import os
import runpy
import sys

import pytest
import torch

from radia_pipeline.errors import BadInput, RunFailed
from radia_pipeline.processes.failures import as_record
from radia_pipeline.processes.lifecycle import StopRequest
from radia_pipeline.training import launch, run
from radia_pipeline.training.launch import Processes, Seat, run_in_processes, seats, train_in_processes
from radia_pipeline.training.recipes import RECIPES_DIR, json_schema
from radia_pipeline_tests.training.synthetic import tiny_recipe, write_lake

LEAST = ["--recipe", "demo", "--lake", "somewhere"]
FAKE = """
import json, os, sys
said = {"argv": sys.argv[1:], "omp": os.environ.get("OMP_NUM_THREADS"), "gpus": os.environ.get("CUDA_VISIBLE_DEVICES")}
print("no event")
print(json.dumps(["neither"]))
print(json.dumps({"nor": "this"}))
print(json.dumps({"event": "start", **said}))
for kind in sys.argv[1:]:
    if kind.startswith("fail"):
        print(json.dumps({"event": "error", "failure": json.loads(os.environ["FAILURE"]) | {"received": kind}}))
if "silent" not in sys.argv:
    print(json.dumps({"event": "done", "model_dir": "x", "reused": False}))
sys.exit(3 if "bad" in sys.argv else 0)
"""


@pytest.fixture
def entry(tmp_path, monkeypatch):
    """An entry that says what it was given, and ends as it is told."""
    (tmp_path / "said_entry.py").write_text(FAKE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("FAILURE", json.dumps(as_record(BadInput("x", accepted="y"))))
    return "said_entry"


def options_of(*more: str) -> argparse.Namespace:
    return run.parser("words", "m", "recipe").parse_args([*LEAST, *more])


def test_what_is_not_said_is_no_force_a_resumption_and_the_machines_own():
    assert vars(options_of()) == {
        "recipe": "demo",
        "lake": run.Path("somewhere"),
        "run_dir": None,
        "force": False,
        "no_resume": False,
        "threads": None,
        "device": None,
        "predict": False,
    }


def test_what_is_said_is_taken():
    found = options_of("--run-dir", "r", "--force", "--no-resume", "--threads", "3", "--device", "cuda:1", "--predict")
    assert (found.run_dir, found.threads, found.device) == (run.Path("r"), 3, "cuda:1")
    assert found.force and found.no_resume and found.predict


@pytest.mark.parametrize("left_out", [0, 2])
def test_a_recipe_and_a_lake_are_needed(left_out, capsys):
    with pytest.raises(SystemExit) as ended:
        run.parser("words", "m", "recipe").parse_args(LEAST[:left_out] + LEAST[left_out + 2 :])
    assert ended.value.code == 2 and LEAST[left_out] in capsys.readouterr().err


def spoken(capsys) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_work_that_ends_well_says_nothing_more_and_an_error_is_an_event(capsys):
    assert run.spoken(lambda: None) == 0
    assert spoken(capsys) == []

    def raising(error):
        def work():
            raise error

        return run.spoken(work)

    assert raising(BadInput("no such recipe")) == BadInput("x").exit_code == 2
    assert raising(RunFailed("it broke")) == RunFailed("x").exit_code == 1
    assert [one["failure"]["kind"] for one in spoken(capsys)] == ["BadInput", "RunFailed"]
    assert raising(KeyboardInterrupt()) == 1
    (event,) = spoken(capsys)
    assert event["event"] == "error" and event["failure"]["received"] == "interrupted before a checkpoint"
    assert raising(ZeroDivisionError("one")) == 1
    told = capsys.readouterr()
    assert json.loads(told.out)["event"] == "error" and "ZeroDivisionError" in told.err


def test_threads_are_set_where_they_are_asked_for(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.setenv("WORLD_SIZE", "1")
    try:
        with run.surroundings(options_of("--threads", "2", "--device", "cpu")) as runtime:
            assert torch.get_num_threads() == 2 and runtime.device == "cpu" and not runtime.stop
        torch.set_num_threads(1)
        with run.surroundings(options_of()) as runtime:
            assert torch.get_num_threads() == 1 and runtime.device is None
    finally:
        torch.set_num_threads(before)
    assert os.environ["NO_ALBUMENTATIONS_UPDATE"] == "1"


@pytest.mark.slow
def test_the_entry_trains_keeps_what_is_finished_and_predicts_where_asked(tmp_path, capsys):
    lake, path = write_lake(tmp_path, patients=12), tmp_path / "tiny.yaml"
    made = tiny_recipe(name="tiny", training={"max_epochs": 1}).model_dump(mode="json")
    path.write_text(json.dumps(made))
    given = ["--recipe", str(path), "--lake", str(lake.root), "--device", "cpu"]
    assert run.main(given) == 0
    events = spoken(capsys)
    assert events[-1]["event"] == "done" and events[-1]["reused"] is False
    assert not lake.partitions("predictions"), "nobody asked for them"
    assert run.main([*given, "--predict"]) == 0
    events = spoken(capsys)
    assert [one["event"] for one in events[-2:]] == ["done", "predictions"] and events[-2]["reused"] is True
    assert events[-1]["rows"] == lake.read("predictions", "tiny").num_rows
    assert events[-1]["version"] == lake.version("predictions", "tiny")


def test_a_recipe_that_is_none_is_bad_input_and_said_so(tmp_path, capsys):
    assert run.main(["--recipe", "no_such", "--lake", str(tmp_path)]) == 2
    (event,) = spoken(capsys)
    assert event["event"] == "error" and "no_such" in event["failure"]["received"]


@pytest.mark.filterwarnings("ignore:.*found in sys.modules")
def test_to_be_imported_trains_nothing_and_to_be_run_does(monkeypatch, capsys):
    assert "sys" in runpy.run_module(run.__name__, run_name="imported")
    monkeypatch.setattr(sys, "argv", ["run", "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(run.__name__, run_name="__main__")
    assert ended.value.code == 0 and "--no-resume" in capsys.readouterr().out


def test_a_training_is_started_with_its_recipe_its_lake_and_force_where_it_is_asked_for(entry, tmp_path, monkeypatch):
    lake, heard = write_lake(tmp_path / "lake", patients=2), []
    monkeypatch.setattr(launch, "ENTRY", entry)
    monkeypatch.setattr(launch, "read_result", lambda _lake, folder, reused: (folder.name, reused))
    plain = ["--recipe", "demo", "--lake", str(lake.root)]
    assert train_in_processes("demo", lake, on_event=heard.append) == ("x", False)
    assert train_in_processes("demo", lake) == ("x", False)
    train_in_processes("demo", lake, on_event=heard.append, force=True, processes=Processes(threads=3))
    assert [one["event"] for one in heard] == ["start", "done"] * 2
    assert [one["argv"] for one in heard[::2]] == [plain, [*plain, "--force", "--threads", "3"]]


def test_a_seat_is_kept_to(entry):
    heard: list[dict] = []
    run_in_processes(entry, ["a"], heard.append, Processes(count=4, threads=9, seat=Seat(2, "1")))
    run_in_processes(entry, ["a"], heard.append, Processes(seat=Seat(5, None)))
    assert [heard[at]["argv"] for at in (0, 2)] == [["a", "--threads", "2"], ["a", "--threads", "5"]]
    assert [(heard[at]["omp"], heard[at]["gpus"]) for at in (0, 2)] == [("2", "1"), ("5", "")]


def test_of_several_errors_the_first_is_raised_and_without_a_last_word_the_code_is_told(entry):
    with pytest.raises(BadInput, match="fail first"):
        run_in_processes(entry, ["fail first", "fail second", "silent"], lambda _: None)
    with pytest.raises(RunFailed, match="ended with code 3"):
        run_in_processes(entry, ["bad"], lambda _: None)
    with pytest.raises(RunFailed, match="ended with code 0"):
        run_in_processes(entry, ["silent"], lambda _: None)


def test_who_was_stopped_is_told_so_unless_a_run_failed():
    stopped, free = StopRequest(), StopRequest()
    stopped.set("by hand")
    failed, bad = as_record(RunFailed("its disk is full")), as_record(BadInput("torn away"))
    assert "was stopped (by hand)" in str(launch._as_raised(None, 1, stopped))
    assert "was stopped (by hand)" in str(launch._as_raised(bad, 1, stopped))
    assert "disk is full" in str(launch._as_raised(failed, 1, stopped))
    assert isinstance(launch._as_raised(bad, 1, free), BadInput)
    assert "ended with code 9" in str(launch._as_raised(None, 9, free))


def test_several_processes_are_torchruns_and_one_is_its_own():
    assert launch._launcher(1, "mine")[-2:] == ["-m", "mine"]
    assert launch._launcher(3, "mine")[-4:] == ["--standalone", "--nproc-per-node=3", "-m", "mine"]


@pytest.mark.parametrize(
    ("listed", "names"), [("", []), ("-1", []), ("0", ["0"]), (" 2, 5 ,", ["2", "5"]), ("GPU-a,-1", ["GPU-a"])]
)
def test_visible_gpus_are_those_that_are_listed(listed, names, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", listed)
    assert launch._gpu_names() == names and launch.visible_gpus() == len(names)


def test_the_machine_is_divided_and_no_share_is_nothing(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(launch.os, "cpu_count", lambda: 2)
    assert [one.threads for one in seats(3)] == [1, 1, 1]
    assert seats(1) == [Seat(2, None)]
    monkeypatch.setattr(launch.os, "cpu_count", lambda: None)
    assert seats(1) == [Seat(1, None)]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    assert seats(2, 7) == [Seat(7, "4"), Seat(7, "6")], "as many as there are"


def test_the_shipped_schema_says_what_the_code_accepts_bounds_and_defaults_among_it():
    shipped = json.loads((RECIPES_DIR / "recipe.schema.json").read_text(encoding="utf-8"))
    assert shipped == json_schema()
