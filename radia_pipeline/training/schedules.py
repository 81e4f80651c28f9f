"""Learning rates as pure functions of the step, so that resuming needs only the step. A new one goes here alone.

Not here: optimizers (``optimizers``), the loop, what a lake does by the clock (``defs.schedules``). Light: no torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from radia_pipeline.contracts.choices import Table
from radia_pipeline.training.sections import PositiveInt, Probability, Section, one_of

ONECYCLE_DIV, ONECYCLE_FINAL_DIV = 25.0, 1e4
ONECYCLE_MOMENTUM = (0.85, 0.95)
"""torch.optim.lr_scheduler.OneCycleLR's defaults, which the original used."""


@dataclass(frozen=True)
class Moment:
    """Where a training stands: step (0-based) of ``total``, ``per_epoch`` of them in an epoch."""

    step: int
    per_epoch: int
    total: int


@dataclass(frozen=True)
class Schedule:
    """``rate``: (section, peak, moment) -> learning rate. ``momentum``: (section, moment), or None: it stays."""

    rate: Callable[[ScheduleSection, float, Moment], float]
    momentum: Callable[[ScheduleSection, Moment], float] | None = None


def _onecycle(section: ScheduleSection, peak: float, now: Moment) -> float:
    return _two_phases(section, now, peak / ONECYCLE_DIV, peak, peak / ONECYCLE_DIV / ONECYCLE_FINAL_DIV)


def _onecycle_momentum(section: ScheduleSection, now: Moment) -> float:
    """Down while the rate rises."""
    low, high = ONECYCLE_MOMENTUM
    return _two_phases(section, now, high, low, high)


def _two_phases(section: ScheduleSection, now: Moment, start: float, middle: float, end: float) -> float:
    """Cosine from ``start`` to ``middle`` over the warm-up, then to ``end``, as OneCycleLR places its two phases."""
    turn = float(section.warmup_share * now.total) - 1
    if now.step <= turn:
        return _cosine_between(start, middle, now.step / max(turn, 1e-9))
    return _cosine_between(middle, end, min((now.step - turn) / max(now.total - 1 - turn, 1e-9), 1.0))


def _cosine_between(start: float, end: float, share: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))


def _cosine(section: ScheduleSection, peak: float, now: Moment) -> float:
    return peak * 0.5 * (1 + math.cos(math.pi * min(now.step / max(now.total, 1), 1.0)))


def _cosine_restarts(section: ScheduleSection, peak: float, now: Moment) -> float:
    period, at = section.restart_epochs * now.per_epoch, now.step
    while at >= period:
        at, period = at - period, period * section.restart_factor
    return peak * 0.5 * (1 + math.cos(math.pi * at / period))


def _step(section: ScheduleSection, peak: float, now: Moment) -> float:
    return peak * section.step_gamma ** (now.step // (section.step_epochs * now.per_epoch))


def _constant(section: ScheduleSection, peak: float, now: Moment) -> float:
    return peak


SCHEDULES = Table(
    "schedule",
    {
        "onecycle": Schedule(_onecycle, _onecycle_momentum),
        "cosine_restarts": Schedule(_cosine_restarts),
        "cosine": Schedule(_cosine),
        "step": Schedule(_step),
        "constant": Schedule(_constant),
    },
)


class ScheduleSection(Section):
    """Learning rate as a pure function of the step."""

    name: Annotated[str, one_of(SCHEDULES)] = Field("onecycle", description="Over max_epochs, step by step.")
    warmup_share: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(0.3, description="Of onecycle.")
    restart_epochs: PositiveInt = Field(10, description="First period of cosine_restarts.")
    restart_factor: PositiveInt = Field(2, description="How much longer each period is than the one before.")
    step_epochs: PositiveInt = Field(30, description="Of step: epochs between two falls.")
    step_gamma: Probability = Field(0.1, description="Of step: what is left after a fall.")


def learning_rate(section: ScheduleSection, peak: float, now: Moment) -> float:
    """Return the rate of a step."""
    return SCHEDULES[section.name].rate(section, peak, now)


def cycled_momentum(section: ScheduleSection, now: Moment) -> float | None:
    """Return the momentum of a step, or None where the schedule leaves it as it is."""
    momentum = SCHEDULES[section.name].momentum
    return momentum(section, now) if momentum is not None else None
