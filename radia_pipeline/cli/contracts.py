"""``radia contracts``: the data contracts."""

from __future__ import annotations

from pathlib import Path

import click

from radia_pipeline.cli.options import FilePath, json_option
from radia_pipeline.cli.output import print_result


@click.group()
def contracts() -> None:
    """Work with the data contracts."""


@contracts.command("check")
@click.argument("directory", type=FilePath())
@json_option
def check(directory: Path, as_json: bool) -> None:
    """Check every table of a lake. Exit code 1 when one breaks its contract."""
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.lake.show import violations

    found = violations(Lake.open(directory, create=False))
    broken = {name: problems for name, problems in found.items() if problems}
    print_result({"checked": len(found), "broken": broken}, as_text(found), as_json)
    if broken:
        raise click.exceptions.Exit(1)


def as_text(found: dict[str, list[str]]) -> str:
    """Return one line for each table, and one below it for each rule that it breaks."""
    return "\n".join(
        f"{'✗' if problems else '✓'} {name}" + "".join(f"\n    {problem}" for problem in problems)
        for name, problems in found.items()
    )
