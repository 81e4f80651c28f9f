"""One step's images and what they teach; network and loss in one module, as training's engine takes them.

Not here: the loss itself (``loss``), where batches come from (``loader``).

Legend: B images, C channels, S side, L positions, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import torch
from torch import nn

from radia_pipeline.detection.config import FCOS, GFL
from radia_pipeline.detection.gfl import generalized_focal_loss
from radia_pipeline.detection.loss import Matcher, Targets, detection_loss

LOSSES = {FCOS: detection_loss, GFL: generalized_focal_loss}


@dataclass
class ImageBatch:
    """``images`` float32 (B, C, S, S); ``index`` int64 (B,): numbers of the images in their pool."""

    images: torch.Tensor
    targets: Targets
    index: torch.Tensor

    def parts(self, count: int) -> list[ImageBatch]:
        """Return the batch in at most ``count`` parts of whole images."""
        if count == 1:
            return [self]
        columns = [tensor.chunk(count) for tensor in (self.images, *vars(self.targets).values(), self.index)]
        return [ImageBatch(images, Targets(*rest), index) for images, *rest, index in zip(*columns, strict=True)]

    def to(self, device: torch.device, dtype: torch.dtype, *, channels_last: bool) -> ImageBatch:
        """Move to a device; images take ``dtype``, targets stay float32 or wider."""
        images = self.images.to(device, dtype)
        if channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        wide = torch.promote_types(dtype, torch.float32)
        targets = Targets(*(part.to(device, wide) for part in vars(self.targets).values()))
        return ImageBatch(images, targets, self.index.to(device))


class DetectionTask(nn.Module):
    """The losses of one global batch, of which each process has its share."""

    def __init__(self, matcher: Matcher, head: str = FCOS) -> None:
        super().__init__()
        self.matcher, self.loss = matcher, LOSSES[head]

    def denominator(self, batch: ImageBatch) -> torch.Tensor:
        """What this process adds to the loss's denominator."""
        return batch.targets.total()

    def forward(self, outputs: tuple[torch.Tensor, ...], batch: ImageBatch, denominator: torch.Tensor) -> torch.Tensor:
        """Raw outputs -> scalar: this process's share of the loss."""
        classes, boxes, centreness = outputs
        parts = self.loss((classes, boxes, centreness), batch.targets, self.matcher, denominator)
        return reduce(torch.add, parts.values())

    def after_step(self) -> None:
        """Nothing moves but the weights."""


class DetectionObjective(nn.Module):
    """Detector and task in one module: what DistributedDataParallel wraps."""

    def __init__(self, detector: nn.Module, task: DetectionTask) -> None:
        super().__init__()
        self.detector, self.task = detector, task

    def forward(self, batch: ImageBatch, denominator: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return this process's share of the loss and each image's highest logits (B, K)."""
        outputs = self.detector(batch.images)
        return self.task(outputs, batch, denominator), outputs[0].amax(dim=1)
