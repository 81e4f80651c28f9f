"""A detector's file says what it means, or is refused with the reason."""

from __future__ import annotations

import dataclasses

import pytest

from radia_pipeline.detection.config import DetectorConfig, detector_names, load_config, parse_config
from radia_pipeline.errors import BadRecipe, UnknownName


@pytest.mark.parametrize("name", detector_names())
def test_shipped_detectors_can_be_followed(name):
    config = load_config(name)
    assert config.name == name
    assert config.title


def test_unknown_detector_names_those_that_exist():
    with pytest.raises(UnknownName, match="small"):
        load_config("huge")


@pytest.mark.parametrize(
    "content",
    [
        {"sizes": 3},
        {"size_px": 100},
        {"size_px": "large"},
        {"fpn_channels": 48},
        {"strides": [32, 8]},
        {"epochs": 0},
        {"epochs": True},
        {"nms_iou": 1.5},
    ],
)
def test_what_cannot_be_followed_is_refused(content):
    with pytest.raises(BadRecipe):
        parse_config(content)


def test_broken_file_is_refused_without_a_traceback_of_yaml(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("size_px: [1")
    with pytest.raises(BadRecipe, match="mine"):
        load_config(path)


def test_file_of_ones_own_overrides_the_defaults(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("size_px: 320\nstrides: [16, 32]\n")
    config = load_config(path)
    assert (config.name, config.size_px, config.strides) == ("mine", 320, (16, 32))


def test_hash_covers_what_changes_the_result_and_only_that():
    config = DetectorConfig()
    assert config.hash == dataclasses.replace(config, name="other", title="words").hash
    assert config.hash != dataclasses.replace(config, lr=2e-3).hash
