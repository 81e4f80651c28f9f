"""Saliency by masks of several stages: Poly-CAM, whose maps grow finer from the map under the head up. Very slow.

Each feature of each stage masks the picture, and its opposite does: two passes of the network for every one of them,
for all classes at once. Not here: masks of the map under the head alone (``masking_maps``).

Shape legend: N images, C channels, S side, F features of a stage, K classes, h x w positions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn import functional

from radia_pipeline.localisation.masking_maps import MASKED, masks_of
from radia_pipeline.localisation.seen import Seen

EPSILON = 1e-12


@torch.no_grad()
def polycam(seen: Seen) -> torch.Tensor:
    """Englebert 2022, PCAM±: (N, K, h, w) at the finest stage.

    A feature weighs what the class has under its mask, plus what it loses under the opposite one, if that is positive.
    A stage's map is divided by what is left of it at the coarser stage's resolution (LNorm), and multiplied by the
    coarser stage's result. A class's score is its own probability: classes are independent here, the paper's are not.
    A network without a finer stage has one stage.
    """
    modules, is_last = seen.classifier.finer_stages(seen.slot)
    maps = []
    for at in range(len(seen.images)):
        image = seen.images[at : at + 1]
        with _gathered(modules) as outputs:
            seen.classifier.feature_map(image, seen.slot)
        stages = [one.permute(0, 3, 1, 2) if is_last else one for one in outputs]
        found = _weighed(seen, image, seen.features[at])
        for features in stages:
            mine = _weighed(seen, image, features[0].float())
            found = _locally_normed(mine, found.shape[2:]) * _sized(found, mine.shape[2:])
        maps.append(found[0])
    return torch.stack(maps)


def _weighed(seen: Seen, image: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    """(F, h, w) -> what they say together of each class, not negative: (1, K, h, w)."""
    return torch.relu(torch.einsum("fk,fhw->khw", _weights(seen, image, features), features))[None]


def _weights(seen: Seen, image: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    """What each feature (F, h, w) weighs for each class, (F, K)."""

    def score(pictures: torch.Tensor) -> torch.Tensor:
        found = seen.classifier.feature_map(pictures, seen.slot).float()
        return torch.sigmoid(seen.classifier.head(found, seen.slot))

    whole, weights = score(image), []
    for start in range(0, len(features), MASKED):
        mask = masks_of(features[start : start + MASKED], image.shape[2:])
        weights.append(torch.relu(score(image * mask) + whole - score(image * (1 - mask))))
    return torch.cat(weights)


def _locally_normed(maps: torch.Tensor, coarser: torch.Size) -> torch.Tensor:
    """Divide maps (1, K, h, w) by themselves as they are at a coarser resolution."""
    return maps / _sized(_sized(maps, coarser), maps.shape[2:]).clamp(min=EPSILON)


def _sized(maps: torch.Tensor, size: torch.Size) -> torch.Tensor:
    return functional.interpolate(maps, size=size, mode="bilinear", align_corners=False)


@contextmanager
def _gathered(modules: list[nn.Module]) -> Iterator[list[torch.Tensor]]:
    """Gather what modules give meanwhile, in their order."""
    found: dict[int, torch.Tensor] = {}
    handles = [
        module.register_forward_hook(lambda _, __, output, at=at: found.__setitem__(at, output.clone()))
        for at, module in enumerate(modules)
    ]
    gathered: list[torch.Tensor] = []
    try:
        yield gathered
    finally:
        gathered.extend(found[at] for at in range(len(modules)) if at in found)
        for handle in handles:
            handle.remove()
