"""Objectives: a task turns logits and a batch into a loss. A new loss goes here and into ``choices``, not the loop.

Each loss is a sum over cells divided by a denominator that the caller has summed over all processes, so that masks of
different size on different processes cannot bias the gradient. Legend: B studies, 21 classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.training.choices import POSITIVE_WEIGHTS, TASKS
from radia_pipeline.training.recipe_schema import Recipe, TaskSection
from radia_pipeline.training.studies import Studies, label_counts


@dataclass
class Batch:
    """What one process handles in one step. ``values`` int8 (B, 21) are the label values behind the targets."""

    images: torch.Tensor
    present: torch.Tensor
    targets: torch.Tensor
    mask: torch.Tensor
    values: torch.Tensor
    index: torch.Tensor

    def to(self, device: torch.device, dtype: torch.dtype, *, channels_last: bool) -> Batch:
        """Move to a device; images take ``dtype``, targets float32 or wider."""
        images = self.images.to(device, dtype=dtype, non_blocking=True)
        if channels_last:
            flat = images.flatten(0, 1).contiguous(memory_format=torch.channels_last)
            images = flat.unflatten(0, self.present.shape)
        wide = torch.promote_types(dtype, torch.float32)
        others = [t.to(device, non_blocking=True) for t in (self.present, self.mask, self.values, self.index)]
        targets = self.targets.to(device, dtype=wide, non_blocking=True)
        return Batch(images, others[0], targets, others[1], others[2], others[3])


class BinaryTask(nn.Module):
    """Binary cross-entropy with pos_weight, class weights and label smoothing, over cells that the mask keeps."""

    @classmethod
    def of(cls, section: TaskSection, studies: Studies) -> BinaryTask:
        """The task with the weights that the training pool implies."""
        return cls(section, positive_weights(section, studies))

    def __init__(self, section: TaskSection, pos_weight: np.ndarray) -> None:
        super().__init__()
        self.smoothing = section.label_smoothing
        weights = [section.class_weight.get(name, 1.0) for name in vocabulary().classes]
        self.register_buffer("class_weight", torch.tensor(weights, dtype=torch.float64), persistent=False)
        self.register_buffer("pos_weight", torch.tensor(pos_weight, dtype=torch.float64), persistent=False)

    def cells(self, batch: Batch) -> torch.Tensor:
        """Weight of each cell in the loss, (B, 21)."""
        return batch.mask * self.class_weight.to(batch.targets.dtype)

    def denominator(self, batch: Batch) -> torch.Tensor:
        """What this process adds to the loss's denominator."""
        return self.cells(batch).sum()

    def forward(self, logits: torch.Tensor, batch: Batch, denominator: torch.Tensor) -> torch.Tensor:
        """Logits (B, 21) -> scalar: this process's share of the loss. float32 or wider whatever the logits are."""
        weights = self.cells(batch)
        targets = batch.targets * (1 - self.smoothing) + 0.5 * self.smoothing
        loss = functional.binary_cross_entropy_with_logits(
            logits.to(targets.dtype), targets, pos_weight=self.pos_weight.to(targets.dtype), reduction="none"
        )
        return torch.where(weights > 0, loss * weights, 0).sum() / denominator

    def after_step(self) -> None:
        """Called after each optimizer step."""


class ConditionalTask(BinaryTask):
    """Pham et al. (2019), conditional stage: a class is learned only from studies in which all its parents are 1.

    Right only after closure upward (93 % of CheXpert's Cardiomegaly has a blank parent); closure is in the manifest.
    """

    def __init__(self, section: TaskSection, pos_weight: np.ndarray) -> None:
        super().__init__(section, pos_weight)
        words = vocabulary()
        self.parent_columns = [[words.index(p) for p in words.parents(name)] for name in words.classes]

    def cells(self, batch: Batch) -> torch.Tensor:
        """Weight of each cell in the loss, (B, 21)."""
        positive = batch.values == 1
        allowed = torch.ones_like(batch.mask)
        for column, parents in enumerate(self.parent_columns):
            if parents:
                allowed[:, column] = positive[:, parents].all(dim=1)
        return super().cells(batch) * allowed


class AucMarginTask(nn.Module):
    """AUC-margin loss (Yuan et al. 2021, eq. 5), the min-max form; fine-tunes a model that already ranks.

    Per class, with s the probability and q the share of positives:
    (1−q)·mean-sum over positives of (s−a)² + q·over negatives of (s−b)² + 2α[q(1−q)m + q·s over negatives
    − (1−q)·s over positives] − q(1−q)α². a and b follow the scores down the gradient, α ≥ 0 goes up.
    """

    @classmethod
    def of(cls, section: TaskSection, studies: Studies) -> AucMarginTask:
        """The task with the share of positives in the training pool."""
        counts = label_counts(studies)
        total = np.maximum(counts["positives"] + counts["negatives"], 1)
        return cls(section, np.clip(counts["positives"] / total, 1e-6, 1 - 1e-6))

    def __init__(self, section: TaskSection, positive_share: np.ndarray) -> None:
        super().__init__()
        classes = len(vocabulary().classes)
        self.margin = section.margin
        self.a, self.b = nn.Parameter(torch.ones(classes)), nn.Parameter(torch.zeros(classes))
        self.alpha = nn.Parameter(torch.zeros(classes))
        self.register_buffer("share", torch.tensor(positive_share, dtype=torch.float64), persistent=False)
        weights = [section.class_weight.get(name, 1.0) for name in vocabulary().classes]
        self.register_buffer("class_weight", torch.tensor(weights, dtype=torch.float64), persistent=False)

    def cells(self, batch: Batch) -> torch.Tensor:
        """Weight of each cell in the loss, (B, 21)."""
        return batch.mask * self.class_weight.to(batch.targets.dtype)

    def denominator(self, batch: Batch) -> torch.Tensor:
        """What this process adds to the loss's denominator."""
        return self.cells(batch).sum()

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
    def forward(ctx, value: torch.Tensor) -> torch.Tensor:
        return value.view_as(value)

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> torch.Tensor:
        return -gradient


def build_task(recipe: Recipe, studies: Studies) -> nn.Module:
    """Return the recipe's objective for a training pool."""
    return TASKS[recipe.task.kind].make(recipe.task, studies)


def positive_weights(section: TaskSection, studies: Studies) -> np.ndarray:
    """Return pos_weight per class, float64 (21,), at most the cap: given by class, else as the recipe's rule says."""
    if isinstance(section.pos_weight, dict):
        weights = equal_weights(studies)
        for name, value in section.pos_weight.items():
            weights[vocabulary().index(name)] = value
    else:
        weights = POSITIVE_WEIGHTS[section.pos_weight](studies)
    return np.clip(weights, 1 / section.pos_weight_cap, section.pos_weight_cap)


def equal_weights(studies: Studies) -> np.ndarray:
    """A positive weighs as much as a negative: float64 (21,)."""
    return np.ones(len(vocabulary().classes))


def balancing_weights(studies: Studies) -> np.ndarray:
    """Negatives / positives of the pool, float64 (21,); 1 without positives."""
    weights, counts = equal_weights(studies), label_counts(studies)
    some = counts["positives"] > 0
    weights[some] = counts["negatives"][some] / counts["positives"][some]
    return weights


class Objective(nn.Module):
    """Classifier and task in one module: what DistributedDataParallel wraps, so that nobody needs ``.module``."""

    def __init__(self, classifier: nn.Module, task: nn.Module) -> None:
        super().__init__()
        self.classifier, self.task = classifier, task

    def forward(self, batch: Batch, denominator: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return this process's share of the loss and its logits (B, 21)."""
        logits = self.classifier(batch.images, batch.present)
        return self.task(logits, batch, denominator), logits
