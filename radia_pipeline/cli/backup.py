"""``radia backup``: copies of a lake with its history, and lakes made of them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from radia_pipeline.cli.options import FilePath, json_option, lake_option
from radia_pipeline.cli.output import print_json, print_result
from radia_pipeline.drawing.text import table

_from = click.option("--from", "root", type=FilePath(), required=True, help="Folder of the backup.")
_set = click.option("--set", "name", help="Which set, as `radia backup list` names it (default: the newest).")


@click.group()
def backup() -> None:
    """Back up a lake with its history; verify, restore, thin out."""


@backup.command("create")
@click.option("--to", "root", type=FilePath(), help="Folder of the backup (default: the lake's setting).")
@click.option("--recipient", "recipients", multiple=True, help="Public key (age1…) that it is sealed to; several may.")
@click.option("--keep", type=click.IntRange(1), help="Delete older sets beyond so many (default: the lake's setting).")
@click.option("--remember", is_flag=True, help="Keep place, recipients and number in the lake's settings.")
@click.option("--wait", "wait_s", default=600.0, show_default=True, help="Seconds to wait for the lake to stand still.")
@lake_option
@json_option
def create(
    root: Path | None,
    recipients: tuple[str, ...],
    keep: int | None,
    remember: bool,
    wait_s: float,
    lake_root: Path | None,
    as_json: bool,
) -> None:
    """Make a set of the lake as it is now.

    Tables and their versions, pictures, models, ledgers, readings and the history of Dagster and MLflow. What did not
    change since the last set is not copied again; killed, the same command continues.
    """
    from radia_pipeline.errors import BadInput
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.lake.settings import change_settings, read_settings
    from radia_pipeline.processes.progress import Progress
    from radia_pipeline.usecases.backup import create as create_backup

    lake = Lake.open(lake_root, create=False)
    kept = read_settings(lake.root)
    if (given := root.absolute() if root is not None else kept.backup_to) is None:
        raise BadInput("No place for the backup is known", do="name one: --to DIR, once with --remember")
    place = Path(given)
    recipients = tuple(recipients) or kept.backup_recipients
    if remember:
        kept = change_settings(
            lake.root, backup_to=str(place), backup_recipients=recipients, backup_keep=keep or kept.backup_keep
        )
    is_ours = kept.backup_to is not None and place == Path(kept.backup_to)
    progress = Progress()
    result = create_backup(
        lake,
        place,
        recipients=recipients,
        keep=keep or (kept.backup_keep if is_ours else None),
        wait_s=wait_s,
        tell=progress,
    )
    progress.close()
    text = (
        f"Set {result.name}: {result.files} files, {result.bytes / 1e6:.1f} MB, {result.tables} tables; "
        f"{result.copied} files copied ({result.copied_bytes / 1e6:.1f} MB), the lake held for {result.still_s:.1f} s"
        + (f"; {len(result.dropped)} older sets deleted" if result.dropped else "")
        + f"\nProves itself by {result.sha256}"
    )
    print_result(asdict(result), text, as_json)


@backup.command("list")
@_from
@json_option
def list_sets(root: Path, as_json: bool) -> None:
    """List the sets of a backup, oldest first."""
    from radia_pipeline.usecases.backup import listing

    rows = listing(root)
    header = ["set", "files", "MB", "tables", "release", "state"]
    shown = [
        [row["set"], row["files"], f"{row['bytes'] / 1e6:.1f}", row["tables"], row["release"], row["state"]]
        for row in rows
    ]
    print_result({"sets": rows}, table(header, shown) if rows else "No complete set", as_json)


@backup.command("verify")
@_from
@_set
@json_option
@click.pass_context
def verify(ctx: click.Context, root: Path, name: str | None, as_json: bool) -> None:
    """Compare every byte of a set with what was stored.

    Exit 1 where one differs. No key is needed. That a set can be restored is proved by restoring it to another place,
    now and then.
    """
    from radia_pipeline.usecases.backup import verify as verify_set

    result = verify_set(root, name)
    if as_json:
        print_json({**asdict(result), "is_whole": not result.damaged})
    elif result.damaged:
        do = "delete those files from objects/ and `radia backup create`: it stores anew what the lake still holds"
        click.echo("\n".join([f"Set {result.name} is damaged:", *(f"  {one}" for one in result.damaged), f"Do: {do}"]))
    else:
        click.echo(f"Set {result.name} is whole: {result.objects} objects, {result.bytes / 1e6:.1f} MB")
    ctx.exit(1 if result.damaged else 0)


@backup.command("restore")
@_from
@click.option("--lake", "lake_root", type=FilePath(), required=True, help="Where the lake is to stand: a new place.")
@_set
@click.option("--identity", type=FilePath(), help="File of the secret key, for a sealed backup.")
@click.option("--database", "server", help="Address of an empty Postgres, for histories that lay in one.")
@json_option
def restore(
    root: Path, lake_root: Path, name: str | None, identity: Path | None, server: str | None, as_json: bool
) -> None:
    """Make a lake of a set, at a new place.

    Every byte is proved first; a set of which one differs is refused. Killed, the same command continues.
    """
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.pages.run_report import write_html_report
    from radia_pipeline.processes.progress import Progress
    from radia_pipeline.usecases.backup_restore import restore as restore_set

    progress = Progress()
    result = restore_set(root, lake_root, name=name, identity=identity, server=server, tell=progress)
    progress.close()
    lake = Lake.open(lake_root, create=False)
    write_html_report(lake, (lake.root / "report.html").absolute())
    text = (
        f"Set {result.set} stands at {lake_root}: {result.files} files, {result.bytes / 1e6:.1f} MB, "
        f"{result.tables} tables, {result.readings} lines of readings, all proved.\n"
        "Packed images and previews are made again when they are needed; other pages by `radia run`. "
        "Set RADIA_PSEUDONYM_KEY to the lake's key before the next delivery."
    )
    print_result(asdict(result), text, as_json)


@backup.command("prune")
@_from
@click.option("--keep", type=click.IntRange(1), required=True, help="How many of the newest sets stay.")
@json_option
def prune(root: Path, keep: int, as_json: bool) -> None:
    """Delete older sets and what only they held."""
    from radia_pipeline.usecases.backup import prune as prune_sets

    gone = prune_sets(root, keep)
    print_result({"deleted": list(gone)}, f"{len(gone)} sets deleted" + "".join(f"\n  {n}" for n in gone), as_json)


@backup.command("key")
@click.option("--out", type=FilePath(), required=True, help="File for the secret key; keep it away from the backup.")
@json_option
def key(out: Path, as_json: bool) -> None:
    """Make a key pair for sealed backups.

    The secret half goes into a file, the public half to the terminal.
    """
    from radia_pipeline.usecases.backup_sealing import new_identity

    recipient = new_identity(out)
    text = f"Recipient: {recipient}\nThe secret key is in {out}: without it no sealed backup can be read."
    print_result({"recipient": recipient}, text, as_json)
