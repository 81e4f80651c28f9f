"""Where trained models lie and what identifies them: ``models/<recipe>/<fingerprint>/``; nets are in ``models``.

``model.safetensors`` (weights), ``model.json`` (recipe, classes, versions, figures), ``metrics.jsonl`` (one line per
epoch), ``checkpoints/`` (last and best while training); ``latest.json`` beside the fingerprints names the newest model.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadRecipe, DamagedFile, NotTrained
from radia_pipeline.lake.atomic import write_text
from radia_pipeline.training.checkpoints import load_tensors, save_tensors, select
from radia_pipeline.training.pretrained import weights_digest
from radia_pipeline.training.recipe_schema import Recipe

FINGERPRINT_CHARACTERS = 16
BYSTANDERS = (
    "pictures.py", "run.py", "launch.py", "sweeps.py", "inference.py", "lifecycle.py", "recipe_words.py", "__init__.py",
)  # fmt: skip
"""Modules of this package that cannot change trained weights."""


def code_version() -> str:
    """Return a hash over the modules that determine trained weights, 16 hex digits."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.name not in BYSTANDERS:
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:FINGERPRINT_CHARACTERS]


def fingerprint(recipe: Recipe, manifest_versions: dict[str, str], parent: str | None) -> str:
    """Return what identifies a training: recipe, data, code, vocabulary and the model that it starts from."""
    parts = [recipe.hash, manifest_versions, code_version(), vocabulary().version, parent]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:FINGERPRINT_CHARACTERS]


def parent_fingerprint(lake, recipe: Recipe) -> str | None:
    """Return what identifies the weights that a training starts from: ``init_from``'s, published ones, or none.

    Raises NotTrained for ``init_from``, BadInput for published weights that are not at hand.
    """
    if recipe.init_from:
        return latest_model(lake, recipe.init_from).name
    return weights_digest(recipe.model) if recipe.model.pretrained else None


def latest_model(lake, recipe_name: str) -> Path:
    """Return the folder of the recipe's newest finished model; raises NotTrained."""
    pointer = lake.models_dir / recipe_name / "latest.json"
    try:
        folder = pointer.parent / json.loads(pointer.read_text(encoding="utf-8"))["fingerprint"]
    except FileNotFoundError:
        raise NotTrained(f"Recipe {recipe_name} has no trained model", do=f"run `radia train {recipe_name}`") from None
    except (ValueError, KeyError):
        raise DamagedFile(f"latest.json of {recipe_name} cannot be read", do="train the recipe again") from None
    if not is_finished(folder):
        raise NotTrained(f"The model of recipe {recipe_name} is gone", do=f"run `radia train {recipe_name}`")
    return folder


def is_finished(folder: Path) -> bool:
    """Whether a training has ended there with a model."""
    return (folder / "model.json").is_file() and (folder / "model.safetensors").is_file()


def read_card(folder: Path) -> dict[str, Any]:
    """Return ``model.json``; raises NotTrained or DamagedFile."""
    try:
        return json.loads((folder / "model.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotTrained(f"Folder {folder.name} holds no trained model", do="train the recipe first") from None
    except ValueError:
        raise DamagedFile(f"model.json of {folder.name} cannot be read", do="train the recipe again") from None


def publish(folder: Path, weights: dict[str, torch.Tensor], card: dict[str, Any]) -> None:
    """Write weights, then card: the card says that the model is whole."""
    save_tensors(folder / "model.safetensors", weights, {"kind": "model", "fingerprint": card["fingerprint"]})
    write_text(folder / "model.json", json.dumps(card, indent=1) + "\n")


def point_latest(lake, recipe_name: str, folder: Path) -> None:
    """Make a model the recipe's newest."""
    write_text(lake.models_dir / recipe_name / "latest.json", json.dumps({"fingerprint": folder.name}) + "\n")


def read_weights(folder: Path) -> dict[str, torch.Tensor]:
    """Return a finished model's weights."""
    return load_tensors(folder / "model.safetensors")[0]


def start_from(classifier: torch.nn.Module, lake, recipe: Recipe) -> None:
    """Load the weights of ``init_from``; a head of another kind keeps its fresh weights.

    Raises BadRecipe, with the first tensors that differ, when the backbones do not fit.
    """
    folder = latest_model(lake, recipe.init_from)
    theirs, mine = read_weights(folder), classifier.state_dict()
    same_head = read_card(folder)["recipe"]["model"]["head"] == recipe.model.head
    wanted = [name for name in mine if name != "prior_shift" and (same_head or not name.startswith("heads."))]
    unfit = [name for name in wanted if name not in theirs or theirs[name].shape != mine[name].shape]
    unfit += [name for name in select(theirs, "backbones") if f"backbones.{name}" not in mine]
    if unfit:
        raise BadRecipe(
            f"Recipe {recipe.name} cannot start from {recipe.init_from}: {len(unfit)} tensors differ, first {unfit[0]}",
            accepted="a recipe with the same backbone, kwargs, input channels, size (transformers) and view weights",
            do="correct init_from",
        )
    classifier.load_state_dict({**mine, **{name: theirs[name] for name in wanted}})
