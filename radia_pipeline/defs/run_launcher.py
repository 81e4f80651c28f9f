"""Run workers as processes of their own: none of Dagster's servers takes a run with it when it dies.

Dagster's own launcher forks workers from the code server and never asks again whether they live. Here a worker is
started by whoever launches (the daemon), says in the run's tags which process it is, and Dagster's monitoring asks that
process: a run whose worker is gone is ended within seconds. Not here: the worker (``run_worker``).
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Mapping
from typing import Any, Self

from dagster import DagsterInstance, DagsterRun
from dagster import _check as check
from dagster._core.launcher.base import CheckRunHealthResult, LaunchRunContext, RunLauncher, WorkerStatus
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import ConfigurableClass, serialize_value
from dagster._serdes.config_class import ConfigurableClassData

from radia_pipeline.processes import children
from radia_pipeline.tracking.provenance import TAG_PID, owner_lives

WORKER = "radia_pipeline.defs.run_worker"
RUN_VARIABLE = "DAGSTER_EXECUTE_RUN_ARGS"
"""Where Dagster's own command looks for the run that it is to execute."""
GRACE_S = 5.0
"""Between asking what a dead worker left behind to end and killing it: its training may write a checkpoint."""


class ProcessRunLauncher(RunLauncher[DagsterInstance], ConfigurableClass):
    """Starts one process for each run, in a group of its own; asks and stops it by its number and start time."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        super().__init__()

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """What the instance's settings say of this class."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """There is nothing to set."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, _config_value: Mapping[str, Any]) -> Self:
        """Return the launcher of an instance."""
        return cls(inst_data=inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start the worker; it outlives whoever starts it."""
        run = context.dagster_run
        told = ExecuteRunArgs(
            job_origin=check.not_none(context.job_code_origin), run_id=run.run_id, instance_ref=self._instance.get_ref()
        )
        children.start(children.module(WORKER), children.environment({RUN_VARIABLE: serialize_value(told)}))

    def terminate(self, run_id: str) -> bool:
        """Interrupt a run's worker, which ends its steps in order; returns whether it lived."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        lives = owner_lives(run.tags)
        if lives is None and TAG_PID in run.tags:
            return False  # its process is on another machine
        self._instance.report_run_canceling(run)
        if not lives:
            self._instance.report_run_canceled(run, "The run's process is gone.")
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(run.tags[TAG_PID]), signal.SIGINT)
        return True

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Whether a run's worker can be asked for: it can."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Tell whether a run's process lives, and end what a dead one left; of other machines nothing is known."""
        if owner_lives(run.tags) is False:
            children.end_left(int(run.tags[TAG_PID]), grace_s=GRACE_S)  # its steps and trainings stand in its group
            return CheckRunHealthResult(WorkerStatus.FAILED, "its process is gone")
        return CheckRunHealthResult(WorkerStatus.RUNNING)
