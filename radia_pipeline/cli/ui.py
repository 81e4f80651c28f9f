"""``radia ui``."""

from __future__ import annotations

from pathlib import Path

import click

from radia_pipeline.cli.options import demo_lake_option


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port of Dagster (default: a free one).")
@demo_lake_option
def ui(port: int, lake_root: Path) -> None:
    """Open Dagster and MLflow for a lake.

    On this machine only; Ctrl-C ends both.
    """
    from radia_pipeline.defs.ui import serve

    serve(lake_root, port=port)
