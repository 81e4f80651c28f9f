"""How long Dagster's code server waits for the definitions, beside Dagster's own import, and what takes the time.

    .venv/bin/python benchmarks/definitions.py

Each figure is the best of several fresh processes, on the clock and in processor time. Results go to
benchmarks/results/definitions.json.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

RESULT = Path(__file__).parent / "results" / "definitions.json"
REPEATS = 7
AT_MOST_S = 3.0
CODE = {
    "dagster": "import dagster",
    "definitions": "import radia_pipeline.definitions as d; d.defs",
}
TIMED = "import time; began = time.perf_counter(); {code}; print(time.perf_counter() - began, time.process_time())"
LINE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \|\s*(\S+)")


def seconds(code: str) -> tuple[float, float]:
    """Return the least seconds of a fresh process for some code: on the clock, and of the processor."""
    command = [sys.executable, "-W", "ignore", "-c", TIMED.format(code=code)]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() for _ in range(REPEATS)]
    clock, processor = (min(float(run[place]) for run in runs) for place in (0, 1))
    return clock, processor


def slowest(count: int = 12) -> dict[str, float]:
    """Return the modules that cost most by themselves, in seconds."""
    command = [sys.executable, "-W", "ignore", "-X", "importtime", "-c", CODE["definitions"]]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stderr.splitlines()
    costs = {found[3]: int(found[1]) / 1e6 for line in lines if (found := LINE.match(line))}
    return dict(sorted(costs.items(), key=lambda item: -item[1])[:count])


def main() -> int:
    """Measure, print, store; 1 where the definitions take more of a processor than they may (a clock may be busy)."""
    measured = {name: seconds(code) for name, code in CODE.items()}
    for name, (clock, processor) in measured.items():
        print(f"{name}: {clock:.2f} s, of the processor {processor:.2f} s")
    ratio = measured["definitions"][1] / measured["dagster"][1]
    print(f"definitions / dagster, processor: {ratio:.2f}")
    costs = slowest()
    for module, cost in costs.items():
        print(f"  {cost:.3f} s  {module}")
    found = {name: {"clock_s": clock, "processor_s": processor} for name, (clock, processor) in measured.items()}
    RESULT.write_text(json.dumps({**found, "ratio": ratio, "slowest_s": costs}, indent=1) + "\n", encoding="utf-8")
    return int(measured["definitions"][1] > AT_MOST_S)


if __name__ == "__main__":
    sys.exit(main())
