"""Optimizers over a model's parameters, the rate of each step, averaged weights. No loop, no data.

Which update rules and schedules there are: ``optimizers``, ``schedules``.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from radia_pipeline.training.optimizers import OPTIMIZERS
from radia_pipeline.training.recipe_schema import Recipe
from radia_pipeline.training.schedules import Moment, cycled_momentum, learning_rate


def build_optimizer(
    recipe: Recipe, objective: nn.Module, factor: Callable[[str], float] = lambda _name: 1.0
) -> torch.optim.Optimizer:
    """Return the recipe's optimizer over trainable parameters; biases and normalisation are not decayed.

    ``factor``: of a parameter's name, by which its rate differs from the schedule's; the largest come first.
    """
    section = recipe.optimizer
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameter in objective.named_parameters():
        if parameter.requires_grad:
            groups.setdefault((-factor(name), parameter.ndim <= 1), []).append(parameter)
    made = [
        {"params": members, "factor": -below, "weight_decay": 0.0 if is_plain else section.weight_decay}
        for (below, is_plain), members in sorted(groups.items(), key=lambda item: item[0])
    ]
    return OPTIMIZERS[section.name].make(made, section)


def set_step(optimizer: torch.optim.Optimizer, recipe: Recipe, step: int, per_epoch: int) -> float:
    """Give the optimizer the rate and momentum of a step; returns the rate."""
    now = Moment(step, per_epoch, recipe.training.max_epochs * per_epoch)
    rate, momentum = learning_rate(recipe.schedule, recipe.optimizer.lr, now), cycled_momentum(recipe.schedule, now)
    cycled = OPTIMIZERS[recipe.optimizer.name].cycled
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]
        if momentum is not None and cycled is not None:
            group[cycled] = (momentum, group["betas"][1]) if cycled == "betas" else momentum
    return rate


class AveragedWeights:
    """Exponential moving average of a model's parameters and running statistics. Early steps average faster."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.state = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move towards the model after step ``step`` (0-based)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, tensor in model.state_dict().items():
            mine = self.state[name]
            if mine.dtype.is_floating_point:
                mine.lerp_(tensor, 1 - decay)
            else:
                mine.copy_(tensor)
