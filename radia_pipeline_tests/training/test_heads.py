"""PCAM's one-step form is the published two-step form; linear maps average to the logit."""

from __future__ import annotations

import pytest
import torch

from radia_pipeline.training.heads import LinearHead, PcamHead


def published_pcam(head: PcamHead, features: torch.Tensor) -> torch.Tensor:
    """Ye et al. 2020: weights sigmoid(m) / sum sigmoid(m) pool the features, then the same linear layer."""
    weight = torch.sigmoid(head.maps(features))
    weight = weight / weight.sum(dim=(2, 3), keepdim=True)
    pooled = torch.einsum("nchw,nfhw->ncf", weight, features)
    return (pooled * head.layer.weight.flatten(1)).sum(dim=2) + head.layer.bias


def test_pcam_equals_its_published_two_step_form():
    torch.manual_seed(0)
    head = PcamHead(24, 21, dropout=0.0)
    torch.nn.init.normal_(head.layer.weight, std=0.5)
    torch.nn.init.normal_(head.layer.bias)
    features = torch.randn(5, 24, 7, 6)
    assert torch.allclose(head(features), published_pcam(head, features), atol=1e-5)


def test_pcam_stays_finite_where_float16_sigmoids_vanish():
    head = PcamHead(4, 21, dropout=0.0)
    torch.nn.init.constant_(head.layer.weight, -50.0)
    logits = head(torch.full((1, 4, 3, 3), 20.0, dtype=torch.float16))
    assert torch.isfinite(logits).all()
    assert logits.dtype == torch.float32


def test_pcam_lies_between_the_maps_mean_and_maximum():
    torch.manual_seed(1)
    head = PcamHead(8, 21, dropout=0.0)
    torch.nn.init.normal_(head.layer.weight)
    features = torch.randn(3, 8, 5, 5)
    maps = head.maps(features).flatten(2)
    assert (head(features) <= maps.amax(2) + 1e-5).all()
    assert (head(features) >= maps.mean(2) - 1e-5).all()


def test_linear_logit_is_the_mean_of_its_maps():
    torch.manual_seed(2)
    head = LinearHead(8, 21, dropout=0.0)
    features = torch.randn(3, 8, 4, 5)
    assert torch.allclose(head(features), head.maps(features).mean(dim=(2, 3)), atol=1e-6)


@pytest.mark.parametrize("lift", [0.0, -200.0])
def test_a_head_without_a_feature_is_the_head_of_features_with_nought_in_its_place(lift):
    """Also where every position's sigmoid is too small for float32."""
    for kind in (LinearHead, PcamHead):
        torch.manual_seed(3)
        head = kind(6, 5, dropout=0.0)
        torch.nn.init.normal_(head.layer.weight)
        head.layer.bias.data += lift
        features, classes = torch.randn(2, 6, 3, 4), torch.tensor([4, 0, 2])
        found = head.ablated(features, classes)
        for f in range(6):
            without = features.clone()
            without[:, f] = 0
            assert torch.allclose(found[:, :, f], head(without)[:, classes], atol=1e-5, rtol=1e-5)
