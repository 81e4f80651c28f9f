"""Starts one training in MLflow when told to, keeps it, and says what came of it: ``starting LAKE NAME``."""

import sys
from pathlib import Path

from radia_pipeline.errors import AlreadyRunning
from radia_pipeline.tracking.client import Tracker


def main() -> None:
    """Start, say so, and wait for the end."""
    tracker = Tracker(Path(sys.argv[1]))
    _ = tracker.client
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    try:
        said = tracker.start_or_resume(sys.argv[2], {"radia.recipe_hash": "one"}).run_id
    except AlreadyRunning:
        said = "AlreadyRunning"
    sys.stdout.write(f"{said}\n")
    sys.stdout.flush()
    sys.stdin.readline()


if __name__ == "__main__":
    main()
