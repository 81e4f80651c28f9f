"""A training in a real Dagster, over its GraphQL: stopped as from the UI, its run worker killed, taken up again."""

from __future__ import annotations

import logging
import time

import psutil
import pytest

from radia_pipeline.lake.settings import change_settings
from radia_pipeline_tests.defs.opened import opened, wait_for
from radia_pipeline_tests.training.synthetic import write_lake

RECIPE = "demo_linear"
STOP_WITHIN_S = 30.0
"""What the documentation promises."""
ORPHAN_WITHIN_S = 20.0


def trainer_of(lake) -> psutil.Process | None:
    """Return the training process of this lake."""
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if "radia_pipeline.defs.training_process" in command and str(lake.root) in command:
            return process
    return None


def seconds_until_gone(processes: list[psutil.Process], within_s: float) -> float:
    begun = time.monotonic()
    _, alive = psutil.wait_procs(processes, timeout=within_s)
    alive = [process for process in alive if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    assert not alive, f"still there: {alive}"
    return time.monotonic() - begun


@pytest.mark.slow
def test_stopped_from_the_ui_taken_up_again_and_its_run_worker_killed(tmp_path):
    lake = write_lake(tmp_path / "lake", patients=1500)
    change_settings(lake.root, recipes=(RECIPE,))
    with opened(lake, "--without", "mlflow", "--without", "review") as pages:
        run = pages.launch("classifiers", RECIPE)
        wait_for(lambda: any("step 1 of" in text or "epoch 1" in text for text in pages.messages(run)), 180, "a step")

        trainer = trainer_of(lake)
        step = trainer.parent()
        begun = time.monotonic()
        pages.stop(run)
        seconds_until_gone([trainer, *trainer.children(recursive=True), step], STOP_WITHIN_S)
        stopped_s = time.monotonic() - begun
        assert list(lake.models_dir.glob(f"{RECIPE}/*/checkpoints/last.safetensors"))
        wait_for(lambda: pages.status(run) == "CANCELED", 30, "the run is canceled")

        again = pages.launch("classifiers", RECIPE)
        goes_on = "training goes on after step"
        wait_for(lambda: any(goes_on in text for text in pages.messages(again)), 180, goes_on)
        trainer = trainer_of(lake)
        step = trainer.parent()
        worker = step.parent()
        assert "run_worker" in " ".join(worker.cmdline()), "the step has a process of its own"
        worker.kill()
        orphaned_s = seconds_until_gone([trainer, step], ORPHAN_WITHIN_S)
        wait_for(lambda: pages.status(again) == "FAILURE", 60, "the run is ended for its worker")
    logging.getLogger(__name__).info("stopped after %.1f s, orphan gone after %.1f s", stopped_s, orphaned_s)
