"""The network fits any backbone that our recipes use, and starts from the classifier's weights."""

from __future__ import annotations

import pytest
import torch

from radia_pipeline.detection.config import DetectorConfig
from radia_pipeline.detection.decode import positions
from radia_pipeline.detection.model import Detector, start_from_classifier
from radia_pipeline.detection.recipes import load_config
from radia_pipeline.detection.spec import DetectorSpec
from radia_pipeline.errors import BadRecipe
from radia_pipeline.training.models import Classifier
from radia_pipeline.training.recipe_schema import Recipe
from radia_pipeline.training.recipes import load_recipe, parse_recipe
from radia_pipeline_tests.detection.worlds import small_config, toy_recipe


def spec_for(recipe: Recipe, config: DetectorConfig) -> DetectorSpec:
    return DetectorSpec.of(config, recipe.model_dump(), ("Cardiomegaly", "Mass"), {})


def check_shapes(detector: Detector, images: int = 2) -> None:
    spec = detector.spec
    batch = torch.zeros(images, spec.input_section.channel_count, spec.size_px, spec.size_px)
    with torch.no_grad():
        logits, distances, *centreness = detector.eval()(batch)
    places = len(positions(spec.size_px, spec.strides)[0])
    assert logits.shape == (images, places, 2)
    assert distances.shape == (images, places, 4)
    assert [part.shape for part in centreness] == [(images, places, 1)] * (spec.head == "fcos")


@pytest.mark.parametrize("name", ["demo_linear", "demo_pcam"])
def test_shipped_detector_fits_the_demos_classifiers(name):
    check_shapes(Detector(spec_for(load_recipe(name), load_config("small"))), images=1)


@pytest.mark.parametrize("backbone", ["convnext_atto", "resnet18"])
def test_other_families_fit(backbone):
    recipe = parse_recipe({"name": "other", "input": {"size_px": 64}, "model": {"backbone": backbone}})
    check_shapes(Detector(spec_for(recipe, small_config())))


def test_levels_beyond_the_backbone_are_pooled_from_its_last():
    recipe = parse_recipe(
        {
            "name": "shallow",
            "input": {"size_px": 64},
            "model": {"backbone": "densenet121", "kwargs": {"block_config": [1, 1, 1], "growth_rate": 8}},
        }
    )
    detector = Detector(spec_for(recipe, small_config()))
    assert (len(detector.indices), detector.pooled) == (2, 1)
    check_shapes(detector)


def test_stride_that_no_level_has_is_refused():
    with pytest.raises(BadRecipe, match="stride 24"):
        Detector(spec_for(toy_recipe(), small_config(size_px=96, strides=(8, 24))))


def test_detector_starts_with_the_classifiers_features():
    recipe = toy_recipe()
    detector, classifier = Detector(spec_for(recipe, small_config())), Classifier(recipe).eval()
    start_from_classifier(detector, classifier)
    image = torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        mine, theirs = detector.eval().net(image), classifier.backbones[0].net(image)
    assert torch.equal(mine, theirs)


def test_foreign_classifier_is_refused():
    other = parse_recipe({"name": "other", "input": {"size_px": 64}, "model": {"backbone": "resnet18"}})
    with pytest.raises(BadRecipe, match="does not fit"):
        start_from_classifier(Detector(spec_for(toy_recipe(), small_config())), Classifier(other))


def test_training_mode_keeps_the_classifiers_batch_statistics():
    detector = Detector(spec_for(toy_recipe(), small_config())).train()
    before = {name: value.clone() for name, value in detector.net.state_dict().items() if "running" in name}
    detector(torch.randn(4, 1, 64, 64))
    after = detector.net.state_dict()
    assert before
    assert all(torch.equal(value, after[name]) for name, value in before.items())
