"""Models of releases that hashed the source's bytes into a training's name: which of them still stand for a training.

They are taken for trainings of version 1 where recipe, data, vocabulary and parent are the wanted ones; a name that can
be computed again from its card proves all of them at once. Not here: how a training is named today (``identity``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadInput, DamagedFile
from radia_pipeline.training.identity import (
    FINGERPRINT_CHARACTERS,
    TRAINING_VERSION,
    VERSION_KEY,
    later_changes,
)
from radia_pipeline.training.model_folders import is_finished, read_card
from radia_pipeline.training.recipe_schema import Recipe
from radia_pipeline.training.recipes import parse_recipe

EARLIER_VERSION = 1
"""What those releases trained counts as this version, of classifiers and of detectors."""


def standing_classifier(
    home: Path, recipe: Recipe, manifest_versions: dict[str, str], parent: str | None
) -> Path | None:
    """Return the folder below ``home`` in which an earlier release finished this training, or None."""

    def is_same(card: dict[str, Any]) -> bool:
        parts = [card["recipe_hash"], card["manifest_versions"], card["code_version"], card["vocabulary_version"]]
        text = json.dumps([*parts, parent], sort_keys=True)
        return (
            card["manifest_versions"] == manifest_versions
            and card["vocabulary_version"] == vocabulary().version
            and card["fingerprint"] == hashlib.sha256(text.encode()).hexdigest()[:FINGERPRINT_CHARACTERS]
            and parse_recipe(card["recipe"]).hash == recipe.hash
        )

    stands = TRAINING_VERSION == EARLIER_VERSION and not later_changes(recipe)
    return first_same(home, is_same) if stands else None


def unfinished(home: Path) -> Iterator[Path]:
    """Yield the folders below ``home`` in which an earlier release left a checkpoint and no model.

    A checkpoint tells a name only, which covers the source's bytes: what it belongs to cannot be known any more.
    """
    for path in sorted(home.glob("*/checkpoints/last.safetensors")):
        folder = path.parent.parent
        metadata = {} if is_finished(folder) else _metadata(path)
        if metadata and VERSION_KEY not in metadata:
            yield folder


def _metadata(path: Path) -> dict[str, Any]:
    """Return a checkpoint's metadata; that of a broken file is empty."""
    try:
        with safe_open(path, framework="np") as handle:
            return json.loads((handle.metadata() or {})["radia"])
    except (SafetensorError, OSError, ValueError, KeyError):
        return {}


def first_same(home: Path, is_same: Callable[[dict[str, Any]], bool]) -> Path | None:
    """Return the first finished folder below ``home`` whose card is the wanted one's; what cannot be read is not."""
    for folder in sorted(path for path in home.glob("*") if is_finished(path)):
        try:
            if is_same(read_card(folder)):
                return folder
        except (KeyError, TypeError, BadInput, DamagedFile):
            continue
    return None
