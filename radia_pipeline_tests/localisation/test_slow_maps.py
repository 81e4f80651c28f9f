"""FullGrad and Poly-CAM against their formulas; what FullGrad does not fit is refused; concepts of several films."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from radia_pipeline.errors import BadInput
from radia_pipeline.localisation import maps
from radia_pipeline.localisation.bias_maps import full_gradients
from radia_pipeline.localisation.concepts import concepts
from radia_pipeline.localisation.seen import Seen
from radia_pipeline.training.models import Classifier
from radia_pipeline.training.recipes import load_recipe, with_options
from radia_pipeline_tests.localisation.worlds import TinyClassifier

DENSE = {"block_config": [2, 2], "growth_rate": 4, "bn_size": 2}


def picture(seed: int = 1, side: int = 16) -> torch.Tensor:
    return torch.randn(1, 1, side, side, generator=torch.Generator().manual_seed(seed))


def classifier_on(backbone: str, **options) -> Classifier:
    """A classifier with fresh weights, whose biases and running means are not the noughts that they begin with."""
    changes = {"name": "x", "model.backbone": backbone, "model.kwargs": {}, "input.size_px": 32, **options}
    torch.manual_seed(0)
    made = Classifier(with_options(load_recipe("demo_pcam"), changes)).eval()
    for module in made.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.normal_(module.running_mean, std=0.3)
        if getattr(module, "bias", None) is not None:
            nn.init.normal_(module.bias, std=0.3)
        if getattr(module, "gamma", None) is not None:
            nn.init.ones_(module.gamma)
    nn.init.normal_(made.heads[0].layer.weight, std=0.3)
    return made


def wanting(classifier, image: torch.Tensor, *classes: int) -> Seen:
    wanted = torch.zeros(len(image), len(classifier.class_names), dtype=torch.bool)
    wanted[:, list(classes)] = True
    return Seen.of(classifier, image, 0, wanted=wanted)


@pytest.mark.parametrize("head", ["linear", "pcam"])
def test_fullgrad_is_the_sum_of_stretched_sizes_of_its_parts(head):
    classifier, image, k = TinyClassifier(head), picture(), 2
    x = image.clone().requires_grad_()
    first = classifier.body[0](x)
    second = classifier.body[2](functional.relu(first))
    logit = classifier.head(functional.relu(second))[0, k]
    slopes = torch.autograd.grad(logit, [x, first, second])
    wanted = torch.zeros(1, 1, 16, 16)
    biases = (image, classifier.body[0].bias[:, None, None], classifier.body[2].bias[:, None, None])
    for slope, bias in zip(slopes, biases):
        size = (slope * bias).abs()
        size = (size - size.min()) / (size.max() - size.min() + 1e-6)
        wanted += functional.interpolate(size.sum(1, keepdim=True), (16, 16), mode="bilinear", align_corners=True)
    found = maps.explain(classifier, image, ("fullgrad",))[1]["fullgrad"]
    assert torch.allclose(found[0, k], wanted[0, 0], atol=1e-4)


@pytest.mark.parametrize(
    "backbone, options",
    [
        ("densenet121", {"model.kwargs": DENSE}),
        ("densenet121", {"model.kwargs": DENSE, "model.map_stride": 4}),
        ("resnet10t", {}),
        ("convnext_atto", {}),
    ],
)
def test_what_a_class_is_made_of_adds_up_with_biases_of_every_kind(backbone, options):
    """Convolutions, batch normalisations, and in ConvNeXt layer normalisations, linear layers and GELU."""
    classifier = classifier_on(backbone, **options)
    for _, parts in full_gradients(wanting(classifier, picture(2, 32), 0, 7)):
        assert float(parts.misses().max()) < 1e-5
        assert torch.allclose(parts.total.float(), parts.whole, rtol=1e-3, atol=1e-3 * float(parts.whole.abs().max()))
        alone = parts.picture.flatten(1).sum(dim=1)
        assert float((alone - parts.whole).abs().max()) > 0.01, "the picture alone is not what it is made of"


@pytest.mark.parametrize("backbone", ["efficientnet_b0", "vit_tiny_patch16_224"])
def test_networks_with_gates_or_attention_are_refused_by_fullgrad(backbone):
    classifier = classifier_on(backbone)
    for module in classifier.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.3)
    with pytest.raises(BadInput, match="choose another method"):
        maps.explain(classifier, picture(2, 32), ("fullgrad",))


def test_only_wanted_classes_cost_a_backward_pass():
    classifier = TinyClassifier("pcam")
    assert [k for k, _ in full_gradients(wanting(classifier, picture(), 1, 3))] == [1, 3]


def test_looking_for_biases_leaves_no_hook_behind():
    classifier = TinyClassifier("pcam")
    maps.explain(classifier, picture(), ("fullgrad", "polycam"))
    assert not any(one._forward_hooks or one._forward_pre_hooks for one in classifier.modules())


def test_polycam_is_its_formula_written_out():
    classifier, image, k = TinyClassifier("pcam"), picture(), 2

    def score(pictures: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(classifier.head(classifier.feature_map(pictures)))[0, k]

    def resized(one: torch.Tensor, side: int) -> torch.Tensor:
        return functional.interpolate(one[None, None], (side, side), mode="bilinear", align_corners=False)[0, 0]

    def stage(features: torch.Tensor) -> torch.Tensor:
        total = torch.zeros_like(features[0])
        for one in features:
            mask = resized(one, 16)
            mask = (mask - mask.min()) / (mask.max() - mask.min()) if mask.max() > mask.min() else mask * 0
            weight = score(image * mask) + score(image) - score(image * (1 - mask))
            total += weight.clamp(min=0) * one
        return total.clamp(min=0)

    coarse = stage(classifier.feature_map(image)[0])
    fine = stage(classifier.body[:2](image)[0])
    wanted = fine / resized(resized(fine, 4), 8).clamp(min=1e-12) * resized(coarse, 8)
    found = maps.explain(classifier, image, ("polycam",))[1]["polycam"][0, k]
    assert found.shape == (8, 8)
    assert torch.allclose(found, wanted, rtol=1e-3, atol=1e-5)


def test_concepts_find_what_films_are_made_of_in_the_order_of_how_much_there_is():
    """Two patterns of features at planted places of three films, the first on more positions."""
    rng = np.random.default_rng(0)
    patterns = np.array([[1.0, 1, 0, 0, 0], [0, 0, 0, 1, 1]])
    held = np.zeros((3, 2, 6, 6))
    held[:, 0, :4, :3] = 1
    held[1:, 1, 4:, 4:] = 0.8
    features = np.einsum("njhw,jf->nfhw", held, patterns) + rng.random((3, 5, 6, 6)) * 1e-3
    found = concepts(features.astype(np.float32), 2)
    assert found.shape == (3, 2, 6, 6)
    for j in range(2):
        assert np.corrcoef(found[:, j].ravel(), held[:, j].ravel())[0, 1] > 0.99
    assert found.max(axis=(0, 2, 3)) == pytest.approx([1, 1])
    assert np.array_equal(found, concepts(features.astype(np.float32), 2)), "no draw"
    assert np.isfinite(concepts(np.zeros((1, 5, 3, 3), dtype=np.float32), 2)).all()
