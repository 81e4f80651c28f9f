"""A trainer's events as lines for people: in Dagster's log while it runs, and in the terminal of ``radia train``."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

LOG_EVERY_S = 10.0
SILENT = ("checkpoint", "done")
"""Kinds that tell a person nothing new: each epoch saves, and the result follows."""

Event = Mapping[str, Any]


class ProgressLines:
    """Says what matters at once, and a step every ten seconds."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._last_s = time.monotonic()
        self._total_steps = self._epochs = 0

    def __call__(self, event: Event) -> None:
        """Say the event if it is time for it."""
        kind, now = str(event.get("event")), time.monotonic()
        if kind == "start":
            self._epochs = int(event.get("max_epochs", 0))
            self._total_steps = self._epochs * int(event.get("steps_per_epoch", 0))
        if kind in SILENT or (kind in ("step", "packing") and now - self._last_s < LOG_EVERY_S):
            return
        self._last_s = now
        form = {
            "start": self._start,
            "step": self._step,
            "epoch": self._epoch,
            "packing": _packing,
            "empty_image": _empty_image,
            "counted": _counted,
        }.get(kind)
        self._say(form(event) if form else f"{kind}: {_numbers(event)}")

    def _start(self, event: Event) -> str:
        resumed = int(event.get("resumed_at_step", 0))
        verb = f"goes on after step {resumed}" if resumed else "begins"
        rest = {key: value for key, value in event.items() if key != "resumed_at_step"}
        return f"training {verb}: {_numbers(rest)}"

    def _step(self, event: Event) -> str:
        known = ("event", "step", "epoch", "lr", "loss", "images_per_s", "left_s", "grad_norm")
        parts = [f"loss {event['loss']:.4g}", f"learning rate {event['lr']:.3g}"]
        if event.get("images_per_s"):
            parts.append(f"{event['images_per_s']:.1f} images/s")
        if event.get("left_s") is not None:
            parts.append(f"{duration(event['left_s'])} left at most")
        rest = _numbers({key: value for key, value in event.items() if key not in known})
        parts += [rest] if rest else []
        return f"step {event['step']} of {self._total_steps} (epoch {event['epoch'] + 1}): {', '.join(parts)}"

    def _epoch(self, event: Event) -> str:
        known = ("event", "epoch", "step", "train_loss", "lr", "is_best", "elapsed_s")
        parts = [f"training loss {event['train_loss']:.4g}"] if "train_loss" in event else []
        figures = {key: value for key, value in event.items() if key not in known}
        parts += [f"validation {_numbers(figures)}"] if _numbers(figures) else []
        best = ", the best so far" if event.get("is_best") else ""
        after = f", {duration(event['elapsed_s'])} in all" if "elapsed_s" in event else ""
        return f"epoch {event['epoch'] + 1} of {self._epochs}: {'; '.join(parts)}{best}{after}"


class TrialLines:
    """Says the events of a sweep's trials, of which several may run at once: each line with its trial's number."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._of: dict[Any, ProgressLines] = {}

    def __call__(self, event: Event) -> None:
        """Say the event of one trial, or of the sweep."""
        number = event.get("trial")
        if number not in self._of:
            self._of[number] = ProgressLines(self._say if number is None else self._with(f"trial {number}: "))
        self._of[number]({name: value for name, value in event.items() if name != "trial"})

    def _with(self, prefix: str) -> Callable[[str], None]:
        return lambda line: self._say(prefix + line)


def duration(seconds: float) -> str:
    """Return seconds as people say them."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _packing(event: Event) -> str:
    return f"packing images at training size: {event['done']} of {event['total']}"


def _empty_image(event: Event) -> str:
    highest = sorted(event["probability"].items(), key=lambda item: -item[1])[:3]
    return "an empty image gets " + ", ".join(f"{name} {value:.2f}" for name, value in highest)


def _counted(event: Event) -> str:
    most = max(event["positives"], key=lambda name: event["positives"][name])
    words = f"counts at most {event['positives'][most]:.0f} positives ({most})"
    if event["left_out"]:
        words += "; left out, since they have not both positives and negatives: " + ", ".join(event["left_out"])
    return words


def _numbers(event: Event) -> str:
    shown = {key: value for key, value in event.items() if key != "event" and isinstance(value, int | float | str)}
    return ", ".join(
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in shown.items()
    )
