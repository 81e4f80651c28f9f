"""Update rules by name. A new one goes here alone. Light: torch is imported when one is made.

Not here: which parameters are decayed (``optimization``) and learning rates (``schedules``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from radia_pipeline.contracts.choices import Table
from radia_pipeline.training.sections import PositiveFloat, Section, one_of

Groups = list[dict[str, Any]]
"""Parameters by their weight decay, as torch's optimizers take them."""


@dataclass(frozen=True)
class UpdateRule:
    """``make``: (groups, section) -> torch optimizer. ``cycled``: the option that a cycled momentum replaces, if any.

    Of ``betas`` it is the first.
    """

    make: Callable[[Groups, OptimizerSection], Any]
    cycled: str | None = None


def _adamw(groups: Groups, section: OptimizerSection) -> Any:
    import torch

    return torch.optim.AdamW(groups, lr=section.lr, fused=_is_fused(groups))


def _adam(groups: Groups, section: OptimizerSection) -> Any:
    import torch

    return torch.optim.Adam(groups, lr=section.lr, fused=_is_fused(groups))


def _rmsprop(groups: Groups, section: OptimizerSection) -> Any:
    import torch

    return torch.optim.RMSprop(groups, lr=section.lr, momentum=section.momentum)


def _adagrad(groups: Groups, section: OptimizerSection) -> Any:
    import torch

    return torch.optim.Adagrad(groups, lr=section.lr)


def _sgd(groups: Groups, section: OptimizerSection) -> Any:
    import torch

    return torch.optim.SGD(groups, lr=section.lr, momentum=section.momentum, nesterov=section.momentum > 0)


def _is_fused(groups: Groups) -> bool | None:
    """Whether one kernel updates all parameters: True on a GPU, elsewhere as torch has it."""
    return all(parameter.is_cuda for group in groups for parameter in group["params"]) or None


OPTIMIZERS = Table(
    "optimizer",
    {
        "adamw": UpdateRule(_adamw, cycled="betas"),
        "adam": UpdateRule(_adam, cycled="betas"),
        "rmsprop": UpdateRule(_rmsprop, cycled="momentum"),
        "adagrad": UpdateRule(_adagrad),
        "sgd": UpdateRule(_sgd, cycled="momentum"),
    },
)


class OptimizerSection(Section):
    """The update rule; weight decay leaves out biases and normalisation."""

    name: Annotated[str, one_of(OPTIMIZERS)] = Field("adamw", description="torch's own.")
    lr: PositiveFloat = Field(1e-4, description="At the schedule's height.")
    weight_decay: Annotated[float, Field(ge=0.0)] = Field(1e-2, description="Of adamw apart from the gradient.")
    momentum: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(0.9, description="Of sgd (Nesterov) and rmsprop.")
    clip_norm: PositiveFloat | None = Field(1.0, description="Largest norm of the whole gradient; None: any.")
