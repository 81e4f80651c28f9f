"""The process of one run of Dagster's: says in the run's tags which process it is, then executes it as Dagster does.

Started by ``run_launcher``; the run is named in the environment.
"""

from __future__ import annotations

import os

from dagster import DagsterInstance
from dagster import _check as check
from dagster._cli.api import execute_run_command
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import deserialize_value

from radia_pipeline.defs.run_launcher import RUN_VARIABLE
from radia_pipeline.tracking.provenance import process_tags


def main() -> None:
    """Execute the run."""
    told = deserialize_value(os.environ[RUN_VARIABLE], ExecuteRunArgs)
    with DagsterInstance.from_ref(check.not_none(told.instance_ref)) as instance:
        instance.add_run_tags(told.run_id, process_tags())
    execute_run_command.main([], standalone_mode=False)


if __name__ == "__main__":
    main()
