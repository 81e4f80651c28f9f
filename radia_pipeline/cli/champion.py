"""``radia champion``: the approved ensemble, who approved it, and the gate before it."""

from __future__ import annotations

from pathlib import Path

import click

from radia_pipeline.cli.options import json_option, lake_option
from radia_pipeline.cli.output import print_result

_BY = click.option("--by", required=True, help="Who does it; stands in the history for ever.")
_REASON = click.option("--reason", required=True, help="Why; stands there too.")


@click.group()
def champion() -> None:
    """Approve the ensemble that answers, or put the one before back."""


@champion.command("show")
@lake_option
@json_option
def show(lake_root: Path | None, as_json: bool) -> None:
    """Say which ensemble answers, and who decided what so far."""
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.usecases.champion_text import shown, shown_text

    found = shown(Lake.open(lake_root, create=False))
    print_result(found, shown_text(found), as_json)


@champion.command("check")
@lake_option
@json_option
def check(lake_root: Path | None, as_json: bool) -> None:
    """Ask the gate, and approve nothing.

    The released ensemble is judged beside the champion, on the same studies of validation; without a champion by fixed
    minima. Exit code 1 where a rule refuses.
    """
    from radia_pipeline.defs.promotion import ask_gate
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.usecases.champion_text import gate_text

    found = ask_gate(Lake.open(lake_root, create=False))
    print_result(found, gate_text(found), as_json)
    if found["refused"]:
        raise click.exceptions.Exit(1)


@champion.command("approve")
@_BY
@_REASON
@click.option("--research", is_flag=True, help="For research only: without a truth of the hospital's readings.")
@click.option("--shift", default="", help="What is known of a calibration whose slope is not 1; stands beside answers.")
@lake_option
@json_option
def approve(by: str, reason: str, research: bool, shift: str, lake_root: Path | None, as_json: bool) -> None:
    """Make the released ensemble champion, if the gate lets it.

    What comes after the ensemble then uses the champion, and says so. A refusal is kept in the history as well; nothing
    that answers changes by it.
    """
    from radia_pipeline.defs.promotion import act
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.usecases.champion_text import act_text

    told = {"by": by, "reason": reason, "research": research, "stated_shift": shift}
    found = act(Lake.open(lake_root, create=False), told)
    print_result(found, act_text(found), as_json)


@champion.command("rollback")
@_BY
@_REASON
@lake_option
@json_option
def rollback(by: str, reason: str, lake_root: Path | None, as_json: bool) -> None:
    """Put the champion before back.

    The detector that stood beside it comes with it. It answers as it did, to the bit. Before the first champion the
    ensemble answered, and does again.
    """
    from radia_pipeline.defs.promotion import act
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.usecases.champion_text import act_text

    found = act(Lake.open(lake_root, create=False), {"by": by, "reason": reason, "rollback": True})
    print_result(found, act_text(found), as_json)
