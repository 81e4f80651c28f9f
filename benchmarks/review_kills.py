"""A server killed 50 times while readers click: every confirmed answer once, none half. Writes benchmarks/results.

    python benchmarks/review_kills.py

Two readers in three tabs read a set with hidden repeats; the server is killed (SIGKILL, its group) up to .5 s after
its first confirmed answer and started again at the same port. What a page does is done here: an answer is sent again
with its key until it is confirmed. Afterwards the chain of the store is proved and compared with what was confirmed.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from radia_pipeline.lake.lake import Lake
from radia_pipeline.readings.store import Store
from radia_pipeline.servers.web import listening
from radia_pipeline_tests.evaluation.worlds import key
from radia_pipeline_tests.readings.worlds import with_set
from radia_pipeline_tests.review.clicking import Reader, Server, faults, kill_under

KILLS, STUDIES, SET = 50, 600, "killed-00c0ffee"
RESULT = Path(__file__).parent / "results" / "review_kills.json"


def main() -> None:
    """Kill, count, write."""
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.open(Path(folder) / "lake")
        with_set(lake, *(key("s", number) for number in range(STUDIES)), set_id=SET)
        with listening(0) as end:
            port = end.getsockname()[1]
        readers = [Reader(port, name, SET) for name in ("reader-a", "reader-a", "reader-b")]
        since = time.monotonic()
        kills = kill_under(Server(lake, port), readers, KILLS, finishes=False)
        result = {
            "kills": kills,
            "tabs": len(readers),
            "sent": sum(one.sent for one in readers),
            "confirmed": sum(len(one.confirmed) for one in readers),
            "lines": Store(lake).head.lines,
            "faults": faults(lake, readers),
            "seconds": round(time.monotonic() - since, 1),
            "load_average": round(os.getloadavg()[0], 1),
        }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
