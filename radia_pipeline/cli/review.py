"""``radia review``: the store of readings, reading sets, and what they say."""

from __future__ import annotations

import click

from radia_pipeline.cli.options import json_option, lake_option
from radia_pipeline.cli.output import pairs, print_result


@click.group()
def review() -> None:
    """Keep radiologists' readings: verify, undo, publish."""


@review.command("verify")
@lake_option
@json_option
def verify(lake_root, as_json: bool) -> None:
    """Prove the whole chain of readings and its witness.

    The head that is printed can be noted elsewhere: a later store must still hold it.
    """
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.readings.store import Store

    head = vars(Store(Lake.open(lake_root, create=False)).head)
    print_result(head, pairs(head), as_json)


@review.command("undo")
@click.argument("sequence", type=int)
@click.option("--reader", required=True, help="Coded name of the reader whose reading it is.")
@lake_option
@json_option
def undo(sequence: int, reader: str, lake_root, as_json: bool) -> None:
    """Take back one reading, by an event.

    SEQUENCE is its line in the store. The reading itself stays; it makes neither label nor truth.
    """
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.readings.store import Store

    Store(Lake.open(lake_root, create=False)).undo(sequence, reader)
    print_result({"undone": sequence}, f"reading {sequence} is taken back", as_json)


@review.command("publish")
@lake_option
@json_option
def publish(lake_root, as_json: bool) -> None:
    """Publish the store as the table label_reviews."""
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.readings.in_force import publish_reviews

    result = vars(publish_reviews(Lake.open(lake_root, create=False)))
    print_result(result, pairs(result), as_json)
