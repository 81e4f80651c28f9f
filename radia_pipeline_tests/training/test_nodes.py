"""Two nodes of torchrun, at two addresses of the loopback, train what one process trains; a lost one is no end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from radia_pipeline.processes import children
from radia_pipeline.training import trainer
from radia_pipeline_tests.training.parity_worker import LONG, final_weights, parity_recipe
from radia_pipeline_tests.training.synthetic import write_lake

pytestmark = pytest.mark.slow
ADDRESSES = ("127.0.0.2", "127.0.0.3")
PLAIN = {
    **os.environ,
    "OMP_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "GLOO_SOCKET_IFNAME": "lo",
    "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    return write_lake(tmp_path_factory.mktemp("lake"), patients=65, third_view=True)


@pytest.fixture(scope="module")
def alone(lake) -> np.ndarray:
    """Return the weights after 20 steps of one process."""
    recipe = parity_recipe("alone", length=LONG)
    trainer.train(recipe, lake, runtime=trainer.Runtime(workers=1))
    return final_weights(lake, recipe)


def started(recipe, lake, folder: Path) -> list[subprocess.Popen]:
    """Start the trainer's entry by torchrun on each node, as ``deploy/slurm/train.sh`` does."""
    with socket.socket() as probe:
        probe.bind((ADDRESSES[0], 0))
        meeting = f"{ADDRESSES[0]}:{probe.getsockname()[1]}"
    path = folder / f"{recipe.name}.yaml"
    path.write_text(yaml.safe_dump(recipe.model_dump(mode="json")))
    return [
        children.start(
            [
                sys.executable,
                "-m",
                "torch.distributed.run",
                "--nnodes=2",
                f"--node-rank={number}",
                "--nproc-per-node=1",
                "--max-restarts=0",
                "--rdzv-backend=c10d",
                f"--rdzv-endpoint={meeting}",
                f"--rdzv-id={recipe.name}",
                f"--local-addr={address}",
                "-m",
                "radia_pipeline.training.run",
                "--recipe",
                str(path),
                "--lake",
                str(lake.root),
                "--threads",
                "1",
            ],
            PLAIN,
            stdout=(folder / f"{number}.jsonl").open("w"),
            stderr=subprocess.DEVNULL,
        )
        for number, address in enumerate(ADDRESSES)
    ]


def test_two_nodes_equal_one_process(lake, alone, tmp_path):
    recipe = parity_recipe("two_nodes", length=LONG)
    nodes = started(recipe, lake, tmp_path)
    try:
        assert [node.wait(timeout=400) for node in nodes] == [0, 0]
    finally:
        for node in nodes:
            children.end(node, grace_s=0)
    assert float(np.abs(final_weights(lake, recipe) - alone).max()) < 1e-6


def test_a_killed_node_ends_the_step_and_one_goes_on_from_the_checkpoint(lake, alone, tmp_path):
    recipe = parity_recipe("lost_node", length=LONG)
    nodes = started(recipe, lake, tmp_path)
    try:
        deadline = time.monotonic() + 300
        checkpoints = lake.models_dir / recipe.name
        while not list(checkpoints.glob("*/checkpoints/last.safetensors")):
            assert time.monotonic() < deadline and nodes[0].poll() is None
            time.sleep(0.05)
        for pid in (*_workers_of(nodes[1].pid), nodes[1].pid):
            os.kill(pid, signal.SIGKILL)
        assert nodes[0].wait(timeout=200) != 0, "the step ended, and did not wait for who is gone"
    finally:
        for node in nodes:
            children.end(node, grace_s=0)
    told = []
    trainer.train(recipe, lake, runtime=trainer.Runtime(workers=1), on_event=told.append)
    assert next(event for event in told if event["event"] == "start")["resumed_at_step"] >= 1
    assert float(np.abs(final_weights(lake, recipe) - alone).max()) < 1e-6


def _workers_of(agent: int) -> list[int]:
    """Return the processes that an agent has started, which may stand in groups of their own."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == agent:
            found.append(int(path.parent.name))
    return found
