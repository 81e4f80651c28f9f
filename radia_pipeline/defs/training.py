"""Assets of the groups ``training`` and ``detection`` that train: one process each, through Dagster Pipes."""

import shutil
import sys

import dagster as dg

from radia_pipeline.defs.resources import Radia
from radia_pipeline.defs.tables import OWNERS

POOL = "gpu" if shutil.which("nvidia-smi") else None
"""Trainings wait for each other where there is a GPU; without one, each keeps a core busy and they may go together."""
MAX_RUNTIME_S = 7 * 24 * 3600


def _train(context: dg.AssetExecutionContext, radia: Radia, pipes: dg.PipesSubprocessClient, kind: str, name: str):
    """Start the training process and hand on what it reports."""
    command = [
        sys.executable, "-m", "radia_pipeline.defs.training_process", kind, name, "--lake", radia.lake_root,
    ]  # fmt: skip
    done = pipes.run(command=command, context=context)
    for message in done.get_custom_messages():
        raise dg.Failure(description=f"{message['kind']}: {message['error']}", allow_retries=False)
    return done.get_results()


def classifier_asset(recipe: str, *, initialised_from: str | None = None) -> dg.AssetsDefinition:
    """Return the asset ``classifiers/<recipe>``; a recipe that starts from another one depends on its asset."""
    deps = [dg.AssetKey("manifest")]
    if initialised_from:
        deps.append(dg.AssetKey(["classifiers", initialised_from]))

    @dg.asset(
        key=["classifiers", recipe],
        deps=deps,
        group_name="training",
        kinds={"pytorch", "mlflow"},
        owners=[OWNERS["training"]],
        pool=POOL,
        op_tags={"dagster/max_runtime": MAX_RUNTIME_S},
        description=f"Classifier trained by the recipe {recipe}: one process, one MLflow run, one model.",
    )
    def classifier(context: dg.AssetExecutionContext, radia: Radia, pipes: dg.PipesSubprocessClient):
        return _train(context, radia, pipes, "classifier", recipe)

    return classifier


@dg.asset(
    deps=["manifest", "pseudo_boxes", "ensemble"],
    group_name="detection",
    kinds={"pytorch", "onnx", "mlflow"},
    owners=[OWNERS["detection"]],
    pool=POOL,
    op_tags={"dagster/max_runtime": MAX_RUNTIME_S},
    description="FCOS detector trained on pseudo boxes, its backbone taken from the best classifier; exported to ONNX.",
)
def detector(context: dg.AssetExecutionContext, radia: Radia, pipes: dg.PipesSubprocessClient):
    """Train the detector in its own process."""
    return _train(context, radia, pipes, "detector", radia.settings().detector)
