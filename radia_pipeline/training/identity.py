"""What identifies a training: of two with one identity the second is not done. Light: no torch.

Recipe (only what differs from the defaults), data versions, the weights that it starts from, vocabulary, and a number
that a person raises. Not here: the bytes of the source and the versions of libraries; those stand in the model's card.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.training.recipe_schema import Recipe

TRAINING_VERSION = 2
"""Raise it by one in the commit by which a recipe comes to other numbers: another default, draw, loss or order of sums.

Every model is then trained again. Not for a new option whose default changes nothing, nor for speed, words or files.
A test holds the numbers of tiny trainings (``radia_pipeline_tests/training/golden.json``) and says when it is due.
"""
NETWORK_VERSION = 2
"""How a backbone's map is made of timm's network. 1 normalised ConvNeXt's map twice, and each position of other
families by itself where timm normalises what it has pooled. Where both agree it stays 1, and the models stand."""
FINER_VERSION = 3
"""How a finer map under the head is made: to 2 of joined maps alone, now with the network's own beside them."""
NETWORK_KEY = "network_version"
_AS_IN_1 = (
    "densenet", "resnet", "resnext", "seresnext", "wide_resnet", "ecaresnet", "regnet", "efficientnet",
    "tf_efficientnet",
    "deit_", "vit_tiny_patch16_224", "vit_small_patch16_224", "vit_base_patch16_224", "vit_base_patch16_384", "swin_",
    "swinv2_", "repvgg", "inception_v", "inception_resnet", "xception", "hrnet", "dpn", "nfnet", "dm_nfnet", "mnasnet",
)  # fmt: skip
VERSION_KEY = "training_version"
"""Under it the version stands in cards and checkpoints; those of releases before it was declared have none."""
FINGERPRINT_CHARACTERS = 16


def digest(*parts: Any) -> str:
    """Return a short hash of plain values; the order of keys in mappings does not matter."""
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:FINGERPRINT_CHARACTERS]


def network_version(backbone: str, map_stride: int | None = None) -> int:
    """Return the version of the network that a recipe with this timm backbone, and a map of this stride, makes."""
    if map_stride is not None:
        return FINER_VERSION
    return 1 if backbone.startswith(_AS_IN_1) else NETWORK_VERSION


def fingerprint(
    recipe: Recipe, manifest_versions: dict[str, str], parent: str | None, told: dict[str, str] | None = None
) -> str:
    """Return a classifier's identity, 16 hex digits. ``parent``: the weights that it starts from, None for fresh ones.

    ``told``: what it learns from besides labels, by kind: whose answers, which doubt.

    A parent's identity is its folder's name: its own fingerprint, which covers its data and its parent in turn.
    """
    parts = [TRAINING_VERSION, recipe.hash, manifest_versions, vocabulary().version, parent]
    finer = [] if recipe.model.map_stride is None else [FINER_VERSION]
    return digest("classifier", *parts, *finer, *([told] if told else []))
