"""The tracker of one lake: opens its MLflow history and finds, starts and resumes runs in it.

Here: experiments, the search for a training's run, its start. Not here: what a run records (``tracked_run``), models
(``models``), the ending of runs whose process died (``reaper``).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radia_pipeline.errors import AlreadyRunning
from radia_pipeline.tracking import artifacts
from radia_pipeline.tracking.history import database_uri, exclusively, history_root, import_mlflow
from radia_pipeline.tracking.provenance import (
    IDENTITY_TAGS,
    TAG_FINGERPRINT,
    TAG_IDENTITY,
    TAG_RECIPE,
    identity,
    owner_lives,
    process_tags,
)
from radia_pipeline.tracking.tracked_run import TrackedRun

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "radia"


class Tracker:
    """MLflow history of a lake. ``where``: a Lake, its root's path, or an address (``sqlite:///…``, ``http://…``)."""

    def __init__(self, where: Any, *, experiment: str = EXPERIMENT) -> None:
        self.experiment = experiment
        text = str(where if isinstance(where, str | Path) else where.root)
        self.lake_root = None if "://" in text else Path(text)
        self.uri = text if self.lake_root is None else database_uri(self.lake_root)

    @cached_property
    def client(self) -> MlflowClient:
        """The MLflow client; the first use creates the database, one process at a time."""
        mlflow = import_mlflow()
        with self.exclusively():
            client = mlflow.MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
            client.search_registered_models(max_results=1)
            self._create_experiment(client)
            if self.lake_root is not None:
                artifacts.make_relative(history_root(self.lake_root))
        return client

    @cached_property
    def experiment_id(self) -> str:
        """Id of the experiment, which is created where it does not exist."""
        return self._create_experiment(self.client)

    def _create_experiment(self, client: MlflowClient) -> str:
        found = client.get_experiment_by_name(self.experiment)
        if found is not None:
            return found.experiment_id
        location = artifacts.LOCATION if self.lake_root else None
        return client.create_experiment(self.experiment, artifact_location=location)

    def exclusively(self) -> AbstractContextManager:
        """Hold the history's lock, in which trainings begin and dead ones are ended."""
        return exclusively(self.lake_root, self.uri)

    def runs(self, tags: Mapping[str, str] | None = None, *, status: str | None = None) -> list[TrackedRun]:
        """Runs that carry all of ``tags`` and, if given, the status; newest first."""
        conditions = [f"tags.`{name}` = '{_quoted(value)}'" for name, value in (tags or {}).items()]
        if status:
            conditions.append(f"attributes.status = '{status}'")
        found, token = [], None
        while True:
            page = self.client.search_runs(
                [self.experiment_id],
                " and ".join(conditions),
                order_by=["attributes.start_time DESC"],
                page_token=token,
            )
            found += [TrackedRun(self, run.info.run_id) for run in page]
            token = page.token
            if not token:
                return found

    def start_or_resume(
        self,
        name: str,
        tags: Mapping[str, str] | None = None,
        *,
        force: bool = False,
        goes_on: bool = False,
        pid: int | None = None,
        fingerprint: str | None = None,
    ) -> TrackedRun:
        """The run of the training that ``name`` and its identifying tags describe.

        A finished run is returned as it is (``is_finished``): nothing is trained twice. An unfinished one whose process
        is gone is taken over and continues; ``force`` starts a new run in any case, unless it ``goes_on`` with one that
        it started before and that was stopped. ``pid`` is the process whose death ends the run, this one if not given.
        ``fingerprint``: of the model that stands finished already; its run is
        found by it where an earlier release described the same training in other tags.

        Raises AlreadyRunning while another living process writes to the run.
        """
        tags = {**(tags or {}), TAG_IDENTITY: identity(name, tags or {})}
        _ = self.experiment_id  # takes and leaves the lock that is taken next
        with self.exclusively():
            if fingerprint is not None and not force:
                self._retag(fingerprint, tags)
            return self._start_or_resume(name, tags, force, goes_on, pid)

    def take_up(self, run_id: str, name: str, tags: Mapping[str, str]) -> TrackedRun:
        """A run that is known, to be written to by this process; a finished one as it is. Raises AlreadyRunning."""
        run = TrackedRun(self, run_id)
        self._require_nobody_writes(run, name)
        return run if run.is_finished else run.take_over(tags)

    def _retag(self, fingerprint: str, tags: Mapping[str, str]) -> None:
        """Give the finished run of a model the identifying tags of today, so that it is found by them from now on."""
        wanted = {tag: tags[tag] for tag in (TAG_IDENTITY, *IDENTITY_TAGS) if tag in tags}
        for run in self.runs({TAG_FINGERPRINT: fingerprint}, status="FINISHED"):
            if run.tags.get(TAG_RECIPE) == tags.get(TAG_RECIPE) and run.tags.get(TAG_IDENTITY) != wanted[TAG_IDENTITY]:
                run.log_tags(wanted)

    def _require_nobody_writes(self, run: TrackedRun, name: str) -> None:
        if run.status == "RUNNING" and not run.is_mine and owner_lives(run.tags) is not False:
            raise AlreadyRunning(
                f"the training {name!r} has a run that another process writes to",
                do="wait until it ends; if its machine is gone, end it with the reaper",
            )

    def _start_or_resume(
        self, name: str, tags: Mapping[str, str], force: bool, goes_on: bool, pid: int | None
    ) -> TrackedRun:
        same = self.runs({TAG_IDENTITY: tags[TAG_IDENTITY]})
        for run in same:
            self._require_nobody_writes(run, name)
        if same and goes_on and not same[0].is_finished:
            return same[0].take_over(tags, pid)
        if same and not force:
            run = next((run for run in same if run.is_finished), same[0])
            return run if run.is_finished else run.take_over(tags, pid)
        created = self.client.create_run(self.experiment_id, run_name=name, tags={**tags, **process_tags(pid)})
        return TrackedRun(self, created.info.run_id)


def _quoted(value: str) -> str:
    """A value for a filter; MLflow's filter language knows no escape, so a quote cannot be asked for."""
    if "'" in value:
        raise ValueError("a tag's value that is searched for must not contain a single quote")
    return value
