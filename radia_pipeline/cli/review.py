"""``radia review``: the store of readings, reading sets, and what they say."""

from __future__ import annotations

from dataclasses import asdict

import click

from radia_pipeline.cli.options import json_option, lake_option
from radia_pipeline.cli.output import pairs, print_result
from radia_pipeline.drawing.text import table


@click.group()
def review() -> None:
    """Sets that radiologists read, their readings, what they say."""


@review.command("verify")
@lake_option
@json_option
def verify(lake_root, as_json: bool) -> None:
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
def undo(sequence: int, reader: str, lake_root, as_json: bool) -> None:
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
def publish(lake_root, as_json: bool) -> None:
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
def draw(pool: str, size: int, name: str | None, seed: int, lake_root, as_json: bool) -> None:
    """Draw a reading set and close it, before anybody reads.

    Classes with a positive label are enriched; at least two fifths are drawn from the rest. Inclusion probabilities are
    kept, so that figures on the set hold for the whole pool.
    """
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.readings.sets import draw_set

    result = vars(draw_set(Lake.open(lake_root, create=False), pool, size, name=name, seed=seed))
    print_result(result, pairs(result), as_json)


@review.command("status")
@lake_option
@json_option
def status(lake_root, as_json: bool) -> None:
    """Say how far each reading set is and how readers agree."""
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.readings.progress import statuses

    found = [asdict(one) for one in statuses(Lake.open(lake_root, create=False))]
    text = "\n\n".join(_status_lines(one) for one in found) or "no reading set was drawn: `radia review draw`"
    print_result({"sets": found}, text, as_json)


def _status_lines(one: dict) -> str:
    between = one["between"]
    return "\n".join([
        f"{one['set_id']}: {one['studies']} studies",
        *(f"  {reader} has read {count}" for reader, count in one["read"].items()),
        f"  kappa {between['kappa']:.3f} ({between['low']:.3f} to {between['high']:.3f}), {between['cells']} cells, "
        f"positive agreement {between['positive']:.3f}, negative {between['negative']:.3f}, AC1 {between['ac1']:.3f}",
        *(f"  {reader} with itself: {own['observed']:.3f} of {own['cells']} cells"
          for reader, own in one["within"].items() if own["cells"]),
        f"  next: {one['next_step']}",
    ])  # fmt: skip


@review.command("next")
@click.argument("set_id")
@click.option("--reader", required=True, help="Coded name of the reader.")
@lake_option
@json_option
def next_study(set_id: str, reader: str, lake_root, as_json: bool) -> None:
    """Name the study that a reader reads next.

    Each reader has an own order; hidden repeats come as any other study.
    """
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.readings.progress import reading_list

    turns = reading_list(Lake.open(lake_root, create=False), set_id, reader)
    content = {"study_id": turns[0].study_id if turns else None, "left": len(turns)}
    print_result(content, pairs(content), as_json)


@review.command("plan")
@click.option("--pool", default="test", show_default=True, help="Pool to draw from.")
@click.option("--half-width", type=float, default=0.05, show_default=True, help="Wished for every class's AUC.")
@click.option("--auc", type=float, default=0.85, show_default=True, help="AUC that is expected.")
@click.option("--seconds", type=float, default=60.0, show_default=True, help="Seconds that a reading takes.")
@lake_option
@json_option
def plan(pool: str, half_width: float, auc: float, seconds: float, lake_root, as_json: bool) -> None:
    """Say how many studies and hours an interval costs.

    Labels stand in for the truth that nobody has read yet.
    """
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.readings.progress import plan_set

    found = asdict(plan_set(Lake.open(lake_root, create=False), pool, half_width, auc=auc, seconds=seconds))
    names = ["name", "positives", "effective_positives", "auc_half_width", "sensitivity_half_width"]
    rows = [[f"{one[name]:.3g}" if isinstance(one[name], float) else str(one[name]) for name in names]
            for one in found["classes"]]  # fmt: skip
    reached = "every class gets it" if found["is_reached"] else "even the whole pool does not give it to every class"
    head = f"{found['studies']} studies, {found['hours']:.0f} hours for two readers: {reached}"
    text = "\n".join([head, table([name.replace("_", " ") for name in names], rows)])
    print_result(found, text, as_json)
