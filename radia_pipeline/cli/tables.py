"""``radia tables``: the lake's tables and their versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from radia_pipeline.cli.options import json_option, lake_option
from radia_pipeline.cli.output import print_result
from radia_pipeline.drawing.text import table


@click.group()
def tables() -> None:
    """Look at the lake's tables and their versions; restore one."""


@tables.command("show")
@click.argument("name", required=False)
@click.option("--partition", help="Source, recipe, or all (default: every partition).")
@click.option("--rows", default=5, show_default=True, help="How many rows to print; restricted columns are left out.")
@click.option("--version", help="An earlier version, as `radia tables history` lists it, or its first characters.")
@lake_option
@json_option
def show(
    name: str | None, partition: str | None, rows: int, version: str | None, lake_root: Path | None, as_json: bool
) -> None:
    """List the published tables, or show one of them.

    With NAME: the columns that may be shown and the first rows, as published or as in an earlier version.
    """
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.lake.show import listing, sample

    lake = Lake.open(lake_root, create=False)
    header, found = listing(lake) if name is None else sample(lake, name, partition, rows, version)
    _print_rows("rows", header, found, as_json)


@tables.command("history")
@click.argument("name")
@click.option("--partition", default="all", show_default=True, help="Source, recipe, or all.")
@lake_option
@json_option
def history(name: str, partition: str, lake_root: Path | None, as_json: bool) -> None:
    """Show which versions were published, oldest first."""
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.lake.show import history as versions_of

    header, found = versions_of(Lake.open(lake_root, create=False), name, partition)
    _print_rows("versions", header, found, as_json)


@tables.command("restore")
@click.argument("name")
@click.option("--partition", help="Source, recipe, or all (default: every partition that is not what was published).")
@click.option("--version", help="An earlier version, as `radia tables history` lists it, or its first characters.")
@lake_option
@json_option
def restore(name: str, partition: str | None, version: str | None, lake_root: Path | None, as_json: bool) -> None:
    """Put back what was published of a table.

    For a table whose file is damaged, was changed by hand or deleted. Without --version: what was published last.
    """
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.lake.restoring import restore as restore_table

    found = restore_table(Lake.open(lake_root, create=False), name, partition, version)
    lines = [f"{name}/{one.partition}: version {one.version[:12]}, {one.rows} rows, stands again" for one in found]
    text = "\n".join(lines) or "Nothing to restore: what stands is what was published"
    print_result({"restored": [asdict(one) for one in found]}, text, as_json)


@tables.command("collect")
@click.option("--keep-days", type=float, help="Younger versions stay (default: the setting keep_versions_days).")
@click.option("--dry-run", is_flag=True, help="Only count.")
@lake_option
@json_option
def collect(keep_days: float | None, dry_run: bool, lake_root: Path | None, as_json: bool) -> None:
    """Delete old versions that nothing needs.

    A version stays while it is published, younger than --keep-days, or needed to repeat a training.
    """
    from radia_pipeline.lake.collect import collect as collect_versions
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.lake.settings import read_settings

    lake = Lake.open(lake_root, create=False)
    days = read_settings(lake.root).keep_versions_days if keep_days is None else keep_days
    result = asdict(collect_versions(lake, keep_days=days, dry_run=dry_run))
    print_result(result, collected(result, "would go" if dry_run else "deleted"), as_json)


def collected(counts: Mapping[str, Any], verb: str) -> str:
    """Return what a collection came to, on one line."""
    return f"{counts['versions']} versions kept, {counts['deleted']} {verb}, {counts['freed_bytes'] / 1e6:.1f} MB"


def _print_rows(title: str, header: list[str], found: list[list], as_json: bool) -> None:
    content = {title: [dict(zip(header, row, strict=True)) for row in found]}
    print_result(content, table(header, found), as_json)
