"""``radia status``: how a lake is, for whoever looks after it."""

from __future__ import annotations

import time
from pathlib import Path

import click

from radia_pipeline.cli.options import json_option, lake_option
from radia_pipeline.cli.output import print_result


@click.command()
@lake_option
@json_option
def status(lake_root: Path | None, as_json: bool) -> None:
    """Say what came, what answers, what waits.

    The same stands on status.html of the lake, which this writes anew.
    """
    from radia_pipeline.defs.history import failed_runs
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.pages.status import STATUS, write_status_page
    from radia_pipeline.usecases.status import as_text
    from radia_pipeline.usecases.status import status as status_of

    lake, now_s = Lake.open(lake_root, create=False), time.time()
    found = status_of(lake, now_s) | {"runs": failed_runs(lake)}
    write_status_page(lake, now_s)
    found["page"] = STATUS
    print_result(found, f"{as_text(found)}\n\nPage: {lake.root / STATUS}", as_json)
