"""Saliency of two stages at once: LayerCAM of the map under the head, sharpened by that of twice its resolution.

Where both agree the map is high: the last stage knows what is there, the stage before where its edges are. Not here:
LayerCAM of the last stage alone (``maps``).

Shape legend: N images, F features, K classes, h x w positions.
"""

from __future__ import annotations

import torch
from torch.nn import functional

from radia_pipeline.localisation.seen import Finer, Seen, positive

SMOOTHING = (0.25, 0.5, 0.25)
"""Weights across and down: gradients of a finer stage are grainy, since its successor takes every second position."""


@torch.no_grad()
def layercam(seen: Seen) -> torch.Tensor:
    """Jiang 2021: only positive gradients, position by position."""
    return positive(torch.einsum("knfhw,nfhw->knhw", torch.relu(seen.jacobian), seen.features))


def stagecam(seen: Seen) -> torch.Tensor:
    """Jiang 2021 fuses LayerCAM of several stages; here by the geometric mean, each over its peak: (N, K, 2h, 2w).

    A network without a finer map gives LayerCAM itself (N, K, h, w). Costs one backward pass through the last stage for
    each wanted class of the image that wants most.
    """
    coarse = layercam(seen)
    if seen.finer is None:
        return coarse
    fine = _smoothed(_finer_layercam(seen, seen.finer))
    coarse = functional.interpolate(coarse, size=fine.shape[2:], mode="bilinear", align_corners=False)
    return (_over_peak(coarse) * _over_peak(fine)).sqrt()


def _finer_layercam(seen: Seen, finer: Finer) -> torch.Tensor:
    """LayerCAM of the finer stage (N, K, 2h, 2w), 0 where no map is wanted."""
    count, classes = seen.logits.shape
    stage = finer.stage.detach()
    axis = 3 if finer.is_channels_last else 1
    found = stage.new_zeros((count, classes, *stage.sum(dim=axis).shape[1:])).float()
    order = [torch.nonzero(row).flatten().tolist() for row in seen.wanted]
    images = torch.arange(count)
    for turn in range(max(map(len, order), default=0)):
        rows = torch.tensor([n for n in images.tolist() if turn < len(order[n])])
        columns = torch.tensor([order[n][turn] for n in rows.tolist()])
        cotangent = torch.zeros_like(seen.features)
        cotangent[rows] = seen.jacobian[columns, rows]
        gradient = finer.gradient(cotangent.detach())
        found[rows, columns] = torch.relu((torch.relu(gradient) * stage).sum(dim=axis)).float()[rows]
    return found


def _smoothed(maps: torch.Tensor) -> torch.Tensor:
    weights = torch.tensor(SMOOTHING, device=maps.device)
    kernel = (weights[:, None] * weights[None, :])[None, None]
    flat = functional.pad(maps.flatten(0, 1)[:, None], (1, 1, 1, 1), mode="replicate")
    return functional.conv2d(flat, kernel).reshape(maps.shape)


def _over_peak(maps: torch.Tensor) -> torch.Tensor:
    return maps / maps.amax(dim=(2, 3), keepdim=True).clamp(min=1e-12)
