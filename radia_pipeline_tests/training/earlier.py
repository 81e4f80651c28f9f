"""Models as the last release wrote them that hashed its own source into their names."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.training.model_folders import point_latest, read_card
from radia_pipeline.training.recipe_schema import Recipe
from radia_pipeline.training.recipes import parse_recipe

EARLIER_CODE = "7356312cf8e1146c"


def age(lake, recipe: Recipe, parent: str | None = None) -> Path:
    """Turn a recipe's newest model into one that the release before identities has written."""
    home = lake.models_dir / recipe.name
    folder = home / json.loads((home / "latest.json").read_text())["fingerprint"]
    card = read_card(folder)
    for key in ("parent", "training_version", "made_with"):
        del card[key]
    whole = parse_recipe(card["recipe"]).model_dump_json(exclude={"title", "sweep", "vocabulary"})
    card |= {"code_version": EARLIER_CODE, "recipe_hash": hashlib.sha256(whole.encode()).hexdigest()}
    parts = [card["recipe_hash"], card["manifest_versions"], EARLIER_CODE, vocabulary().version, parent]
    card["fingerprint"] = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
    aged = folder.rename(home / card["fingerprint"])
    (aged / "model.json").write_text(json.dumps(card))
    point_latest(lake, recipe.name, aged)
    return aged
