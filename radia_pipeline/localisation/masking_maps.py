"""Saliency by taking something away and asking again: AblationCAM in the head alone, ScoreCAM through the network.

Shape legend: N images, C channels, S side, F features, K classes, h x w positions.
"""

from __future__ import annotations

import torch
from torch.nn import functional

from radia_pipeline.localisation.seen import Seen, positive

MASKED = 32
"""Masked pictures that are looked at, at a time."""


@torch.no_grad()
def ablationcam(seen: Seen) -> torch.Tensor:
    """Desai 2020: features weighted by how much the logit falls without them.

    The published weight divides by the logit, which flips every sign where that is negative; the map's shape for one
    class is the same without, up to that sign. Not even the head is asked again: a head's maps are linear in the
    features, so that what one adds is taken off them and the rest pooled anew. 0 where no map is wanted.
    """
    count, classes = seen.logits.shape
    found = seen.features.new_zeros((count, classes, *seen.features.shape[2:]))
    for n in range(count):
        mine, features = torch.nonzero(seen.wanted[n]).flatten(), seen.features[n]
        falls = seen.logits[n, mine, None] - seen.classifier.ablated(features[None], seen.slot, mine)[0]
        found[n, mine] = torch.relu((falls @ features.flatten(1)).unflatten(1, features.shape[1:]))
    return found


@torch.no_grad()
def scorecam(seen: Seen) -> torch.Tensor:
    """Wang 2020: features weighted by the softmax over features of the logit that the picture has under their mask.

    A mask is the feature's map, enlarged and stretched to 0..1; it depends on no class, so that each masked picture is
    looked at once for all of them. A feature that is the same everywhere masks all. Slow: F passes of the network.
    """
    maps = []
    for at in range(len(seen.features)):
        features, image = seen.features[at], seen.images[at]
        scores = []
        for start in range(0, len(features), MASKED):
            mask = masks_of(features[start : start + MASKED], image.shape[1:])
            found = seen.classifier.feature_map(image * mask, seen.slot).float()
            scores.append(seen.classifier.head(found, seen.slot))
        maps.append(torch.einsum("fk,fhw->khw", torch.cat(scores).softmax(dim=0), features))
    return positive(torch.stack(maps, dim=1))


def masks_of(features: torch.Tensor, size: torch.Size) -> torch.Tensor:
    """Features (F, h, w), enlarged to ``size`` and stretched to 0..1: (F, 1, S, S); 0 of one that is all the same."""
    mask = functional.interpolate(features[:, None], size=size, mode="bilinear", align_corners=False)
    low, high = mask.amin(dim=(2, 3), keepdim=True), mask.amax(dim=(2, 3), keepdim=True)
    return (mask - low) / torch.where(high > low, high - low, torch.ones_like(high))
