"""What a saliency method looks at: a chunk of images, the map under the head, the logits, and the head's Jacobian.

For methods that ask for it also the network's map of twice the resolution, from the same look. Not here: methods
(``maps``, ``component_maps``, ``masking_maps``, ``stage_maps``).

Shape legend: N images, C channels, S side, F features, K classes, h x w positions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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
class Finer:
    """The network's map of twice the resolution, (N, F', 2h, 2w) or with channels last, and the map under the head that
    was made of it, both in one graph."""

    stage: torch.Tensor
    features: torch.Tensor
    is_channels_last: bool

    def gradient(self, cotangent: torch.Tensor) -> torch.Tensor:
        """Pull d logit / d features (N, F, h, w) back to the stage: shaped like it."""
        return torch.autograd.grad(self.features, self.stage, cotangent, retain_graph=True)[0]


@dataclass(frozen=True)
class Seen:
    """Images (N, C, S, S) of one view slot as a model sees them: ``features`` (N, F, h, w), ``logits`` (N, K).

    ``wanted``: bool (N, K), the maps that are asked for; what is not may be left 0 by methods whose cost grows with it.
    ``finer``: where a method asked for it and the network has such a map.
    """

    classifier: Any
    images: torch.Tensor
    features: torch.Tensor
    logits: torch.Tensor
    slot: int
    wanted: torch.Tensor
    finer: Finer | None = None

    @classmethod
    def of(
        cls,
        classifier: Any,
        images: torch.Tensor,
        slot: int,
        *,
        wanted: torch.Tensor | None = None,
        is_finer: bool = False,
    ) -> Seen:
        """Look at images (N, C, S, S) once."""
        stages, is_last = classifier.finer_stages(slot) if is_finer else ([], False)
        module = stages[0] if stages else None
        finer = None
        if module is None:
            with torch.no_grad():
                features = classifier.feature_map(images, slot).float()
        else:
            with without_weights(classifier), _leaf(module) as leaves:
                features = classifier.feature_map(images, slot).float()
            finer = Finer(leaves[-1], features, is_last)
        features = features.detach().requires_grad_()
        logits = classifier.head(features, slot)
        wanted = torch.ones(logits.shape, dtype=torch.bool) if wanted is None else wanted
        return cls(classifier, images, features, logits, slot, wanted, finer)

    @cached_property
    def jacobian(self) -> torch.Tensor:
        """The head's Jacobian (K, N, F, h, w), computed once for all methods that ask for it."""
        return head_jacobian(self.logits, self.features)


@contextmanager
def without_weights(classifier: Any) -> Iterator[None]:
    """Let no graph be built for the weights meanwhile: only positions are differentiated."""
    learning = [one for one in classifier.parameters() if one.requires_grad]
    for one in learning:
        one.requires_grad_(False)
    try:
        yield
    finally:
        for one in learning:
            one.requires_grad_(True)


@contextmanager
def _leaf(module: torch.nn.Module) -> Iterator[list[torch.Tensor]]:
    """Begin the graph at a module's output, which lands in the list."""
    leaves: list[torch.Tensor] = []

    def cut(_: torch.nn.Module, __: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        leaves.append(output.detach().requires_grad_())
        return leaves[-1].clone()  # the next module may work in place, which a leaf does not allow

    handle = module.register_forward_hook(cut)
    try:
        yield leaves
    finally:
        handle.remove()


def positive(by_class: torch.Tensor) -> torch.Tensor:
    """(K, N, h, w) -> (N, K, h, w) without what speaks against."""
    return torch.relu(by_class).transpose(0, 1)
