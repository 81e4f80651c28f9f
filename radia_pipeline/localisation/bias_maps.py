"""Saliency by what the picture and every bias of the network add to a class: FullGrad, for networks that it fits.

What a class draws from the map under the head is the sum of the picture times its gradient and of each layer's bias
times its gradient (Srinivas & Fleuret 2019, proposition 1). The bias of a layer y = m(x) is m(x) - J x, J its
derivative there: the bias itself of convolutions, linear layers and batch normalisation; of a layer normalisation or
a smooth activation the part that is not linear. Where the sum does not come out, as with attention and gates, which
multiply what they see by what they see, the method says nothing true, and the network is refused. Slow: a backward
pass through the whole network for each class. Not here: methods of the map under the head (``maps``).

Shape legend: N images, C channels, S side, F features, K classes, h x w positions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce

import torch
from torch import nn
from torch.autograd import forward_ad
from torch.nn import functional

from radia_pipeline.errors import BadInput
from radia_pipeline.localisation.seen import Seen, without_weights

UNBIASED = (
    nn.Identity,
    nn.ReLU,
    nn.LeakyReLU,
    nn.Dropout,
    nn.Flatten,
    nn.MaxPool2d,
    nn.AvgPool2d,
    nn.AdaptiveAvgPool2d,
)
"""Layers that are linear where they are looked at: they have no bias."""
NORMS = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm)
"""Layers that are one even where they hold others, as timm's with an activation inside."""
SAME = 1e-4
"""Of the layers' sums, what float32 may leave between them and what they add up to."""
EPSILON = 1e-6
"""Added to a layer's highest part before it divides, as the authors' code does."""

ROUNDING = 1e-5
"""Of a layer's highest part: what is apart by less is one, and must not be stretched to 0..1."""


@dataclass(frozen=True)
class Passed:
    """A layer that was passed: its output (N, …) in the graph, and its bias there, of the same shape."""

    output: torch.Tensor
    bias: torch.Tensor


@dataclass(frozen=True)
class FullGradients:
    """What a class is made of, for one class: ``picture`` (N, C, S, S) and one part for each layer, and their sum,
    beside ``whole``, what the class draws from the map under the head, both (N,)."""

    picture: torch.Tensor
    layers: list[torch.Tensor]
    whole: torch.Tensor

    @property
    def total(self) -> torch.Tensor:
        """The parts' sum (N,)."""
        return reduce(torch.add, (part.flatten(1).double().sum(dim=1) for part in (self.picture, *self.layers)))

    def misses(self) -> torch.Tensor:
        """Share of the layers' sums that is missing in them, (N,)."""
        sums = (part.flatten(1).double().sum(dim=1).abs() for part in (self.picture, *self.layers))
        sizes = reduce(torch.add, sums)
        return (self.total - self.whole.double()).abs() / sizes.clamp(min=1e-12)


def fullgrad(seen: Seen) -> torch.Tensor:
    """Srinivas 2019: the parts' sizes, each layer's brought to 0..1, enlarged to the picture and added: (N, K, S, S).

    As the authors' code: a layer is brought to 0..1 as a whole, so that its channels keep their proportions; parts
    without a place, as those behind a pooling, are left out. Classes that nobody wants are 0. Raises BadInput for a
    network whose parts do not add up.
    """
    count, classes = seen.logits.shape
    found = seen.images.new_zeros((count, classes, *seen.images.shape[2:]))
    for k, parts in full_gradients(seen):
        if (missing := float(parts.misses().max())) > SAME:
            raise BadInput(
                f"FullGrad misses {missing:.2%} of what this network makes a class of: attention or gates multiply "
                "what they see by what they see",
                accepted="networks of convolutions, linear layers, normalisations and activations, as DenseNet, ResNet "
                "and ConvNeXt",
                do="choose another method",
            )
        shown = _to_one(parts.picture).sum(dim=1)
        for part in parts.layers:
            if (laid := _channels_first(part)) is not None:
                small = _to_one(laid).sum(dim=1, keepdim=True)
                shown += functional.interpolate(small, seen.images.shape[2:], mode="bilinear", align_corners=True)[:, 0]
        found[:, k] = shown
    return found


def full_gradients(seen: Seen) -> Iterator[tuple[int, FullGradients]]:
    """Yield each class that is wanted with what it is made of."""
    image = seen.images.detach().requires_grad_()
    with without_weights(seen.classifier), _watched(seen.classifier) as calls:
        features = seen.classifier.feature_map(image, seen.slot).float()
    passed = [Passed(output, _bias(module, given, output)) for module, given, output in calls]
    for k in torch.nonzero(seen.wanted.any(dim=0)).flatten().tolist():
        gradient = seen.jacobian[k].detach()
        slopes = torch.autograd.grad(
            features, [image, *(one.output for one in passed)], gradient, retain_graph=True, allow_unused=True
        )
        layers = [slope * one.bias for slope, one in zip(slopes[1:], passed, strict=True) if slope is not None]
        whole = (gradient * features.detach()).flatten(1).sum(dim=1)
        yield k, FullGradients(slopes[0] * image.detach(), layers, whole)


def _is_layer(module: nn.Module) -> bool:
    return isinstance(module, NORMS) or not any(True for _ in module.children())


@contextmanager
def _watched(classifier: nn.Module) -> Iterator[list[tuple[nn.Module, tuple, torch.Tensor]]]:
    """Gather (layer, inputs, output) of each layer with a bias that is passed, the inputs as they were."""
    calls: list = []
    given: dict[nn.Module, tuple] = {}

    def before(module: nn.Module, inputs: tuple) -> None:
        given[module] = tuple(one.detach().clone() if torch.is_tensor(one) else one for one in inputs)

    def after(module: nn.Module, _: tuple, output: torch.Tensor) -> torch.Tensor:
        calls.append((module, given.pop(module), output))
        return output.clone()  # what follows may work in place

    outer = [one for one in classifier.modules() if isinstance(one, NORMS)]
    inner = {part for one in outer for part in one.modules()} - set(outer)
    layers = [one for one in classifier.modules() if _is_layer(one) and one not in inner]
    handles = []
    for layer in layers:
        if not isinstance(layer, UNBIASED):
            handles += [layer.register_forward_pre_hook(before), layer.register_forward_hook(after)]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def _bias(module: nn.Module, given: tuple, output: torch.Tensor) -> torch.Tensor:
    """m(x) - J x, with J x by forward-mode differentiation."""
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(given[0], given[0].clone())
        tangent = forward_ad.unpack_dual(module(dual, *given[1:])).tangent
    return output.detach() if tangent is None else output.detach() - tangent


def _to_one(part: torch.Tensor) -> torch.Tensor:
    """Sizes of a layer's part (N, F, h, w), from 0 to 1 over all its channels; 0 where they are all one."""
    size = part.abs()
    most, least = size.amax(dim=(1, 2, 3), keepdim=True), size.amin(dim=(1, 2, 3), keepdim=True)
    stretched = (size - least) / (most - least + EPSILON)
    return torch.where(most - least > ROUNDING * most, stretched, 0.0)


def _channels_first(part: torch.Tensor) -> torch.Tensor | None:
    """Bring a part to (N, F, h, w); None where it has no place. Pictures are square, so the two equal sides are it."""
    if part.ndim != 4 or part.shape[1:].count(1) > 1:
        return None
    return part if part.shape[2] == part.shape[3] else part.permute(0, 3, 1, 2)
