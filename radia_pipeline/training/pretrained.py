"""Weights that a backbone starts from: where their file is looked for, and what to do when there is none.

Nothing is downloaded: a training machine of a hospital has no way out, and timm would try for minutes.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import timm

from radia_pipeline.errors import BadInput
from radia_pipeline.training.recipe_schema import ModelSection

WEIGHTS_VARIABLE = "RADIA_WEIGHTS"
"""Folder with weights: ``<timm model>.<tag>.safetensors`` files, and what recipes name."""


def weights_folder() -> Path:
    """Return the folder in which weights are looked for."""
    return Path(os.environ.get(WEIGHTS_VARIABLE) or Path.home() / ".cache" / "radia" / "weights")


def weights_file(section: ModelSection) -> Path:
    """Return the file that the recipe names, or that with published weights; raises BadInput: which to put where."""
    return _named(section.weights) if section.weights else _published(section)


def _named(name: str) -> Path:
    path = weights_folder() / Path(name).expanduser()
    if not path.is_file():
        raise BadInput(
            f"The recipe starts from the weights {path.name}, and they are not at hand",
            accepted=f"a whole path, or a file in the folder that {WEIGHTS_VARIABLE} names (default: "
            ".cache/radia/weights in the home folder)",
            do="bring the file there, or correct model.weights",
        )
    return path


def _published(section: ModelSection) -> Path:
    published = timm.models.get_pretrained_cfg(section.backbone)
    if published is None or not published.hf_hub_id:
        raise BadInput(f"Nobody has published weights of backbone {section.backbone}", do="set model.pretrained: false")
    name = f"{published.architecture}.{published.tag}" if published.tag else published.architecture
    path = weights_folder() / f"{name}.safetensors"
    if not path.is_file():
        raise BadInput(
            f"The recipe starts from published weights of {section.backbone}, and {path.name} is not at hand",
            accepted=f"model.safetensors of {published.hf_hub_id}, named {path.name}, in the folder that "
            f"{WEIGHTS_VARIABLE} names (default: .cache/radia/weights in the home folder)",
            do="bring the file there, or set model.pretrained: false to train from scratch",
        )
    return path


def weights_digest(section: ModelSection) -> str:
    """Return a hash of the file's content: other weights are another training."""
    with weights_file(section).open("rb") as handle:
        return "weights " + hashlib.file_digest(handle, "sha256").hexdigest()[:16]
