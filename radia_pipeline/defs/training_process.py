"""The process in which a model is trained: domain trainer + MLflow + Dagster Pipes where Dagster started it.

``python -m radia_pipeline.defs.training_process classifier NAME --lake DIR``. It imports neither dagster nor, before
it is needed, torch; ``radia train`` calls ``train_tracked`` too, so both ways train the same.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import RadiaError, RunFailed
from radia_pipeline.lake.lake import Lake

LOG_EVERY_S = 10.0
PIPES_VARIABLE = "DAGSTER_PIPES_CONTEXT"

OnEvent = Callable[[Mapping[str, Any]], None]


def manifest_version(lake: Lake) -> str:
    """Return one text that names the data versions of all manifests."""
    return " ".join(f"{source}={version[:12]}" for source, version in lake.versions("manifest").items())


def train_tracked(
    kind: str, name: str, lake: Lake, *, on_event: OnEvent, dagster_run_id: str | None = None, force: bool = False
) -> dict[str, Any]:
    """Train a classifier recipe or a detector with its MLflow run; returns figures for people.

    ``kind``: classifier or detector. ``name``: recipe, recipe file, or detector configuration.
    """
    from radia_pipeline.tracking.client import Tracker
    from radia_pipeline.tracking.models import log_model
    from radia_pipeline.tracking.provenance import provenance_tags
    from radia_pipeline.tracking.recorder import record_training

    settings, title, digest, start = _prepare(kind, name, lake, force)
    tags = provenance_tags(
        recipe=title,
        recipe_hash=digest,
        manifest_version=manifest_version(lake),
        vocabulary_version=vocabulary().version,
        asset=f"classifiers/{title}" if kind == "classifier" else "detector",
        dagster_run_id=dagster_run_id,
    )
    tracker = Tracker(lake)
    with record_training(tracker, title, settings, tags, force=force) as recorder:

        def both(event: Mapping[str, Any]) -> None:
            recorder(event)
            on_event(event)

        result = start(both)
        if getattr(result, "stopped", False):
            raise RunFailed(f"Training of {title} was stopped", do="start it again: it continues from its checkpoint")
        log_model(recorder.run, result.model_dir, title, kind=kind)
    return {**_figures(result), "mlflow_run_id": recorder.run.run_id}


def _prepare(
    kind: str, name: str, lake: Lake, force: bool
) -> tuple[dict[str, Any], str, str, Callable[[OnEvent], Any]]:
    """Return settings, title, hash and the way to start the training."""
    if kind == "classifier":
        from radia_pipeline.learning.recipes import load_recipe
        from radia_pipeline.learning.trainer import train

        recipe = load_recipe(name)
        return (
            recipe.model_dump(mode="json"),
            recipe.name,
            recipe.hash,
            lambda on_event: train(recipe, lake, on_event=on_event, force=force),
        )
    from radia_pipeline.detection.config import load_config
    from radia_pipeline.detection.train import train_detector

    config = load_config(name)
    return (
        config.as_dict(),
        "detector",
        config.hash,
        lambda on_event: train_detector(lake, config, on_event=on_event, force=force),
    )


def _figures(result: Any) -> dict[str, Any]:
    """Return a training result's numbers and short texts; paths and mappings of arrays stay out."""
    fields = {name: getattr(result, name) for name in result.__dataclass_fields__}
    plain = {name: value for name, value in fields.items() if isinstance(value, bool | int | float | str)}
    return {**plain, "model_dir": Path(result.model_dir).name}


class ProgressLines:
    """Turns a trainer's events into lines for people: every epoch, and a step line every ten seconds."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._last_s = time.monotonic()

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Say the event if it is time for it."""
        kind = event.get("event")
        now = time.monotonic()
        if kind == "step" and now - self._last_s < LOG_EVERY_S:
            return
        self._last_s = now
        numbers = {
            key: value for key, value in event.items() if key != "event" and isinstance(value, int | float | str)
        }
        shown = ", ".join(
            f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in numbers.items()
        )
        self._say(f"{kind}: {shown}")


def main(arguments: list[str] | None = None) -> int:
    """Entry of the process; 0 done, 1 the training failed, 2 bad input."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("classifier", "detector"))
    parser.add_argument("name")
    parser.add_argument("--lake", required=True, type=Path)
    options = parser.parse_args(arguments)
    if PIPES_VARIABLE not in os.environ:
        return _guarded(
            lambda: train_tracked(options.kind, options.name, Lake.open(options.lake), on_event=ProgressLines(_stderr))
        )
    from dagster_pipes import open_dagster_pipes

    with open_dagster_pipes() as pipes:

        def both(line: str) -> None:
            pipes.log.info(line)
            _stderr(f"  {options.name}: {line}")  # the terminal that waits, and Dagster's compute log

        def work() -> None:
            figures = train_tracked(
                options.kind,
                options.name,
                Lake.open(options.lake),
                on_event=ProgressLines(both),
                dagster_run_id=pipes.run_id,
            )
            pipes.report_asset_materialization(
                metadata=figures, data_version=str(figures.get("fingerprint", "")) or None
            )

        try:
            work()
        except RadiaError as error:  # said as a message: of a failed process Dagster would only show the exit code
            pipes.report_custom_message({"kind": error.kind, "error": str(error)})
    return 0


def _stderr(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _guarded(work: Callable[[], Any]) -> int:
    """Run; a RadiaError is said in its own words on standard error, without a traceback."""
    try:
        work()
    except RadiaError as error:
        _stderr(f"{error.kind}: {error}")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
