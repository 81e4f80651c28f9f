"""``radia doctor``: whether a machine and a lake are fit for use."""

from __future__ import annotations

from pathlib import Path

import click

from radia_pipeline.cli.options import json_option, lake_option
from radia_pipeline.cli.output import print_result


@click.command()
@click.option("--production", is_flag=True, help="Judge as a hospital's server: key, rights, backups and daemon too.")
@lake_option
@json_option
@click.pass_context
def doctor(ctx: click.Context, production: bool, lake_root: Path | None, as_json: bool) -> None:
    """Say what is wrong with machine and lake, and what to do.

    Exit 1 where it is unsafe to go on. Nothing is changed. Every table, ledger, database and model is read, which takes
    minutes on a large lake.
    """
    from radia_pipeline.defs.doctor import examine
    from radia_pipeline.lake.lake import Lake

    found = examine(Lake.open(lake_root, create=False), is_production=production)
    print_result(found.as_dict(), found.as_text(), as_json)
    ctx.exit(0 if found.is_safe else 1)
