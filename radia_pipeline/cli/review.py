"""``radia review``: the radiologist's page; the store of readings, reading sets, and what they say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from radia_pipeline.cli.options import FilePath, OneOf, json_option, lake_option
from radia_pipeline.cli.output import pairs, print_result
from radia_pipeline.cli.review_queue import queue
from radia_pipeline.drawing.text import table

_CELLS = FilePath(dir_okay=False)


@click.group(invoke_without_command=True)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port of the page (default: a free one).")
@click.option("--reader", default="local", show_default=True, help="Coded name of who sits at this machine.")
@click.option(
    "--cells", multiple=True, type=_CELLS, help="CSV or Parquet of cells to read; may be given several times."
)
@click.option("--proxy", default=None, help="Address of the proxy that signs users in; no other is believed.")
@click.option("--user-header", default="X-Remote-User", show_default=True, help="Header in which the proxy names them.")
@click.option("--public-host", "public_hosts", multiple=True, help="Name under which a proxy shows the page.")
@click.option(
    "--count-answers", "counts_answers", is_flag=True, help="Count the API's answers by day, without content."
)
@click.option("--no-browser", is_flag=True, help="Do not open a browser.")
@lake_option
@click.pass_context
def review(context: click.Context, lake_root: Path | None, no_browser: bool, port: int, **wish: Any) -> None:
    """Open the page for reading and looking, or see to readings.

    Without a sub-command the page and the API are served on this machine until Ctrl-C. Sub-commands see to sets that
    radiologists read, their readings, and what they say.
    """
    if context.invoked_subcommand is not None:
        return
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.review.serve import serve
    from radia_pipeline.review.settings import Settings
    from radia_pipeline.servers.web import listening

    lake = Lake.open(lake_root, create=False)
    with listening(port) as end:
        settings = Settings(port=end.getsockname()[1], **wish)
        serve(lake, settings, end, opens_browser=not no_browser)


review.add_command(queue)


@review.command("verify")
@lake_option
@json_option
def verify(lake_root: Path | None, as_json: bool) -> None:
    """Prove the whole chain of readings and its witness.

    The head that is printed can be noted elsewhere: a later store must still hold it.
    """
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.readings.store import Store

    head = vars(Store(Lake.open(lake_root, create=False)).head)
    print_result(head, pairs(head), as_json)


@review.command("undo")
@click.argument("sequence", type=int)
@click.option("--reader", required=True, help="Coded name of the reader whose reading it is.")
@lake_option
@json_option
def undo(sequence: int, reader: str, lake_root: Path | None, as_json: bool) -> None:
    """Take back one reading, by an event.

    SEQUENCE is its line in the store. The reading itself stays; it makes neither label nor truth.
    """
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.readings.store import Store

    Store(Lake.open(lake_root, create=False)).undo(sequence, reader)
    print_result({"undone": sequence}, f"reading {sequence} is taken back", as_json)


@review.command("publish")
@lake_option
@json_option
def publish(lake_root: Path | None, as_json: bool) -> None:
    """Publish the store as the table label_reviews."""
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.readings.in_force import publish_reviews

    result = vars(publish_reviews(Lake.open(lake_root, create=False)))
    print_result(result, pairs(result), as_json)


@review.command("draw")
@click.option("--pool", default="test", show_default=True, help="Pool whose studies are the frame, all of them.")
@click.option("--size", type=int, default=600, show_default=True, help="Studies to draw, one of each group.")
@click.option("--name", default=None, help="First part of the set's id (default: the pool).")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the draw and of the readers' orders.")
@lake_option
@json_option
def draw(pool: str, size: int, name: str | None, seed: int, lake_root: Path | None, as_json: bool) -> None:
    """Draw a reading set and close it, before anybody reads.

    Classes with a positive label are enriched; at least two fifths are drawn from the rest. Inclusion probabilities are
    kept, so that figures on the set hold for the whole pool.
    """
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.readings.sets import draw_set

    result = vars(draw_set(Lake.open(lake_root, create=False), pool, size, name=name, seed=seed))
    print_result(result, _drawn(result, size), as_json)


def _drawn(result: dict, size: int) -> str:
    fewer = f" ({size} were asked for; the pool has no more groups)" if result["studies"] < size else ""
    scores = "scores of the ensemble were looked at" if result["uses_scores"] else "no scores were looked at"
    frame = f"{result['frame_studies']} studies in {result['frame_groups']} groups of patients"
    return "\n".join(
        [
            f"{result['set_id']} is drawn and closed: {result['studies']} studies{fewer}",
            f"  of a pool of {frame}; {scores}",
            *(f"  {count} {stratum}" for stratum, count in result["strata"].items()),
            f"  hash of what it holds: {result['members_sha256']}",
            f"  next: `radia review next {result['set_id']} --reader CODE`, for two readers at least",
        ]
    )


@review.command("status")
@lake_option
@json_option
def status(lake_root: Path | None, as_json: bool) -> None:
    """Say how far each reading set is and how readers agree."""
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.readings.progress import statuses

    found = [asdict(one) for one in statuses(Lake.open(lake_root, create=False))]
    text = "\n\n".join(_status_lines(one) for one in found) or "no reading set was drawn: `radia review draw`"
    print_result({"sets": found}, text, as_json)


def _status_lines(one: dict) -> str:
    between = one["between"]
    compared = [
        f"  kappa {between['kappa']:.3f} ({between['low']:.3f} to {between['high']:.3f}), {between['cells']} cells, "
        f"positive agreement {between['positive']:.3f}, negative {between['negative']:.3f}, AC1 {between['ac1']:.3f}"
    ]
    return "\n".join(
        [
            f"{one['set_id']}: {one['studies']} studies",
            *(f"  {reader} has read {count}" for reader, count in one["read"].items()),
            *(compared if between["cells"] else ["  no study was read by two readers yet"]),
            *(
                f"  {reader} with itself: {own['observed']:.3f} of {own['cells']} cells"
                for reader, own in one["within"].items()
                if own["cells"]
            ),
            f"  next: {one['next_step']}",
        ]
    )


@review.command("next")
@click.argument("set_id")
@click.option("--reader", required=True, help="Coded name of the reader.")
@lake_option
@json_option
def next_study(set_id: str, reader: str, lake_root: Path | None, as_json: bool) -> None:
    """Name the study that a reader reads next.

    Each reader has an own order; hidden repeats come as any other study.
    """
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.readings.membership import classes_of, rows_of_set
    from radia_pipeline.readings.progress import reading_list

    lake = Lake.open(lake_root, create=False)
    turns = reading_list(lake, set_id, reader)
    asked = classes_of(rows_of_set(lake, set_id))
    content = {"study_id": turns[0].study_id if turns else None, "left": len(turns), "asked": asked}
    text = "\n".join([pairs({"study_id": content["study_id"], "left": len(turns)}), f"asked: {', '.join(asked)}"])
    print_result(content, text if turns else f"{reader} has read all of {set_id}", as_json)


@review.command("plan")
@click.option("--pool", default="test", show_default=True, help="Pool to draw from.")
@click.option("--half-width", type=float, default=0.05, show_default=True, help="Wished for every class's AUC.")
@click.option("--auc", type=float, default=0.85, show_default=True, help="AUC that is expected.")
@click.option(
    "--label-sensitivity", type=float, default=0.8, show_default=True, help="Share of positives that labels find."
)
@click.option("--seconds", type=float, default=60.0, show_default=True, help="Seconds that a reading takes.")
@lake_option
@json_option
def plan(pool: str, half_width: float, lake_root: Path | None, as_json: bool, **expected: float) -> None:
    """Say how many studies and hours an interval costs.

    Labels stand in for the truth that nobody has read yet. What they miss costs most: such positives are met in the
    rest of the pool, where one read study stands for many.
    """
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.readings.progress import Expected, plan_set

    found = asdict(plan_set(Lake.open(lake_root, create=False), pool, half_width, Expected(**expected)))
    names = ["name", "positives", "effective_positives", "auc_half_width", "sensitivity_half_width"]
    rows = [
        [f"{one[name]:.3g}" if isinstance(one[name], float) else str(one[name]) for name in names]
        for one in found["classes"]
    ]
    reached = "every class gets it" if found["is_reached"] else "even the whole pool does not give it to every class"
    head = f"{found['studies']} studies, {found['hours']:.1f} hours for two readers: {reached}"
    text = "\n".join([head, table([name.replace("_", " ") for name in names], rows)])
    print_result(found, text, as_json)


@review.command("figures")
@click.argument("set_id")
@click.option("--model", default="ensemble", show_default=True, help="Recipe with predictions, or the ensemble.")
@lake_option
@json_option
def figures(set_id: str, model: str, lake_root: Path | None, as_json: bool) -> None:
    """Judge a model on a reading set, beside its readers.

    Figures are weighted to the whole pool. A reader is below the curve where the model finds more at as many false
    alarms; the reader has no part in the truth that this is measured with.
    """
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.readings.judgement import judge_set

    found = [asdict(one) for one in judge_set(Lake.open(lake_root, create=False), set_id, model)]
    names = ["auc", "ap", "f1", "sensitivity", "prevalence"]
    rows = [
        [
            one["name"],
            f"{one['effective_positives']:.0f}",
            *(_in_brackets(one["figures"][name]) for name in names),
            f"{one['below']['below']} of {one['below']['readers']} ({one['below']['surely']} to "
            f"{one['below']['possibly']})",
        ]
        for one in found
    ]
    text = table(["class", "effective positives", *names, "readers below the curve"], rows)
    print_result({"classes": found}, text if rows else "no class has enough positives yet", as_json)


def _in_brackets(one: dict) -> str:
    return f"{one['value']:.3f} ({one['low']:.3f} to {one['high']:.3f})"


@review.command("errors")
@click.option("--most", type=int, default=20, show_default=True, help="How many lines to print.")
@lake_option
@json_option
def errors(most: int, lake_root: Path | None, as_json: bool) -> None:
    """List what the rules over reports get wrong, worst first.

    Readings are compared with the label that each rule and cue made; the order is by the lower end of the share that is
    wrong, so that one bad case does not lead.
    """
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.readings.labeler_errors import labeler_errors

    found = [vars(one) for one in labeler_errors(Lake.open(lake_root, create=False))[:most]]
    rows = [
        [
            one["class_name"],
            one["rule_id"],
            one["cue"],
            f"{one['wrong']} of {one['cells']}",
            f"{one['share']:.3f} ({one['low']:.3f} to {one['high']:.3f})",
            f"{one['studies_wrong']:.0f}",
        ]
        for one in found
    ]
    text = table(["class", "rule", "cue", "wrong", "share", "studies of the pool"], rows)
    print_result({"rules": found}, text if rows else "no reading of a study with a report yet", as_json)


@review.command("export")
@click.argument("folder", type=FilePath(file_okay=False))
@lake_option
@json_option
def export(folder: Path, lake_root: Path | None, as_json: bool) -> None:
    """Write the chain of readings and their answers as CSV.

    Both go into FOLDER. The chain can be proved without this software: docs/readings.md holds a script.
    """
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.readings.exchange import export_readings

    result = vars(export_readings(Lake.open(lake_root, create=False), folder))
    print_result(result, pairs(result), as_json)


def _forms() -> Iterable[str]:
    from radia_pipeline.readings.exchange import FORMS

    return FORMS


@review.command("import")
@click.argument("path", type=FilePath(exists=True, dir_okay=False))
@click.option("--form", type=OneOf(_forms), default="csv", show_default=True, help="What the file is.")
@click.option("--made-by", required=True, help="Code of the person who brings the readings in.")
@click.option("--made-from", required=True, help="What they were made with, and when.")
@lake_option
@json_option
def import_file(path: Path, form: str, made_by: str, made_from: str, lake_root: Path | None, as_json: bool) -> None:
    """Bring in readings made elsewhere.

    They mend labels and are never truth. A CSV has the columns source, study_id, reader, class, answer (present,
    absent, uncertain) and, if known, decided_at.
    """
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.readings.exchange import import_readings

    lake = Lake.open(lake_root, create=False)
    result = vars(import_readings(lake, path, form, made_by=made_by, made_from=made_from))
    print_result(result, pairs(result), as_json)
