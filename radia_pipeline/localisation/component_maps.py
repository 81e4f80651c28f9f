"""Saliency by the strongest direction in which positions differ: EigenCAM, and EigenGradCAM class by class.

Of the positions' vectors the Gram matrix (positions by positions) is decomposed, not the vectors themselves: with 144
positions and 1,024 features that is a hundred times less work and the same direction.

Shape legend: N images, F features, K classes, h x w positions, P = h·w.
"""

from __future__ import annotations

import torch

from radia_pipeline.localisation.seen import Seen


@torch.no_grad()
def eigencam(seen: Seen) -> torch.Tensor:
    """Muhammad 2020: projection of the features on their first principal component; one map for all classes.

    A component has no sign: it is turned so that it goes with the sum of the features, where there is most to see.
    """
    found = _first_component(seen.features.detach())
    return found[:, None].expand(-1, seen.logits.shape[1], -1, -1)


@torch.no_grad()
def eigengradcam(seen: Seen) -> torch.Tensor:
    """The same of gradient times features, turned to go with what speaks for the class (HiResCAM)."""
    classes = [_first_component(seen.jacobian[k] * seen.features) for k in range(seen.logits.shape[1])]
    return torch.stack(classes, dim=1)


def _first_component(vectors: torch.Tensor) -> torch.Tensor:
    """(N, F, h, w) -> projection on the first principal component (N, h, w), its negative part cut off."""
    height, width = vectors.shape[2:]
    rows = vectors.flatten(2).transpose(1, 2).double()
    guide = rows.sum(dim=2)
    rows = rows - rows.mean(dim=1, keepdim=True)
    values, directions = torch.linalg.eigh(rows @ rows.transpose(1, 2))
    found = directions[:, :, -1] * values[:, -1:].clamp(min=0).sqrt()
    sign = torch.where((found * (guide - guide.mean(dim=1, keepdim=True))).sum(dim=1, keepdim=True) < 0, -1.0, 1.0)
    return torch.relu(found * sign).reshape(-1, height, width).float()
