"""One MLflow run: its metrics, parameters, artifacts and its end.

Here: what a run may record, in batches. What may never enter is refused here: pixels, tables, text of any kind (MLflow
is permanent and widely readable). Not here: which run it is (``client``), what a trainer's events mean (``recorder``).
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from radia_pipeline.errors import BadInput
from radia_pipeline.tracking.history import import_mlflow
from radia_pipeline.tracking.provenance import TAG_PID, TAG_REASON, owner_lives, process_tags

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param, RunTag

BATCH = 900  # MLflow takes at most 1,000 metrics, params and tags in one request
PARAMS_PER_BATCH = 100
PARAM_LENGTH = 500
DIGEST_LENGTH = 36
FLUSH_EVERY_S = 5.0
# Figures, settings and weights. No raster images, no tables of rows, no free text.
ARTIFACT_SUFFIXES = frozenset({".json", ".yaml", ".yml", ".svg", ".safetensors", ".onnx"})


class History(Protocol):
    """What a run needs of the history that it lies in; ``client.Tracker`` is one. ``uri``: its address."""

    uri: str

    @property
    def client(self) -> MlflowClient:
        """The MLflow client of this history."""

    @property
    def experiment_id(self) -> str:
        """Id of the experiment that the runs belong to."""


class TrackedRun:
    """A run of a tracker's history. Metrics are buffered: ``flush``, ``finish`` and ``fail`` write them out."""

    def __init__(self, tracker: History, run_id: str) -> None:
        self.tracker, self.run_id = tracker, run_id
        self._metrics: list[tuple[str, float, int, int]] = []
        self._flushed_at = time.monotonic()

    @property
    def status(self) -> str:
        """RUNNING, FINISHED, FAILED or KILLED, as the history says now."""
        return self.tracker.client.get_run(self.run_id).info.status

    @property
    def is_finished(self) -> bool:
        """Whether the run came to its good end."""
        return self.status == "FINISHED"

    @property
    def tags(self) -> dict[str, str]:
        """The run's tags."""
        return dict(self.tracker.client.get_run(self.run_id).data.tags)

    @property
    def params(self) -> dict[str, str]:
        """The run's parameters, as text."""
        return dict(self.tracker.client.get_run(self.run_id).data.params)

    @property
    def metrics(self) -> dict[str, float]:
        """Last value of each metric."""
        return dict(self.tracker.client.get_run(self.run_id).data.metrics)

    @property
    def is_mine(self) -> bool:
        """Whether this very process owns the run."""
        tags = self.tags
        return tags.get(TAG_PID) == str(os.getpid()) and owner_lives(tags) is True

    def take_over(self, tags: Mapping[str, str], pid: int | None = None) -> TrackedRun:
        """Continue the run in this process: status RUNNING again, tags of this start in place of the last one's."""
        self.log_tags({**tags, **process_tags(pid), TAG_REASON: ""})
        self.tracker.client.update_run(self.run_id, status="RUNNING")
        return self

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags (short facts on where the run comes from)."""
        entities = import_mlflow().entities
        self._log_batch(tags=[entities.RunTag(name, str(value)) for name, value in tags.items()])

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Record settings; nested mappings become ``a.b``. What a resumed run has recorded before stays as it was."""
        entities = import_mlflow().entities
        known = self.params
        rows = [
            entities.Param(name, str(value)[:PARAM_LENGTH])
            for name, value in flatten(params, ".").items()
            if name not in known
        ]
        for start in range(0, len(rows), PARAMS_PER_BATCH):
            self._log_batch(params=rows[start : start + PARAMS_PER_BATCH])

    def log_metrics(self, metrics: Mapping[str, Any], step: int, at_ms: int | None = None) -> None:
        """Buffer numbers at a step; what is no finite number is left out. Written when the buffer is full or old.

        ``at_ms``: when it was, this moment if not given; the same number of the same moment counts once.
        """
        now_ms = int(time.time() * 1000) if at_ms is None else at_ms
        for name, value in flatten(metrics, "/").items():
            if not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value):
                self._metrics.append((name, float(value), now_ms, step))
        if len(self._metrics) >= BATCH or time.monotonic() - self._flushed_at > FLUSH_EVERY_S:
            self.flush()

    def flush(self) -> None:
        """Write the buffered metrics out."""
        entities = import_mlflow().entities
        while self._metrics:
            batch = self._metrics[:BATCH]
            self._log_batch(metrics=[entities.Metric(*row) for row in batch])
            del self._metrics[: len(batch)]
        self._flushed_at = time.monotonic()

    def log_datasets(self, table: str, versions: Mapping[str, str], context: str = "training") -> None:
        """Record of which versions of a lake's table (partition -> data version) the run learned; each once."""
        entities = import_mlflow().entities
        self.tracker.client.log_inputs(
            self.run_id,
            [
                entities.DatasetInput(
                    entities.Dataset(
                        f"{table}/{partition}",
                        version[:DIGEST_LENGTH],
                        "lake",
                        json.dumps({"table": table, "partition": partition, "version": version}),
                    ),
                    [entities.InputTag("mlflow.data.context", context)],
                )
                for partition, version in sorted(versions.items())
            ],
        )

    def log_artifact(self, path: str | Path, folder: str | None = None) -> None:
        """Copy a file beside the run. Raises BadInput for kinds that could hold pixels, rows or text."""
        refuse_private(Path(path))
        self.tracker.client.log_artifact(self.run_id, str(path), folder)

    def finish(self) -> None:
        """Write everything out and end the run well."""
        self.flush()
        self.tracker.client.set_terminated(self.run_id, "FINISHED")

    def fail(self, reason: str = "", *, status: str = "FAILED") -> None:
        """Write everything out and end the run as FAILED or KILLED; ``reason`` is an error's class, never its text."""
        self.flush()
        if reason:
            self.log_tags({TAG_REASON: reason})
        self.tracker.client.set_terminated(self.run_id, status)

    def _log_batch(
        self, metrics: Sequence[Metric] = (), params: Sequence[Param] = (), tags: Sequence[RunTag] = ()
    ) -> None:
        if metrics or params or tags:
            self.tracker.client.log_batch(self.run_id, metrics, params, tags)


def flatten(values: Mapping[str, Any], separator: str, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one level: ``{"auc": {"Mass": .8}}`` becomes ``{"auc/Mass": .8}`` with separator ``/``."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping):
            flat.update(flatten(value, separator, key + separator))
        else:
            flat[key] = value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value
    return flat


def refuse_private(path: Path) -> None:
    """Raise BadInput unless the file's kind can only hold figures, settings or weights."""
    if path.suffix.lower() not in ARTIFACT_SUFFIXES:
        raise BadInput(
            f"a file of kind {path.suffix or 'without suffix'!r} was to be logged to MLflow",
            accepted=", ".join(sorted(ARTIFACT_SUFFIXES)),
            do="keep pixels, tables and text in the lake, where they can be erased",
        )
