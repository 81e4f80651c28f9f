"""What a saliency method looks at: a chunk of images, the map under the head, the logits, and the head's Jacobian.

Not here: methods (``maps``, ``component_maps``, ``masking_maps``).

Shape legend: N images, C channels, S side, F features, K classes, h x w positions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch


def head_jacobian(logits: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    """d logits[n, k] / d features[n] for all k in one batched backward pass: (K, N, F, h, w)."""
    count = logits.shape[1]
    directions = torch.eye(count, device=logits.device, dtype=logits.dtype)[:, None, :].expand(-1, len(logits), -1)
    (jacobian,) = torch.autograd.grad(logits, features, directions, is_grads_batched=True)
    return jacobian


@dataclass(frozen=True)
class Seen:
    """Images (N, C, S, S) of one view slot as a model sees them: ``features`` (N, F, h, w), ``logits`` (N, K)."""

    classifier: Any
    images: torch.Tensor
    features: torch.Tensor
    logits: torch.Tensor
    slot: int

    @classmethod
    def of(cls, classifier, images: torch.Tensor, slot: int) -> Seen:
        """Look at images (N, C, S, S)."""
        with torch.no_grad():
            features = classifier.feature_map(images, slot).float()
        features = features.detach().requires_grad_()
        return cls(classifier, images, features, classifier.head(features, slot), slot)

    @cached_property
    def jacobian(self) -> torch.Tensor:
        """The head's Jacobian (K, N, F, h, w), computed once for all methods that ask for it."""
        return head_jacobian(self.logits, self.features)


def positive(by_class: torch.Tensor) -> torch.Tensor:
    """(K, N, h, w) -> (N, K, h, w) without what speaks against."""
    return torch.relu(by_class).transpose(0, 1)
