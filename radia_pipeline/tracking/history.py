"""Where a lake's MLflow history lies, and the settings that MLflow must find before it is imported.

Here: paths, environment, the one-time creation of the database under a file lock. Not here: runs, metrics, models.
This module does not import mlflow at its top; ``import_mlflow`` does, after the environment is set.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType

from radia_pipeline.errors import LakeUnwritable
from radia_pipeline.lake.atomic import file_lock
from radia_pipeline.tracking import artifacts, database

# No telemetry leaves the machine, and nothing that MLflow reads back may be unpickled.
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}
SQLITE_TIMEOUT_S = 60  # several trainings write to one file; SQLite's own 5 s are too short beside a batch of metrics
LOCK_WAIT_S = 600.0  # six processes wait for each other, and each may bring an old database to MLflow's present form


def prepare_environment() -> None:
    """Set the variables above in this process and its children; they win over what the shell says."""
    os.environ.update(ENVIRONMENT)


def import_mlflow() -> ModuleType:
    """The mlflow module, imported only after ``prepare_environment``; its database chatter is turned down."""
    prepare_environment()
    import mlflow

    for name in ("mlflow.store.db.utils", "mlflow.tracking._model_registry.client", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    artifacts.resolve_beside(mlflow)
    return mlflow


def history_root(lake_root: str | Path) -> Path:
    """The folder beside a lake that holds its MLflow history: ``<lake root>.history``."""
    root = Path(lake_root).absolute()
    return root.with_name(root.name + ".history")


def database_uri(lake_root: str | Path) -> str:
    """SQLAlchemy address of the lake's MLflow database (``mlflow ui --backend-store-uri`` takes it too).

    Files of runs and models lie beside the lake in any case.
    """
    if address := database.set_for(lake_root):
        uri = database.in_schema(address, database.MLFLOW)
        artifacts.remember(uri, history_root(lake_root))
        return uri
    return f"sqlite:///{history_root(lake_root) / artifacts.DATABASE}?timeout={SQLITE_TIMEOUT_S}"


def server_addresses(lake_root: str | Path) -> dict[str, str]:
    """What MLflow's server must be told to serve the lake's history: the database, and where its files lie.

    Addresses of an earlier release are rewritten first. Raises LakeLocked, LakeUnwritable.
    """
    root = history_root(lake_root)
    if not database.set_for(lake_root):
        with initialisation_lock(root):
            artifacts.make_relative(root)
    folder = artifacts.folder_of(root)
    return {"--backend-store-uri": database_uri(lake_root), "--artifacts-destination": folder.as_uri()}


@contextmanager
def exclusively(lake_root: Path | None, uri: str) -> Iterator[None]:
    """Hold the history's exclusive lock, in which it is made and trainings begin: one training has one run.

    A file's lock for SQLite, the database's for Postgres; a server behind ``http://`` orders its writers itself.
    Raises LakeLocked, LakeUnwritable.
    """
    with ExitStack() as held:
        if database.is_postgres(uri):
            held.enter_context(database.exclusively(uri, "MLflow's history", wait_s=LOCK_WAIT_S))
        elif lake_root is not None:
            held.enter_context(initialisation_lock(history_root(lake_root)))
        yield


@contextmanager
def initialisation_lock(folder: Path) -> Iterator[None]:
    """Hold the history's exclusive lock: six processes that create one SQLite database at once crash otherwise.

    Raises LakeLocked after ``LOCK_WAIT_S`` seconds, LakeUnwritable where the history cannot be written.
    """
    with ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(file_lock(folder / "mlflow.lock", wait_s=LOCK_WAIT_S))
        except (OSError, LakeUnwritable) as error:
            why = getattr(error, "strerror", None) or "no lock can be taken in it"
            raise LakeUnwritable(
                f"the MLflow history beside the lake cannot be written ({why})",
                do="make the lake's parent folder writable, or choose another lake with --lake",
            ) from error
        yield
