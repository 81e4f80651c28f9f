"""One Dagster run in a process of its own: ``python -m radia_pipeline.defs.one_run LAKE ASSET...``.

``pipeline`` starts it where several runs go at the same time. The last line of standard output is ``{"error": …}``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

from radia_pipeline.defs.build import build_defs
from radia_pipeline.defs.pipeline import Run, instance_of, run_one
from radia_pipeline.lake.lake import Lake

LOOK_EVERY_S = 2.0


def end_with_parent(parent: int) -> None:
    """Interrupt this process, and with it its training, once the process that started it is gone."""
    while os.getppid() == parent:
        time.sleep(LOOK_EVERY_S)
    os.kill(os.getpid(), signal.SIGINT)


def main() -> None:
    """Run the assets and print what came of it."""
    threading.Thread(target=end_with_parent, args=(os.getppid(),), daemon=True).start()
    lake, names = Lake.open(Path(sys.argv[1]), create=False), tuple(sys.argv[2:])
    job = build_defs(lake_root=lake.root).resolve_implicit_global_asset_job_def()
    with instance_of(lake) as instance:
        report = run_one(job, instance, Run(names[0], names))
    sys.stdout.write(json.dumps({"error": report.error}) + "\n")


if __name__ == "__main__":
    main()
