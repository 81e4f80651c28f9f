"""What the detector should have said: matching of positions to boxes, and the three FCOS losses.

Two things differ from the published loss (Tian et al. 2020), because findings overlap and labels are weak: a position
may belong to several classes at once (a consolidation is also an opacity), and classes of which an image's state or
place is not known are masked out. Not here: the network.

Legend: N images, L positions, K classes, M boxes of an image; boxes (x0, y0, x1, y1) in input pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional
from torchvision.ops import generalized_box_iou_loss

from radia_pipeline.detection.decode import positions

POSITIVE_SHARE, FOCUS = 0.25, 2.0
"""Alpha and gamma of the focal loss, as published."""


@dataclass(frozen=True)
class ImageTarget:
    """What is known of one image: ``boxes`` (M, 4), ``label`` (M,), ``weight`` (M,), ``known`` bool (K,), ``wanted``
    (M,): the probability that a box's class is to have at its positions, 1 where it is not given.

    ``known``: whether positions outside the class's boxes count as background. A box of weight 0 is in the grey zone:
    where it is, its class counts neither as a finding nor as background.
    """

    boxes: np.ndarray
    label: np.ndarray
    weight: np.ndarray
    known: np.ndarray
    wanted: np.ndarray | None = None

    @property
    def sureness(self) -> np.ndarray:
        """The probability (M,) that each box's class is to have."""
        return np.ones(len(self.label), dtype=np.float32) if self.wanted is None else self.wanted

    @property
    def learned(self) -> np.ndarray:
        """The classes, each once, of which a box is learned."""
        return np.unique(self.label[self.weight > 0])


class Matcher:
    """Says which positions learn which boxes: inside the box, near its centre, on the level of its size."""

    def __init__(self, size_px: int, strides: tuple[int, ...], center_radius: float, range_factor: float) -> None:
        self.centres, self.steps = positions(size_px, strides)
        reach = np.array(strides, dtype=np.float64) * range_factor
        low = dict(zip(strides, [0.0, *reach[:-1]]))
        high = dict(zip(strides, [*reach[:-1], np.inf]))
        self.low = np.array([low[int(step)] for step in self.steps])
        self.high = np.array([high[int(step)] for step in self.steps])
        self.radius = center_radius * self.steps

    def match(self, boxes: np.ndarray) -> np.ndarray:
        """(M, 4) -> bool (L, M). A box that no position takes gets its centre's nearest position of any level."""
        x, y = self.centres[:, 0:1], self.centres[:, 1:2]
        sides = np.stack([x - boxes[:, 0], y - boxes[:, 1], boxes[:, 2] - x, boxes[:, 3] - y], axis=2)
        middle = (boxes[:, :2] + boxes[:, 2:]) / 2
        off_centre = np.abs(self.centres[:, None, :] - middle[None]).max(axis=2)
        farthest = sides.max(axis=2)
        found = (sides.min(axis=2) > 0) & (off_centre < self.radius[:, None])
        found &= (farthest >= self.low[:, None]) & (farthest < self.high[:, None])
        for orphan in np.flatnonzero(~found.any(axis=0)):
            found[off_centre[:, orphan].argmin(), orphan] = True
        return found

    def _inside(self, box: np.ndarray) -> np.ndarray:
        """Return which positions bool (L,) lie in a box (4,)."""
        return np.all((self.centres > box[:2]) & (self.centres < box[2:]), axis=1)

    def targets(self, image: ImageTarget) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Class targets (L, K), class weights (L, K), boxes to regress (L, 4), their weights (L,; 0: background).

        Of several boxes at a position the smallest is regressed to.
        """
        classes = len(image.known)
        wanted = np.zeros((len(self.centres), classes), dtype=np.float32)
        weight = np.broadcast_to(image.known.astype(np.float32), wanted.shape).copy()
        boxes, box_weight = np.zeros((len(self.centres), 4), np.float32), np.zeros(len(self.centres), np.float32)
        is_grey = image.weight <= 0
        for box, label in zip(image.boxes[is_grey], image.label[is_grey]):
            weight[self._inside(box), label] = 0.0
        learned = np.flatnonzero(~is_grey)
        if len(learned):
            corners, label, worth = image.boxes[learned], image.label[learned], image.weight[learned]
            sureness = image.sureness[learned]
            found = self.match(corners)
            for column in np.argsort(worth, kind="stable"):  # the surest box of a class speaks last
                wanted[found[:, column], label[column]] = sureness[column]
                weight[found[:, column], label[column]] = worth[column]
            area = (corners[:, 2:] - corners[:, :2]).prod(axis=1)
            smallest = np.where(found, area[None], np.inf).argmin(axis=1)
            taken = found.any(axis=1)
            boxes[taken] = corners[smallest[taken]]
            box_weight[taken] = worth[smallest[taken]]
        return wanted, weight, boxes, box_weight


@dataclass
class Targets:
    """What a batch should have said. ``wanted`` and ``weight`` (N, L, K), ``boxes`` (N, L, 4), ``box_weight`` (N, L).

    All float32; a position of box weight 0 is background.
    """

    wanted: torch.Tensor
    weight: torch.Tensor
    boxes: torch.Tensor
    box_weight: torch.Tensor

    @classmethod
    def of(cls, images: Sequence[ImageTarget], matcher: Matcher) -> Targets:
        """Return what these images teach."""
        columns = zip(*(matcher.targets(image) for image in images), strict=True)
        return cls(*(torch.from_numpy(np.stack(column)) for column in columns))

    def total(self) -> torch.Tensor:
        """The weight of all positions that belong to a box, by which losses are divided."""
        return self.box_weight.sum()


def focal_loss(logits: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Focal loss (Lin et al. 2017) of each logit, of whatever shape, also where ``wanted`` lies between 0 and 1.

    There the distance to what is wanted takes the place of that to 1 or 0 (Li et al. 2020, "Generalized focal loss"):
    what is met exactly costs nothing more to hold.
    """
    cross = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    balance = POSITIVE_SHARE * wanted + (1 - POSITIVE_SHARE) * (1 - wanted)
    return balance * (wanted - torch.sigmoid(logits)).abs().pow(FOCUS) * cross


def placed(distances: torch.Tensor, matcher: Matcher) -> torch.Tensor:
    """Distances in strides (N, L, 4) of the edges from their positions -> corners (N, L, 4) in input pixels."""
    centres, steps = (torch.from_numpy(part).to(distances) for part in (matcher.centres, matcher.steps))
    reach = distances * steps[None, :, None]
    return torch.cat([centres - reach[..., :2], centres + reach[..., 2:]], dim=2)


def sides_from(boxes: torch.Tensor, matcher: Matcher, *, in_strides: bool = False) -> torch.Tensor:
    """Corners (N, L, 4) -> how far their edges lie from the positions (N, L, 4), in input pixels or in strides."""
    centres, steps = (torch.from_numpy(part).to(boxes) for part in (matcher.centres, matcher.steps))
    sides = torch.cat([centres - boxes[..., :2], boxes[..., 2:] - centres], dim=2)
    return sides / steps[None, :, None] if in_strides else sides


def detection_loss(
    outputs: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    targets: Targets,
    matcher: Matcher,
    total: torch.Tensor | None = None,
) -> dict[str, torch.Tensor]:
    """Raw outputs (N, L, K), (N, L, 4), (N, L, 1) -> ``classes`` (focal), ``boxes`` (GIoU), ``centreness`` (BCE).

    Each is a sum over positions divided by ``total``, at least 1: by default the targets' own, else that of all
    processes. float32 or wider whatever the outputs are; each output has a gradient, be it 0.
    """
    wide = torch.promote_types(outputs[0].dtype, torch.float32)
    logits, distances, centreness = (output.to(wide) for output in outputs)
    wanted, weight, boxes, box_weight = (part.to(logits) for part in vars(targets).values())
    total = (box_weight.sum() if total is None else total).clamp(min=1.0)
    focal = focal_loss(logits, wanted)
    taken = box_weight > 0
    said = placed(distances, matcher)[taken]
    sides = sides_from(boxes, matcher)[taken].clamp(min=1e-3)
    across, down = sides[:, [0, 2]], sides[:, [1, 3]]
    central = ((across.amin(1) / across.amax(1)) * (down.amin(1) / down.amax(1))).sqrt()
    off = generalized_box_iou_loss(said, boxes[taken], reduction="none")
    unsure = functional.binary_cross_entropy_with_logits(centreness[..., 0][taken], central, reduction="none")
    return {
        "classes": (focal * weight).sum() / total,
        "boxes": (off * box_weight[taken]).sum() / total,
        "centreness": (unsure * box_weight[taken]).sum() / total,
    }
