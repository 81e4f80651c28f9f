"""Sweeps: trials side by side, ended early, gone on with; the same whatever the number of workers."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest
import torch

from radia_pipeline.errors import AlreadyRunning, BadInput, BadRecipe, RunFailed, TrainingDiverged
from radia_pipeline.processes.lifecycle import StopRequest
from radia_pipeline.training import launch
from radia_pipeline.training.launch import seats
from radia_pipeline.training.recipes import parse_recipe
from radia_pipeline.training.sweeps import Abreast, Hooks, Search, sweep
from radia_pipeline_tests.training.synthetic import tiny_recipe, write_lake

EPOCHS = 9
RANGES = {"optimizer.lr": {"low": 1e-4, "high": 1e-2, "log": True}, "model.head": {"choices": ["linear", "pcam"]}}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return write_lake(tmp_path_factory.mktemp("swept") / "lake", patients=40)


@pytest.fixture
def lake(made):
    """One lake; each test sweeps over a recipe of its own name."""
    return made


@pytest.fixture
def one_thread():
    """Arithmetic of this process as in a process with one thread: sums have one order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def swept(name: str, ranges: dict | None = None, epochs: int = EPOCHS):
    content = tiny_recipe(name=name, training={"max_epochs": epochs}).model_dump(mode="json")
    return parse_recipe({**content, "sweep": ranges or RANGES})


@dataclass
class Written:
    """What a pretended training came to."""

    history: list[dict]
    best_metric: float


@dataclass
class Pretended:
    """Trains nothing: each recipe has a curve that its options alone decide. Notes who ran beside whom."""

    dies_after: int | None = None
    delays: threading.Barrier | None = None
    epochs: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    running: list[str] = field(default_factory=list)
    most_together: int = 0
    twice: int = 0

    def curve(self, chosen) -> list[dict]:
        reach = 1 - abs(chosen.optimizer.lr - 2e-3) * 50 - 0.1 * (chosen.model.head == "linear")
        return [{"event": "epoch", "epoch": at, "auc": reach * (at + 1) / EPOCHS} for at in range(EPOCHS)]

    def __call__(self, chosen, on_event, stop: StopRequest, seat) -> Written:
        with self.lock:
            self.twice += chosen.name in self.running
            self.running.append(chosen.name)
            self.most_together = max(self.most_together, len(self.running))
        try:
            if self.delays is not None:
                self.delays.wait(timeout=30)
            history = []
            for line in self.curve(chosen):
                if self.dies_after is not None and sum(self.epochs.values()) >= self.dies_after:
                    raise RunFailed("the machine went")
                self.epochs[chosen.name] = self.epochs.get(chosen.name, 0) + 1
                history.append(line)
                on_event(line)
                if stop:
                    raise RunFailed(f"stopped ({stop.reason})")
            return Written(history, max(line["auc"] for line in history))
        finally:
            with self.lock:
                self.running.remove(chosen.name)


def run(recipe, lake, train_one, trials: int = 12, workers: int = 1, search: Search | None = None):
    ended = []
    hooks = Hooks(train_one, on_trial=ended.append)
    found = sweep(recipe, lake, trials=trials, search=search, abreast=Abreast(workers), hooks=hooks)
    return found, {trial.number: (trial.options, trial.metric, trial.is_early) for trial in ended}


@pytest.mark.parametrize("rule", ["none", "median", "halving"])
def test_the_number_of_workers_changes_nothing(lake, rule):
    alone, three = Pretended(), Pretended()
    search = Search(pruning=rule)
    first, trials = run(swept(f"one_{rule}"), lake, alone, search=search)
    second, others = run(swept(f"three_{rule}"), lake, three, search=search, workers=3)
    assert trials == others and sorted(trials) == list(range(12))
    assert (first.best_metric, first.best_options) == (second.best_metric, second.best_options)
    assert first.ended_early == second.ended_early == sum(is_early for _, _, is_early in trials.values())
    assert (first.ended_early > 0) is (rule != "none")
    assert sum(alone.epochs.values()) == sum(three.epochs.values())
    assert (sum(alone.epochs.values()) < 12 * EPOCHS) is (rule != "none")


def test_trials_run_side_by_side_as_many_as_there_are_workers(lake):
    """Each waits for the other: one after another they would never begin."""
    both = Pretended(delays=threading.Barrier(2))
    run(swept("beside"), lake, both, trials=4, workers=2)
    assert both.most_together == 2


def test_the_same_options_twice_are_one_training(lake):
    pretended = Pretended()
    found, trials = run(swept("few", {"model.head": {"choices": ["linear", "pcam"]}}), lake, pretended, workers=4)
    assert found.trials == 12 and len({options["model.head"] for options, _, _ in trials.values()}) == 2
    assert pretended.twice == 0


def test_a_sweep_in_parts_asks_what_a_whole_one_asks(lake):
    """Also where it was cut within a round, and where a machine went within a trial."""
    search = Search(round_size=4, pruning="median")
    whole, expected = run(swept("whole"), lake, Pretended(), search=search)
    ended: list = []

    def further(trials: int, pretended: Pretended, workers: int = 1):
        hooks = Hooks(pretended, on_trial=ended.append)
        return sweep(swept("parts"), lake, trials=trials, search=search, abreast=Abreast(workers), hooks=hooks)

    further(1, Pretended())
    further(6, Pretended())
    with pytest.raises(RunFailed, match="the machine went"):
        further(12, Pretended(dies_after=13))
    assert 6 < len(ended) < 12
    found = further(12, Pretended(), workers=2)
    assert {trial.number: (trial.options, trial.metric, trial.is_early) for trial in ended} == expected
    assert (found.trials, found.best_metric, len(ended)) == (12, whole.best_metric, 12)


def test_one_that_fails_stops_the_others_and_nothing_is_lost(lake):
    begun = threading.Event()

    def fails(chosen, on_event, stop, seat):
        if not begun.is_set():
            begun.set()
            while not stop:
                threading.Event().wait(0.01)
            raise RunFailed(f"stopped ({stop.reason})")
        raise RunFailed("no memory is left")

    with pytest.raises(RunFailed, match=r"no memory is left|another trial failed"):
        sweep(swept("torn"), lake, trials=4, abreast=Abreast(2), hooks=Hooks(fails))
    found, trials = run(swept("torn"), lake, Pretended(), trials=4)
    assert sorted(trials) == [0, 1, 2, 3] and found.trials == 4


def test_a_sweep_that_is_asked_to_stop_trains_no_further_trial(lake):
    stop, begun = StopRequest(), []

    def asked(chosen, on_event, own, seat):
        begun.append(chosen.name)
        stop.set("SIGTERM")
        assert own, "who is asked above is asked below"
        raise RunFailed(f"stopped ({own.reason})")

    with pytest.raises(RunFailed, match="SIGTERM"):
        sweep(swept("asked"), lake, trials=8, abreast=Abreast(2), hooks=Hooks(asked, stop=stop))
    assert 1 <= len(begun) <= 2


def test_without_rounds_each_trial_is_asked_when_a_place_is_free(lake):
    pretended = Pretended()
    found, trials = run(swept("flowing"), lake, pretended, workers=3, search=Search(None, "halving"))
    assert found.trials == 12 and sorted(trials) == list(range(12))
    assert 0 < found.ended_early < 12


def test_a_diverging_trial_counts_and_all_diverging_is_a_failed_run(lake):
    recipe, asked = swept("wild"), []

    def diverges(chosen, on_event, stop, seat):
        asked.append(chosen.optimizer.lr)
        raise TrainingDiverged("not finite")

    for _ in range(2):
        with pytest.raises(RunFailed, match="All 2 trials of wild diverged"):
            sweep(recipe, lake, trials=2, hooks=Hooks(diverges))
    assert len(asked) == 2, "a trial that diverged is not trained again"
    with pytest.raises(BadRecipe, match=r"training.batch_size = 0"):
        sweep(swept("none", {"training.batch_size": {"choices": [8, 0]}}), lake, trials=1)
    with pytest.raises(BadRecipe, match="declares no ranges"):
        sweep(tiny_recipe(name="no_ranges"), lake, trials=1)


def test_one_sweep_over_a_recipe_at_a_time(lake):
    def inner(chosen, on_event, stop, seat):
        with pytest.raises(AlreadyRunning, match="A sweep over twice runs"):
            sweep(swept("twice"), lake, trials=1, hooks=Hooks(Pretended()))
        return Pretended()(chosen, on_event, stop, seat)

    assert run(swept("twice"), lake, inner, trials=1)[0].trials == 1


def test_the_machine_is_divided(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(launch.os, "cpu_count", lambda: 8)
    assert [(seat.threads, seat.gpu) for seat in seats(3)] == [(2, None)] * 3
    assert seats(2, threads=1)[0].threads == 1
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    assert [seat.gpu for seat in seats(2)] == ["2", "5"]
    with pytest.raises(BadInput, match="3 trainings at once on 2 visible GPUs"):
        seats(3)


def test_real_trials_beside_each_other_come_to_what_one_after_another_comes_to(lake, one_thread):
    """In processes of their own; the third may be ended early by what the first two came to."""
    ranges = {"optimizer.lr": {"low": 1e-5, "high": 1e-2, "log": True}}
    search, events = Search(round_size=2, pruning="halving"), []
    one = sweep(swept("alone", ranges, 3), lake, trials=3, search=search)
    hooks = Hooks(on_event=events.append)
    recipe = swept("beside_real", ranges, 3)
    two = sweep(recipe, lake, trials=3, search=search, abreast=Abreast(2, threads=1), hooks=hooks)
    assert (one.best_metric, one.best_options) == (two.best_metric, two.best_options)
    assert one.ended_early == two.ended_early
    assert {event["trial"] for event in events} == {0, 1, 2}
