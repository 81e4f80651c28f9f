"""``radia quarantine``: what a person decides about refused files."""

from __future__ import annotations

from collections.abc import Iterable

import click

from radia_pipeline.cli.options import OneOf, json_option, lake_option
from radia_pipeline.cli.output import print_result


def _verdicts() -> Iterable[str]:
    from radia_pipeline.dicom.settlements import VERDICTS

    return VERDICTS


@click.group()
def quarantine() -> None:
    """Decide about files that were refused."""


@quarantine.command("settle")
@click.argument("file")
@click.option("--as", "verdict", type=OneOf(_verdicts), required=True, help="What the file is after all.")
@click.option("--by", required=True, help="Who says so; it is recorded.")
@click.option("--reason", required=True, help="What stands in the picture, without naming anybody; it is recorded.")
@click.option("--source", default="ccsmtl", show_default=True, help="Whose delivery it is.")
@lake_option
@json_option
def settle(file: str, verdict: str, by: str, reason: str, source: str, lake_root, as_json: bool) -> None:
    """Say that a refused FILE names nobody in its pixels.

    The next ingest brings it in. FILE is a file_id or a delivered_path of the table quarantine, or a path. The word
    holds for these bytes, whatever rules come; a changed file is judged anew. Headers are not settled: their values
    are declared in the policy.
    """
    from radia_pipeline.dicom.settlements import settle as settle_file
    from radia_pipeline.lake.lake import Lake

    file_id = settle_file(Lake.open(lake_root, create=False), source, file, verdict=verdict, by=by, reason=reason)
    print_result({"file_id": file_id, "as": verdict}, f"{file_id} is settled as {verdict}; ingest again", as_json)
