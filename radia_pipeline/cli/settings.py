"""``radia settings``: what a lake remembers of how it is used; shown, checked and set."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from radia_pipeline.cli.options import json_option, lake_option
from radia_pipeline.cli.output import print_result
from radia_pipeline.drawing.text import table


@click.group(invoke_without_command=True)
@lake_option
@json_option
@click.pass_context
def settings(context: click.Context, lake_root: Path | None, as_json: bool) -> None:
    """Show a lake's settings; set and check them.

    Without a sub-command they are shown, those that were set apart from those that are as in a new lake.
    """
    if context.invoked_subcommand is not None:
        return
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.lake.settings import Settings, read_settings

    found = asdict(read_settings(Lake.open(lake_root, create=False).root))
    usual = asdict(Settings())
    rows = [[name, json.dumps(value), "set" if value != usual[name] else ""] for name, value in found.items()]
    print_result(found, table(["setting", "value", ""], rows), as_json)


@settings.command("set")
@click.argument("name")
@click.argument("value")
@click.option("--leave-history", "leaves_history", is_flag=True, help="With database: begin or go on without a copy.")
@lake_option
@json_option
def set_one(name: str, value: str, leaves_history: bool, lake_root: Path | None, as_json: bool) -> None:
    """Set one setting of a lake.

    NAME is as `radia settings` shows it, VALUE a word, a number, JSON, or `none` for what a new lake has. `database`
    takes the histories of Dagster and MLflow along to the Postgres that it names.
    """
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.lake.settings import change_settings, parsed

    lake = Lake.open(lake_root, create=False)
    wanted = parsed(name, value)
    if name != "database":
        kept = asdict(change_settings(lake.root, **{name: wanted}))
        return print_result({name: kept[name]}, f"{name} is {json.dumps(kept[name])}", as_json)
    from radia_pipeline.defs.move_history import set_database

    told = set_database(lake, wanted, leaves_history=leaves_history)
    where = told["database"] or "SQLite beside the lake"
    text = f"The histories lie in {where}; {told['runs']} runs and {told['trainings']} trainings came along."
    if told["left"]:
        text += " What stood elsewhere was left there as it is."
    return print_result(told, text, as_json)


@settings.command("check")
@lake_option
@json_option
def check(lake_root: Path | None, as_json: bool) -> None:
    """Say whether the settings can be followed.

    Exit code 1 where one cannot: a recipe or folder that is gone, a database that does not answer, a dagster.yaml that
    a person has changed, which rules instead of the settings.
    """
    from radia_pipeline.defs.check_settings import problems
    from radia_pipeline.lake.lake import Lake

    found = problems(Lake.open(lake_root, create=False))
    print_result({"problems": found}, "\n".join(found) or "The settings can be followed.", as_json)
    if found:
        raise click.exceptions.Exit(1)
