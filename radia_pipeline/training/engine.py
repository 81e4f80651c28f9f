"""The loop that every training runs on: epochs of steps, checkpoints between them, the best weights, a request to stop.

What is learned, from what, and how an epoch is judged are a subclass's: ``trainer`` (classifiers) and the detector's.
It works the same in one process and under ``torchrun``; process 0 writes files and speaks.
"""

from __future__ import annotations

import json
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from radia_pipeline.errors import RunFailed
from radia_pipeline.lake.atomic import write_text
from radia_pipeline.processes.lifecycle import Stopped
from radia_pipeline.training import distributed
from radia_pipeline.training.checkpoints import load_tensors, save_tensors
from radia_pipeline.training.model_folders import begin_again, require_writable
from radia_pipeline.training.outcome import OnEvent, Runtime, warn_of_unfinished
from radia_pipeline.training.preparation import choose_device
from radia_pipeline.training.soundness import can_go_on
from radia_pipeline.training.state import State
from radia_pipeline.training.stepper import Stepper

if TYPE_CHECKING:
    from radia_pipeline.lake.lake import Lake


class TrainingRun(ABC):
    """One training under way; its recipe has the sections training, optimizer, schedule, stopping.

    A subclass sets ``steps`` (in an epoch), builds the state, gives batches and judges an epoch.
    """

    is_again = False
    steps: int
    stepper: Stepper

    def __init__(self, recipe: Any, lake: Lake, folder: Path, identity: str, runtime: Runtime, speak: OnEvent) -> None:
        self.recipe, self.lake, self.folder, self.identity = recipe, lake, folder, identity
        self.runtime, self.speak = runtime, speak
        self.last, self.best = folder / "checkpoints" / "last.safetensors", folder / "checkpoints" / "best.safetensors"
        self.started = self.spoken = self.saved = time.monotonic()
        self.images_since = self.steps_since = 0
        self.has_picture = False
        self._state: State | None = None

    @property
    def state(self) -> State:
        """What is trained, from ``take_up`` on."""
        if self._state is None:
            raise AttributeError("the state is not built yet")
        return self._state

    # --- what a subclass gives --------------------------------------------------------------------------------------
    @abstractmethod
    def _batches(self, epoch: int, first_step: int) -> Iterator[Any]:
        """Yield this process's part of each global batch of an epoch, from a step on."""

    @abstractmethod
    def _images_of(self, batch: Any) -> int:
        """Return how many images a batch shows."""

    @abstractmethod
    def _validate(self) -> Any:
        """Return an epoch's figures, a dataclass of JSON values, the same on every process."""

    @abstractmethod
    def _chosen(self, figures: Any) -> float:
        """Return the figure by which epochs are compared; higher is better."""

    @abstractmethod
    def _picture(self, batch: Any) -> None:
        """Keep and speak a picture of the first batch."""

    # --- before the loop --------------------------------------------------------------------------------------------
    def choose_device(self) -> None:
        """Take the device; raises LakeUnwritable where the model could not be written in the end."""
        if distributed.rank() == 0:
            require_writable(self.folder)
        self.device = choose_device(self.runtime)

    def take_up(self, state: State, *, resume: bool) -> None:
        """Go on from the checkpoint where there is one that is whole and ours, else begin."""
        is_first = distributed.rank() == 0
        if distributed.from_first(is_first and resume and can_go_on(self.last, self.best, self.identity, self.speak)):
            state.restore(self.last, self.identity)
        elif is_first:
            shutil.rmtree(self.last.parent, ignore_errors=True)
            warn_of_unfinished(self.folder.parent, self.speak)
            if self.is_again:
                begin_again(self.folder)
        distributed.barrier()
        self._state = state

    # --- the loop ---------------------------------------------------------------------------------------------------
    def fit(self) -> None:
        """Epoch after epoch until the last one, or until validation has not improved for ``patience`` epochs."""
        progress = self.state.progress
        for epoch in range(progress.validated_epochs, self.recipe.training.max_epochs):
            if progress.epochs_without_gain >= self.recipe.stopping.patience:
                break
            self.state.train_mode()
            for batch in self._batches(epoch, progress.step - epoch * self.steps):
                self._step(batch)
                self._housekeep(epoch)
            self._note_epoch(epoch, self._validate())

    def _step(self, batch: Any) -> None:
        if not self.has_picture and distributed.rank() == 0:
            self.has_picture = True
            self._picture(batch)
        self.images_since, self.steps_since = self.images_since + self._images_of(batch), self.steps_since + 1
        self.stepper.step(batch)

    def _housekeep(self, epoch: int) -> None:
        """Speak, save, and obey a request to stop; never within a step."""
        now = time.monotonic()
        if now - self.spoken >= self.runtime.log_every_s or self.state.progress.step == 1:
            self._speak_step(epoch, now)
        self._obey()
        if now - self.saved >= self.runtime.checkpoint_every_s:
            self._save()

    def _obey(self) -> None:
        if distributed.any_process(bool(self.runtime.stop), self.device):
            self._save()
            raise Stopped

    def _note_epoch(self, epoch: int, figures: Any) -> None:
        """Keep the best weights, write history and checkpoint, speak."""
        progress = self.state.progress
        is_best = progress.compare(self._chosen(figures), epoch)
        line = {
            "epoch": epoch,
            "step": progress.step,
            "train_loss": progress.loss_sum / max(progress.loss_count, 1),
            "lr": float(self.state.optimizer.param_groups[0]["lr"]),
            "is_best": is_best,
            **asdict(figures),
        }
        progress.history.append(line)
        progress.validated_epochs, progress.loss_sum, progress.loss_count = epoch + 1, 0.0, 0
        if distributed.rank() == 0:
            if is_best:
                weights = self.state.evaluated().state_dict()
                save_tensors(self.best, weights, {"kind": "best", "fingerprint": self.identity})
            self._write_history()
        self._save()
        self.speak({"event": "epoch", **line, "elapsed_s": round(time.monotonic() - self.started, 1)})

    def _write_history(self) -> None:
        lines = [json.dumps(epoch) + "\n" for epoch in self.state.progress.history]
        write_text(self.folder / "metrics.jsonl", "".join(lines))

    def _speak_step(self, epoch: int, now: float) -> None:
        progress, elapsed = self.state.progress, max(now - self.spoken, 1e-9)
        left = self.recipe.training.max_epochs * self.steps - progress.step
        self.speak(
            {
                "event": "step",
                "step": progress.step,
                "epoch": epoch,
                "lr": float(self.state.optimizer.param_groups[0]["lr"]),
                "loss": progress.loss_sum / max(progress.loss_count, 1),
                "images_per_s": round(self.images_since * distributed.world_size() / elapsed, 1),
                "left_s": round(left * elapsed / max(self.steps_since, 1), 1),
            }
        )
        self.spoken, self.images_since, self.steps_since = now, 0, 0

    def _save(self) -> None:
        if distributed.rank() == 0:
            self.state.save(self.last, self.identity)
            self.speak({"event": "checkpoint", "step": self.state.progress.step})
        self.saved = time.monotonic()

    # --- after the loop ---------------------------------------------------------------------------------------------
    def best_model(self) -> torch.nn.Module:
        """Return the model with the best epoch's weights."""
        model = self.state.evaluated()
        model.load_state_dict(load_tensors(self.best)[0])
        return model

    def stopped(self) -> RunFailed:
        """Return the error that tells the caller that there is a checkpoint but no model."""
        step = self._state.progress.step if self._state else 0
        self.speak({"event": "stopped", "reason": self.runtime.stop.reason, "step": step})
        return RunFailed(
            f"Training of {self.recipe.name} was stopped ({self.runtime.stop.reason}) after step {step}",
            do="train it again: it continues from its checkpoint",
        )
