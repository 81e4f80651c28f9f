"""Which folder a classifier's training belongs to, and whether it stands finished there. No torch.

Not here: the names themselves (``identity``).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from radia_pipeline.errors import RadiaError
from radia_pipeline.training.identity import fingerprint
from radia_pipeline.training.model_folders import is_again, is_finished, latest_model
from radia_pipeline.training.out_of_fold import TABLE
from radia_pipeline.training.recipe_schema import Recipe
from radia_pipeline.training.studies import manifest_versions

if TYPE_CHECKING:
    from radia_pipeline.lake.lake import Lake

QUEUE = "label_review_queue"
"""Table of the labels that are most likely wrong."""


def parent_of(lake: Lake, recipe: Recipe) -> str | None:
    """Return what identifies the weights that a training starts from: ``init_from``'s, published ones, or none.

    Raises NotTrained for ``init_from``, BadInput for published weights that are not at hand.
    """
    if recipe.init_from:
        return latest_model(lake, recipe.init_from).name
    if not (recipe.model.pretrained or recipe.model.weights):
        return None
    from radia_pipeline.training.pretrained import weights_digest

    return weights_digest(recipe.model)


def told_by(lake: Lake, recipe: Recipe) -> dict[str, str]:
    """Return what identifies a teacher's answers and the review queue's doubt; nothing where a recipe wants neither.

    Raises NotTrained for a teacher without a model.
    """
    told, teacher = {}, recipe.labels.teacher
    if teacher:
        told["teacher"] = answers_out_of_fold(lake, teacher) or latest_model(lake, teacher).name
    if recipe.labels.doubt:
        told["doubt"] = " ".join(f"{source}={version}" for source, version in lake.versions(QUEUE).items())
    return told


def answers_out_of_fold(lake: Lake, recipe: str) -> str | None:
    """Return the version of a recipe's answers out of fold; None where there are none."""
    return lake.version(TABLE, recipe) if recipe in lake.partitions(TABLE) else None


def folder_of(lake: Lake, recipe: Recipe, versions: dict[str, str], parent: str | None) -> Path:
    """Return the training's folder."""
    return lake.models_dir / recipe.name / fingerprint(recipe, versions, parent, told_by(lake, recipe))


def standing_fingerprint(lake: Lake, recipe: Recipe) -> str | None:
    """Return the name of the finished model of this very training; None where it has yet to be trained, or cannot."""
    folder = _folder(lake, recipe)
    return folder.name if folder and is_finished(folder) else None


def is_stopped_again(lake: Lake, recipe: Recipe) -> bool:
    """Whether this very training was begun again by force and stopped."""
    folder = _folder(lake, recipe)
    return folder is not None and is_again(folder)


def _folder(lake: Lake, recipe: Recipe) -> Path | None:
    try:
        return folder_of(lake, recipe, manifest_versions(lake, recipe.data.sources), parent_of(lake, recipe))
    except RadiaError:  # the training itself will say what is missing
        return None
