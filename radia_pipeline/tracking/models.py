"""Models in MLflow: a folder of safetensors weights and JSON/YAML settings, its registered name and its aliases.

Nothing is pickled: a model is rebuilt by our code from its settings, also where MLflow loads it (``flavour``). Not
here: how a model is built or loaded (``training``, ``detection``, ``evaluation.loaded``).
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from radia_pipeline.errors import NotTrained, UnknownName
from radia_pipeline.tracking.flavour import write_flavour
from radia_pipeline.tracking.history import import_mlflow
from radia_pipeline.tracking.provenance import TAG_FINGERPRINT
from radia_pipeline.tracking.tracked_run import ARTIFACT_SUFFIXES, History, TrackedRun

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel
    from mlflow.entities.model_registry import ModelVersion

ALIASES = ("challenger", "champion")
TAG_STANDING = "radia.standing"
CARD = "model.json"
CHECKPOINT_MARK = "checkpoint"  # optimiser state is for resuming, it is not part of a model


@dataclass(frozen=True)
class RegisteredVersion:
    """A version of a registered model: ``model_id`` is MLflow's logged model, ``artifacts`` its folder's address."""

    name: str
    version: str
    run_id: str
    artifacts: str
    model_id: str | None = None


def model_files(model_dir: Path) -> list[Path]:
    """The files of a trained model, and of its members, that belong in MLflow: no checkpoints, no tables."""
    return sorted(
        path
        for path in (*model_dir.glob("*"), *model_dir.glob("members/*/*"))
        if path.is_file() and path.suffix in ARTIFACT_SUFFIXES and CHECKPOINT_MARK not in path.name
    )


def log_model(
    run: TrackedRun, model_dir: str | Path, name: str, *, kind: str = "classifier", params: Mapping | None = None
) -> RegisteredVersion:
    """Log the model folder as the run's one logged model and register it under ``name`` as challenger.

    MLflow knows what it takes and gives, can load it, and which manifests it learned from. A run that has its model
    already keeps it: the version registered before is returned. Raises NotTrained if the folder holds no safetensors
    weights.
    """
    known = _version_of_run(run.tracker, name, run.run_id)
    if known is not None:
        return known
    files = model_files(Path(model_dir)) if Path(model_dir).is_dir() else []
    if not any(path.suffix == ".safetensors" for path in files):
        raise NotTrained(f"the model {name!r} has no weights to log", do="finish its training first")
    client = run.tracker.client
    logged = client.create_logged_model(
        run.tracker.experiment_id,
        name=name,
        source_run_id=run.run_id,
        params={key: str(value) for key, value in (params or {}).items()},
        model_type=kind,
    )
    with tempfile.TemporaryDirectory() as staging:
        for path in files:
            (Path(staging) / path.relative_to(model_dir)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, Path(staging) / path.relative_to(model_dir))
        write_flavour(Path(staging), kind)
        client.log_model_artifacts(logged.model_id, staging)
    for path in files:
        if path.name == CARD:
            run.log_datasets("manifest", _learned_from(path))
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run.run_id, [import_mlflow().entities.LoggedModelOutput(logged.model_id, step=0)])
    version = _register(run, name, logged)
    set_alias(run.tracker, name, "challenger", version.version)
    return version


def _learned_from(card: Path) -> dict[str, str]:
    """Source -> data version of the manifest that a model's card names."""
    return dict(json.loads(card.read_text(encoding="utf-8")).get("manifest_versions", {}))


def _register(run: TrackedRun, name: str, logged: LoggedModel) -> RegisteredVersion:
    client = run.tracker.client
    mlflow = import_mlflow()
    if not any(model.name == name for model in client.search_registered_models(f"name = '{name}'")):
        client.create_registered_model(name)
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(run.tracker.uri)  # the registry resolves models:/ through the process-wide address
    try:
        made = client.create_model_version(name, logged.model_uri, run_id=run.run_id, model_id=logged.model_id)
    finally:
        mlflow.set_tracking_uri(before)
    return RegisteredVersion(name, str(made.version), run.run_id, logged.artifact_location, logged.model_id)


def set_alias(tracker: History, name: str, alias: str, version: str) -> None:
    """Let ``challenger`` or ``champion`` point to a version; raises UnknownName for any other alias."""
    if alias not in ALIASES:
        raise UnknownName(f"the alias {alias!r}", accepted=", ".join(ALIASES))
    tracker.client.set_registered_model_alias(name, alias, version)


def name_champions(tracker: History, fingerprints: Mapping[str, str], standing: str | None = None) -> int:
    """Let ``champion`` name the models of these fingerprints, by registered name, and take it from all others.

    ``standing``: what they were approved for, a tag of their versions. Returns how many it names: a model whose run is
    not in this history is left out.
    """
    named = 0
    for model in tracker.client.search_registered_models():
        run = _run_of(tracker, fingerprints[model.name]) if fingerprints.get(model.name) else None
        version = _version_of_run(tracker, model.name, run) if run else None
        if version is not None:
            set_alias(tracker, model.name, "champion", version.version)
            if standing is not None:
                tracker.client.set_model_version_tag(model.name, version.version, TAG_STANDING, standing)
            named += 1
        elif "champion" in model.aliases:
            tracker.client.delete_registered_model_alias(model.name, "champion")
    return named


def _run_of(tracker: History, fingerprint: str) -> str | None:
    wanted = f"tags.`{TAG_FINGERPRINT}` = '{fingerprint}' and attributes.status = 'FINISHED'"
    found = tracker.client.search_runs([tracker.experiment_id], wanted, max_results=1)
    return found[0].info.run_id if found else None


def version_by_alias(tracker: History, name: str, alias: str) -> RegisteredVersion | None:
    """The version that carries the alias; None if no such model is registered or nobody carries it."""
    for model in tracker.client.search_registered_models(f"name = '{name}'"):
        number = {key: str(value) for key, value in model.aliases.items()}.get(alias)
        if number is not None:
            return _as_version(tracker.client.get_model_version(name, number))
    return None


def _version_of_run(tracker: History, name: str, run_id: str) -> RegisteredVersion | None:
    found = tracker.client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'")
    return _as_version(found[0]) if found else None


def _as_version(found: ModelVersion) -> RegisteredVersion:
    run_id, source = cast(str, found.run_id), cast(str, found.source)  # those that we register have both
    return RegisteredVersion(found.name, str(found.version), run_id, source, found.model_id)
