"""One step of a training: forward, loss, gradient, the guard over both, the optimizer. The loop is in ``trainer``.

A step's studies may go through the network in parts (the recipe's ``accumulate``): their gradients add up to the whole
batch's, since each part's loss is a share of one denominator. The host waits for the device once a step, for the loss
and the gradient's norm together; with separate weights for the views once more for each branch.
"""

from __future__ import annotations

import contextlib
from functools import reduce
from typing import Any

import numpy as np
import torch

from radia_pipeline.errors import TrainingDiverged
from radia_pipeline.training import distributed
from radia_pipeline.training.optimization import set_step
from radia_pipeline.training.outcome import OnEvent
from radia_pipeline.training.state import State, seed_step

NAMED_STUDIES = 5
"""Studies, or images, that an error names."""


class Stepper:
    """Takes steps with a state. ``steps``: in an epoch; ``study_ids``: keyed ids by number of the ``what`` in a batch.

    A batch has ``parts(count)`` and ``index``, the numbers of what it shows; a task has ``denominator(part)``.
    """

    def __init__(self, state: State, steps: int, study_ids: np.ndarray, speak: OnEvent, what: str = "studies") -> None:
        self.state, self.steps, self.study_ids, self.speak, self.what = state, steps, study_ids, speak, what
        self.recipe = state.recipe

    def step(self, batch: Any) -> None:
        """Learn from this process's part of one global batch; raises TrainingDiverged after too many bad steps."""
        state, recipe = self.state, self.recipe
        set_step(state.optimizer, recipe, state.progress.step, self.steps)
        seed_step(recipe, state.progress.step)
        parts = [state.on_device(part) for part in batch.parts(recipe.training.accumulate)]
        shares = (state.task.denominator(part) for part in parts)
        denominator = distributed.total(reduce(torch.add, shares)).clamp(min=1e-12)
        state.optimizer.zero_grad(set_to_none=True)
        losses, logits = [], []
        for number, part in enumerate(parts):
            with contextlib.ExitStack() as around:
                no_sync = getattr(state.net, "no_sync", None)  # where processes share their gradients
                if distributed.world_size() > 1 and number < len(parts) - 1 and no_sync is not None:
                    around.enter_context(no_sync())
                with state.autocast():
                    loss, answers = state.net(part, denominator)
                # DistributedDataParallel averages gradients over processes; the loss is a share of one global sum.
                state.scaler.scale(loss * distributed.world_size()).backward()
            losses.append(loss.detach().double())
            logits.append(answers.detach())
        answers = torch.cat(logits)
        state.scaler.unscale_(state.optimizer)
        loss = self._sound_loss(sum(losses), batch, answers)
        if loss is not None:
            state.apply_gradient(batch.index.to(answers.device), answers)
            state.progress.add_loss(loss)
        state.scaler.update()
        state.progress.step += 1

    def _sound_loss(self, share: torch.Tensor, batch: Any, logits: torch.Tensor) -> float | None:
        """Clip the gradient; return the global loss, or None for all processes where it or the norm is not finite."""
        state, recipe = self.state, self.recipe
        parameters = [parameter for parameter in state.objective.parameters() if parameter.grad is not None]
        norm = torch.nn.utils.clip_grad_norm_(parameters, recipe.optimizer.clip_norm or float("inf"))
        is_wild = (~torch.isfinite(norm)).to(share.dtype)
        loss, wild = distributed.total(torch.stack([share, is_wild])).tolist()
        is_bad = not np.isfinite(loss) or wild > 0
        state.progress.bad_steps = state.progress.bad_steps + 1 if is_bad else 0
        if not is_bad:
            return loss
        studies = self._suspects(batch, logits)
        self.speak({"event": "bad_step", "step": state.progress.step, "loss": str(loss), self.what: studies})
        if state.progress.bad_steps >= recipe.training.max_bad_steps:
            raise TrainingDiverged(
                f"Loss or gradient was not finite in {state.progress.bad_steps} steps running; last seen with "
                f"{self.what} {', '.join(studies)}",
                do=f"lower optimizer.lr, use bf16 or fp32, and look at these {self.what}",
            )
        return None

    def _suspects(self, batch: Any, logits: torch.Tensor) -> list[str]:
        broken = ~torch.isfinite(logits).all(dim=1).cpu()
        rows = batch.index[broken] if broken.any() else batch.index
        return self.study_ids[rows.numpy()][:NAMED_STUDIES].tolist()
