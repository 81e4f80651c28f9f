"""The command ``radia``: thin. Each command imports what it needs when it runs, calls one function, prints the result.

Exit code 0: done (also with quarantine); 1: the answer is no, or the run failed; 2: bad usage or input. With ``--json``
the last line of standard output is one JSON object; an error is ``{"error": …}``.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import Any

import click

from radia_pipeline import __version__
from radia_pipeline.console import Progress, print_json, say, table
from radia_pipeline.errors import RadiaError

lake_option = click.option(
    "--lake",
    "lake_root",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder of the lake (default: $RADIA_LAKE, else .radia/lake).",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object last on standard output.")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="radia")
def cli() -> None:
    """From de-identified chest radiographs and French reports to a pathology detector."""


def _show_warning(message, category, filename, lineno, file=None, line=None) -> None:
    """Show our own warnings as a sentence; those of libraries are for developers (RADIA_DEBUG=1)."""
    if category.__module__.startswith("radia_pipeline") or os.environ.get("RADIA_DEBUG"):
        say(f"Note: {message}")


@cli.command()
@click.option("--small", is_flag=True, help="A few dozen patients and short trainings: to see it run, not to judge it.")
@click.option("--lake", "lake_root", type=click.Path(path_type=Path), default=Path(".radia/demo"), show_default=True)
@click.option("--fresh", is_flag=True, help="Delete an earlier demo first.")
@json_option
def demo(small: bool, lake_root: Path, fresh: bool, as_json: bool) -> None:
    """Run everything on invented patients with known truth and show what came out."""
    from radia_pipeline.demo import run_demo

    summary, text = run_demo(lake_root, is_small=small, is_fresh=fresh)
    print_json(summary) if as_json else click.echo(text)


@cli.command()
@click.option(
    "--sources-root", type=click.Path(path_type=Path), help="Folder that holds the datasets in their published layouts."
)
@click.option("--source", "sources", multiple=True, help="Only this source; may be given several times.")
@click.option("--until", help="Stop after this asset (and make what it needs), e.g. manifest.")
@click.option(
    "--recipe", "recipes", multiple=True, help="Recipe of this lake's classifiers; may be given several times."
)
@click.option(
    "--ocr", type=click.Choice(["auto", "off", "require"]), help="Search pixels for burned-in text (default: auto)."
)
@lake_option
@json_option
def run(sources_root, sources, until, recipes, ocr, lake_root, as_json) -> None:
    """Run the pipeline: each source, then the cohort, then the models. Absent sources are named and skipped."""
    from radia_pipeline.run import run_pipeline

    summary, text = run_pipeline(
        lake_root, sources_root=sources_root, sources=sources, until=until, recipes=recipes, ocr=ocr
    )
    print_json(summary) if as_json else click.echo(text)
    if summary["failed"]:
        raise click.exceptions.Exit(1)


@cli.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--source", required=True, help="Which dataset's layout it is.")
@click.option(
    "--ocr",
    type=click.Choice(["auto", "off", "require"]),
    default="auto",
    show_default=True,
    help="Search pixels for burned-in text.",
)
@click.option("--workers", type=click.IntRange(1), help="Worker processes (default: the machine's cores).")
@lake_option
@json_option
def ingest(directory: Path, source: str, ocr: str, workers: int | None, lake_root, as_json: bool) -> None:
    """Ingest one delivery: images, quarantine and duplicates."""
    from radia_pipeline.dicom.ingest import ingest_images
    from radia_pipeline.lake.keys import Pseudonymizer
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.sources.registry import locate
    from radia_pipeline.sources.registry import source as find_source

    adapter = find_source(source)
    root = locate(source, directory)
    lake = Lake.open(lake_root)
    bar = Progress()
    result = ingest_images(
        adapter, root, lake, Pseudonymizer.from_environment(lake), workers=workers, ocr=ocr,
        on_progress=lambda now: bar(f"images/{source}", now.done, now.total),
    )  # fmt: skip
    bar.close()
    for warning in result.warnings:
        say(f"Note: {warning}")
    names = ("found", "ingested", "quarantined", "duplicates", "reasons")
    counts = {name: getattr(result, name) for name in names}
    if as_json:
        print_json(counts)
        return
    click.echo(", ".join(f"{name} {counts[name]}" for name in names[:-1]))
    for reason, count in sorted(counts["reasons"].items()):
        click.echo(f"  {reason}: {count}")


@cli.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--evidence", is_flag=True, help="Print the texts with findings coloured by status instead of JSON.")
@click.option("--json", "as_json", is_flag=True, help="Errors as JSON; results are JSON lines anyway.")
def label(file: Path, evidence: bool, as_json: bool) -> None:
    """Label French reports: JSON lines or CSV in (id and text), JSON lines out."""
    from radia_pipeline.reports.engine import Labeler
    from radia_pipeline.reports.evidence import as_record, colour
    from radia_pipeline.reports.files import read_report_file

    labeler = Labeler.default()
    for report_id, text in read_report_file(file):
        reading = labeler.read(text)
        if evidence:
            click.echo(f"── {report_id}\n{colour(text, reading)}\n")
        else:
            print_json({"id": report_id, **as_record(reading)})


@cli.command()
@click.argument("recipe")
@click.option("--force", is_flag=True, help="Train again even if this recipe is finished on this manifest.")
@lake_option
@json_option
def train(recipe: str, force: bool, lake_root, as_json: bool) -> None:
    """Train a recipe on the lake's manifest, with its MLflow run; resumes what was interrupted."""
    from radia_pipeline.defs.training_process import ProgressLines, train_tracked
    from radia_pipeline.lake.lake import Lake

    lake = Lake.open(lake_root, create=False)
    figures = train_tracked("classifier", recipe, lake, on_event=ProgressLines(say), force=force)
    if as_json:
        print_json(figures)
        return
    for name, value in figures.items():
        click.echo(f"{name}: {value:.4g}" if isinstance(value, float) else f"{name}: {value}")


@cli.command()
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@lake_option
@json_option
def predict(images: tuple[Path, ...], lake_root, as_json: bool) -> None:
    """Predict pathologies of delivered images (DICOM or PNG) with the lake's ensemble."""
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.predict import as_text, predict_files

    answer = predict_files(Lake.open(lake_root, create=False), list(images))
    print_json(answer) if as_json else click.echo(as_text(answer))


@cli.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port of Dagster (default: a free one).")
@click.option("--lake", "lake_root", type=click.Path(path_type=Path), default=Path(".radia/demo"), show_default=True)
def ui(port: int, lake_root: Path) -> None:
    """Open Dagster and MLflow for a lake, on this machine only. Ctrl-C ends both."""
    from radia_pipeline.defs.servers import serve

    serve(lake_root, port=port)


@cli.group()
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
    from dataclasses import asdict

    from radia_pipeline.lake.collect import collect
    from radia_pipeline.lake.lake import Lake

    result = collect(Lake.open(lake_root, create=False), keep_days=keep_days, dry_run=dry_run)
    if as_json:
        print_json(asdict(result))
    else:
        verb = "would go" if dry_run else "deleted"
        click.echo(f"{result.versions} versions kept, {result.deleted} {verb}, {result.freed_bytes / 1e6:.1f} MB")


@cli.group()
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


def _error_code(error: BaseException) -> tuple[int, dict[str, Any]]:
    """Return exit code and JSON form of an error; nothing but our own words is shown of unexpected ones."""
    if isinstance(error, RadiaError):
        return error.exit_code, {"error": str(error), "kind": error.kind}
    if isinstance(error, click.ClickException):
        return 2, {"error": error.format_message(), "kind": "Usage"}
    if isinstance(error, KeyboardInterrupt | click.exceptions.Abort):
        return 1, {"error": "Stopped; what was published is intact, and the same command continues", "kind": "Stopped"}
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno}" if place else "unknown place"
    text = f"Unexpected {type(error).__name__} at {where}. Do: run again with RADIA_DEBUG=1 and report it"
    return 1, {"error": text, "kind": "Unexpected"}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    warnings.showwarning = _show_warning
    try:
        cli.main(arguments, prog_name="radia", standalone_mode=False)
    except click.exceptions.Exit as done:
        return done.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except BaseException as error:
        if os.environ.get("RADIA_DEBUG") and not isinstance(error, RadiaError | click.ClickException):
            raise
        if isinstance(error, SystemExit):
            raise
        code, content = _error_code(error)
        if "--json" in arguments:
            print_json(content)
        else:
            say(f"Error: {content['error']}")
            if isinstance(error, click.UsageError) and error.ctx is not None:
                say(f"Try: {error.ctx.command_path} --help")
        return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
