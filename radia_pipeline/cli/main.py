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
from radia_pipeline.cli import tables
from radia_pipeline.cli.options import json_option, lake_option
from radia_pipeline.cli.output import print_json
from radia_pipeline.errors import RadiaError
from radia_pipeline.processes.progress import Progress, say


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
    from radia_pipeline.defs.demo import run_demo

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
@click.option(
    "--official-split",
    type=click.Choice(["ignore", "respect"]),
    help="Follow the publishers' own splits (fixed for a lake at its first placement; default: ignore).",
)
@lake_option
@json_option
def run(sources_root, sources, until, recipes, ocr, official_split, lake_root, as_json) -> None:
    """Run the pipeline: each source, then the cohort, then the models. Absent sources are named and skipped."""
    from radia_pipeline.defs.run import run_pipeline

    summary, text = run_pipeline(
        lake_root,
        sources_root=sources_root,
        sources=sources,
        until=until,
        recipes=recipes,
        ocr=ocr,
        official_split=official_split,
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
    from radia_pipeline.defs.training_lines import ProgressLines
    from radia_pipeline.defs.training_process import train_tracked
    from radia_pipeline.lake.lake import Lake

    lake = Lake.open(lake_root, create=False)
    figures = train_tracked("classifier", recipe, lake, on_event=ProgressLines(say), force=force)
    if as_json:
        print_json(figures)
        return
    for name, value in figures.items():
        click.echo(f"{name}: {value:.4g}" if isinstance(value, float) else f"{name}: {value}")


@cli.command()
@click.argument("recipe")
@click.option("--trials", type=click.IntRange(1), default=20, show_default=True, help="Trials in all; done ones count.")
@lake_option
@json_option
def sweep(recipe: str, trials: int, lake_root, as_json: bool) -> None:
    """Search the ranges that a recipe declares (its sweep section); interrupted, the same command goes on."""
    from radia_pipeline.defs.sweep import sweep_tracked
    from radia_pipeline.defs.training_lines import ProgressLines
    from radia_pipeline.lake.lake import Lake

    lake = Lake.open(lake_root, create=False)
    found = sweep_tracked(recipe, lake, trials=trials, on_event=ProgressLines(say))
    if as_json:
        print_json(found)
        return
    click.echo(f"best of {found['trials']} trials: {found['best_metric']:.4f}")
    for option, value in found["best_options"].items():
        click.echo(f"  {option}: {value}")


@cli.command()
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@lake_option
@json_option
def predict(images: tuple[Path, ...], lake_root, as_json: bool) -> None:
    """Predict pathologies of delivered images (DICOM or PNG) with the lake's ensemble."""
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.usecases.predict import as_text, predict_files

    answer = predict_files(Lake.open(lake_root, create=False), list(images))
    print_json(answer) if as_json else click.echo(as_text(answer))


@cli.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port of Dagster (default: a free one).")
@click.option("--lake", "lake_root", type=click.Path(path_type=Path), default=Path(".radia/demo"), show_default=True)
def ui(port: int, lake_root: Path) -> None:
    """Open Dagster and MLflow for a lake, on this machine only. Ctrl-C ends both."""
    from radia_pipeline.defs.ui import serve

    serve(lake_root, port=port)


@cli.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--source", default="ccsmtl", show_default=True, help="Whose de-identification policy applies.")
@click.option("--ocr", type=click.Choice(["auto", "off"]), default="auto", help="off: look at headers only.")
@json_option
def audit(files: tuple[Path, ...], source: str, ocr: str, as_json: bool) -> None:
    """Are these DICOM files and report tables (CSV) de-identified? A line for each finding; exit 1 if not.

    A finding names place and rule, never the value.
    """
    from radia_pipeline.usecases.audit import audit_files

    found = {}
    for file, findings in audit_files(files, source, ocr_mode=ocr):
        found[str(file)] = findings
        if not as_json:
            click.echo(f"{file}: " + (f"{len(findings)} findings" if findings else "de-identified"))
            for finding in findings:
                click.echo(f"  {finding}")
    if as_json:
        print_json({"files": found})
    if any(found.values()):
        raise click.exceptions.Exit(1)


@cli.command()
@click.argument("patient_keys", nargs=-1, required=True)
@lake_option
@json_option
def forget(patient_keys: tuple[str, ...], lake_root, as_json: bool) -> None:
    """Remove patients for good (Law 25): pixels, rows in all versions, packed data, predictions, review marks.

    PATIENT_KEYS are keyed hashes, as in the tables' column patient_key. What cannot be reached is listed.
    """
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.usecases.forget import as_text, forget_patients

    result = forget_patients(patient_keys, Lake.open(lake_root, create=False))
    print_json(vars(result)) if as_json else click.echo(as_text(result))


for _group in (tables.tables, tables.contracts, tables.manifest, tables.ledger, tables.vocabulary):
    cli.add_command(_group)


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
        code = cli.main(arguments, prog_name="radia", standalone_mode=False)
        return code if isinstance(code, int) else 0  # click hands back what Exit asked for
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


if __name__ == "__main__":
    sys.exit(main())
