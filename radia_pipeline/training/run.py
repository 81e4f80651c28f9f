"""Process entry of a training: ``python -m radia_pipeline.training.run --recipe R --lake L``, alone or under torchrun.

Standard output carries JSON lines, one event each, and nothing else; an error is an event too. The exit code is 0 when
a model is finished, 1 when the run failed or was stopped, 2 for bad input.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from radia_pipeline.errors import RadiaError
from radia_pipeline.processes.failures import as_record

if TYPE_CHECKING:
    from radia_pipeline.training.outcome import Runtime


def main(arguments: list[str] | None = None) -> int:
    """Train one recipe; see the module's docstring."""
    options = parser(__doc__, "radia_pipeline.training.run", "recipe").parse_args(arguments)
    return spoken(lambda: _train(options))


def spoken(work: Callable[[], None]) -> int:
    """Do a training's work; an error is spoken as an event. Returns the exit code."""
    try:
        work()
    except RadiaError as error:
        say({"event": "error", "failure": as_record(error)})
        return error.exit_code
    except KeyboardInterrupt as error:
        say({"event": "error", "failure": {**as_record(error), "received": "interrupted before a checkpoint"}})
        return 1
    except Exception as error:  # the parent process reads events only: an unforeseen error must become one
        say({"event": "error", "failure": as_record(error)})
        traceback.print_exc()
        return 1
    return 0


def parser(words: str | None, module: str, what: str) -> argparse.ArgumentParser:
    """Return the options that every training's entry takes; ``what``: recipe or detector."""
    options = argparse.ArgumentParser(prog=f"python -m {module}", description=words)
    options.add_argument(f"--{what}", required=True, help=f"name of a shipped {what}, or path of a .yaml file")
    options.add_argument("--lake", required=True, type=Path)
    options.add_argument("--run-dir", type=Path, help="write the model here instead of the lake's models")
    options.add_argument("--force", action="store_true", help="train again although a finished model exists")
    options.add_argument("--no-resume", action="store_true", help="ignore a checkpoint")
    options.add_argument("--threads", type=int, help="threads of this process for arithmetic")
    options.add_argument("--device", help="cpu, cuda, cuda:1, …")
    options.add_argument("--predict", action="store_true", help="then write the predictions table")
    return options


@contextlib.contextmanager
def surroundings(options: argparse.Namespace) -> Iterator[Runtime]:
    """Prepare this process as its options say: threads, its parent watched, its place among several processes."""
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    import torch

    from radia_pipeline.processes.parents import watch_parents
    from radia_pipeline.training import distributed
    from radia_pipeline.training.outcome import Runtime

    runtime = Runtime(device=options.device)
    if options.threads:
        torch.set_num_threads(options.threads)
    watch_parents(runtime.stop.set)
    with distributed.process_group():
        yield runtime


def _train(options: argparse.Namespace) -> None:
    with surroundings(options) as runtime:
        from radia_pipeline.lake.lake import Lake
        from radia_pipeline.training import distributed
        from radia_pipeline.training.recipes import load_recipe
        from radia_pipeline.training.trainer import train

        recipe, lake = load_recipe(options.recipe, options.lake), Lake.open(options.lake)
        train(
            recipe,
            lake,
            run_dir=options.run_dir,
            on_event=say,
            runtime=runtime,
            force=options.force,
        )
        is_first = distributed.rank() == 0
    if options.predict and is_first:
        from radia_pipeline.training.inference import predict_manifest

        written = predict_manifest(lake, recipe.name)
        say({"event": "predictions", "rows": written.rows, "version": written.version})


def say(event: dict) -> None:
    """Speak an event."""
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
