"""A head whose scores say how well a box fits.

Li et al. 2020, "Generalized focal loss: learning qualified and distributed bounding boxes for dense object detection".

A class's score is trained to be the IoU of the position's box with what is there, so that no centre-ness stands beside
it. Each edge is a distribution over whole strides from the position, and lies at its mean. Two things differ from the
paper: a position's box counts by its pseudo box, not by its own score, and distributions begin at FCOS's first guess in
place of the middle. Not here: which position learns what (``loss``).

Legend: N images, L positions, K classes, B whole strides from 0 on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import nn
from torch.nn import functional
from torchvision.ops import generalized_box_iou_loss

from radia_pipeline.detection.config import REACH
from radia_pipeline.detection.loss import FOCUS, Matcher, Targets, placed, sides_from

BOXES_SHARE, EDGES_SHARE = 2.0, 0.25
"""Weights of the losses of boxes and of edges, as published."""
SPREAD = 0.01
"""Of the first weights, as published and as torchvision's FCOS has it."""


class EdgeHead(nn.Module):
    """Levels of the pyramid -> distances of a box's edges, and the distributions that they are the means of."""

    def __init__(self, channels: int, convs: int, norm: Callable[[int], nn.Module], initial: float) -> None:
        super().__init__()
        layers = [(nn.Conv2d(channels, channels, 3, padding=1), norm(channels), nn.ReLU()) for _ in range(convs)]
        self.conv = nn.Sequential(*(layer for some in layers for layer in some))
        self.edges = nn.Conv2d(channels, 4 * (REACH + 1), 3, padding=1)
        for layer in (*self.conv, self.edges):
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, std=SPREAD)
                nn.init.zeros_(cast(torch.Tensor, layer.bias))  # a convolution has one if it is not made without
        # a geometric distribution, whose mean is the first guess
        falling = torch.arange(REACH + 1.0) * math.log(initial / (1 + initial))
        with torch.no_grad():
            cast(torch.Tensor, self.edges.bias).copy_(falling.repeat(4))
        self.register_buffer("strides", torch.arange(REACH + 1.0), persistent=False)

    def forward(self, levels: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Maps (N, C, h, w) of all levels -> distances in strides (N, L, 4), their logits (N, L, 4, B)."""
        found = [self.edges(self.conv(level)).flatten(2).transpose(1, 2) for level in levels]
        logits = torch.cat(found, dim=1).unflatten(2, (4, REACH + 1))
        return (logits.softmax(dim=3) * self.strides.to(logits.dtype)).sum(dim=3), logits


def generalized_focal_loss(
    outputs: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    targets: Targets,
    matcher: Matcher,
    total: torch.Tensor | None = None,
) -> dict[str, torch.Tensor]:
    """Raw outputs (N, L, K), (N, L, 4), (N, L, 4, B) -> ``classes`` (quality focal), ``boxes`` (GIoU), ``edges``
    (distribution focal).

    As ``loss.detection_loss``: divided by ``total``, float32 or wider, each output has a gradient. Where several
    classes are at a position, its box is compared with the one that it is to become for all of them.
    """
    wide = torch.promote_types(outputs[0].dtype, torch.float32)
    logits, distances, edges = (output.to(wide) for output in outputs)
    wanted, weight, boxes, box_weight = (part.to(logits) for part in vars(targets).values())
    total = (box_weight.sum() if total is None else total).clamp(min=1.0)
    taken = box_weight > 0
    said, there, worth = placed(distances, matcher)[taken], boxes[taken], box_weight[taken]
    quality = torch.zeros_like(box_weight)
    quality[taken] = overlaps(said.detach(), there)
    off = generalized_box_iou_loss(said, there, reduction="none")
    missed = edges_loss(edges[taken], sides_from(boxes, matcher, in_strides=True)[taken]).mean(dim=1)
    return {
        "classes": (quality_loss(logits, wanted * quality[..., None]) * weight).sum() / total,
        "boxes": BOXES_SHARE * (off * worth).sum() / total,
        "edges": EDGES_SHARE * (missed * worth).sum() / total,
    }


def quality_loss(logits: torch.Tensor, quality: torch.Tensor) -> torch.Tensor:
    """Quality focal loss of each logit, of whatever shape: cross entropy times the squared distance to ``quality``."""
    cross = functional.binary_cross_entropy_with_logits(logits, quality, reduction="none")
    return (quality - torch.sigmoid(logits)).abs().pow(FOCUS) * cross


def edges_loss(logits: torch.Tensor, sides: torch.Tensor) -> torch.Tensor:
    """Distribution focal loss (M, 4) of logits (M, 4, B) for sides (M, 4) in strides.

    The two whole strides beside a side share what is wanted, by how near they are.
    """
    sides = sides.clamp(0.0, REACH - 1e-3)
    below = sides.long()
    log = functional.log_softmax(logits, dim=2)
    near, far = (log.gather(2, (below + step)[..., None])[..., 0] for step in (0, 1))
    part = sides - below
    return -(near * (1 - part) + far * part)


def overlaps(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """IoU (M,) of each box of corners (M, 4) with its counterpart."""
    low, high = torch.maximum(first[:, :2], second[:, :2]), torch.minimum(first[:, 2:], second[:, 2:])
    shared = (high - low).clamp(min=0).prod(dim=1)
    areas = [(corners[:, 2:] - corners[:, :2]).clamp(min=0).prod(dim=1) for corners in (first, second)]
    return shared / (areas[0] + areas[1] - shared).clamp(min=1e-9)
