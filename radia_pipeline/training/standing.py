"""Which folder a classifier's training belongs to: its own, or the one in which it stands finished already. No torch.

Not here: the names themselves (``identity``) and the cards of earlier releases (``earlier_models``).
"""

from __future__ import annotations

from pathlib import Path

from radia_pipeline.errors import RadiaError
from radia_pipeline.training.earlier_models import standing_classifier
from radia_pipeline.training.identity import fingerprint
from radia_pipeline.training.model_folders import is_finished, latest_model
from radia_pipeline.training.recipe_schema import Recipe
from radia_pipeline.training.studies import manifest_versions


def parent_of(lake, recipe: Recipe) -> str | None:
    """Return what identifies the weights that a training starts from: ``init_from``'s, published ones, or none.

    Raises NotTrained for ``init_from``, BadInput for published weights that are not at hand.
    """
    if recipe.init_from:
        return latest_model(lake, recipe.init_from).name
    if not recipe.model.pretrained:
        return None
    from radia_pipeline.training.pretrained import weights_digest

    return weights_digest(recipe.model)


def folder_of(lake, recipe: Recipe, versions: dict[str, str], parent: str | None, *, force: bool = False) -> Path:
    """Return the training's folder. A model that an earlier release finished keeps the folder that it has.

    ``force``: it is trained again, so only its own folder counts.
    """
    home = lake.models_dir / recipe.name
    own = home / fingerprint(recipe, versions, parent)
    if force or is_finished(own):
        return own
    return standing_classifier(home, recipe, versions, parent) or own


def standing_fingerprint(lake, recipe: Recipe) -> str | None:
    """Return the name of the finished model of this very training; None where it has yet to be trained, or cannot."""
    try:
        folder = folder_of(lake, recipe, manifest_versions(lake, recipe.data.sources), parent_of(lake, recipe))
    except RadiaError:  # the training itself will say what is missing
        return None
    return folder.name if is_finished(folder) else None
