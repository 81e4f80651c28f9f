"""Objectives: a task turns logits and a batch into a loss. A new loss goes here and into ``choices``, not the loop.

Each loss is a sum over cells divided by a denominator that the caller has summed over all processes, so that masks of
different size on different processes cannot bias the gradient. Legend: B studies, 21 classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn
from torch.nn import functional

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import EmptyPool
from radia_pipeline.training.choices import TASKS
from radia_pipeline.training.counted import Counted, parents_are_positive, positive_weights
from radia_pipeline.training.recipe_schema import Recipe, TaskSection


@dataclass
class Batch:
    """What one process handles in one step.

    ``values`` int8 (B, 21): the label values behind the targets. ``weight`` (B, 1) or (B, 21): of cells in the loss.
    """

    images: torch.Tensor
    present: torch.Tensor
    targets: torch.Tensor
    mask: torch.Tensor
    values: torch.Tensor
    weight: torch.Tensor
    index: torch.Tensor

    def parts(self, count: int) -> list[Batch]:
        """Return the batch in at most ``count`` parts of whole studies."""
        columns = [getattr(self, name).chunk(count) for name in self.__dataclass_fields__] if count > 1 else []
        return [Batch(*part) for part in zip(*columns, strict=True)] if columns else [self]

    def pinned(self) -> Batch:
        """Return the batch in memory from which a GPU copies while the host goes on."""
        return Batch(*(getattr(self, name).pin_memory() for name in self.__dataclass_fields__))

    def to(self, device: torch.device, dtype: torch.dtype, *, channels_last: bool) -> Batch:
        """Move to a device; images take ``dtype``, targets and weights float32 or wider.

        Images become those that are there, (N, C, S, S) in order: a view that is absent is not copied.
        """
        images = self._present_images(device).to(dtype)
        if channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        wide = torch.promote_types(dtype, torch.float32)
        present, mask, values, index = (
            t.to(device, non_blocking=True) for t in (self.present, self.mask, self.values, self.index)
        )
        targets, weight = (t.to(device, dtype=wide, non_blocking=True) for t in (self.targets, self.weight))
        return Batch(images, present, targets, mask, values, weight, index)

    def _present_images(self, device: torch.device) -> torch.Tensor:
        flat = self.images.flatten(0, 1)
        there = self.present.flatten().nonzero().flatten().tolist()
        if len(there) == len(flat):
            return flat.to(device, non_blocking=True)
        found = torch.empty((len(there), *flat.shape[1:]), dtype=flat.dtype, device=device)
        for place, row in enumerate(there):
            found[place].copy_(flat[row], non_blocking=True)
        return found


class Task(Protocol):
    """What a step asks of a task beside its loss, whatever a batch is made of."""

    def denominator(self, part: Any) -> torch.Tensor:
        """What this process adds to the loss's denominator."""

    def after_step(self) -> None:
        """Called after each optimizer step."""


class _Task(nn.Module):
    """What objectives share: which cell weighs how much."""

    class_weight: torch.Tensor

    def __init__(self, section: TaskSection, counted: Counted) -> None:
        super().__init__()
        given = [section.class_weight.get(name, 1.0) for name in vocabulary().classes]
        weights = torch.tensor(given, dtype=torch.float64) * torch.from_numpy(counted.is_learned)
        self.register_buffer("class_weight", weights, persistent=False)

    def cells(self, batch: Batch) -> torch.Tensor:
        """Weight of each cell in the loss, (B, 21): its own times the class's, 0 where it teaches nothing."""
        return batch.mask * self.class_weight.to(batch.targets.dtype) * batch.weight

    def denominator(self, batch: Batch) -> torch.Tensor:
        """What this process adds to the loss's denominator."""
        return self.cells(batch).sum()

    def after_step(self) -> None:
        """Called after each optimizer step."""


class BinaryTask(_Task):
    """Binary cross-entropy with pos_weight, class weights and label smoothing, over cells that the mask keeps."""

    pos_weight: torch.Tensor

    def __init__(self, section: TaskSection, counted: Counted) -> None:
        super().__init__(section, counted)
        self.smoothing = section.label_smoothing
        pos_weight = torch.from_numpy(positive_weights(section, counted))
        self.register_buffer("pos_weight", pos_weight, persistent=False)

    def forward(self, logits: torch.Tensor, batch: Batch, denominator: torch.Tensor) -> torch.Tensor:
        """Logits (B, 21) -> scalar: this process's share of the loss. float32 or wider whatever the logits are."""
        weights = self.cells(batch)
        targets = batch.targets * (1 - self.smoothing) + 0.5 * self.smoothing
        loss = functional.binary_cross_entropy_with_logits(
            logits.to(targets.dtype), targets, pos_weight=self.pos_weight.to(targets.dtype), reduction="none"
        )
        return torch.where(weights > 0, loss * weights, 0).sum() / denominator


class ConditionalTask(BinaryTask):
    """Pham et al. (2019), conditional stage: a class is learned only from studies in which all its parents are 1.

    Right only after closure upward (93 % of CheXpert's Cardiomegaly has a blank parent); closure is in the manifest.
    """

    def cells(self, batch: Batch) -> torch.Tensor:
        """Weight of each cell in the loss, (B, 21)."""
        return super().cells(batch) * parents_are_positive(batch.values == 1)


class AucMarginTask(_Task):
    """AUC-margin loss (Yuan et al. 2021, eq. 5), the min-max form; fine-tunes a model that already ranks.

    Per class, with s the probability and q the share of positives:
    (1−q)·mean-sum over positives of (s−a)² + q·over negatives of (s−b)² + 2α[q(1−q)m + q·s over negatives
    − (1−q)·s over positives] − q(1−q)α². a and b follow the scores down the gradient, α ≥ 0 goes up.
    """

    share: torch.Tensor

    def __init__(self, section: TaskSection, counted: Counted) -> None:
        super().__init__(section, counted)
        classes = len(vocabulary().classes)
        self.margin = section.margin
        self.a, self.b = nn.Parameter(torch.ones(classes)), nn.Parameter(torch.zeros(classes))
        self.alpha = nn.Parameter(torch.zeros(classes))
        self.register_buffer("share", torch.from_numpy(counted.share), persistent=False)

    def forward(self, logits: torch.Tensor, batch: Batch, denominator: torch.Tensor) -> torch.Tensor:
        """Logits (B, 21) -> scalar: this process's share of the loss."""
        wide = batch.targets.dtype
        scores, share = logits.to(wide).sigmoid(), self.share.to(wide)
        alpha = _Ascend.apply(self.alpha.to(wide))
        positive = (batch.targets > 0.5).to(wide)
        negative = 1 - positive
        loss = (1 - share) * positive * (scores - self.a.to(wide)) ** 2
        loss = loss + share * negative * (scores - self.b.to(wide)) ** 2
        gap = share * (1 - share) * self.margin + scores * (share * negative - (1 - share) * positive)
        loss = loss + 2 * alpha * gap - share * (1 - share) * alpha**2
        return (loss * self.cells(batch)).sum() / denominator

    def after_step(self) -> None:
        """Keep α where the inner maximum is defined."""
        with torch.no_grad():
            self.alpha.clamp_(min=0)


class _Ascend(torch.autograd.Function):
    """Identity whose gradient changes sign: the optimizer then climbs."""

    @staticmethod
    def forward(ctx: Any, value: torch.Tensor) -> torch.Tensor:
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return -gradient


def build_task(recipe: Recipe, counted: Counted) -> nn.Module:
    """Return the recipe's objective for what its training counts; raises EmptyPool where that teaches no class."""
    if not counted.is_learned.any():
        raise EmptyPool(
            f"In the training pool no class has both positives and negatives that recipe {recipe.name} learns from",
            do="check the recipe's data, labels and task, and the manifest's labels",
        )
    return TASKS[recipe.task.kind].make(recipe.task, counted)


class Objective(nn.Module):
    """Classifier and task in one module: what DistributedDataParallel wraps, so that nobody needs ``.module``."""

    def __init__(self, classifier: nn.Module, task: nn.Module) -> None:
        super().__init__()
        self.classifier, self.task = classifier, task

    def forward(self, batch: Batch, denominator: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return this process's share of the loss and its logits (B, 21)."""
        logits = self.classifier(batch.images, batch.present)
        return self.task(logits, batch, denominator), logits
