"""``radia scorecard``."""

from __future__ import annotations

from pathlib import Path

import click

from radia_pipeline.cli.options import json_option, lake_option
from radia_pipeline.cli.output import print_result


@click.command()
@click.option("--release", "is_release", is_flag=True, help="Score the test pool with the ensemble as it stands, once.")
@click.option("--who", default="", help="Who releases it; stands in the ledger of the test pool.")
@click.option("--why", default="", help="Why; stands there too.")
@lake_option
@json_option
def scorecard(is_release: bool, who: str, why: str, lake_root: Path | None, as_json: bool) -> None:
    """Judge all models, write scorecard.html.

    They are judged on validation; the page lies in the lake. With --release the ensemble and the members that it uses
    are scored on the test pool as well. Each release is a line in a ledger that only grows, and the scorecard says how
    many there were: choose before, not after.
    """
    from radia_pipeline.defs.scorecard import make_scorecard
    from radia_pipeline.errors import BadInput
    from radia_pipeline.evaluation.release import Release
    from radia_pipeline.lake.lake import Lake

    if (who or why) and not is_release:
        raise BadInput("--who and --why belong to a release", do="add --release, or leave them out")
    given = Release(who, why) if is_release else None
    print_result(*make_scorecard(Lake.open(lake_root, create=False), given), as_json)
