"""MLflow's page of a lake behind the guard: ``python -m radia_pipeline.tracking.server --lake DIR --port N …``.

It also sees to it that no run stands as running whose process is gone: whoever is killed cannot say so. Not here: who
starts this and keeps it running (``defs/ui``).
"""

from __future__ import annotations

import argparse
import os
import threading
from pathlib import Path

from radia_pipeline.lake.lake import Lake
from radia_pipeline.processes.parents import die_with_parent
from radia_pipeline.processes.progress import say
from radia_pipeline.servers.guard import TOKEN_VARIABLE, Guard, Rules
from radia_pipeline.servers.web import listening, serve
from radia_pipeline.tracking import artifacts
from radia_pipeline.tracking.history import import_mlflow, server_addresses
from radia_pipeline.tracking.upkeep import tend

MOST_BODY_BYTES = 1 << 30
"""Weights of a training on another machine come through this server."""
READS = ("/search", "/get-latest-versions", "/get-history-bulk-interval", "/graphql")
"""Ends of paths that MLflow reads by POST."""
LOOK_EVERY_S = 15.0
_STOP_WITHIN_S = 3


def configure(lake: Lake) -> None:
    """Tell MLflow's application, by the environment in which it looks, where the lake's history lies."""
    mlflow = import_mlflow()
    from mlflow.server import constants as names
    from mlflow.server.handlers import initialize_backend_stores

    where = server_addresses(lake.root)
    os.environ |= {
        names.BACKEND_STORE_URI_ENV_VAR: where["--backend-store-uri"],
        names.REGISTRY_STORE_URI_ENV_VAR: where["--backend-store-uri"],
        names.ARTIFACTS_DESTINATION_ENV_VAR: where["--artifacts-destination"],
        names.ARTIFACT_ROOT_ENV_VAR: artifacts.LOCATION,
        names.SERVE_ARTIFACTS_ENV_VAR: "true",
        "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE": "true",  # the guard is stricter: MLflow's trusts every local port
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    mlflow.set_tracking_uri(where["--backend-store-uri"])
    initialize_backend_stores(where["--backend-store-uri"], where["--backend-store-uri"], artifacts.LOCATION)


def _tend_always(lake: Lake) -> None:
    trouble, wait = "", threading.Event()
    while True:
        try:
            tend(lake)
            trouble = ""
        except Exception as error:  # whatever MLflow or its database raise: the next look may do better
            if trouble != type(error).__name__:
                trouble = type(error).__name__
                say(f"Runs of dead processes cannot be ended now ({trouble})")
        wait.wait(LOOK_EVERY_S)


def main() -> None:
    """Serve until a signal; the token is in the environment."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", required=True, type=Path)
    parser.add_argument("--port", required=True, type=int)
    parser.add_argument("--public-host", action="append", default=[])
    parser.add_argument("--read-only", action="store_true")
    options = parser.parse_args()
    die_with_parent()
    token = os.environ.pop(TOKEN_VARIABLE)
    rules = Rules(options.port, token, tuple(options.public_host), MOST_BODY_BYTES, options.read_only, READS)
    lake = Lake.open(options.lake, create=False)
    with listening(options.port) as end:
        configure(lake)
        from mlflow.server.fastapi_app import app

        if not options.read_only:
            threading.Thread(target=_tend_always, args=(lake,), name="upkeep", daemon=True).start()
        serve(Guard(app, rules), end, stop_within_s=_STOP_WITHIN_S, limit_concurrency=None)


if __name__ == "__main__":
    main()
