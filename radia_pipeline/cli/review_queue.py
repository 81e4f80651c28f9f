"""``radia review queue``: the labels that are most likely wrong, and lists of them for the reading page."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from radia_pipeline.cli.options import FilePath, OneOf, json_option, lake_option, sources_option
from radia_pipeline.cli.output import print_result
from radia_pipeline.drawing.text import table

SHOWN = 20
SENTENCE_CHARACTERS = 90


def _classes() -> Iterable[str]:
    from radia_pipeline.readings.label_grounds import asked_classes

    return asked_classes()


@click.command("queue")
@click.option(
    "--class",
    "classes",
    type=OneOf(_classes),
    multiple=True,
    metavar="CLASS",
    help="Only this class; may be given several times.",
)
@sources_option
@click.option("--label", type=click.Choice(["present", "absent"]), default=None, help="Only labels that say so.")
@click.option(
    "--most",
    type=click.IntRange(min=1),
    default=None,
    help=f"How many cells to take (default: {SHOWN}; with --out all).",
)
@click.option(
    "--of",
    "of_list",
    type=FilePath(exists=True, dir_okay=False),
    default=None,
    help="Only what is still to read of a list that was written.",
)
@click.option(
    "--sentences", is_flag=True, help="Show the report's sentence that each label rests on; --out never holds it."
)
@click.option(
    "--out",
    type=FilePath(dir_okay=False),
    default=None,
    help="Write the cells as a CSV that the reading page takes: without labels, which would tell the answer.",
)
@lake_option
@json_option
def queue(
    lake_root: Path | None, as_json: bool, most: int | None, sentences: bool, out: Path | None, **wish: Any
) -> None:
    """List the labels that are most likely wrong.

    The worst come first, balanced over classes. A cell is a study and a class. Only the training pool is queued. What
    was read since the queue was made is left out.
    """
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.readings.queue_list import Wish, read_list, sentences_of, waiting, write_list

    lake = Lake.open(lake_root, create=False)
    listed = read_list(wish["of_list"]) if wish["of_list"] else None
    found = waiting(lake, Wish(wish["classes"], wish["sources"], wish["label"] or "", listed))
    rows = found[: most or (len(found) if out else SHOWN)]
    if out:
        write_list(rows, out)
    said = sentences_of(lake, rows) if sentences else None
    shown = [{**row, "sentence": text} for row, text in zip(rows, said)] if said is not None else rows
    content = {"waiting": len(found), "cells": shown, **({"out": str(out)} if out else {})}
    print_result(content, _text(shown, len(found), out), as_json)


def _text(rows: list[dict[str, Any]], waiting: int, out: Path | None) -> str:
    if not waiting:
        return (
            "no label waits: nothing of it is left, or no recipe was trained fold by fold (`radia run --by-fold`) when "
            "label_review_queue was made"
        )
    if out:
        return f"{len(rows)} of {waiting} cells that wait are in {out}"
    names = ["position", "study_id", "class", "label says", "wrong with", "models see it with", "rests on"]
    lines = [
        [
            row["position"],
            row["study_id"][:12],
            row["class"],
            "present" if row["label"] else "absent",
            f"{row['wrong_probability']:.2f}",
            f"{row['probability']:.2f}",
            _ground(row),
        ]
        for row in rows
    ]
    return f"{waiting} cells wait; the first {len(rows)}:\n{table(names, lines)}"


def _ground(row: dict[str, Any]) -> str:
    """Return what a label rests on: the sentence where it was asked for, else where it stands."""
    if row.get("sentence"):
        text = " ".join(row["sentence"].split())
        return text if len(text) <= SENTENCE_CHARACTERS else text[: SENTENCE_CHARACTERS - 1] + "…"
    if row["mention_index"] is not None:
        return f"mention {row['mention_index']}, rule {row['rule_id']}"
    return row["rests_on"].replace("_", " ")
