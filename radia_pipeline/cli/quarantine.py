"""``radia quarantine``: what was refused and what to do about it; what a person decides about refused files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import click

from radia_pipeline.cli.options import OneOf, json_option, lake_option
from radia_pipeline.cli.output import print_result
from radia_pipeline.drawing.text import table

NOTHING = "Nothing was refused"


def _verdicts() -> Iterable[str]:
    from radia_pipeline.dicom.settlements import VERDICTS

    return VERDICTS


def _reasons() -> Iterable[str]:
    from radia_pipeline.usecases.quarantined import WAYS

    return WAYS


@click.group(invoke_without_command=True)
@click.option("--source", help="Only this source.")
@click.option("--reason", type=OneOf(_reasons), help="Only this reason; shows which tag and rule stand behind it.")
@click.option("--paths", is_flag=True, help="List the files with their delivered paths, which may name somebody.")
@lake_option
@json_option
@click.pass_context
def quarantine(
    context: click.Context, source: str | None, reason: str | None, paths: bool, lake_root: Path | None, as_json: bool
) -> None:
    """See what was refused, by reason, and what to do; settle a file.

    Without a sub-command: how many files of which source were refused for which reason, with the way out.
    """
    if context.invoked_subcommand is not None:
        return
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.usecases.quarantined import refused, refused_files

    lake = Lake.open(lake_root, create=False)
    if paths:
        files = [asdict(one) for one in refused_files(lake, source, reason)]
        header = ["source", "reason", "detail", "file_id", "delivered_path"]
        shown = table(header, [[one[name] for name in header] for one in files])
        print_result({"files": files}, shown if files else NOTHING, as_json)
        return
    found = refused(lake, source, reason)
    print_result({"refused": [asdict(one) for one in found]}, as_text(found, reason is not None), as_json)


def as_text(found: list, with_details: bool) -> str:
    """Return a table of reasons, and below it, if asked, tag and rule of each refusal with the files they stopped."""
    if not found:
        return NOTHING
    lines = [table(["source", "reason", "files", "what to do"], [[r.source, r.reason, r.files, r.do] for r in found])]
    for one in found if with_details else ():
        lines += [
            "",
            f"{one.source}, {one.reason}:",
            *(f"  {count} files: {what}" for what, count in one.details.items()),
        ]
    return "\n".join(lines)


@quarantine.command("settle")
@click.argument("file")
@click.option("--as", "verdict", type=OneOf(_verdicts), required=True, help="What the file is after all.")
@click.option("--by", required=True, help="Who says so; it is recorded.")
@click.option("--reason", required=True, help="What stands in the picture, without naming anybody; it is recorded.")
@click.option("--source", default="ccsmtl", show_default=True, help="Whose delivery it is.")
@lake_option
@json_option
def settle(source: str, file: str, lake_root: Path | None, as_json: bool, **said: str) -> None:
    """Say that a refused FILE names nobody in its pixels.

    The next ingest brings it in. FILE is a file_id or a delivered_path of the table quarantine, or a path. The word
    holds for these bytes, whatever rules come; a changed file is judged anew. Headers are not settled: their values
    are declared in the policy.
    """
    from radia_pipeline.dicom.settlements import settle as settle_file
    from radia_pipeline.lake.lake import Lake

    file_id, verdict = settle_file(Lake.open(lake_root, create=False), source, file, **said), said["verdict"]
    print_result({"file_id": file_id, "as": verdict}, f"{file_id} is settled as {verdict}; ingest again", as_json)
