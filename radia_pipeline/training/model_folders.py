"""Where trained models lie: ``models/<recipe>/<fingerprint>/``, their cards, and which of them is the newest. No torch.

``model.safetensors`` (weights), ``model.json`` (the card: recipe, classes, versions, figures; with it the model is
whole), ``metrics.jsonl`` (one line per epoch), ``checkpoints/`` (last and best while training); ``latest.json`` beside
the fingerprints names the newest model. Not here: weights (``model_store``) and names (``identity``).
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radia_pipeline.errors import DamagedFile, NotTrained
from radia_pipeline.lake.atomic import writable, write_text

if TYPE_CHECKING:
    from radia_pipeline.lake.lake import Lake

POINTER = "latest.json"
AGAIN = Path("checkpoints") / "again"
"""Stands in a model's folder while a training that ``--force`` asked for has not ended."""


def is_finished(folder: Path) -> bool:
    """Whether a training has ended there with a model."""
    return (folder / "model.json").is_file() and (folder / "model.safetensors").is_file()


def is_again(folder: Path) -> bool:
    """Whether a training that was begun again by force has not ended: it goes on, forced or not."""
    return (folder / AGAIN).exists()


def begin_again(folder: Path) -> None:
    """Note that a training begins again by force beside the model that stands."""
    write_text(folder / AGAIN, "")


def end_again(folder: Path) -> None:
    """Note that it has ended with a model."""
    (folder / AGAIN).unlink(missing_ok=True)


def require_writable(folder: Path) -> None:
    """Make the folder; raises LakeUnwritable where nothing can be written into it."""
    with writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass


def read_card(folder: Path) -> dict[str, Any]:
    """Return ``model.json``; raises NotTrained or DamagedFile."""
    try:
        return json.loads((folder / "model.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotTrained(f"Folder {folder.name} holds no trained model", do="train the recipe first") from None
    except ValueError:
        raise DamagedFile(f"model.json of {folder.name} cannot be read", do="train the recipe again") from None


def learned_sources(lake: Lake, folder: Path) -> frozenset[str]:
    """Return the sources that a finished model learned from, those of the weights that it started from among them.

    Raises NotTrained or DamagedFile, where a model that it started from is gone too.
    """
    card = read_card(folder)
    recipe, found = card.get("recipe", {}), frozenset(card["manifest_versions"])
    if base := recipe.get("init_from"):
        found |= learned_sources(lake, lake.models_dir / base / card["parent"])
    teacher = recipe.get("labels", {}).get("teacher")
    if teacher and (theirs := lake.models_dir / teacher / card["told"]["teacher"]).is_dir():
        found |= learned_sources(lake, theirs)
    return found


def read_history(folder: Path) -> list[dict[str, Any]]:
    """Return the figures of each epoch of a finished training."""
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def latest_model(lake: Lake, recipe_name: str) -> Path:
    """Return the folder of the recipe's newest finished model; raises NotTrained or DamagedFile."""
    home = lake.models_dir / recipe_name
    return pointed(home, home, f"recipe {recipe_name}", do=f"run `radia train {recipe_name}`")


def point_latest(lake: Lake, recipe_name: str, folder: Path) -> None:
    """Make a model the recipe's newest."""
    point(lake.models_dir / recipe_name, {"fingerprint": folder.name})


def point(home: Path, content: dict[str, str]) -> None:
    """Write the pointer of a folder: the ``fingerprint`` of the newest model and, if it has one, its ``name``."""
    write_text(home / POINTER, json.dumps(content) + "\n")


def pointed(home: Path, root: Path, whose: str, *, do: str) -> Path:
    """Return the finished model that the pointer in ``home`` names, below ``root``.

    ``whose``: the thing that was trained, in words. Raises NotTrained (with what to ``do``) or DamagedFile.
    """
    try:
        content = json.loads((home / POINTER).read_text(encoding="utf-8"))
        folder = root / content.get("name", "") / content["fingerprint"]
    except FileNotFoundError:
        raise NotTrained(f"{whose[0].upper()}{whose[1:]} has no trained model", do=do) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DamagedFile(f"{POINTER} of {whose} cannot be read", do="train it again") from None
    if not is_finished(folder):
        raise NotTrained(f"The model of {whose} is gone", do=do)
    return folder
