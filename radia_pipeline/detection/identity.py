"""What identifies a detector's training, and the folder in which it stands or will stand. Light: no torch.

The same rules as for classifiers (``training.identity``): config (what differs from the defaults), data versions, the
classifier that it starts from, vocabulary, a number that a person raises. Not here: loading a detector (``store``).
"""

from __future__ import annotations

from pathlib import Path

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.detection.config import DetectorConfig
from radia_pipeline.detection.sources import training_sources
from radia_pipeline.detection.start import Start, choose_start
from radia_pipeline.errors import RadiaError
from radia_pipeline.lake.lake import Lake
from radia_pipeline.training.identity import TRAINING_VERSION, digest
from radia_pipeline.training.model_folders import is_again, is_finished, pointed

DETECTOR_VERSION = 6
"""Raise it by one in the commit by which a detector comes to other numbers: matching, loss, augmentation, a default.

A test holds the numbers (``radia_pipeline_tests/detection/golden.json``) and says when it is due.
"""


def detector_home(lake: Lake, name: str) -> Path:
    """The folder of all trainings of a detector."""
    return lake.models_dir / "detector" / name


def latest_detector(lake: Lake, name: str | None = None) -> Path:
    """The folder of the detector of this name, or of any, that was trained last; raises NotTrained."""
    root = lake.models_dir / "detector"
    whose = f"the detector {name}" if name else "the detector"
    do = f"run `radia train detector/{name}` first" if name else "materialize detector first"
    return pointed(root / name if name else root, root, whose, do=do)


def data_versions(lake: Lake, sources: tuple[str, ...], config: DetectorConfig) -> dict[str, str]:
    """Versions of all tables that a training reads, as ``table/source``, drawn boxes only if the config wants them; of
    its teacher the model, as ``detector/name``. Raises NotTrained for a teacher without one."""
    tables = ("manifest", "pseudo_boxes", *(("box_annotations",) if config.boxes.real else ()))
    there = {table: set(lake.partitions(table)) for table in tables}
    found = {
        f"{table}/{source}": lake.version(table, source)
        for table in tables
        for source in sources
        if table != "box_annotations" or source in there[table]
    }
    if config.teacher:
        found[f"detector/{config.teacher}"] = latest_detector(lake, config.teacher).name
    return found


def fingerprint(config: DetectorConfig, versions: dict[str, str], start: Start) -> str:
    """A detector's identity, 16 hex digits; what changes classifiers' numbers (inputs, rates) changes a detector's."""
    begins = f"{start.recipe}/{start.model_dir.name}"
    return digest("detector", DETECTOR_VERSION, TRAINING_VERSION, config.hash, versions, begins, vocabulary().version)


def folder_of(lake: Lake, config: DetectorConfig, versions: dict[str, str], start: Start) -> Path:
    """The training's folder."""
    return detector_home(lake, config.name) / fingerprint(config, versions, start)


def standing_fingerprint(lake: Lake, config: DetectorConfig) -> str | None:
    """Name of the finished model of this very training; None where it has yet to be trained, or cannot be."""
    folder = _folder(lake, config)
    return folder.name if folder and is_finished(folder) else None


def is_stopped_again(lake: Lake, config: DetectorConfig) -> bool:
    """Whether this very training was begun again by force and stopped."""
    folder = _folder(lake, config)
    return folder is not None and is_again(folder)


def _folder(lake: Lake, config: DetectorConfig) -> Path | None:
    try:
        versions = data_versions(lake, training_sources(lake, config), config)
        return folder_of(lake, config, versions, choose_start(lake, config))
    except RadiaError:  # the training itself will say what is missing
        return None
