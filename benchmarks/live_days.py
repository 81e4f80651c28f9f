"""In a running Dagster: thirty daily reports in fast motion must end with every table and notice, and nothing twice.

By hand: ``python benchmarks/live_days.py``; a test does the same with ten. Exit status 1 where it does not hold.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from radia_pipeline_tests.defs.live_days import is_as_promised, play

RESULT = Path(__file__).parent / "results" / "live_days.json"


def main() -> int:
    """Play the days, keep and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=30, help="how many, the last of them today")
    options = parser.parse_args()
    os.environ.setdefault("RADIA_PSEUDONYM_KEY", "a key that only this benchmark uses")
    with tempfile.TemporaryDirectory() as folder:
        found = play(Path(folder), options.days)
    found = {**found, "is_as_promised": is_as_promised(found), "machine": f"{os.cpu_count()} cores, shared"}
    RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(found) + "\n")
    return 0 if found["is_as_promised"] else 1


if __name__ == "__main__":
    sys.exit(main())
