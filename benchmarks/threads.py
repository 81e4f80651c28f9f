"""What two trainings on one machine cost each other: with OpenMP's own spinning, and with the short one that is set.

Each figure is the mean step of a process of its own, alone and while a second process does the same.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

RESULT = Path(__file__).parent / "results" / "threads.json"
SHORT = "1000"
COUNT = 20
STEPS = f"""
import time, timm, torch
model = timm.create_model("densenet121", in_chans=1, num_classes=21, block_config=(2, 4, 8), growth_rate=12, bn_size=2)
images = torch.randn(16, 1, 128, 128)
for step in range({COUNT} + 3):
    if step == 3:
        started = time.monotonic()
    model(images).sum().backward()
print((time.monotonic() - started) / {COUNT})
"""


def step_s(spins: str | None, together: int) -> float:
    """Return the mean seconds of a step of ``together`` fresh processes; ``spins`` None leaves OpenMP its own way."""
    environment = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}
    if spins is not None:
        environment["GOMP_SPINCOUNT"] = spins
    processes = [
        subprocess.Popen([sys.executable, "-c", STEPS], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(together)
    ]
    return sum(float(process.communicate()[0]) for process in processes) / together


def main() -> None:
    """Measure, print and keep."""
    figures = {}
    for where, together in (("alone", 1), ("two at a time", 2)):
        seconds = {"own way": step_s(None, together), "short": step_s(SHORT, together)}
        figures[where] = {**seconds, "own way / short": seconds["own way"] / seconds["short"]}
        print(where, *(f"{name} {value:.3f}" for name, value in figures[where].items()), sep=", ")
    RESULT.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
