"""Saliency maps of all classes at once: one forward pass, then batched vector-Jacobian products through the head.

The layer explained is the feature map under the head, so the backbone runs once and without gradients; what is
differentiated is the head alone. Each view is explained by its own logits: a map says what the model saw in that film,
whatever the other films of the study showed. A new method is a function and its line in ``METHODS``. What does not
belong here: boxes (``boxes``), controls (``controls``), choosing a method (``benchmark``).

Shape legend: N images, C channels, S side, F features, K classes, h x w positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from radia_pipeline.contracts.choices import Table

MAX_JACOBIAN_BYTES = 256 * 2**20  # images are explained in chunks whose Jacobian stays below this
EPSILON = 1e-12


def explain(
    classifier, images: torch.Tensor, methods: Sequence[str], *, slots: Sequence[int] | None = None
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Explain images (N, C, S, S) by several methods at the cost of one.

    ``slots``: view slot of each image (separate weights use another branch for slot 1). Returns the images' own logits
    (N, K) and {method: (N, K, h, w)}, float32 on the CPU, not negative; scale differs between methods. The result does
    not depend on how images are batched. Raises UnknownName.
    """
    wanted = {name: METHODS[name] for name in methods}
    slots = [0] * len(images) if slots is None else list(slots)
    logits: list = [None] * len(images)
    maps: dict[str, list] = {name: [None] * len(images) for name in methods}
    was_training = classifier.training
    classifier.eval()
    try:
        for slot in sorted(set(slots)):
            rows = [row for row, one in enumerate(slots) if one == slot]
            for part in _chunks(classifier, rows, images, slot):
                seen = Seen.of(classifier, images[part], slot)
                for name, method in wanted.items():
                    found = method(seen).float().cpu()
                    for place, row in enumerate(part):
                        maps[name][row] = found[place]
                for place, row in enumerate(part):
                    logits[row] = seen.logits[place].detach().float().cpu()
    finally:
        classifier.train(was_training)
    return torch.stack(logits), {name: torch.stack(parts) for name, parts in maps.items()}


def _chunks(classifier, rows: list[int], images: torch.Tensor, slot: int) -> list[list[int]]:
    """Divide images so that the Jacobian of a chunk (K, n, F, h, w) stays small."""
    if not rows:
        return []
    with torch.no_grad():
        features = classifier.feature_map(images[rows[:1]], slot)
    each = features.numel() * 4 * len(classifier.class_names)
    size = max(1, MAX_JACOBIAN_BYTES // each)
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def head_jacobian(logits: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    """d logits[n, k] / d features[n] for all k in one batched backward pass: (K, N, F, h, w)."""
    count = logits.shape[1]
    directions = torch.eye(count, device=logits.device, dtype=logits.dtype)[:, None, :].expand(-1, len(logits), -1)
    (jacobian,) = torch.autograd.grad(logits, features, directions, is_grads_batched=True)
    return jacobian


@dataclass(frozen=True)
class Seen:
    """A chunk of images of one view slot as the classifier sees them: ``features`` (N, F, h, w), ``logits`` (N, K)."""

    classifier: Any
    features: torch.Tensor
    logits: torch.Tensor
    slot: int

    @classmethod
    def of(cls, classifier, images: torch.Tensor, slot: int) -> Seen:
        """Look at images (N, C, S, S)."""
        with torch.no_grad():
            features = classifier.feature_map(images, slot).float()
        features = features.detach().requires_grad_()
        return cls(classifier, features, classifier.head(features, slot), slot)

    @cached_property
    def jacobian(self) -> torch.Tensor:
        """The head's Jacobian (K, N, F, h, w), computed once for all methods that ask for it."""
        return head_jacobian(self.logits, self.features)


@torch.no_grad()
def _gradcam(seen: Seen) -> torch.Tensor:
    """Selvaraju 2017: features weighted by the mean gradient."""
    weight = seen.jacobian.mean(dim=(3, 4))
    return _positive(torch.einsum("knf,nfhw->knhw", weight, seen.features))


@torch.no_grad()
def _hirescam(seen: Seen) -> torch.Tensor:
    """Draelos 2020: gradient times features, position by position. Equals Grad-CAM on average-pooled linear heads."""
    return _positive(torch.einsum("knfhw,nfhw->knhw", seen.jacobian, seen.features))


@torch.no_grad()
def _gradcam_plus(seen: Seen) -> torch.Tensor:
    """Chattopadhay 2018, with the exponential score, whose derivatives are powers of the first."""
    jacobian, features = seen.jacobian, seen.features
    square, cube = jacobian**2, jacobian**3
    total = features.sum(dim=(2, 3))[None, :, :, None, None]
    bottom = 2 * square + total * cube
    alpha = square / torch.where(bottom.abs() > EPSILON, bottom, torch.ones_like(bottom))
    weight = (alpha * torch.relu(jacobian)).sum(dim=(3, 4))
    return _positive(torch.einsum("knf,nfhw->knhw", weight, features))


@torch.no_grad()
def _layercam(seen: Seen) -> torch.Tensor:
    """Jiang 2021: only positive gradients, position by position."""
    return _positive(torch.einsum("knfhw,nfhw->knhw", torch.relu(seen.jacobian), seen.features))


@torch.no_grad()
def _own_map(seen: Seen) -> torch.Tensor:
    """The head's own map: what it pools by (``training.heads``)."""
    return seen.classifier.evidence(seen.features, seen.slot)


def _positive(by_class: torch.Tensor) -> torch.Tensor:
    """(K, N, h, w) -> (N, K, h, w) without what speaks against."""
    return torch.relu(by_class).transpose(0, 1)


METHODS = Table("saliency method", {
    "gradcam": _gradcam, "hirescam": _hirescam, "gradcam++": _gradcam_plus, "layercam": _layercam, "pcam": _own_map,
})  # fmt: skip
"""What looks at a chunk (``Seen``) -> maps (N, K, h, w), not negative."""
