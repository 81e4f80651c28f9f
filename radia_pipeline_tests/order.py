"""In which order the tests begin and which stay together, where several processes of pytest share them.

A file is one piece of work: what its tests share is made once. So are a folder or files that share something dear. What
takes longest begins first: begun last, it would be waited for while the other cores have nothing to do.
"""

from __future__ import annotations

from typing import Any

from xdist.scheduler import LoadFileScheduling

HERE = "radia_pipeline_tests/"
TOGETHER = {
    "defs/test_drift_to_champion.py": "defs/test_retraining.py",
    "detection/": "detection/",
    "phantom/": "phantom/",
    "review/": "review/",
    "usecases/test_one_judgement.py": "usecases/test_predict.py",
    "usecases/test_predict_champion.py": "usecases/test_predict.py",
}
"""Files, or folders with all that is below, and the piece that they belong to: they share a lake, models, a browser."""
FIRST = (
    "test_documentation_runs.py", "defs/test_retraining.py", "defs/test_end_to_end.py", "processes/test_cluster.py",
    "review/", "defs/test_ui.py", "defs/test_live_days.py", "test_canary.py", "detection/",
    "training/test_processes.py", "test_wheel.py", "defs/test_move_history.py", "training/test_recipes.py",
    "defs/test_retention.py", "usecases/test_dicom_objects.py", "test_supply_chain.py", "defs/test_one_run.py",
    "training/test_backbones.py", "dicom/test_kills.py",
    "reports/test_laws.py", "evaluation/test_held.py",
    "defs/test_training_process.py", "test_architecture.py", "training/test_awkward.py", "training/test_nodes.py",
    "dicom/test_ingest.py", "defs/test_doctor.py", "dicom/test_false_alarms.py", "evaluation/test_release.py",
    "evaluation/test_sources.py", "evaluation/test_sides.py", "defs/test_backfill.py", "usecases/test_predict.py",
    "training/test_sweeps.py", "training/test_distributed.py", "test_how_to.py", "evaluation/test_scorecard.py",
)  # fmt: skip
"""The pieces that take half a minute or more, longest first; they need not be exact."""
QUICK_BUT_FOR_SLOW = frozenset({"dicom/test_false_alarms.py", "dicom/test_ingest.py", "training/test_recipes.py"})
"""Those of them that take long by tests marked ``slow`` alone."""


def piece_of(nodeid: str) -> str:
    """Return the piece of work that a test belongs to: a file, or what stands for those that stay together."""
    path = nodeid.split("::", 1)[0].removeprefix(HERE)
    for name, piece in TOGETHER.items():
        if path.startswith(name):
            return piece
    return path


def place_of(nodeid: str) -> int:
    """Return how late a test may begin: the place of its piece in FIRST, the last for all others."""
    piece = piece_of(nodeid)
    return FIRST.index(piece) if piece in FIRST else len(FIRST)


def is_long(nodeid: str) -> bool:
    """Say whether a test is of a piece that takes long, whatever it takes itself: what the piece shares is dear."""
    piece = piece_of(nodeid)
    return piece in FIRST and piece not in QUICK_BUT_FOR_SLOW


class ByPieces(LoadFileScheduling):
    """Gives each process of pytest a piece at a time, in the order in which tests were collected."""

    def __init__(self, config: Any, log: Any = None) -> None:
        config.option.loadscopereorder = False  # by their number of tests, which says nothing of how long they take
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return piece_of(nodeid)
