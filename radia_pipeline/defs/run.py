"""``radia run``: find the deliveries, remember them with the lake, run the graph, say what came out."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from radia_pipeline.errors import BadInput
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import Settings, change_settings, read_settings
from radia_pipeline.processes.progress import Progress, say
from radia_pipeline.sources.registry import locate_all
from radia_pipeline.usecases.summary import as_text, collect

if TYPE_CHECKING:
    from radia_pipeline.defs.one_run import StepReport
    from radia_pipeline.defs.pipeline import Listener

CPU_RECIPES = ("demo_linear", "demo_pcam")
"""What a lake trains until somebody chooses: small enough for a machine without a GPU."""


@dataclass(frozen=True)
class RunWish:
    """What somebody says of a run. What is None or empty is as the lake's settings have it; ``sources``: all there are.

    ``until``: the last asset that is made. ``by_fold``: each recipe is trained once for each fold of the training pool.
    """

    sources_root: Path | None = None
    sources: Sequence[str] = ()
    until: str | None = None
    recipes: Sequence[str] = ()
    by_fold: bool = False
    ocr: str | None = None
    official_split: str | None = None


def run_pipeline(lake_root: Path | None, wish: RunWish) -> tuple[dict[str, Any], str]:
    """Run the pipeline; returns the summary as data and as text. A failed source is named under ``failed``."""
    lake = Lake.open(lake_root)
    Pseudonymizer.from_environment(lake)
    _require_official_split(lake, wish.official_split)
    settings = _settings(lake, wish)
    present, absent = locate_all(Path(cast(str, settings.sources_root)), wish.sources or None)
    for name in absent:
        say(f"Source {name}: absent under {settings.sources_root}, skipped.")
    outcome = execute_graph(lake, list(present), wish.until)
    summary = {**collect(lake), "absent": list(absent), "failed": outcome.failed, "notes": outcome.notes}
    text = as_text(summary)
    if "models" in summary:
        summary["report"] = os.fspath(write_report(lake, summary))
        text += f"\n\nReport: {summary['report']}\nLook around: make ui LAKE={lake.root}"
    return summary, text


def write_report(lake: Lake, summary: dict[str, Any]) -> Path:
    """Write the HTML report into the lake, the pages of evaluation beside it, and return the report's path."""
    from radia_pipeline.pages.evaluation import write_evaluation_pages
    from radia_pipeline.pages.run_report import write_html_report

    write_evaluation_pages(lake)
    return write_html_report(lake, (lake.root / "report.html").absolute(), summary)


def _require_official_split(lake: Lake, official_split: str | None) -> None:
    """Refuse another choice than the lake's before any work is done; pools are for ever."""
    if official_split is not None:
        from radia_pipeline.cohort.official import policy_of

        policy_of(lake, official_split)


def _chosen(lake: Lake, recipes: Sequence[str], by_fold: bool) -> tuple[str, ...]:
    """Return the recipes to train: those named, else the lake's, else small ones; by their fold members if so wanted.

    Raises UnknownName, BadRecipe.
    """
    from radia_pipeline.training.fold_members import fold_members, parted
    from radia_pipeline.training.recipes import load_recipe

    chosen = tuple(recipes) or read_settings(lake.root).recipes or CPU_RECIPES
    if by_fold:
        chosen = tuple(member for name in chosen for member in ((name,) if parted(name) else fold_members(name)))
    for name in chosen:
        load_recipe(name, lake.root)
    return chosen


def _settings(lake: Lake, wish: RunWish) -> Settings:
    known = read_settings(lake.root)
    recipes = _chosen(lake, wish.recipes, wish.by_fold)
    root = str(Path(wish.sources_root).absolute()) if wish.sources_root is not None else known.sources_root
    if root is None:
        raise BadInput("No deliveries were named", do="give --sources-root DIR, the folder that holds the datasets")
    return change_settings(
        lake.root,
        sources_root=root,
        recipes=recipes,
        ocr=wish.ocr or known.ocr,
        official_split=wish.official_split or known.official_split,
    )


@dataclass
class Outcome:
    """``made``: runs that succeeded. ``failed``: source or step -> why. ``notes``: what did not fit in the input, by
    source (or ``all``), in words."""

    made: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)


@contextlib.contextmanager
def following() -> Iterator[tuple[Outcome, Listener]]:
    """Yield an outcome, and the listener of ``pipeline.execute`` that fills it and tells a terminal of progress."""
    from radia_pipeline.defs.pipeline import Listener
    from radia_pipeline.defs.resources import listen

    bar, outcome = Progress(), Outcome()

    def started(title: str, partition: str | None) -> None:
        say(f"▸ {title}" + (f" [{partition}]" if partition else ""))

    def ended(report: StepReport) -> None:
        bar.close()
        if report.error:
            outcome.failed[report.partition or report.name] = report.error
            say(f"  {report.name} failed after {report.duration_s:.0f} s: {report.error}")
        else:
            outcome.made += 1
            say(f"  {report.name} done in {report.duration_s:.0f} s")
        for note in report.notes:
            outcome.notes.setdefault(report.partition or "all", []).append(note)
            say(f"  Note: {note}")

    stop = listen(bar)
    try:
        yield outcome, Listener(started, ended)
    finally:
        stop()
        bar.close()


def execute_graph(lake: Lake, sources: list[str], until: str | None = None) -> Outcome:
    """Run the graph for these sources with progress on standard error."""
    from radia_pipeline.defs.build import build_defs
    from radia_pipeline.defs.pipeline import execute, make_plan

    definitions = build_defs(lake_root=lake.root)
    plan = make_plan(definitions, sources, until)
    with following() as (outcome, listener):
        execute(definitions, lake, plan, listener)
    return outcome
