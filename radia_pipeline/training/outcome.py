"""What a training is told besides its recipe (Runtime) and what it comes to (TrainResult, the model's card)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.processes.lifecycle import StopRequest
from radia_pipeline.training.checkpoints import Progress
from radia_pipeline.training.earlier_models import unfinished
from radia_pipeline.training.identity import NETWORK_KEY, TRAINING_VERSION, VERSION_KEY, network_version
from radia_pipeline.training.model_folders import read_card, read_history
from radia_pipeline.training.recipe_schema import Recipe

if TYPE_CHECKING:
    from radia_pipeline.lake.lake import Lake

OnEvent = Callable[[dict[str, Any]], None]
LIBRARIES = ("torch", "timm", "numpy", "opencv-python-headless", "radia-pipeline")
"""What a model was made with: on record, no part of its identity."""


@dataclass(frozen=True)
class Runtime:
    """What does not change the result: device, threads, how often to speak and to save.

    ``resume``: a checkpoint is taken up where there is one.
    """

    device: str | None = None
    workers: int | None = None
    log_every_s: float = 5.0
    checkpoint_every_s: float = 120.0
    resume: bool = True
    stop: StopRequest = field(default_factory=StopRequest)


@dataclass(frozen=True)
class TrainResult:
    """What a training came to. ``reused``: a finished model of the same fingerprint was found."""

    recipe: str
    model_dir: Path
    fingerprint: str
    manifest_versions: dict[str, str]
    epochs: int
    steps: int
    best_metric: float
    best_epoch: int
    metrics: dict[str, Any]
    history: list[dict[str, Any]]
    reused: bool
    duration_s: float
    picture: Path | None


@dataclass(frozen=True)
class Origin:
    """What a model is made from: its own fingerprint, the manifests' versions, the weights that it started from."""

    fingerprint: str
    versions: dict[str, str]
    parent: str | None


def make_card(
    recipe: Recipe, progress: Progress, origin: Origin, answer: dict[str, float], seconds: float
) -> dict[str, Any]:
    """Return the content of ``model.json``; ``answer``: to an empty image."""
    return {
        "recipe": recipe.model_dump(mode="json"),
        "recipe_hash": recipe.hash,
        "fingerprint": origin.fingerprint,
        "classes": list(vocabulary().classes),
        "vocabulary_version": vocabulary().version,
        "manifest_versions": origin.versions,
        "parent": origin.parent,
        VERSION_KEY: TRAINING_VERSION,
        NETWORK_KEY: network_version(recipe.model.backbone, recipe.model.map_stride),
        "made_with": library_versions(),
        "input": {"channels": recipe.input.channel_count, "size_px": recipe.input.size_px},
        "epochs": progress.validated_epochs,
        "steps": progress.step,
        "best_epoch": progress.best_epoch,
        "best_metric": progress.best_metric,
        "metrics": progress.history[progress.best_epoch],
        "empty_image_probabilities": answer,
        "duration_s": round(seconds, 1),
    }


def library_versions() -> dict[str, str]:
    """Return the installed versions of the libraries that a model's numbers pass through."""
    return {name: version(name) for name in LIBRARIES}


def warn_of_unfinished(home: Path, speak: OnEvent) -> None:
    """Say that a training begins anew although an earlier release left checkpoints below ``home``."""
    for folder in unfinished(home):
        message = (
            f"an earlier release left an unfinished training in {folder.parent.name}/{folder.name}; whether it is this "
            "one is not on record, so this one begins anew (that folder can be deleted)"
        )
        speak({"event": "warning", "message": message})


def read_result(lake: Lake, folder: Path, *, reused: bool) -> TrainResult:
    """Return the result of a finished training from its folder."""
    card = read_card(folder)
    name = card["recipe"]["name"]
    picture = picture_path(lake, name, card["fingerprint"])
    return TrainResult(
        recipe=name,
        model_dir=folder,
        fingerprint=card["fingerprint"],
        manifest_versions=card["manifest_versions"],
        epochs=card["epochs"],
        steps=card["steps"],
        best_metric=card["best_metric"],
        best_epoch=card["best_epoch"],
        metrics=card["metrics"],
        history=read_history(folder),
        reused=reused,
        duration_s=0.0 if reused else card["duration_s"],
        picture=picture if picture.exists() else None,
    )


def done_event(result: TrainResult) -> dict[str, Any]:
    """Return the last event of a training."""
    return {
        "event": "done",
        "model_dir": str(result.model_dir),
        "epochs": result.epochs,
        "steps": result.steps,
        "best_metric": result.best_metric,
        "reused": result.reused,
        "duration_s": result.duration_s,
    }


def picture_path(lake: Lake, recipe_name: str, fingerprint: str, *, kind: str = "batches") -> Path:
    """Where a training's picture of a batch, or of the answer to an empty image (``empty_images``), lies."""
    return lake.previews_dir / kind / f"{recipe_name}-{fingerprint}.png"
