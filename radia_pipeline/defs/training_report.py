"""What a finished training shows in Dagster: figures, curves, the batch's picture, the answer to an empty image.

Plain Pipes metadata; this runs in the training process, which knows no dagster. Pixels are linked, never put inline.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radia_pipeline.defs.plots import DETECTOR_FIGURES, training_curves
from radia_pipeline.lake.lake import Lake
from radia_pipeline.training.model_folders import read_card
from radia_pipeline.training.outcome import TrainResult, picture_path

if TYPE_CHECKING:
    from radia_pipeline.detection.train import DetectorResult

SUSPICIOUS = 0.5
"""An empty image that gets more than this is worth a look: the model answers without evidence."""


def classifier_metadata(result: TrainResult, lake: Lake, mlflow_run_id: str | None) -> dict[str, Any]:
    """Return the metadata of ``classifiers/<recipe>``."""
    card = read_card(result.model_dir)
    chosen = card["recipe"]["stopping"]["metric"]
    shown: dict[str, Any] = {
        f"best_validation_{chosen}": result.best_metric,
        "best_epoch": result.best_epoch + 1,
        "epochs": result.epochs,
        "steps": result.steps,
        "classes_counted": len(result.metrics["counted"]),
        "reused": result.reused,
        "duration_s": result.duration_s,
        "fingerprint": result.fingerprint,
        "model": f"models/{result.recipe}/{result.model_dir.name}",
        "mlflow_run_id": mlflow_run_id,
        "manifest_versions": {"type": "json", "raw_value": result.manifest_versions},
        "curves": {"type": "md", "raw_value": _curves(result, chosen)},
        "empty_image": {"type": "md", "raw_value": _empty_image(card, lake, result)},
        "recipe": {"type": "json", "raw_value": card["recipe"]},
    }
    if result.picture is not None:
        shown["training_batch"] = {"type": "path", "raw_value": str(result.picture)}
    return shown


def detector_metadata(result: DetectorResult, lake: Lake, mlflow_run_id: str | None) -> dict[str, Any]:
    """Return the metadata of ``detector``."""
    card = read_card(result.model_dir)
    curves = training_curves(result.history, result.best_epoch, DETECTOR_FIGURES)
    note = f"AP against validation's pseudo boxes chose epoch {result.best_epoch + 1}; see `detector_scorecard`."
    shown: dict[str, Any] = {
        "name": result.name,
        "start_recipe": result.start_recipe,
        "best_metric": result.best_metric,
        "best_epoch": result.best_epoch + 1,
        "epochs": result.epochs,
        "images": result.images,
        "boxes": result.boxes,
        "validation_images": result.validation_images,
        "reused": result.reused,
        "duration_s": result.duration_s,
        "fingerprint": result.fingerprint,
        "model_dir": result.model_dir.name,
        "mlflow_run_id": mlflow_run_id,
        "curves": {"type": "md", "raw_value": f"![curves]({curves})\n\n{note}"},
        "options": {"type": "json", "raw_value": card["config"]},
    }
    picture = picture_path(lake, f"detector_{result.name}", result.fingerprint)
    if picture.exists():
        shown["training_batch"] = {"type": "path", "raw_value": str(picture)}
    return shown


def _curves(result: TrainResult, chosen: str) -> str:
    note = f"Validation {chosen} chose epoch {result.best_epoch + 1}; figures with intervals are in `scorecard`."
    return f"![curves]({training_curves(result.history, result.best_epoch)})\n\n{note}"


def _empty_image(card: dict[str, Any], lake: Lake, result: TrainResult) -> str:
    """The highest answers to an image that shows nothing, and their maps (nobody's pixels, so they stand inline)."""
    answers = sorted(card["empty_image_probabilities"].items(), key=lambda item: -item[1])
    loud = [f"{name} {value:.2f}" for name, value in answers if value > SUSPICIOUS and name != "No Finding"]
    text = "Above one half without evidence: " + ", ".join(loud) if loud else "Nothing above one half, as it should be"
    path = picture_path(lake, result.recipe, result.fingerprint, kind="empty_images")
    return f"{text}.\n\n![maps]({_data_address(path)})" if path.exists() else f"{text}."


def _data_address(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
