"""One process with batch 2B against two gloo processes with batch B: equal weights, or a test that names the mistake.

The two processes are started once; each mistake by which DDP trains and does not converge is planted in a case.
"""

from __future__ import annotations

import functools
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from radia_pipeline.training import trainer
from radia_pipeline_tests.training.parity_worker import ANSWERS, LONG, MISTAKES, SHORT, final_weights, parity_recipe
from radia_pipeline_tests.training.synthetic import write_lake

CASES = ("clean", "in_parts", *MISTAKES, "moving_batch_norm", *ANSWERS)


def start(lake_root: Path, out: Path, cases: tuple[str, ...], world: int = 2) -> list[subprocess.Popen]:
    """Start the worker processes as torchrun would."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    repository = Path(__file__).resolve().parents[2]
    shared = {
        **os.environ,
        "WORLD_SIZE": str(world),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(repository),
        "CUDA_VISIBLE_DEVICES": "",
        "GLOO_SOCKET_IFNAME": "lo",
    }
    script = [sys.executable, str(Path(__file__).with_name("parity_worker.py")), str(lake_root), str(out), *cases]
    return [
        subprocess.Popen(script, env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)}) for rank in range(world)
    ]


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    return write_lake(tmp_path_factory.mktemp("lake"), patients=65, third_view=True)


@pytest.fixture(scope="module")
def two_processes(lake, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    processes = start(lake.root, out, CASES)
    codes = [process.wait(timeout=240) for process in processes]
    assert codes == [0, 0]
    return out


@pytest.fixture(scope="module")
def one_process(lake):
    """Return a function that trains alone for so many steps and epochs and gives the final weights."""

    def weights(length):
        recipe = parity_recipe(f"single_{length[0]}", length=length)
        trainer.train(recipe, lake, runtime=trainer.Runtime(workers=1))
        return final_weights(lake, recipe)

    return functools.cache(weights)


def largest_difference(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.abs(first - second).max())


@pytest.mark.parametrize("case", ["clean", "in_parts"])
def test_two_processes_equal_one(case, two_processes, one_process):
    assert largest_difference(np.load(two_processes / f"{case}.npy"), one_process(LONG)) < 1e-6


@pytest.mark.parametrize("mistake", [*MISTAKES, "moving_batch_norm"])
def test_parity_fails_when_the_mistake_is_planted(mistake, two_processes, one_process):
    assert largest_difference(np.load(two_processes / f"{mistake}.npy"), one_process(SHORT)) > 1e-4


def test_two_processes_stopped_and_one_resumed_equal_one_uninterrupted(two_processes, one_process, lake):
    assert answer(two_processes, "stopped_half_way") == 7
    events = []
    recipe = parity_recipe("resumed", length=LONG)
    trainer.train(recipe, lake, runtime=trainer.Runtime(workers=1), on_event=events.append)
    assert next(event for event in events if event["event"] == "start")["resumed_at_step"] == 7
    assert largest_difference(final_weights(lake, recipe), one_process(LONG)) < 1e-6


def answer(out: Path, name: str, rank: int = 0):
    return json.loads((out / f"{name}.{rank}.json").read_text())


def test_processes_judge_an_epoch_alike_and_would_not_by_their_own_share(two_processes):
    first, second = answer(two_processes, "process_0_judges")
    assert first == second
    first, second = answer(two_processes, "each_judges_its_own_share")
    assert first != second, "the planted mistake does not show: this test could not fail"


def test_a_bad_step_is_skipped_by_all_and_would_not_by_a_local_guard(two_processes):
    assert answer(two_processes, "guard_is_all_reduced") == [[0, 2], [0, 2]]
    assert answer(two_processes, "guard_is_local") == [[0, 1, 2], [0, 2]], "the planted mistake tears the weights apart"


def test_process_0_decides_when_to_stop_for_all(two_processes):
    epochs = [answer(two_processes, "decisions", rank) for rank in (0, 1)]
    assert epochs == [[3, 3], [3, 3]], "process 0 sees no gain after its first epoch, process 1 would go on"


def test_gathered_scores_drop_padding_and_keep_order(two_processes):
    parts = [answer(two_processes, "gathered_scores", rank) for rank in (0, 1)]
    count = parts[0]["studies"]
    assert count % 2 == 1
    assert parts[0]["batches"] == parts[1]["batches"], "unequal numbers of batches would hang collective calls"
    assert len(parts[0]["mine"]) + len(parts[1]["mine"]) == count + 1
    expected = [10.0 * number for number in range(count)]
    assert all(part["gathered"] == expected for part in parts)
    kept = [10.0 * number for part in parts for number in part["mine"]]
    assert kept != expected and sorted(kept) != expected, "padding that is kept, or order that is lost, would show"
