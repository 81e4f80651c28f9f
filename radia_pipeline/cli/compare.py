"""``radia compare``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from radia_pipeline.cli.options import json_option, lake_option
from radia_pipeline.cli.output import print_result

if TYPE_CHECKING:
    from radia_pipeline.evaluation.intervals import Interval


@click.command()
@click.argument("first")
@click.argument("second")
@click.option("--note", help="Keep this note with the figures that it speaks of.")
@click.option("--who", help="Who writes the note.")
@lake_option
@json_option
def compare(first: str, second: str, note: str | None, who: str | None, lake_root: Path | None, as_json: bool) -> None:
    """Compare two models on the validation pool.

    FIRST and SECOND: recipes with predictions, or ensemble. Each figure has its interval, and so has the difference,
    paired over patients; notes that were kept stand below.
    """
    from radia_pipeline.evaluation.comparing import compare as compare_models
    from radia_pipeline.evaluation.comparing import keep_note, read_notes
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.pages.champion import write_champion_page
    from radia_pipeline.pages.evaluation import CHAMPION

    lake = Lake.open(lake_root, create=False)
    found = compare_models(lake, first, second)
    if note is not None or who is not None:
        keep_note(lake, found, note or "", who or "")
        write_champion_page(lake, lake.root / CHAMPION)
    notes = read_notes(lake, first, second)
    print_result({**found.as_record(), "notes": notes}, _as_text(found, notes), as_json)


def _as_text(found: Any, notes: list[dict]) -> str:
    wide = max(len(row.name) for row in found.rows)
    lines = [f"{found.first} and {found.second} on {found.studies} studies of validation, the first minus the second"]
    for row in found.rows:
        mark = "  told apart" if row.is_told_apart else ""
        lines.append(
            f"{row.figure:<4}{row.name:<{wide}}  {_shown(row.first)}  {_shown(row.second)}  "
            f"{_shown(row.difference, '+')}{mark}"
        )
    lines += [f"{note['when'][:10]}, {note['who']}: {note['note']}" for note in notes]
    return "\n".join(lines)


def _shown(interval: Interval, sign: str = "") -> str:
    return f"{interval.value:{sign}.3f} ({interval.low:{sign}.3f} to {interval.high:{sign}.3f})"
