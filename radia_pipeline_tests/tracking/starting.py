"""Starts one training many times at once, each in a process of its own: ``starting LAKE NAME COUNT``.

MLflow is imported once and the processes are forked from there; each opens its own history. Printed: what each heard, a
run's id or AlreadyRunning, while all of them still live.
"""

import multiprocessing
import sys
from pathlib import Path

from radia_pipeline.errors import AlreadyRunning
from radia_pipeline.tracking.client import Tracker
from radia_pipeline.tracking.history import import_mlflow

TOGETHER_S = 600.0


def start(lake: str, name: str, together, heard) -> None:
    """Wait until all are there, start the training, say what came of it, and wait until all have."""
    tracker = Tracker(Path(lake))
    _ = tracker.experiment_id
    together.wait(TOGETHER_S)
    try:
        heard.put(tracker.start_or_resume(name, {"radia.recipe_hash": "one"}).run_id)
    except AlreadyRunning:
        heard.put("AlreadyRunning")
    together.wait(TOGETHER_S)


def main() -> None:
    """Start them and print what they heard."""
    lake, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    import_mlflow()
    forked = multiprocessing.get_context("fork")
    together, heard = forked.Barrier(count), forked.Queue()
    processes = [forked.Process(target=start, args=(lake, name, together, heard)) for _ in range(count)]
    for process in processes:
        process.start()
    for _ in processes:
        sys.stdout.write(f"{heard.get(timeout=TOGETHER_S)}\n")
        sys.stdout.flush()
    for process in processes:
        process.join()


if __name__ == "__main__":
    main()
