"""What releases that hashed the source's bytes into a training's name have left unfinished. No torch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from radia_pipeline.training.identity import VERSION_KEY
from radia_pipeline.training.model_folders import is_finished


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
