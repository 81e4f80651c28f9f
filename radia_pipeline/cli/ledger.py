"""``radia ledger``: the append-only ledger of pools."""

from __future__ import annotations

from pathlib import Path

import click

from radia_pipeline.cli.options import json_option, lake_option
from radia_pipeline.cli.output import print_result


@click.group()
def ledger() -> None:
    """Mend the append-only ledger of pools."""


@ledger.command("restore")
@lake_option
@json_option
def restore(lake_root: Path | None, as_json: bool) -> None:
    """Put a damaged ledger back to its last good version.

    That is the one which the published splits know.
    """
    from radia_pipeline.cohort.ledger import restore as restore_ledger
    from radia_pipeline.lake.lake import Lake

    count = restore_ledger(Lake.open(lake_root, create=False))
    print_result({"placements": count}, f"{count} placements stand in the restored ledger", as_json)
