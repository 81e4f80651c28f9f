"""Process entry of a training: ``python -m radia_pipeline.training.run --recipe R --lake L``, alone or under torchrun.

Standard output carries JSON lines, one event each, and nothing else; an error is an event too. The exit code is 0 when
a model is finished, 1 when the run failed or was stopped, 2 for bad input.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from pathlib import Path

from radia_pipeline.errors import RadiaError
from radia_pipeline.processes.failures import as_record


def main(arguments: list[str] | None = None) -> int:
    """Train one recipe; see the module's docstring."""
    options = _parser().parse_args(arguments)
    try:
        return _train(options)
    except RadiaError as error:
        _say({"event": "error", "failure": as_record(error)})
        return error.exit_code
    except KeyboardInterrupt as error:
        _say({"event": "error", "failure": {**as_record(error), "received": "interrupted before a checkpoint"}})
        return 1
    except Exception as error:  # the parent process reads events only: an unforeseen error must become one
        _say({"event": "error", "failure": as_record(error)})
        traceback.print_exc()
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m radia_pipeline.training.run", description=__doc__)
    parser.add_argument("--recipe", required=True, help="name of a shipped recipe, or path of a .yaml file")
    parser.add_argument("--lake", required=True, type=Path)
    parser.add_argument("--run-dir", type=Path, help="write the model here instead of the lake's models")
    parser.add_argument("--force", action="store_true", help="train again although a finished model exists")
    parser.add_argument("--no-resume", action="store_true", help="ignore a checkpoint")
    parser.add_argument("--threads", type=int, help="threads of this process for arithmetic")
    parser.add_argument("--device", help="cpu, cuda, cuda:1, …")
    parser.add_argument("--predict", action="store_true", help="then write the predictions table")
    return parser


def _train(options: argparse.Namespace) -> int:
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    import torch

    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.processes.parents import watch_parents
    from radia_pipeline.training import distributed
    from radia_pipeline.training.inference import predict_manifest
    from radia_pipeline.training.recipes import load_recipe
    from radia_pipeline.training.trainer import Runtime, train

    recipe = load_recipe(options.recipe, options.lake)
    runtime = Runtime(device=options.device)
    if options.threads:
        torch.set_num_threads(options.threads)
    watch_parents(runtime.stop.set)
    lake = Lake.open(options.lake)
    with distributed.process_group():
        train(
            recipe, lake, run_dir=options.run_dir, on_event=_say, runtime=runtime,
            resume=not options.no_resume, force=options.force,
        )  # fmt: skip
        is_first = distributed.rank() == 0
    if options.predict and is_first:
        written = predict_manifest(lake, recipe.name)
        _say({"event": "predictions", "rows": written.rows, "version": written.version})
    return 0


def _say(event: dict) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
