"""Saliency maps: analytic identities, independence of the batch."""

from __future__ import annotations

import pytest
import torch

from radia_pipeline.errors import UnknownName
from radia_pipeline.localisation import maps
from radia_pipeline_tests.localisation.worlds import TinyClassifier


def pictures(count: int = 4, seed: int = 1) -> torch.Tensor:
    return torch.randn(count, 1, 16, 16, generator=torch.Generator().manual_seed(seed))


def explained(head: str, *methods: str):
    return maps.explain(TinyClassifier(head), pictures(), methods)


def test_on_pooled_linear_heads_gradcam_hirescam_and_the_heads_map_are_one():
    _, found = explained("linear", "gradcam", "hirescam", "pcam")
    positions = found["pcam"].shape[-1] * found["pcam"].shape[-2]
    assert torch.allclose(found["gradcam"], found["hirescam"], atol=1e-6)
    assert torch.allclose(found["gradcam"] * positions, found["pcam"], atol=1e-4)


def test_on_pcam_heads_gradcam_and_hirescam_differ_and_the_map_is_a_probability():
    _, found = explained("pcam", "gradcam", "hirescam", "pcam")
    assert not torch.allclose(found["gradcam"], found["hirescam"], atol=1e-3)
    assert found["pcam"].min() > 0
    assert found["pcam"].max() < 1


def test_the_linear_map_averages_to_the_logit_without_bias():
    classifier = TinyClassifier("linear")
    features = classifier.feature_map(pictures())
    mean = classifier.head_maps(features).mean(dim=(2, 3))
    assert torch.allclose(mean, classifier.head(features), atol=1e-5)


@pytest.mark.parametrize("head", ["linear", "pcam"])
def test_batched_jacobian_equals_one_backward_pass_for_each_class(head):
    classifier = TinyClassifier(head)
    features = classifier.feature_map(pictures()).detach().requires_grad_()
    logits = classifier.head(features)
    together = maps.head_jacobian(logits, features)
    for k in range(logits.shape[1]):
        (alone,) = torch.autograd.grad(classifier.head(features)[:, k].sum(), features)
        assert torch.allclose(together[k], alone, atol=1e-6)


@pytest.mark.parametrize("head", ["linear", "pcam"])
@pytest.mark.parametrize("method", list(maps.METHODS))
def test_maps_do_not_depend_on_the_batch(head, method, monkeypatch):
    classifier = TinyClassifier(head)
    _, together = maps.explain(classifier, pictures(), (method,))
    alone = torch.cat([maps.explain(classifier, one[None], (method,))[1][method] for one in pictures()])
    monkeypatch.setattr(maps, "MAX_JACOBIAN_BYTES", 1)
    _, chunked = maps.explain(classifier, pictures(), (method,))
    assert torch.allclose(together[method], alone, atol=1e-5)
    assert torch.allclose(together[method], chunked[method], atol=1e-5)


@pytest.mark.parametrize("method", list(maps.METHODS))
def test_maps_are_finite_and_not_negative(method):
    for head in ("linear", "pcam"):
        _, found = explained(head, method)
        assert torch.isfinite(found[method]).all()
        assert (found[method] >= 0).all()


def test_gradcam_plus_equals_its_published_formula_on_one_image():
    classifier, image = TinyClassifier("pcam"), pictures(1)
    features = classifier.feature_map(image).detach().requires_grad_()
    (g,) = torch.autograd.grad(classifier.head(features)[0, 2], features)
    a = features.detach()
    alpha = g**2 / (2 * g**2 + a.sum(dim=(2, 3), keepdim=True) * g**3)
    weight = (alpha.nan_to_num() * g.clamp(min=0)).sum(dim=(2, 3), keepdim=True)
    expected = (weight * a).sum(dim=1).clamp(min=0)[0]
    _, found = maps.explain(classifier, image, ("gradcam++",))
    assert torch.allclose(found["gradcam++"][0, 2], expected, atol=1e-5)


def test_explaining_leaves_the_training_mode_and_the_gradients_alone():
    classifier = TinyClassifier().train()
    maps.explain(classifier, pictures(), ("gradcam",))
    assert classifier.training
    assert all(parameter.grad is None for parameter in classifier.parameters())


def test_an_unknown_method_names_the_known_ones():
    with pytest.raises(UnknownName, match="hirescam"):
        maps.explain(TinyClassifier(), pictures(), ("scorecam",))
