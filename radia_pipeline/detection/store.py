"""Where trained detectors lie in the lake, what identifies them, how they are loaded.

``models/detector/<name>/<fingerprint>/``: ``model.safetensors``, ``model.json`` (spec, provenance, figures; with it
the model is whole), ``metrics.jsonl``, ``checkpoints/``; ``latest.json`` beside the fingerprints. Not here:
training.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.detection.config import DetectorConfig
from radia_pipeline.detection.model import Detector
from radia_pipeline.detection.spec import DetectorSpec
from radia_pipeline.errors import DamagedFile, NotTrained
from radia_pipeline.lake.atomic import write_text
from radia_pipeline.lake.lake import Lake
from radia_pipeline.training import model_store

FINGERPRINT_CHARACTERS = 16
DECIDING = ("config.py", "data.py", "decode.py", "loss.py", "model.py", "train.py")
"""Modules of this package that can change trained weights."""


def detector_root(lake: Lake, name: str) -> Path:
    """The folder of all trainings of a detector."""
    return lake.models_dir / "detector" / name


def fingerprint(config: DetectorConfig, versions: dict[str, str], start: str) -> str:
    """What identifies a training: config, data versions, the classifier that it starts from, code, vocabulary."""
    digest = hashlib.sha256()
    for name in DECIDING:
        digest.update(name.encode() + b"\0" + (Path(__file__).parent / name).read_bytes())
    parts = [config.hash, versions, start, digest.hexdigest(), model_store.code_version(), vocabulary().version]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:FINGERPRINT_CHARACTERS]


def point_latest(lake: Lake, name: str, folder: Path) -> None:
    """Make a model the newest of its detector, and its detector the one that is used."""
    text = json.dumps({"name": name, "fingerprint": folder.name}) + "\n"
    write_text(detector_root(lake, name) / "latest.json", text)
    write_text(lake.models_dir / "detector" / "latest.json", text)


def latest_detector(lake: Lake, name: str | None = None) -> Path:
    """The folder of the detector of this name, or of any, that was trained last; raises NotTrained."""
    home = lake.models_dir / "detector"
    shown = f"detector {name}" if name else "detector"
    try:
        pointer = json.loads(((home / name if name else home) / "latest.json").read_text(encoding="utf-8"))
        folder = home / pointer["name"] / pointer["fingerprint"]
    except FileNotFoundError:
        raise NotTrained(f"The {shown} has not been trained", do="materialize detector first") from None
    except (ValueError, KeyError, TypeError):
        raise DamagedFile(f"latest.json of the {shown} cannot be read", do="train it again") from None
    if not model_store.is_finished(folder):
        raise NotTrained(f"The model of the {shown} is gone", do="materialize detector again")
    return folder


def read_spec(model_dir: Path) -> DetectorSpec:
    """The spec of a trained detector; raises NotTrained, DamagedFile or VocabularyMismatch."""
    card = model_store.read_card(Path(model_dir))
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
        detector.load_state_dict(model_store.read_weights(Path(model_dir)))
    except RuntimeError:
        raise DamagedFile("the detector's weights do not fit its settings", do="train it again with force") from None
    return detector.eval()
