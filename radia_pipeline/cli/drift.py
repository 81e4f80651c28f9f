"""``radia drift``: what moved, what it asks for, and who answered."""

from __future__ import annotations

from pathlib import Path

import click

from radia_pipeline.cli.options import FilePath, json_option, lake_option
from radia_pipeline.cli.output import print_result

_BY = click.option("--by", required=True, help="Who does it; stands in the lake for ever.")
_REASON = click.option("--reason", required=True, help="Why; stands there too.")


@click.group()
def drift() -> None:
    """See what moved since the reference was frozen, and answer it."""


@drift.command("report")
@click.option("--day", default=None, help="Day of the report, YYYY-MM-DD (default: today).")
@lake_option
@json_option
def report(day: str | None, lake_root: Path | None, as_json: bool) -> None:
    """Make the drift report of a day and its page.

    A reference is frozen first where there is none and enough windows came. Exit code 1 where something waits for an
    answer.
    """
    from radia_pipeline.defs.drift import make_report
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.usecases.drift_text import shown_text

    found = make_report(Lake.open(lake_root, create=False), day)
    print_result(found, f"{shown_text(found)}\n\nPage: {found['page']}", as_json)
    if found["waiting"]:
        raise click.exceptions.Exit(1)


@drift.command("show")
@click.option("--day", default=None, help="Day of the report, YYYY-MM-DD (default: the newest).")
@lake_option
@json_option
def show(day: str | None, lake_root: Path | None, as_json: bool) -> None:
    """Say what the newest report asks for, and what was answered."""
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.usecases.drift_text import shown, shown_text

    found = shown(Lake.open(lake_root, create=False), day)
    print_result(found, shown_text(found), as_json)


@drift.command("acknowledge")
@click.option("--source", default=None, help="Of which source (default: of all).")
@click.option("--stream", default=None, help="Which stream (default: all that wait).")
@_BY
@_REASON
@lake_option
@json_option
def acknowledge(
    source: str | None, stream: str | None, by: str, reason: str, lake_root: Path | None, as_json: bool
) -> None:
    """Answer what the newest report asks for.

    What was answered counts from the next window on: what goes on comes back.
    """
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.pages.drift import PAGE, write_drift_page
    from radia_pipeline.usecases.drift_text import acknowledge as answer

    lake = Lake.open(lake_root, create=False)
    found = answer(lake, by=by, reason=reason, source=source, stream=stream)
    write_drift_page(lake, lake.root / PAGE)
    print_result(found, f"{len(found['answered'])} alarms of {found['day']} are answered", as_json)


@drift.command("sample")
@click.option("--month", required=True, help="Month of arrival, YYYY-MM.")
@click.option("--out", type=FilePath(dir_okay=False), required=True, help="CSV of cells to write.")
@lake_option
@json_option
def sample(month: str, out: Path, lake_root: Path | None, as_json: bool) -> None:
    """Draw a month's studies to be read blind.

    Their readings measure the models. Read them with `radia review --cells FILE`: what a reader answers there is of
    the phase monitor. The file is named monitor-something.
    """
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.monitoring.sample import write_sample

    count = write_sample(Lake.open(lake_root, create=False), month, out)
    print_result({"studies": count, "out": str(out)}, f"{count} studies of {month} stand in {out}", as_json)


@drift.command("freeze")
@click.argument("source")
@_BY
@_REASON
@lake_option
@json_option
def freeze(source: str, by: str, reason: str, lake_root: Path | None, as_json: bool) -> None:
    """Freeze anew what is usual in a source.

    It is what came until today. What moved is usual from then on; earlier references are kept among the lake's
    versions.
    """
    from radia_pipeline.defs.drift import freeze_reference
    from radia_pipeline.lake.lake import Lake

    found = freeze_reference(Lake.open(lake_root, create=False), source, by=by, reason=reason)
    print_result(found, f"The reference of {source} was frozen anew: {found['streams']} streams", as_json)
