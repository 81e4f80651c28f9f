"""What a lake remembers of how it is used: where deliveries lie, which recipes belong to it, which detector.

Settings are choices, never results. They stand in ``settings.json`` of the lake, so that the Dagster UI, the command
line and a later session see the same pipeline.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from radia_pipeline.errors import DamagedFile
from radia_pipeline.lake import atomic


@dataclass(frozen=True)
class Settings:
    """``recipes`` empty means every recipe that ships; ``ocr`` is auto, off or require.

    ``official_split`` is ignore or respect; None leaves it to the lake's ledger, which fixes it at the first placement.
    """

    sources_root: str | None = None
    recipes: tuple[str, ...] = ()
    detector: str = "small"
    ocr: str = "auto"
    official_split: str | None = None


def read_settings(root: Path) -> Settings:
    """Return the settings of the lake at ``root``; the defaults where none were kept."""
    path = root / "settings.json"
    if not path.exists():
        return Settings()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Settings(**{**content, "recipes": tuple(content.get("recipes", ()))})
    except (ValueError, TypeError):
        raise DamagedFile("settings.json of the lake cannot be read", do="mend or delete it") from None


def change_settings(root: Path, **changes: object) -> Settings:
    """Keep changed settings with the lake; returns what is in force then."""
    settings = replace(read_settings(root), **changes)
    atomic.write_text(root / "settings.json", json.dumps(asdict(settings), indent=2) + "\n")
    return settings
