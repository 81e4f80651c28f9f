"""Weights of trained models: how they are published, read, and taken over by another training.

Nets are in ``models``, files other than weights in ``model_folders``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from radia_pipeline.errors import BadRecipe, NotTrained
from radia_pipeline.lake.atomic import write_text
from radia_pipeline.training.checkpoints import load_tensors, save_tensors, select
from radia_pipeline.training.identity import NETWORK_KEY, network_version
from radia_pipeline.training.model_folders import latest_model, read_card
from radia_pipeline.training.recipe_schema import Recipe

if TYPE_CHECKING:
    from radia_pipeline.lake.lake import Lake


def publish(folder: Path, weights: dict[str, torch.Tensor], card: dict[str, Any]) -> None:
    """Write weights, then card: the card says that the model is whole."""
    save_tensors(folder / "model.safetensors", weights, {"kind": "model", "fingerprint": card["fingerprint"]})
    write_text(folder / "model.json", json.dumps(card, indent=1) + "\n")


def read_weights(folder: Path) -> dict[str, torch.Tensor]:
    """Return a finished model's weights."""
    return load_tensors(folder / "model.safetensors")[0]


def read_classifier(folder: Path) -> dict[str, torch.Tensor]:
    """Return a classifier's weights; raises NotTrained where another network was trained than is built today."""
    card = read_card(folder)
    recipe, model = card["recipe"], card["recipe"]["model"]
    finer = model.get("map_stride")
    if card.get(NETWORK_KEY, 1) != network_version(model["backbone"], finer):
        otherwise = f"normalised the map of {model['backbone']}" if finer is None else "made its finer map"
        raise NotTrained(
            f"The model of recipe {recipe['name']} was trained by an earlier release, which {otherwise} otherwise: its "
            "weights say something else today",
            do=f"train it again: `radia train {recipe['name']}`",
        )
    return read_weights(folder)


def start_from(classifier: torch.nn.Module, lake: Lake | None, recipe: Recipe) -> bool:
    """Load the weights of ``init_from``, if there is one; returns whether the head too.

    A head of another kind, or on another map, keeps its fresh weights, and so does the pyramid under it.

    Raises BadRecipe, with the first tensors that differ, when the backbones do not fit.
    """
    if recipe.init_from is None:
        return False
    if lake is None:
        raise BadRecipe(f"Recipe {recipe.name} starts from {recipe.init_from}, and no lake is given that holds it")
    folder = latest_model(lake, recipe.init_from)
    theirs, mine = read_classifier(folder), classifier.state_dict()
    model = read_card(folder)["recipe"]["model"]
    same_head = (model["head"], model.get("map_stride")) == (recipe.model.head, recipe.model.map_stride)
    wanted = [name for name in mine if same_head or name.startswith("backbones.")]
    unfit = [name for name in wanted if name not in theirs or theirs[name].shape != mine[name].shape]
    unfit += [name for name in select(theirs, "backbones") if f"backbones.{name}" not in mine]
    if unfit:
        raise BadRecipe(
            f"Recipe {recipe.name} cannot start from {recipe.init_from}: {len(unfit)} tensors differ, first {unfit[0]}",
            accepted="a recipe with the same backbone, kwargs, input channels, size (transformers) and view weights",
            do="correct init_from",
        )
    classifier.load_state_dict({**mine, **{name: theirs[name] for name in wanted}})
    return same_head
