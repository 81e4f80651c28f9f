"""What a lake remembers of how it is used: where deliveries lie, which recipes belong to it, which detector.

Settings are choices, never results. They stand in ``settings.json`` of the lake, so that the Dagster UI, the command
line and a later session see the same pipeline.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from radia_pipeline.errors import BadInput, DamagedFile, UnknownName
from radia_pipeline.lake import atomic


@dataclass(frozen=True)
class Settings:
    """``recipes`` empty means every recipe that ships; ``ocr`` is auto, off or require. ``sources_root``: absolute.

    ``official_split`` is ignore or respect; None leaves it to the lake's ledger, which fixes it at the first placement.
    ``look_every_s``: how often sensors look; ``quiet_s``: how long a delivery is the same before it counts as whole.
    ``expected_days``: source → within how many days it delivers again; of others nothing is expected.
    ``retrain_after_days``: at least so long between two retrainings; ``retrain_hours``: hours of training, on the GPU
    where there is one, that those of thirty days may take together. ``carry_from_prior_days``: a report that
    only says that nothing changed takes the labels of the same patient's earlier one within so many days; None: none.
    ``database``: address of the Postgres that holds the histories, without a password; None: SQLite beside the lake.
    ``most_runs``: how many of Dagster's runs go at once; None: what the database bears. ``training_pool``: whether
    trainings wait for each other: auto (where there is a GPU), on, off; ``pool_limit``: how many of them go at once.
    ``backup_to``: folder of the nightly backup, absolute; ``backup_recipients``: to whom it is sealed, none: open;
    ``backup_keep``: how many sets stay. How many days what is kept stays, where nothing needs it longer:
    ``keep_runs_days`` Dagster's runs, ``keep_events_days`` what they said while they worked, ``keep_trainings_days``
    MLflow's runs, ``keep_versions_days`` versions of tables, ``keep_packed_days`` packed images that nothing has read.
    ``pool``: where files are worked on: local, or the address of a Ray cluster.
    """

    sources_root: str | None = None
    recipes: tuple[str, ...] = ()
    detector: str = "small"
    ocr: str = "auto"
    official_split: str | None = None
    quiet_s: float = 600.0
    look_every_s: float = 60.0
    expected_days: Mapping[str, float] = field(default_factory=lambda: {"ccsmtl": 14.0})
    retrain_after_days: float = 21.0
    retrain_hours: float = 48.0
    carry_from_prior_days: int | None = None
    database: str | None = None
    most_runs: int | None = None
    training_pool: str = "auto"
    pool_limit: int = 1
    backup_to: str | None = None
    backup_recipients: tuple[str, ...] = ()
    backup_keep: int = 14
    keep_runs_days: float = 90.0
    keep_events_days: float = 30.0
    keep_trainings_days: float = 180.0
    keep_versions_days: float = 90.0
    keep_packed_days: float = 60.0
    pool: str = "local"


def read_settings(root: Path) -> Settings:
    """Return the settings of the lake at ``root``, places absolute; the defaults where none were kept."""
    kept = _kept(root)
    place = kept.sources_root
    return replace(kept, sources_root=place and os.path.normpath(Path(root).absolute() / place))


def change_settings(root: Path, **changes: Any) -> Settings:
    """Keep changed settings with the lake; returns what is in force then."""
    settings = replace(read_settings(root), **changes)
    relative = replace(settings, sources_root=settings.sources_root and _seen_from(root, settings.sources_root))
    atomic.write_text(root / "settings.json", json.dumps(asdict(relative), indent=2) + "\n")
    return settings


_LISTS = ("recipes", "backup_recipients")
NONE = "none"
"""The word for what a new lake has."""
LEAST = {"keep_runs_days": 8.0, "keep_trainings_days": 31.0}
"""Younger ones are asked for: notices tell of a week's failed runs, the budget counts a month's trainings."""
LOCAL = "local"
_ADDRESS = re.compile(r"(ray://)?[A-Za-z0-9_.\-]+:\d{1,5}")
POOLS = "local, HOST:PORT of a Ray cluster that this machine is a node of, or ray://HOST:PORT of its client server"
CHOICES = {
    "ocr": ("auto", "off", "require"),
    "official_split": ("ignore", "respect"),
    "training_pool": ("auto", "on", "off"),
}
_NUMBERS = {
    "quiet_s": float,
    "look_every_s": float,
    "retrain_after_days": float,
    "retrain_hours": float,
    "carry_from_prior_days": int,
    "most_runs": int,
    "pool_limit": int,
    "backup_keep": int,
    "keep_runs_days": float,
    "keep_events_days": float,
    "keep_trainings_days": float,
    "keep_versions_days": float,
    "keep_packed_days": float,
}


def parsed(name: str, text: str) -> Any:
    """Return the value that a person has written for a setting; raises UnknownName, BadInput."""
    if name not in Settings.__dataclass_fields__:
        raise UnknownName(f"There is no setting {name!r}", accepted=", ".join(Settings.__dataclass_fields__))
    if text == NONE:
        return getattr(Settings(), name)
    if name in CHOICES and text not in CHOICES[name]:
        raise BadInput(f"{name} cannot be that", accepted=", ".join(CHOICES[name]))
    if name == "pool":
        return require_pool(text)
    try:
        if name in _NUMBERS:
            value = _NUMBERS[name](text)
            if not 0 < value < float("inf") or value < LEAST.get(name, 0):
                raise ValueError
            return value
        if name == "expected_days":
            return {str(source): float(days) for source, days in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError):
        number = f"a number from {LEAST[name]:.0f}" if name in LEAST else "a number above 0"
        accepted = '{"ccsmtl": 14}' if name == "expected_days" else f"{number}, or none"
        raise BadInput(f"{name} cannot be that", accepted=accepted) from None
    return tuple(filter(None, text.replace(",", " ").split())) if name in _LISTS else text


def require_pool(text: str) -> str:
    """Return the address of a pool; raises BadInput for what is none. Ray's ``auto`` is none: it would guess."""
    if text != LOCAL and not _ADDRESS.fullmatch(text):
        raise BadInput("That is no address of a pool", accepted=POOLS)
    return text


def keep_places_relative(root: Path) -> None:
    """Let settings of an older release name places as they are named today."""
    place = _kept(root).sources_root
    if place and _seen_from(root, place) != place:
        change_settings(root)


def _kept(root: Path) -> Settings:
    path = root / "settings.json"
    if not path.exists():
        return Settings()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        lists = {name: tuple(content.get(name, ())) for name in ("recipes", "backup_recipients")}
        return Settings(**{**content, **lists})
    except (ValueError, TypeError, AttributeError):
        raise DamagedFile("settings.json of the lake cannot be read", do="mend or delete it") from None


def _seen_from(root: Path, place: str) -> str:
    """Return a place beside or inside the lake as the way there from it: both may be moved together.

    Any other place is the machine's and stays where it is when a lake moves: its address is kept whole.
    """
    home = Path(root).absolute()
    there = Path(os.path.normpath(home / place))
    return Path(os.path.relpath(there, home)).as_posix() if there.is_relative_to(home.parent) else os.fspath(there)
