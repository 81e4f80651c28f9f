"""The commands of ``radia`` about the lake: tables, contracts, manifest, ledger, vocabulary. Thin, as ``cli`` is."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from radia_pipeline.cli.options import json_option, lake_option
from radia_pipeline.cli.output import print_json
from radia_pipeline.drawing.text import table


@click.group()
def tables() -> None:
    """Look at the lake's tables and their versions."""


@tables.command("show")
@click.argument("name", required=False)
@click.option("--partition", help="Source, recipe, or all (default: every partition).")
@click.option("--rows", default=5, show_default=True, help="How many rows to print; restricted columns are left out.")
@lake_option
@json_option
def tables_show(name: str | None, partition: str | None, rows: int, lake_root, as_json: bool) -> None:
    """List the published tables, or show one table's columns and first rows."""
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.lake.show import listing, sample

    lake = Lake.open(lake_root, create=False)
    header, found = listing(lake) if name is None else sample(lake, name, partition, rows)
    if as_json:
        print_json({"rows": [dict(zip(header, row, strict=True)) for row in found]})
    else:
        click.echo(table(header, found))


@tables.command("history")
@click.argument("name")
@click.option("--partition", default="all", show_default=True)
@lake_option
@json_option
def tables_history(name: str, partition: str, lake_root, as_json: bool) -> None:
    """Show which versions of a table were published, oldest first."""
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.lake.show import history

    header, found = history(Lake.open(lake_root, create=False), name, partition)
    if as_json:
        print_json({"versions": [dict(zip(header, row, strict=True)) for row in found]})
    else:
        click.echo(table(header, found))


@tables.command("collect")
@click.option("--keep-days", default=90.0, show_default=True, help="Younger versions stay.")
@click.option("--dry-run", is_flag=True, help="Only count.")
@lake_option
@json_option
def tables_collect(keep_days: float, dry_run: bool, lake_root, as_json: bool) -> None:
    """Delete old versions that are neither published nor needed to repeat a training."""
    from radia_pipeline.lake.collect import collect
    from radia_pipeline.lake.lake import Lake

    result = collect(Lake.open(lake_root, create=False), keep_days=keep_days, dry_run=dry_run)
    if as_json:
        print_json(asdict(result))
    else:
        verb = "would go" if dry_run else "deleted"
        click.echo(f"{result.versions} versions kept, {result.deleted} {verb}, {result.freed_bytes / 1e6:.1f} MB")


@click.group()
def contracts() -> None:
    """Work with the data contracts."""


@contracts.command("check")
@click.argument("directory", type=click.Path(path_type=Path))
@json_option
def contracts_check(directory: Path, as_json: bool) -> None:
    """Check every table of a lake against its contract; exit code 1 when one breaks it."""
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.lake.show import violations

    found = violations(Lake.open(directory, create=False))
    broken = {name: problems for name, problems in found.items() if problems}
    if as_json:
        print_json({"checked": len(found), "broken": broken})
    else:
        for name, problems in found.items():
            click.echo(f"{'✗' if problems else '✓'} {name}" + "".join(f"\n    {problem}" for problem in problems))
    if broken:
        raise click.exceptions.Exit(1)


@click.group()
def manifest() -> None:
    """Hand the manifest to other tools."""


@manifest.command("export")
@click.option("--to", "form", required=True, type=click.Choice(["csv", "parquet", "coco", "torchxrayvision"]))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write to.")
@click.option("--source", "sources", multiple=True, help="Only this source; may be given several times.")
@lake_option
@json_option
def manifest_export(form: str, out: Path, sources: tuple[str, ...], lake_root, as_json: bool) -> None:
    """Write the manifest in another form, with its Croissant description."""
    from radia_pipeline.cohort.export import export_manifest
    from radia_pipeline.lake.lake import Lake

    result = export_manifest(Lake.open(lake_root, create=False), form, out, sources=sources or None)
    shown = {name: value if isinstance(value, int | str) else str(value) for name, value in asdict(result).items()}
    if as_json:
        print_json(shown)
    else:
        for name, value in shown.items():
            click.echo(f"{name}: {value}")


@click.group()
def ledger() -> None:
    """The append-only ledger of pools."""


@ledger.command("restore")
@lake_option
def ledger_restore(lake_root) -> None:
    """Put a damaged ledger back to its last good version, as the published splits know it."""
    from radia_pipeline.cohort.ledger import restore
    from radia_pipeline.lake.lake import Lake

    click.echo(f"{restore(Lake.open(lake_root, create=False))} placements stand in the restored ledger")


@click.group()
def vocabulary() -> None:
    """The classes, their version, and migrations from one version to the next."""


@vocabulary.command("show")
@json_option
def vocabulary_show(as_json: bool) -> None:
    """List the classes with their parents, and the migrations that lead to this version."""
    from radia_pipeline.contracts.vocabulary import vocabulary as installed

    words = installed()
    if as_json:
        migrations = [asdict(migration) for migration in words.migrations]
        print_json({"version": words.version, "classes": [vars(e) for e in words.entries], "migrations": migrations})
        return
    click.echo(f"Vocabulary {words.version}: {len(words.classes)} classes\n")
    rows = [[e.name, e.kind.replace("_", " "), ", ".join(e.parents) or "–", e.french] for e in words.entries]
    click.echo(table(["class", "kind", "parents", "in French"], rows))
    for migration in words.migrations:
        steps = "; ".join(map(str, migration.steps))
        click.echo(f"{migration.before} → {migration.after}  {migration.name}: {steps}")


@vocabulary.command("migrate")
@lake_option
@json_option
def vocabulary_migrate(lake_root, as_json: bool) -> None:
    """Bring a lake to the installed vocabulary; what cannot follow is withdrawn, for `radia run` to make again."""
    from radia_pipeline.labels.migration import migrate_lake
    from radia_pipeline.lake.lake import Lake, default_root

    result = migrate_lake(Lake(lake_root if lake_root is not None else default_root()))
    if as_json:
        print_json(asdict(result))
        return
    if not result.applied:
        click.echo(f"The lake speaks vocabulary {result.after} already")
        return
    click.echo(f"{result.before} → {result.after}: {', '.join(result.applied)}")
    click.echo(f"brought across: {', '.join(result.migrated) or 'nothing'}")
    click.echo(f"rows of retired classes left behind: {result.rows_of_retired_classes}")
    click.echo(f"to be made again by `radia run`: {', '.join(result.rebuild) or 'nothing'}")


@vocabulary.command("contracts")
@json_option
def vocabulary_contracts(as_json: bool) -> None:
    """Bring the class lists of data_contracts/ in line after vocabulary.yaml was changed by a migration."""
    from radia_pipeline.contracts.class_lists import follow_vocabulary

    changed = follow_vocabulary()
    if as_json:
        print_json({"changed": changed})
    else:
        click.echo(f"rewritten: {', '.join(changed) or 'none, all are in line'}")
