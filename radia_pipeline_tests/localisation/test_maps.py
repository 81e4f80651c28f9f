"""Saliency maps: analytic identities, independence of the batch."""

from __future__ import annotations

import pytest
import torch

from radia_pipeline.errors import UnknownName
from radia_pipeline.localisation import maps
from radia_pipeline.localisation.seen import head_jacobian
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
    together = head_jacobian(logits, features)
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


# --- against the formulas, written out for one image and one class --------------------------------------------------
def one_by_one(head: str, k: int = 2):
    """Classifier, picture, features (F, h, w) and the gradient of one logit with respect to them."""
    classifier, image = TinyClassifier(head), pictures(1)
    features = classifier.feature_map(image).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(classifier.head(features)[0, k], features)
    return classifier, image, features.detach()[0], gradient[0]


def found_by(classifier, image, method: str, k: int = 2) -> torch.Tensor:
    return maps.explain(classifier, image, (method,))[1][method][0, k]


@pytest.mark.parametrize("head", ["linear", "pcam"])
def test_xgradcam_and_elementwise_equal_their_formulas(head):
    classifier, image, features, gradient = one_by_one(head)
    weights = [(g * a).sum() / a.sum() if a.sum() else torch.tensor(0.0) for g, a in zip(gradient, features)]
    wanted = sum(w * a for w, a in zip(weights, features)).clamp(min=0)
    assert torch.allclose(found_by(classifier, image, "xgradcam"), wanted, atol=1e-5)
    wanted = sum((g * a).clamp(min=0) for g, a in zip(gradient, features))
    assert torch.allclose(found_by(classifier, image, "elementwise"), wanted, atol=1e-5)


@pytest.mark.parametrize("head", ["linear", "pcam"])
def test_ablationcam_is_the_fall_of_the_logit_without_its_sign_flipping_division(head):
    classifier, image, features, _ = one_by_one(head)
    for k in range(len(classifier.class_names)):  # negative logits among them
        wanted, whole = torch.zeros_like(features[0]), classifier.head(features[None])[0, k]
        for f in range(len(features)):
            without = features.clone()
            without[f] = 0
            wanted += (whole - classifier.head(without[None])[0, k]) * features[f]
        assert torch.allclose(found_by(classifier, image, "ablationcam", k), wanted.clamp(min=0), atol=1e-4)


def test_scorecam_asks_for_each_mask_once_and_weighs_by_softmax():
    classifier, image, features, _ = one_by_one("pcam")
    scores = []
    for a in features:
        mask = torch.nn.functional.interpolate(a[None, None], size=(16, 16), mode="bilinear", align_corners=False)
        mask = (mask - mask.min()) / (mask.max() - mask.min()) if mask.max() > mask.min() else torch.zeros_like(mask)
        scores.append(classifier.head(classifier.feature_map(image * mask))[0])
    weights = torch.stack(scores).softmax(dim=0)
    calls, look = [], classifier.feature_map
    classifier.feature_map = lambda images, slot=0: calls.append(len(images)) or look(images, slot)
    for k in range(len(classifier.class_names)):
        wanted = sum(w * a for w, a in zip(weights[:, k], features)).clamp(min=0)
        assert torch.allclose(found_by(classifier, image, "scorecam", k), wanted, atol=1e-5)
    assert calls.count(len(features)) == len(classifier.class_names), "one look of all masks for each explanation"


@pytest.mark.parametrize("method", ["eigencam", "eigengradcam"])
def test_a_component_is_that_of_the_full_decomposition_with_a_sign_that_is_told(method):
    classifier, image, features, gradient = one_by_one("pcam")
    vectors = features if method == "eigencam" else features * gradient
    rows = vectors.flatten(1).T.double()
    centred = rows - rows.mean(dim=0)
    projection = centred @ torch.linalg.svd(centred, full_matrices=False).Vh[0]
    guide = rows.sum(dim=1)
    if ((guide - guide.mean()) * projection).sum() < 0:
        projection = -projection
    wanted = projection.clamp(min=0).reshape(features.shape[1:]).float()
    assert torch.allclose(found_by(classifier, image, method), wanted, atol=1e-4)


@pytest.mark.parametrize("head", ["linear", "pcam"])
def test_stagecam_is_the_geometric_mean_of_two_stages_layercams(head):
    classifier, image, features, gradient = one_by_one(head)
    stage = classifier.body[:2](image).detach().requires_grad_()
    (finer,) = torch.autograd.grad(classifier.head(classifier.body[2:](stage))[0, 2], stage)
    fine = (finer.clamp(min=0) * stage.detach()).sum(dim=1)[0]
    weights = torch.tensor([0.25, 0.5, 0.25])
    padded = torch.nn.functional.pad(fine[None, None], (1, 1, 1, 1), mode="replicate")
    fine = torch.nn.functional.conv2d(padded, (weights[:, None] * weights)[None, None])[0, 0]
    coarse = (gradient.clamp(min=0) * features).sum(dim=0)
    coarse = torch.nn.functional.interpolate(coarse[None, None], size=fine.shape, mode="bilinear")[0, 0]
    found = found_by(classifier, image, "stagecam")
    assert found.shape == (8, 8)
    assert torch.allclose(found, (coarse / coarse.max() * fine / fine.max()).sqrt(), atol=1e-5)


def test_only_wanted_maps_of_finer_stages_are_made_and_they_are_the_same():
    classifier, wanted = TinyClassifier("pcam"), torch.zeros(4, 5, dtype=torch.bool)
    wanted[0, 1] = wanted[0, 3] = wanted[2, 4] = True
    _, every = maps.explain(classifier, pictures(), ("stagecam",))
    _, some = maps.explain(classifier, pictures(), ("stagecam",), wanted=wanted)
    assert torch.allclose(some["stagecam"][wanted], every["stagecam"][wanted], atol=1e-6)
    assert (some["stagecam"][~wanted] == 0).all()


def test_without_a_finer_stage_the_map_is_layercams():
    classifier = TinyClassifier("pcam")
    classifier.finer_stages = lambda slot=0: ([], False)
    _, found = maps.explain(classifier, pictures(), ("stagecam", "layercam"))
    assert torch.equal(found["stagecam"], found["layercam"])


def test_explaining_leaves_the_training_mode_and_the_gradients_alone():
    classifier = TinyClassifier().train()
    maps.explain(classifier, pictures(), ("gradcam", "stagecam"))
    assert classifier.training
    assert all(parameter.requires_grad for parameter in classifier.parameters())
    assert all(parameter.grad is None for parameter in classifier.parameters())


def test_an_unknown_method_names_the_known_ones():
    with pytest.raises(UnknownName, match="hirescam"):
        maps.explain(TinyClassifier(), pictures(), ("smoothgrad",))
