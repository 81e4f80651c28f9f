"""The process in which a model is trained: domain trainer + MLflow + Dagster Pipes where Dagster started it.

``python -m radia_pipeline.defs.training_process classifier NAME --lake DIR``. It imports neither dagster nor, before
it is needed, torch; ``radia train`` calls ``train_tracked`` too, so both ways train the same.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.defs.training_lines import ProgressLines
from radia_pipeline.errors import RadiaError
from radia_pipeline.lake.lake import Lake
from radia_pipeline.processes.failures import as_record
from radia_pipeline.processes.lifecycle import StopRequest, stop_on_signals
from radia_pipeline.processes.parents import watch_parents
from radia_pipeline.training.recipe_schema import Recipe

if TYPE_CHECKING:
    from radia_pipeline.detection.config import DetectorConfig
    from radia_pipeline.training.launch import Seat

PIPES_VARIABLE = "DAGSTER_PIPES_CONTEXT"

OnEvent = Callable[[Mapping[str, Any]], None]


def manifest_version(lake: Lake) -> str:
    """Return one text that names the data versions of all manifests."""
    return " ".join(f"{source}={version[:12]}" for source, version in lake.versions("manifest").items())


@dataclass(frozen=True)
class ToTrain:
    """What is to be trained.

    ``kind``: classifier or detector. ``name``: recipe, recipe file, or detector configuration. ``fold``: of a recipe,
    the member that leaves it out. ``settings``: options that replace the file's own.
    """

    kind: str
    name: str
    fold: int | None = None
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """One training: what MLflow and people call it, what identifies it, and how it is started.

    ``standing`` tells the fingerprint of its model where it stands finished already, ``goes_on`` whether one that was
    begun by force has been stopped. ``force``: it is trained also where it stands.
    """

    kind: str
    title: str
    settings: dict[str, Any]
    digest: str
    start: Callable[[OnEvent], Any]
    standing: Callable[[], str | None]
    goes_on: Callable[[], bool] = lambda: False
    force: bool = False

    @property
    def asset(self) -> str:
        """Key of the asset that the training makes."""
        return f"classifiers/{self.title}" if self.kind == "classifier" else "detector"


def train_tracked(
    wanted: ToTrain, lake: Lake, *, on_event: OnEvent, force: bool = False, stop: StopRequest | None = None
) -> dict[str, Any]:
    """Train a classifier recipe or a detector with its MLflow run; returns figures for people."""
    result, run_id = run_tracked(make_job(wanted, lake, force, stop), lake, on_event=on_event)
    return {**_figures(result), "mlflow_run_id": run_id}


def run_tracked(
    job: Job,
    lake: Lake,
    *,
    on_event: OnEvent,
    dagster_run_id: str | None = None,
    more_tags: Mapping[str, str] | None = None,
    is_registered: bool = True,
) -> tuple[Any, str | None]:
    """Run a job within its MLflow run; returns the trainer's result and the run's id. A trial is not registered.

    The id is None where MLflow could not be written: the figures are then sent later.
    """
    from radia_pipeline.tracking.courier import Courier, header_of
    from radia_pipeline.tracking.provenance import provenance_tags

    tags = provenance_tags(
        recipe=job.title,
        recipe_hash=job.digest,
        manifest_version=manifest_version(lake),
        vocabulary_version=vocabulary().version,
        asset=job.asset,
        dagster_run_id=dagster_run_id,
    )
    tags |= more_tags or {}
    goes_on = job.goes_on()
    again = job.force or goes_on
    standing = None if again else job.standing()
    header = header_of(job.title, job.settings, tags, force=again, goes_on=goes_on, fingerprint=standing)
    courier = Courier(lake, header, on_event)
    courier.start()
    if courier.run_id:
        on_event({"event": "tracked", "mlflow_run_id": courier.run_id})

    def both(event: Mapping[str, Any]) -> None:
        courier(event)
        on_event(event)

    try:
        result = job.start(both)
    except BaseException as error:
        courier.end(error)
        raise
    folder = Path(result.model_dir).relative_to(lake.root).as_posix()
    courier.end(model={"folder": folder, "name": job.title, "kind": job.kind} if is_registered else None)
    return result, courier.run_id


def make_job(wanted: ToTrain, lake: Lake, force: bool, stop: StopRequest | None) -> Job:
    """Return the job of a recipe, of its member that leaves out a fold, or of a detector configuration."""
    if wanted.kind == "classifier":
        from radia_pipeline.training.recipes import load_recipe, with_settings, without_fold

        recipe = with_settings(load_recipe(wanted.name, lake.root), wanted.settings)
        return classifier_job(recipe if wanted.fold is None else without_fold(recipe, wanted.fold), lake, force, stop)
    from radia_pipeline.detection import recipes as detectors

    config = detectors.with_settings(detectors.load_config(wanted.name, lake.root), wanted.settings)
    return detector_job(config, lake, force, stop)


def detector_job(config: DetectorConfig, lake: Lake, force: bool, stop: StopRequest | None) -> Job:
    """Return the job of one detector."""
    from radia_pipeline.detection.identity import is_stopped_again, standing_fingerprint
    from radia_pipeline.detection.launch import launch_detector
    from radia_pipeline.training.launch import Processes

    processes = Processes() if stop is None else Processes(stop=stop)

    def start(on_event: OnEvent) -> Any:
        return launch_detector(lake, config, on_event=on_event, force=force, processes=processes)

    return Job(
        "detector",
        "detector",
        config.as_dict(),
        config.hash,
        start,
        standing=lambda: standing_fingerprint(lake, config),
        goes_on=lambda: is_stopped_again(lake, config),
        force=force,
    )


def classifier_job(recipe: Recipe, lake: Lake, force: bool, stop: StopRequest | None, seat: Seat | None = None) -> Job:
    """Return the job of one recipe; ``seat``: the part of the machine that it keeps to, in a process of its own."""
    from radia_pipeline.training.launch import train_recipe
    from radia_pipeline.training.standing import is_stopped_again, standing_fingerprint

    def start(on_event: OnEvent) -> Any:
        return train_recipe(recipe, lake, on_event=on_event, force=force, stop=stop, seat=seat)

    settings = recipe.model_dump(mode="json")
    return Job(
        "classifier",
        recipe.name,
        settings,
        recipe.hash,
        start,
        standing=lambda: standing_fingerprint(lake, recipe),
        goes_on=lambda: is_stopped_again(lake, recipe),
        force=force,
    )


def _figures(result: Any) -> dict[str, Any]:
    """Return a training result's numbers and short texts; paths and mappings of arrays stay out."""
    fields = {name: getattr(result, name) for name in result.__dataclass_fields__}
    plain = {name: value for name, value in fields.items() if isinstance(value, bool | int | float | str)}
    return {**plain, "model_dir": Path(result.model_dir).name}


def main(arguments: list[str] | None = None) -> int:
    """Entry of the process; 0 done, 1 the training failed, 2 bad input."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("classifier", "detector"))
    parser.add_argument("name")
    parser.add_argument("--lake", required=True, type=Path)
    options = parser.parse_args(arguments)
    stop = StopRequest()
    watch_parents(stop.set)  # a killed run worker, step or terminal leaves no trainer behind
    with stop_on_signals(stop):
        if PIPES_VARIABLE in os.environ:
            return _in_dagster(options, stop)
        lines = ProgressLines(_stderr)
        return _guarded(
            lambda: train_tracked(
                ToTrain(options.kind, options.name), Lake.open(options.lake), on_event=lines, stop=stop
            )
        )


def _in_dagster(options: argparse.Namespace, stop: StopRequest) -> int:
    """Train for a Dagster step: progress into its log, the result as the asset's materialization."""
    from dagster_pipes import open_dagster_pipes

    with open_dagster_pipes() as pipes:

        def both(line: str) -> None:
            pipes.log.info(line)
            _stderr(f"  {options.name}: {line}")  # the terminal that waits, and Dagster's compute log

        try:
            lake = Lake.open(options.lake)
            job = make_job(ToTrain(options.kind, options.name), lake, False, stop)
            result, run_id = run_tracked(job, lake, on_event=ProgressLines(both), dagster_run_id=pipes.run_id)
            pipes.report_asset_materialization(
                metadata=_metadata(options.kind, result, lake, run_id), data_version=result.fingerprint
            )
        except RadiaError as error:  # said as a message: of a failed process Dagster would only show the exit code
            pipes.report_custom_message({"failure": as_record(error)})
    return 0


def _metadata(kind: str, result: Any, lake: Lake, run_id: str | None) -> dict[str, Any]:
    if kind == "classifier":
        from radia_pipeline.defs.training_report import classifier_metadata

        return classifier_metadata(result, lake, run_id)
    from radia_pipeline.defs.training_report import detector_metadata

    return detector_metadata(result, lake, run_id)


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
