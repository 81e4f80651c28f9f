"""Where trained detectors lie in the lake and how they are loaded.

``models/detector/<name>/<fingerprint>/``, laid out as a classifier's (``training.model_folders``); the pointer in
``models/detector`` names the detector that is used. Not here: training, and what a training is called (``identity``).
"""

from __future__ import annotations

from pathlib import Path

import torch

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.detection.identity import detector_home, latest_detector
from radia_pipeline.detection.model import Detector
from radia_pipeline.detection.spec import DetectorSpec
from radia_pipeline.errors import DamagedFile, RadiaError
from radia_pipeline.lake.lake import Lake
from radia_pipeline.training.model_folders import POINTER, point, read_card
from radia_pipeline.training.model_store import read_weights

__all__ = ["latest_detector", "load_detector", "point_latest", "read_spec"]


def point_latest(lake: Lake, name: str, folder: Path) -> None:
    """Make a model the newest of its detector, and its detector the one that is used."""
    home = detector_home(lake, name)
    for place in (home, home.parent):
        point(place, {"name": name, "fingerprint": folder.name})


def other_detectors(lake: Lake, but: Path) -> list[Path]:
    """The newest finished model of each of the lake's detectors but one, by name; those of before are left out."""
    found = []
    for pointer in sorted((lake.models_dir / "detector").glob(f"*/{POINTER}")):
        try:
            folder = latest_detector(lake, pointer.parent.name)
            read_spec(folder)
        except RadiaError:
            continue
        if folder != but:
            found.append(folder)
    return found


def read_spec(model_dir: Path) -> DetectorSpec:
    """The spec of a trained detector; raises NotTrained, DamagedFile or VocabularyMismatch."""
    card = read_card(Path(model_dir))
    try:
        spec = DetectorSpec.from_json(card["spec"])
    except (KeyError, TypeError):
        raise DamagedFile("model.json is not a detector's", do="train the detector again with force") from None
    vocabulary().require(spec.vocabulary_version, "The detector")
    return spec


def load_detector(model_dir: Path) -> Detector:
    """The trained network in evaluation mode; raises NotTrained, DamagedFile or VocabularyMismatch."""
    detector = Detector(read_spec(Path(model_dir)))
    try:
        detector.load_state_dict(read_weights(Path(model_dir)))
    except RuntimeError:
        raise DamagedFile("the detector's weights do not fit its settings", do="train it again with force") from None
    detector.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's types lack it
    return detector.eval()
