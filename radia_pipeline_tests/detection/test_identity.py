"""What trains a detector again and what does not; one of an earlier release stands for the training that it is."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from radia_pipeline.detection import identity
from radia_pipeline.detection.config import DetectorConfig, parse_config
from radia_pipeline.detection.sources import data_versions
from radia_pipeline.detection.start import Start, choose_start
from radia_pipeline.detection.store import point_latest
from radia_pipeline.detection.train import train_detector
from radia_pipeline.lake.lake import Lake
from radia_pipeline.training.earlier_models import EARLIER_VERSION
from radia_pipeline.training.model_folders import read_card
from radia_pipeline_tests.detection.worlds import SOURCE, small_config

VERSIONS = {"manifest/a": "0", "pseudo_boxes/a": "1"}
START = Start("toy", Path("toy/0123456789abcdef"), "named")
OLD_NAME = "00c0ffee00c0ffee"


def test_written_out_defaults_and_order_change_nothing():
    plain = parse_config({"name": "x", "lr": 0.002, "strides": [16, 32]})
    whole = parse_config(dict(reversed(json.loads(json.dumps(plain.as_dict())).items())))
    assert identity.fingerprint(plain, VERSIONS, START) == identity.fingerprint(whole, VERSIONS, START)


def test_a_new_option_leaves_all_detectors_alone():
    @dataclasses.dataclass(frozen=True)
    class NextConfig(DetectorConfig):
        focal_gamma: float = 2.0

    assert NextConfig(lr=0.002).hash == DetectorConfig(lr=0.002).hash
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
def earlier(trained, tmp_path, monkeypatch) -> Lake:
    """A copy of the trained world, its detector as the release before identities has written it."""
    for constant in ("DETECTOR_VERSION", "TRAINING_VERSION"):
        monkeypatch.setattr(identity, constant, EARLIER_VERSION)
    lake = Lake.open(shutil.copytree(trained.world.lake.root, tmp_path / "lake"))
    home = identity.detector_home(lake, "small")
    aged = (home / trained.result.fingerprint).rename(home / OLD_NAME)
    card = {**read_card(aged), "fingerprint": OLD_NAME}
    for key in ("detector_version", "training_version", "made_with"):
        del card[key]
    (aged / "model.json").write_text(json.dumps(card))
    point_latest(lake, "small", aged)
    return lake


def test_a_detector_of_an_earlier_release_is_reported_not_trained_again(earlier):
    events = []
    result = train_detector(earlier, small_config(), on_event=events.append)
    assert (result.reused, result.fingerprint, result.model_dir.name) == (True, OLD_NAME, OLD_NAME)
    assert [event["event"] for event in events] == ["done"]
    assert identity.standing_fingerprint(earlier, small_config()) == OLD_NAME


def folder_for(lake: Lake, config: DetectorConfig | None = None, **changes) -> str:
    config = config or small_config()
    start = dataclasses.replace(choose_start(lake, config), **changes)
    return identity.folder_of(lake, config, data_versions(lake, (SOURCE,)), start).name


def test_another_config_classifier_or_table_is_another_training(earlier, monkeypatch):
    assert folder_for(earlier) == OLD_NAME
    assert folder_for(earlier, small_config(lr=0.002)) != OLD_NAME
    assert folder_for(earlier, recipe="other") != OLD_NAME
    assert folder_for(earlier, model_dir=Path("toy/other")) != OLD_NAME
    assert identity.folder_of(earlier, small_config(), {}, choose_start(earlier, small_config())).name != OLD_NAME
    monkeypatch.setattr(identity, "DETECTOR_VERSION", EARLIER_VERSION + 1)
    assert folder_for(earlier) != OLD_NAME


def test_other_pseudo_boxes_ask_for_another_training(earlier):
    rows = earlier.read("pseudo_boxes", SOURCE).to_pylist()
    earlier.write("pseudo_boxes", rows[:-1], SOURCE)
    assert folder_for(earlier) != OLD_NAME
    assert identity.standing_fingerprint(earlier, small_config()) is None
