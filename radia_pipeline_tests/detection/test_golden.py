"""Detectors come to the numbers on record, or the version says that they are others."""

from __future__ import annotations

import pytest

from radia_pipeline.detection import loss
from radia_pipeline_tests.detection import golden
from radia_pipeline_tests.detection.golden import RECORD


def complaint(part: str, name: str, found) -> None:
    if wrong := RECORD.complaints(part, name, found):
        pytest.fail(wrong, pytrace=False)


def test_the_record_is_of_the_declared_versions():
    if wrong := RECORD.stale(golden.VERSION):
        pytest.fail(wrong, pytrace=False)


def test_a_training_comes_to_its_numbers(trained):
    complaint("training", "small", golden.training(trained.result, trained.events))


def test_the_same_images_are_chosen(trained):
    complaint("choice", "train", golden.choice(trained.world.lake))


def test_losses_boxes_and_augmentation_are_as_before():
    complaint("loss", "untrained", golden.loss())
    complaint("boxes", "untrained", golden.boxes())
    complaint("pixels", "one", golden.pixels())


def test_no_default_changes_without_a_word():
    found, known = golden.defaults(), RECORD.read()["defaults"]
    assert set(known) == set(found), f"options came or went: run `{RECORD.door}`"
    for name, value in found.items():
        complaint("defaults", name, value)


def test_a_planted_change_of_the_loss_is_seen(monkeypatch):
    monkeypatch.setattr(loss, "POSITIVE_SHARE", 0.26)
    assert "raise DETECTOR_VERSION" in RECORD.complaints("loss", "untrained", golden.loss())
