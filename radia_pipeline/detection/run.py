"""Process entry of a detector's training: ``python -m radia_pipeline.detection.run --detector D --lake L``, alone or
under torchrun.

Standard output and exit codes as of a classifier's (``training.run``).
"""

from __future__ import annotations

import argparse
import sys

from radia_pipeline.training.run import parser, say, spoken, surroundings


def main(arguments: list[str] | None = None) -> int:
    """Train one detector; see the module's docstring."""
    options = parser(__doc__, "radia_pipeline.detection.run", "detector").parse_args(arguments)
    return spoken(lambda: _train(options))


def _train(options: argparse.Namespace) -> None:
    with surroundings(options) as runtime:
        from radia_pipeline.detection.recipes import load_config
        from radia_pipeline.detection.train import train_detector
        from radia_pipeline.lake.lake import Lake

        lake = Lake.open(options.lake)
        train_detector(
            lake,
            load_config(options.detector, lake.root),
            run_dir=options.run_dir,
            on_event=say,
            runtime=runtime,
            force=options.force,
        )


if __name__ == "__main__":
    sys.exit(main())
