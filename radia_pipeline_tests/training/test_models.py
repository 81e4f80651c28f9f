"""Views, padding, hierarchy and backbones: what a study's logits may and may not depend on."""

from __future__ import annotations

import pytest
import torch

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadInput, BadRecipe
from radia_pipeline.training.models import Classifier
from radia_pipeline_tests.training.synthetic import tiny_recipe


def classifier(**sections) -> Classifier:
    torch.manual_seed(0)
    return Classifier(tiny_recipe(**sections)).eval()


@pytest.mark.parametrize("combine", ["sum", "mean", "max", "logsumexp"])
def test_padding_and_the_order_of_views_change_nothing(combine):
    model = classifier(views={"use": "all", "combine": combine})
    images = torch.randn(2, 3, 1, 32, 32)
    three = torch.ones(2, 3, dtype=torch.bool)
    padded = torch.cat([images, torch.full((2, 2, 1, 32, 32), 1e6)], dim=1)
    hidden = torch.cat([three, torch.zeros(2, 2, dtype=torch.bool)], dim=1)
    whole = model(images, three)
    assert torch.allclose(whole, model(padded, hidden), atol=1e-6)
    assert torch.allclose(whole, model(images.flip(1), three), atol=1e-5)


@pytest.mark.parametrize("combine", ["mean", "max", "logsumexp"])
def test_a_view_shown_twice_weighs_once(combine):
    model = classifier(views={"use": "all", "combine": combine})
    image = torch.randn(1, 1, 1, 32, 32)
    once = model(image, torch.ones(1, 1, dtype=torch.bool))
    twice = model(image.repeat(1, 2, 1, 1, 1), torch.ones(1, 2, dtype=torch.bool))
    assert torch.allclose(once, twice, atol=1e-5)


def test_sum_counts_the_bias_twice():
    model = classifier(views={"use": "all", "combine": "sum"})
    image = torch.randn(1, 1, 1, 32, 32)
    once = model(image, torch.ones(1, 1, dtype=torch.bool))
    twice = model(image.repeat(1, 2, 1, 1, 1), torch.ones(1, 2, dtype=torch.bool))
    assert torch.allclose(twice, 2 * once, atol=1e-5)


def test_separate_weights_treat_frontal_and_lateral_apart():
    model = classifier(views={"use": "frontal_lateral", "weights": "separate"})
    image = torch.randn(1, 1, 32, 32)
    assert not torch.allclose(model.view_logits(image, 0), model.view_logits(image, 1))
    assert torch.equal(model.feature_map(image), model.feature_map(image, 0))
    only_lateral = model(image[:, None].repeat(1, 2, 1, 1, 1), torch.tensor([[False, True]]))
    assert torch.allclose(only_lateral, model.view_logits(image, 1), atol=1e-6)


def test_hierarchy_is_never_above_a_parent_and_edema_has_two():
    model = classifier(task={"inference": "hierarchy"})
    probabilities = model.probabilities(torch.randn(200, 21, generator=torch.Generator().manual_seed(3)) * 6)
    words = vocabulary()
    for name in words.classes:
        for parent in words.parents(name):
            assert (probabilities[:, words.index(name)] <= probabilities[:, words.index(parent)] + 1e-12).all()
    assert len(words.parents("Edema")) == 2


def test_hierarchy_with_numbers():
    """Edema 0.8 given its parents; Liquid 0.5; Lung Opacity 0.5 given Opacity 0.4, so 0.2: Edema 0.16."""
    model, words = classifier(task={"inference": "hierarchy"}), vocabulary()
    own = torch.full((1, 21), 0.9)
    for name, value in {"Edema": 0.8, "Liquid": 0.5, "Lung Opacity": 0.5, "Opacity": 0.4}.items():
        own[0, words.index(name)] = value
    found = model.probabilities(torch.logit(own))[0]
    assert found[words.index("Lung Opacity")].item() == pytest.approx(0.2, abs=1e-6)
    assert found[words.index("Edema")].item() == pytest.approx(0.16, abs=1e-6)


def test_prior_shift_divides_the_odds():
    model = classifier()
    model.prior_shift[0] = torch.log(torch.tensor(3.0, dtype=torch.float64))
    found = model.probabilities(torch.zeros(1, 21))[0, 0].item()
    assert found == pytest.approx(0.25)


@pytest.mark.parametrize("name", ["convnext_atto", "deit_tiny_patch16_224", "efficientnet_b0", "resnet10t"])
def test_any_timm_backbone_gives_a_feature_map(name):
    model = classifier(model={"backbone": name, "kwargs": {}}, input={"size_px": 64})
    features = model.feature_map(torch.randn(2, 1, 64, 64))
    assert features.ndim == 4
    assert features.shape[1:] == (model.backbones[0].features, *model.backbones[0].grid)
    assert model.head(features).shape == (2, 21)


def test_unknown_backbone_and_bad_kwargs_say_so():
    with pytest.raises(BadRecipe, match="Unknown backbone 'densnet121'"):
        classifier(model={"backbone": "densnet121"})
    with pytest.raises(BadRecipe, match="does not take"):
        classifier(model={"kwargs": {"no_such_option": 1}})


@pytest.mark.parametrize("shape", [(2, 3, 32, 32), (2, 1, 32, 32, 1), (2, 1, 3, 32, 32), (2, 1, 1, 64, 64)])
def test_wrong_input_shapes_are_refused(shape):
    with pytest.raises(BadInput, match="Model input of shape"):
        classifier()(torch.zeros(shape), torch.ones(shape[:2], dtype=torch.bool))


def test_a_model_that_looks_again_says_the_same_of_a_picture_and_its_mirror_image():
    model = Classifier(tiny_recipe(views={"test_time": "flip"}))
    images, present = torch.rand(2, 1, 1, 32, 32), torch.ones(2, 1, dtype=torch.bool)
    with torch.no_grad():
        first, second = (model.eval()(form, present) for form in (images, images.flip(-1)))
        once = model.train()(images, present)
    assert torch.allclose(first, second, atol=1e-6)
    assert not torch.allclose(first, once, atol=1e-4), "training looks once"
