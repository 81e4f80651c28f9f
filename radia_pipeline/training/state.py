"""One training's mutable state: nets, optimizer, averages, progress; how it is made, saved and restored.

The loop over it is in ``engine``.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from radia_pipeline.training import checkpoints, distributed
from radia_pipeline.training.checkpoints import Progress
from radia_pipeline.training.choices import PRECISIONS, TRAINED
from radia_pipeline.training.counted import counted_by_loss, prior_shift
from radia_pipeline.training.model_store import start_from
from radia_pipeline.training.models import Classifier
from radia_pipeline.training.optimization import AveragedWeights, build_optimizer
from radia_pipeline.training.recipe_schema import Recipe
from radia_pipeline.training.sampler import generator
from radia_pipeline.training.studies import Studies
from radia_pipeline.training.targets import targets_and_mask
from radia_pipeline.training.tasks import Batch, Objective, Task, build_task

if TYPE_CHECKING:
    from radia_pipeline.lake.lake import Lake


class Arithmetic:
    """The types of a recipe's weights and products."""

    def __init__(self, recipe: Any) -> None:
        precision = PRECISIONS[recipe.training.precision]
        self.weights = getattr(torch, precision.weights)
        self.products = getattr(torch, precision.autocast) if precision.autocast else None
        self.scales_loss = precision.scales_loss


class State:
    """Everything that a checkpoint holds, and the modules built around it: any model and its task, in one objective.

    ``objective(part, denominator)`` gives this process's share of the loss and the answers, (B, …) of the part's B.
    """

    def __init__(
        self,
        recipe: Any,
        model: nn.Module,
        objective: nn.Module,
        device: torch.device,
        factor: Callable[[str], float] = lambda _name: 1.0,
    ) -> None:
        self.recipe, self.device, self.model, self.objective = recipe, device, model, objective
        types = Arithmetic(recipe)
        self.dtype, self.autocast_dtype = types.weights, types.products
        self.optimizer = build_optimizer(recipe, objective, factor)
        self.scaler = torch.amp.GradScaler(device.type, enabled=types.scales_loss)
        self.average = AveragedWeights(model, recipe.training.ema) if recipe.training.ema else None
        self.progress = Progress()
        self.net = self._wrap()

    @property
    def has_unused_weights(self) -> bool:
        """Whether one process's part may leave weights without a gradient."""
        return False

    @property
    def task(self) -> Task:
        """What the objective learns by."""
        return cast(Task, self.objective.task)  # each has one; torch knows no types of a module's attributes

    def _wrap(self) -> nn.Module:
        net: nn.Module = self.objective
        if distributed.world_size() > 1:
            net = DistributedDataParallel(net, find_unused_parameters=self.has_unused_weights)
        return cast(nn.Module, torch.compile(net)) if self.recipe.training.compile else net  # of a module, a module

    def train_mode(self) -> None:
        """Switch to training."""
        self.objective.train()

    def evaluated(self) -> nn.Module:
        """Return the model as it would be published now: averaged weights if the recipe keeps them."""
        if self.average is None:
            return self.model.eval()
        model = copy.deepcopy(self.model)
        model.load_state_dict(self.average.state)
        return model.eval()

    def on_device(self, batch: Any) -> Any:
        """Return a batch as the network takes it."""
        return batch.to(self.device, self.dtype, channels_last=self.recipe.training.channels_last)

    def autocast(self) -> torch.autocast:
        """The recipe's arithmetic, for ``with``: of training, and of the validation that steers it."""
        return torch.autocast(self.device.type, dtype=self.autocast_dtype, enabled=self.autocast_dtype is not None)

    def apply_gradient(self, index: torch.Tensor, logits: torch.Tensor) -> None:
        """Move the weights, then everything that follows them. Numbers of what was shown (B,) and answers (B, …)."""
        self.scaler.step(self.optimizer)
        self.task.after_step()
        if self.average is not None:
            self.average.update(self.model, self.progress.step)

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return all that a checkpoint keeps, by name."""
        tensors = checkpoints.prefixed("objective", self.objective.state_dict())
        tensors |= checkpoints.optimizer_tensors(self.optimizer)
        if self.average is not None:
            tensors |= checkpoints.prefixed("average", self.average.state)
        if self.scaler.is_enabled():
            entries = self.scaler.state_dict()
            tensors |= {f"scaler.{k}": torch.tensor(float(v), dtype=torch.float64) for k, v in entries.items()}
        return tensors

    def take(self, tensors: dict[str, torch.Tensor]) -> None:
        """Put back what ``tensors`` gave."""
        self.objective.load_state_dict(checkpoints.select(tensors, "objective"))
        checkpoints.restore_optimizer(self.optimizer, tensors)
        if self.average is not None:
            for name, tensor in checkpoints.select(tensors, "average").items():
                self.average.state[name].copy_(tensor)
        if self.scaler.is_enabled():
            entries = {k: float(v) for k, v in checkpoints.select(tensors, "scaler").items()}
            self.scaler.load_state_dict({k: int(v) if k == "_growth_tracker" else v for k, v in entries.items()})

    def save(self, path: Path, fingerprint: str) -> None:
        """Write the whole state (process 0 calls this)."""
        checkpoints.save_checkpoint(path, self.tensors(), self.progress, fingerprint)

    def restore(self, path: Path, fingerprint: str) -> None:
        """Take up the state of a checkpoint; raises DamagedFile for a foreign or broken one."""
        tensors, self.progress = checkpoints.load_checkpoint(path, fingerprint)
        self.take(tensors)


class TrainingState(State):
    """A classifier's, with its moving labels if the recipe has them."""

    def __init__(self, recipe: Recipe, studies: Studies, device: torch.device, lake: Lake | None = None) -> None:
        self.recipe, dtype = recipe, Arithmetic(recipe).weights
        torch.manual_seed(recipe.training.seed)
        self.counted = counted_by_loss(recipe, studies)
        task = build_task(recipe, self.counted).to(device, dtype)
        self.classifier = self._build_classifier(studies, lake).to(device, dtype)
        if recipe.training.channels_last:
            for part in (self.classifier.backbones, self.classifier.pyramids):
                part.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's types lack it
        self.moving = (
            MovingLabels(studies, recipe, alpha, device)
            if (alpha := recipe.labels.moving_average) is not None
            else None
        )
        super().__init__(recipe, self.classifier, Objective(self.classifier, task), device)

    def _build_classifier(self, studies: Studies, lake: Lake | None) -> Classifier:
        recipe, classifier = self.recipe, Classifier(self.recipe)
        shift = torch.from_numpy(prior_shift(recipe, studies))
        learned = torch.from_numpy(self.counted.is_learned)
        if start_from(classifier, lake, recipe):
            shift = torch.where(learned, shift, classifier.prior_shift)
        else:
            classifier.silence(~learned)
        if not TRAINED[recipe.model.train_only]:
            classifier.backbones.requires_grad_(False)
        classifier.prior_shift.copy_(shift)
        return classifier

    @property
    def has_unused_weights(self) -> bool:
        """A process may meet no lateral view, or no positive of a class; and what a network does behind its last map is
        of no use to a pyramid."""
        return len(self.classifier.backbones) > 1 or len(self.classifier.pyramids) > 0

    def _wrap(self) -> nn.Module:
        if self.recipe.model.sync_batch_norm and self.device.type == "cuda" and distributed.world_size() > 1:
            nn.SyncBatchNorm.convert_sync_batchnorm(self.classifier)
        return super()._wrap()

    def train_mode(self) -> None:
        """Switch to training; frozen parts stay as they are at prediction."""
        super().train_mode()
        section = self.recipe.model
        for module in self.classifier.backbones.modules():
            is_norm = isinstance(module, nn.modules.batchnorm._BatchNorm)
            if not TRAINED[section.train_only] or (section.freeze_batch_norm and is_norm):
                module.eval()

    def on_device(self, batch: Batch) -> Batch:
        """Return a batch as the network takes it, compared with moving labels if the recipe has them."""
        moved = super().on_device(batch)
        if self.moving is not None:
            self.moving.put_into(moved)
        return moved

    def apply_gradient(self, index: torch.Tensor, logits: torch.Tensor) -> None:
        """Move the weights, then everything that follows them. Study numbers (B,) and their logits (B, 21)."""
        super().apply_gradient(index, logits)
        if self.moving is not None:
            self.moving.update(index, logits, self.recipe.training.batch_size)

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return all that a checkpoint keeps, by name."""
        return super().tensors() | ({"moving": self.moving.labels} if self.moving is not None else {})

    def take(self, tensors: dict[str, torch.Tensor]) -> None:
        """Put back what ``tensors`` gave."""
        super().take(tensors)
        if self.moving is not None:
            self.moving.labels = tensors["moving"].to(self.device)


class MovingLabels:
    """The original's moving-average labels: L ← αL + (1 − α)P after each prediction; float32 (n, 21)."""

    def __init__(self, studies: Studies, recipe: Recipe, alpha: float, device: torch.device) -> None:
        draws = np.full(studies.values.shape, 0.5)
        targets, _ = targets_and_mask(studies.values, studies.labelled, recipe.labels, draws, studies.soft)
        self.alpha = alpha
        self.labels = torch.from_numpy(targets).to(device)

    def put_into(self, batch: Batch) -> None:
        """Let the batch be compared with the moving labels."""
        batch.targets = self.labels[batch.index].to(batch.targets.dtype)

    @torch.no_grad()
    def update(self, index: torch.Tensor, logits: torch.Tensor, batch_size: int) -> None:
        """Move the labels of the whole global batch, on every process alike."""
        moved = self.alpha * self.labels[index] + (1 - self.alpha) * logits.detach().sigmoid().to(self.labels.dtype)
        if distributed.world_size() > 1:
            index, moved = distributed.gather_equal(index, moved, batch_size)
        self.labels[index] = moved


@contextlib.contextmanager
def float32_products(recipe: Any) -> Iterator[None]:
    """Let a GPU round products of float32 as the recipe's precision says, and as before afterwards."""
    switches: tuple[Any, ...] = (torch.backends.cuda.matmul, torch.backends.cudnn)  # modules that torch types apart
    before = [switch.allow_tf32 for switch in switches]
    try:
        for switch in switches:
            switch.allow_tf32 = PRECISIONS[recipe.training.precision].is_tf32
        yield
    finally:
        for switch, value in zip(switches, before, strict=True):
            switch.allow_tf32 = value


def seed_step(recipe: Recipe, step: int) -> None:
    """Give dropout and stochastic depth their randomness for one step of one process."""
    torch.manual_seed(int(generator(recipe.training.seed, "step", step, distributed.rank()).integers(2**62)))
