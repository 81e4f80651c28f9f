"""Assets of the groups ``training`` and ``detection`` that train: one process each, through Dagster Pipes."""

import multiprocessing
import shutil
from typing import Any

import dagster as dg
from dagster._core.errors import DagsterPipesExecutionError

from radia_pipeline.defs.resources import Radia
from radia_pipeline.defs.tables import OWNERS, failure
from radia_pipeline.detection.identity import DETECTOR_VERSION
from radia_pipeline.errors import UnknownName
from radia_pipeline.processes import children
from radia_pipeline.processes.failures import from_record
from radia_pipeline.processes.lifecycle import LAST_RESORT_S
from radia_pipeline.processes.parents import named
from radia_pipeline.training.identity import TRAINING_VERSION
from radia_pipeline.training.recipe_schema import Recipe
from radia_pipeline.training.recipe_words import key_settings

POOL = "gpu"
TERMINATION_S = LAST_RESORT_S + 4
"""Dagster waits so long for the process that it interrupted; by then the process has ended itself in any case."""


def _train(
    context: dg.AssetExecutionContext, radia: Radia, pipes: dg.PipesSubprocessClient, kind: str, name: str
) -> Any:
    """Start the training process and hand on what it reports."""
    command = children.module("radia_pipeline.defs.training_process", kind, name, "--lake", radia.lake_root)
    try:
        done = pipes.run(command=command, context=context, env=children.environment(_run_worker()))
    except DagsterPipesExecutionError:
        _end_tracked(context, radia)
        raise
    for message in done.get_custom_messages():
        raise failure(from_record(message["failure"]))
    return done.get_results()


def _end_tracked(context: dg.AssetExecutionContext, radia: Radia) -> None:
    """End the MLflow run of a training that was killed: it cannot say so, and MLflow's server may be away too."""
    from radia_pipeline.tracking.upkeep import tend

    try:
        tend(radia.lake())
    except Exception as error:  # whatever MLflow or its database raise: the server ends the run when it is there
        context.log.warning(f"The training's MLflow run cannot be ended now ({type(error).__name__})")


def _run_worker() -> dict[str, str]:
    """Name the run worker to the trainer where the step has a process of its own: such a step outlives its worker."""
    worker = multiprocessing.parent_process()
    return named(worker.pid) if worker is not None else {}


def pool_of(choice: str) -> str | None:
    """Return the pool in which trainings wait for each other, None for none; ``choice``: a name of ``POOL_CHOICES``.

    By itself there is one where there is a GPU; without one each training keeps a core busy, and they may go together.
    Raises UnknownName.
    """
    if choice not in POOL_CHOICES:
        raise UnknownName(f"The setting training_pool is {choice!r}", accepted=", ".join(POOL_CHOICES))
    return POOL if POOL_CHOICES[choice]() else None


POOL_CHOICES = {
    "auto": lambda: shutil.which("nvidia-smi") is not None,
    "on": lambda: True,
    "off": lambda: False,
}


def classifier_asset(recipe: Recipe, pool: str | None = None) -> dg.AssetsDefinition:
    """Return the asset ``classifiers/<recipe>``; a recipe that starts or learns from another depends on its asset."""
    deps = [dg.AssetKey("manifest")]
    if recipe.init_from:
        deps.append(dg.AssetKey(["classifiers", recipe.init_from]))
    if recipe.labels.teacher:
        deps.append(dg.AssetKey(["classifiers", recipe.labels.teacher]))

    @dg.asset(
        key=["classifiers", recipe.name],
        deps=deps,
        group_name="training",
        kinds={"pytorch", "mlflow"},
        owners=[OWNERS["training"]],
        pool=pool,
        code_version=f"{TRAINING_VERSION}.{recipe.hash[:12]}",
        description=description(recipe),
        metadata={"recipe": recipe.model_dump(mode="json"), "recipe_hash": recipe.hash},
    )
    def classifier(context: dg.AssetExecutionContext, radia: Radia, pipes: dg.PipesSubprocessClient) -> Any:
        return _train(context, radia, pipes, "classifier", recipe.name)

    return classifier


def description(recipe: Recipe) -> str:
    """Return what an ML engineer wants to know of a recipe, as Markdown; the whole recipe is in the metadata."""
    rows = "\n".join(f"| {name} | {text} |" for name, text in key_settings(recipe).items())
    return f"{recipe.title}\n\n| setting | value |\n|---|---|\n{rows}\n\nOne process, one MLflow run, one model."


def detector_asset(pool: str | None = None) -> dg.AssetsDefinition:
    """Return the asset ``detector``."""

    @dg.asset(
        deps=["manifest", "pseudo_boxes", "ensemble", "champion"],
        group_name="detection",
        kinds={"pytorch", "onnx", "mlflow"},
        owners=[OWNERS["detection"]],
        pool=pool,
        code_version=f"{TRAINING_VERSION}.{DETECTOR_VERSION}",
        description="Detector trained on pseudo boxes, its backbone taken from the best classifier; exported to ONNX.",
    )
    def detector(context: dg.AssetExecutionContext, radia: Radia, pipes: dg.PipesSubprocessClient) -> Any:
        return _train(context, radia, pipes, "detector", radia.settings().detector)

    return detector
