"""What trains a detector again and what does not; one of an standing release stands for the training that it is."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from radia_pipeline.detection import identity
from radia_pipeline.detection.config import DetectorConfig
from radia_pipeline.detection.identity import data_versions
from radia_pipeline.detection.recipes import parse_config
from radia_pipeline.detection.start import Start, choose_start
from radia_pipeline.lake.lake import Lake
from radia_pipeline_tests.detection.worlds import SOURCE, small_config

VERSIONS = {"manifest/a": "0", "pseudo_boxes/a": "1"}
START = Start("toy", Path("toy/0123456789abcdef"), "named")


def test_written_out_defaults_and_order_change_nothing():
    plain = parse_config({"name": "x", "lr": 0.002, "strides": [16, 32]})
    whole = parse_config(dict(reversed(json.loads(json.dumps(plain.as_dict())).items())))
    assert identity.fingerprint(plain, VERSIONS, START) == identity.fingerprint(whole, VERSIONS, START)


def test_a_new_option_leaves_all_detectors_alone():
    class NextConfig(DetectorConfig):
        focal_gamma: float = 2.0

    changed = {"optimizer": {"lr": 0.002}}
    assert NextConfig.model_validate(changed).hash == DetectorConfig.model_validate(changed).hash
    assert NextConfig(focal_gamma=1.5).hash != DetectorConfig().hash


def test_data_classifier_and_versions_make_another_detector(monkeypatch):
    config, names = DetectorConfig(), []
    names.append(identity.fingerprint(config, VERSIONS, START))
    names.append(identity.fingerprint(config, {**VERSIONS, "manifest/a": "2"}, START))
    names.append(identity.fingerprint(config, VERSIONS, dataclasses.replace(START, model_dir=Path("toy/other"))))
    for constant in ("DETECTOR_VERSION", "TRAINING_VERSION"):
        monkeypatch.setattr(identity, constant, 99)
        names.append(identity.fingerprint(config, VERSIONS, START))
    assert len(set(names)) == 5


@pytest.fixture
def standing(trained, tmp_path) -> Lake:
    """A copy of the trained world."""
    return Lake.open(shutil.copytree(trained.world.lake.root, tmp_path / "lake"))


def folder_for(lake: Lake, config: DetectorConfig | None = None, **changes) -> str:
    config = config or small_config()
    start = dataclasses.replace(choose_start(lake, config), **changes)
    return identity.folder_of(lake, config, data_versions(lake, (SOURCE,), config), start).name


def test_another_config_or_classifier_is_another_training(standing, trained):
    stands = trained.result.fingerprint
    assert folder_for(standing) == identity.standing_fingerprint(standing, small_config()) == stands
    assert folder_for(standing, small_config(lr=0.002)) != stands
    assert folder_for(standing, recipe="other") != stands
    assert folder_for(standing, model_dir=Path("toy/other")) != stands


def test_other_pseudo_boxes_ask_for_another_training(standing, trained):
    rows = standing.read("pseudo_boxes", SOURCE).to_pylist()
    standing.write("pseudo_boxes", rows[:-1], SOURCE)
    assert folder_for(standing) != trained.result.fingerprint
    assert identity.standing_fingerprint(standing, small_config()) is None
