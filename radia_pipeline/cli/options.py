"""Options that several commands of ``radia`` share. No command is defined here."""

from __future__ import annotations

from pathlib import Path

import click

lake_option = click.option(
    "--lake",
    "lake_root",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder of the lake (default: $RADIA_LAKE, else .radia/lake).",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object last on standard output.")
