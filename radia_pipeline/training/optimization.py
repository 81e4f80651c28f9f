"""Optimizers, learning rates as pure functions of the step, averaged weights. No loop, no data."""

from __future__ import annotations

import math

import torch
from torch import nn

from radia_pipeline.training.recipe_schema import Recipe, ScheduleSection

ONECYCLE_DIV, ONECYCLE_FINAL_DIV = 25.0, 1e4
ONECYCLE_MOMENTUM = (0.85, 0.95)
"""torch.optim.lr_scheduler.OneCycleLR's defaults, which the original used."""
MOMENTUM_NAMES = ("adamw", "adam", "sgd")


def build_optimizer(recipe: Recipe, objective: nn.Module) -> torch.optim.Optimizer:
    """Return the recipe's optimizer over trainable parameters; biases and normalisation are not decayed."""
    section = recipe.optimizer
    decayed, plain = [], []
    for parameter in objective.parameters():
        if parameter.requires_grad:
            (decayed if parameter.ndim > 1 else plain).append(parameter)
    groups = [{"params": decayed, "weight_decay": section.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    groups = [group for group in groups if group["params"]]
    return _OPTIMIZERS[section.name](groups, section)


def _fused(groups: list[dict]) -> dict:
    on_gpu = all(parameter.is_cuda for group in groups for parameter in group["params"])
    return {"fused": True} if on_gpu else {}


_OPTIMIZERS = {
    "adamw": lambda groups, s: torch.optim.AdamW(groups, lr=s.lr, **_fused(groups)),
    "adam": lambda groups, s: torch.optim.Adam(groups, lr=s.lr, **_fused(groups)),
    "rmsprop": lambda groups, s: torch.optim.RMSprop(groups, lr=s.lr, momentum=s.momentum),
    "adagrad": lambda groups, s: torch.optim.Adagrad(groups, lr=s.lr),
    "sgd": lambda groups, s: torch.optim.SGD(groups, lr=s.lr, momentum=s.momentum, nesterov=s.momentum > 0),
}


def learning_rate(section: ScheduleSection, peak: float, step: int, per_epoch: int, total: int) -> float:
    """Return the rate of a step (0-based) of ``total``; a pure function, so that resuming needs only the step."""
    if section.name == "onecycle":
        return _onecycle(section, step, total, peak / ONECYCLE_DIV, peak, peak / ONECYCLE_DIV / ONECYCLE_FINAL_DIV)
    if section.name == "cosine":
        return peak * 0.5 * (1 + math.cos(math.pi * min(step / max(total, 1), 1.0)))
    if section.name == "cosine_restarts":
        period, at = section.restart_epochs * per_epoch, step
        while at >= period:
            at, period = at - period, period * section.restart_factor
        return peak * 0.5 * (1 + math.cos(math.pi * at / period))
    if section.name == "step":
        return peak * section.step_gamma ** (step // (section.step_epochs * per_epoch))
    return peak


def cycled_momentum(section: ScheduleSection, step: int, total: int) -> float | None:
    """Return OneCycle's momentum of a step (down while the rate rises), or None where it is not cycled."""
    if section.name != "onecycle":
        return None
    low, high = ONECYCLE_MOMENTUM
    return _onecycle(section, step, total, high, low, high)


def set_step(optimizer: torch.optim.Optimizer, recipe: Recipe, step: int, per_epoch: int) -> float:
    """Give the optimizer the rate and momentum of a step; returns the rate."""
    total = recipe.training.max_epochs * per_epoch
    rate = learning_rate(recipe.schedule, recipe.optimizer.lr, step, per_epoch, total)
    momentum = cycled_momentum(recipe.schedule, step, total)
    for group in optimizer.param_groups:
        group["lr"] = rate
        if momentum is not None and "betas" in group:
            group["betas"] = (momentum, group["betas"][1])
        elif momentum is not None and recipe.optimizer.name == "sgd":
            group["momentum"] = momentum
    return rate


def _onecycle(section: ScheduleSection, step: int, total: int, start: float, middle: float, end: float) -> float:
    """Cosine from ``start`` to ``middle`` over the warm-up, then to ``end``, as OneCycleLR places its two phases."""
    turn = float(section.warmup_share * total) - 1
    if step <= turn:
        return _cosine(start, middle, step / max(turn, 1e-9))
    return _cosine(middle, end, min((step - turn) / max(total - 1 - turn, 1e-9), 1.0))


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))


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
