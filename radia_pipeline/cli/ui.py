"""``radia ui``: opens the pages of a lake and keeps them open; ``radia ui status`` says how they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from radia_pipeline.cli.options import demo_lake_option, json_option
from radia_pipeline.cli.output import print_result
from radia_pipeline.drawing.text import table

_PORT = click.IntRange(0, 65535)


@click.group(invoke_without_command=True)
@click.option("--port", type=_PORT, default=0, help="Port of Dagster (default: a free one).")
@click.option("--mlflow-port", type=_PORT, default=0, help="Port of MLflow (default: a free one).")
@click.option("--review-port", type=_PORT, default=0, help="Port of the review page (default: a free one).")
@click.option("--viewers", "has_viewers", is_flag=True, help="Open pages for looking only beside the others.")
@click.option("--viewers-port", type=_PORT, default=0, help="Port of Dagster for viewers.")
@click.option("--mlflow-viewers-port", type=_PORT, default=0, help="Port of MLflow for viewers.")
@click.option("--without", multiple=True, help="Leave out mlflow or review; may be given several times.")
@click.option("--public-host", "public", multiple=True, help="Name under which a proxy shows the pages.")
@click.option("--reader", default="local", show_default=True, help="Coded name of who sits at this machine.")
@click.option("--proxy", default=None, help="Address of the proxy that signs readers in to the review page.")
@demo_lake_option
@click.pass_context
def ui(context: click.Context, lake_root: Path, **wish: Any) -> None:
    """Open Dagster, MLflow and the review page for a lake.

    On this machine only, each started again when it dies; Ctrl-C ends all. A browser is let in by the addresses that
    are printed.
    """
    if context.invoked_subcommand is not None:
        return
    from radia_pipeline.defs.ui import DAGSTER, MLFLOW, REVIEW, VIEWERS, Wish, serve

    names = {
        "port": DAGSTER,
        "mlflow_port": MLFLOW,
        "review_port": REVIEW,
        "viewers_port": DAGSTER + VIEWERS,
        "mlflow_viewers_port": MLFLOW + VIEWERS,
    }
    ports = {server: wish.pop(option) for option, server in names.items()}
    serve(lake_root, Wish(ports, **wish))


@ui.command("status")
@demo_lake_option
@json_option
def status(lake_root: Path, as_json: bool) -> None:
    """Say how the servers of a lake are, and where.

    Exit code 1 where one is not ready, or none is open.
    """
    from radia_pipeline.defs import ui as servers
    from radia_pipeline.lake.lake import Lake

    found = servers.status(Lake.open(lake_root, create=False))
    rows = [[one["name"], one["state"], str(one["restarts"]), one["address"] or "–"] for one in found["services"]]
    beats = ", ".join(f"{name.lower()} {ago:.0f} s ago" for name, ago in sorted(found["beats"].items()))
    text = table(["server", "state", "started again", "address"], rows) + (f"\n\nDaemon: {beats}" if beats else "")
    print_result(found, text if found["is_open"] else "The pages of this lake are not open: radia ui", as_json)
    if not found["is_open"] or any(one["state"] != "ready" for one in found["services"]):
        raise click.exceptions.Exit(1)
