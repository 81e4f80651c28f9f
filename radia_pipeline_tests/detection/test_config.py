"""A detector's file says what it means, or is refused with the reason."""

from __future__ import annotations

import pytest

from radia_pipeline.detection.config import DetectorConfig
from radia_pipeline.detection.recipes import (
    FILES,
    MOVED,
    json_schema,
    load_config,
    parse_config,
    with_settings,
)
from radia_pipeline.errors import BadRecipe, UnknownName


@pytest.mark.parametrize("name", FILES.names())
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
        {"head": {"convs": 0}},
        {"head": {"norm_groups": 24}},
        {"training": {"epochs": 3}},
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
    assert (config.name, config.input.size_px, config.head.strides) == ("mine", 320, (16, 32))


def test_every_option_of_a_file_without_sections_stands_somewhere_now():
    whole = DetectorConfig().as_dict()
    for places in MOVED.values():
        for place in places:
            section, *names = place.split(".")
            value = whole[section]
            for name in names:
                assert name in value, place
                value = value[name]


def test_a_file_with_and_one_without_sections_mean_the_same():
    flat = parse_config({"size_px": 320, "strides": [16, 32], "lr": 0.002, "jitter": 0.3, "flip_p": 0.0})
    nested = parse_config(
        {
            "input": {"size_px": 320},
            "head": {"strides": [16, 32]},
            "optimizer": {"lr": 0.002},
            "augmentation": {"jitter": {"brightness": 0.3, "contrast": 0.3}, "flip": {"p": 0.0}},
        }
    )
    assert flat == nested


def test_a_lakes_own_detector_extends_a_shipped_one(tmp_path):
    (tmp_path / "detectors").mkdir()
    (tmp_path / "detectors" / "ours.yaml").write_text("extends: small\ntraining: {max_epochs: 3}\n")
    ours, small = load_config("ours", tmp_path), load_config("small")
    assert (ours.name, ours.training.max_epochs) == ("ours", 3)
    assert ours.training.batch_size == small.training.batch_size
    assert ours.head == small.head
    assert "ours" in FILES.names(tmp_path)
    with pytest.raises(UnknownName):
        load_config("ours")


def test_settings_make_a_detector_of_its_own():
    small = load_config("small")
    changed = with_settings(small, {"optimizer.lr": "1e-3"})
    assert (changed.optimizer.lr, changed.name[:7]) == (1e-3, "small_s")
    with pytest.raises(BadRecipe, match="did you mean backbone_factor"):
        with_settings(small, {"optimizer.backbone_facto": "1e-3"})


def test_schema_knows_every_section():
    assert set(DetectorConfig.model_fields) <= set(json_schema()["properties"])


def test_hash_covers_what_changes_the_result_and_only_that():
    config = DetectorConfig()
    assert config.hash == parse_config({"name": "other", "title": "words", "export_onnx": False}).hash
    assert config.hash != parse_config({"optimizer": {"lr": 2e-3}}).hash
