"""``radia vocabulary``: the classes, their version, and migrations from one version to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from radia_pipeline.cli.options import json_option, lake_option
from radia_pipeline.cli.output import print_result
from radia_pipeline.drawing.text import table

if TYPE_CHECKING:
    from radia_pipeline.contracts.vocabulary import Vocabulary


@click.group()
def vocabulary() -> None:
    """See the classes; migrate to another version."""


@vocabulary.command("show")
@json_option
def show(as_json: bool) -> None:
    """List the classes, their parents and the migrations."""
    from radia_pipeline.contracts.vocabulary import vocabulary as installed

    words = installed()
    content = {
        "version": words.version,
        "classes": [vars(entry) for entry in words.entries],
        "migrations": [asdict(migration) for migration in words.migrations],
    }
    print_result(content, shown(words), as_json)


def shown(words: Vocabulary) -> str:
    """Return the vocabulary as a table, with a line for each migration below it."""
    rows = [[e.name, e.kind.replace("_", " "), ", ".join(e.parents) or "–", e.french] for e in words.entries]
    migrations = (
        f"{one.before} → {one.after}  {one.name}: {'; '.join(map(str, one.steps))}" for one in words.migrations
    )
    head = f"Vocabulary {words.version}: {len(words.classes)} classes\n"
    return "\n".join([head, table(["class", "kind", "parents", "in French"], rows), *migrations])


@vocabulary.command("migrate")
@click.option("--carry-open-sets", is_flag=True, help="Go on reading open reading sets in the new words.")
@lake_option
@json_option
def migrate(carry_open_sets: bool, lake_root: Path | None, as_json: bool) -> None:
    """Bring a lake to the installed vocabulary.

    What cannot follow is withdrawn, for `radia run` to make again. While a reading set is being read this is refused,
    unless it is carried: readings stay as they were given, and follow their classes where truth is made of them.
    """
    from radia_pipeline.contracts.vocabulary import vocabulary as installed
    from radia_pipeline.labels.migration import migrate_lake
    from radia_pipeline.lake.lake import Lake, default_root
    from radia_pipeline.readings.progress import require_no_open_set

    lake = Lake(lake_root if lake_root is not None else default_root())
    if not carry_open_sets and lake.vocabulary_version != installed().version:
        require_no_open_set(lake)
    result = asdict(migrate_lake(lake))
    print_result(result, migrated(result), as_json)


def migrated(result: Mapping[str, Any]) -> str:
    """Return what a migration did to a lake."""
    if not result["applied"]:
        return f"The lake speaks vocabulary {result['after']} already"
    return "\n".join(
        [
            f"{result['before']} → {result['after']}: {', '.join(result['applied'])}",
            f"brought across: {', '.join(result['migrated']) or 'nothing'}",
            f"rows of retired classes left behind: {result['rows_of_retired_classes']}",
            f"to be made again by `radia run`: {', '.join(result['rebuild']) or 'nothing'}",
        ]
    )


@vocabulary.command("contracts")
@json_option
def contracts(as_json: bool) -> None:
    """Bring data_contracts/ in line with vocabulary.yaml.

    To be run after a migration changed the vocabulary: the contracts list the classes.
    """
    from radia_pipeline.contracts.class_lists import follow_vocabulary

    changed = follow_vocabulary()
    text = f"rewritten: {', '.join(changed) or 'none, all are in line'}"
    print_result({"changed": changed}, text, as_json)
