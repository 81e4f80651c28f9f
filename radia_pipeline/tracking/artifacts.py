"""Where the files of runs and models lie: in the history's own folder, under addresses that do not say where that is.

MLflow's scheme ``mlflow-artifacts:/`` is relative to whoever serves it: its server is told the folder when it starts,
and in this process the folder beside the database is meant. So a history can be moved and copied. One of an earlier
release, whose addresses were whole, is rewritten once. Not here: what is logged (``tracked_run``, ``models``).
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urlparse

SCHEME = "mlflow-artifacts"
LOCATION = f"{SCHEME}:/"
FOLDER, DATABASE = "mlflow_artifacts", "mlflow.db"
TIMEOUT_S = 60.0
_ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
)


def folder_of(history: Path) -> Path:
    """The folder that holds the files of a history's runs and models."""
    return history / FOLDER


_beside: dict[str, Path] = {}


def remember(database: str, history: Path) -> None:
    """Note beside which history the files lie whose runs stand in a database that is no file."""
    _beside[database] = history


def resolve_beside(mlflow: ModuleType) -> None:
    """Let MLflow in this process find such an address in the folder beside the database that it is asked with."""
    from mlflow.store.artifact.artifact_repository_registry import _artifact_repository_registry as registry
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository
    from mlflow.store.artifact.mlflow_artifacts_repo import MlflowArtifactsRepository

    def repository(
        artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None
    ) -> MlflowArtifactsRepository | LocalArtifactRepository:
        place = place_of(artifact_uri, tracking_uri or mlflow.get_tracking_uri())
        if place is None:
            return MlflowArtifactsRepository(artifact_uri, tracking_uri=tracking_uri, registry_uri=registry_uri)
        return LocalArtifactRepository(place.as_uri(), tracking_uri=tracking_uri, registry_uri=registry_uri)

    registry.register(SCHEME, repository)


def place_of(address: str, database: str) -> Path | None:
    """Return the folder of an address in the history of a lake's database; None where another kind of history is asked.

    ``database``: an SQLAlchemy address.
    """
    path = Path(database.removeprefix("sqlite:///").partition("?")[0])
    is_ours = database.startswith("sqlite:///") and path.name == DATABASE
    if (history := path.parent if is_ours else _beside.get(database)) is None:
        return None
    return folder_of(history) / unquote(urlparse(address).path).lstrip("/")


def make_relative(history: Path) -> int:
    """Rewrite whole addresses that an earlier release wrote, wherever the history stood then; returns how many.

    The caller holds the history's lock. A history without a database has none.
    """
    if not (history / DATABASE).exists():
        return 0
    changed = 0
    with contextlib.closing(sqlite3.connect(history / DATABASE, timeout=TIMEOUT_S)) as database, database:
        tables = {name for (name,) in database.execute("select name from sqlite_master where type = 'table'")}
        for table, column in _ADDRESSES:
            if table not in tables:
                continue
            whole = f"select rowid, {column} from {table} where {column} not like '{SCHEME}:%'"
            for row, address in database.execute(whole).fetchall():
                new = _relative(address)
                database.execute(f"update {table} set {column} = ? where rowid = ?", (new, row))
                changed += 1
    return changed


def _relative(address: str) -> str:
    """``file:///…/mlflow_artifacts/RUN/artifacts`` → ``mlflow-artifacts:/RUN/artifacts``; others by their last part."""
    _, mark, inside = address.rpartition(f"/{FOLDER}")
    return LOCATION + (inside.lstrip("/") if mark else address.rstrip("/").rpartition("/")[2])
