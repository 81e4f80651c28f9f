"""The training loop. What is learned (tasks), from what (loader) and what is kept (state) are other modules.

``train`` works the same in one process and under ``torchrun``; process 0 writes files and speaks.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import TrainingDiverged
from radia_pipeline.lake.atomic import write_text
from radia_pipeline.learning import distributed, lifecycle, model_store, packed
from radia_pipeline.learning.checkpoints import load_tensors, save_tensors
from radia_pipeline.learning.inference import empty_answer, score_studies
from radia_pipeline.learning.lifecycle import Stopped, StopRequest
from radia_pipeline.learning.loader import BatchLoader
from radia_pipeline.learning.optimization import set_step
from radia_pipeline.learning.packed import PackedImages
from radia_pipeline.learning.pictures import save_batch_picture
from radia_pipeline.learning.recipe_schema import Recipe
from radia_pipeline.learning.state import TrainingState, seed_step
from radia_pipeline.learning.studies import Studies, evaluation_labels, label_counts, pool_studies, read_manifest
from radia_pipeline.learning.tasks import Batch
from radia_pipeline.learning.validation import validation_figures

OnEvent = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Runtime:
    """What does not change the result: device, threads, how often to speak and to save."""

    device: str | None = None
    workers: int | None = None
    log_every_s: float = 5.0
    checkpoint_every_s: float = 120.0
    stop: StopRequest = field(default_factory=StopRequest)


@dataclass(frozen=True)
class TrainResult:
    """What a training came to. ``stopped``: it was asked to end and left a checkpoint, no model."""

    recipe: str
    model_dir: Path
    fingerprint: str
    manifest_versions: dict[str, str]
    epochs: int
    steps: int
    best_metric: float | None
    best_epoch: int
    metrics: dict[str, Any]
    history: list[dict[str, Any]]
    reused: bool
    stopped: bool
    duration_s: float
    picture: Path | None


def train(
    recipe: Recipe,
    lake,
    *,
    run_dir: Path | None = None,
    on_event: OnEvent = lambda _event: None,
    resume: bool = True,
    force: bool = False,
    runtime: Runtime | None = None,
) -> TrainResult:
    """Train a recipe on the lake's manifest and publish the best model; a finished one is reported, not repeated.

    Raises EmptyPool, BadRecipe, NotTrained (``init_from``), AlreadyRunning, TrainingDiverged, DamagedFile.
    """
    runtime = runtime or Runtime()
    speak = on_event if distributed.rank() == 0 else lambda _event: None
    manifest, versions = read_manifest(lake, recipe.data.sources)
    identity = model_store.fingerprint(recipe, versions, model_store.parent_fingerprint(lake, recipe))
    folder = Path(run_dir) if run_dir else lake.models_dir / recipe.name / identity
    with _alone(lake, recipe):
        if model_store.is_finished(folder) and not force:
            return _reuse(lake, recipe, folder, speak, at_home=run_dir is None)
        with lifecycle.stop_on_signals(runtime.stop):
            run = _Run(recipe, lake, folder, identity, versions, runtime, speak)
            try:
                run.prepare(manifest, resume=resume and not force)
                run.fit()
            except Stopped:
                return run.stopped_result()
        return run.finish(at_home=run_dir is None)


class _Run:
    """One training under way."""

    def __init__(self, recipe, lake, folder, identity, versions, runtime: Runtime, speak: OnEvent) -> None:
        self.recipe: Recipe = recipe
        self.lake, self.folder, self.identity, self.versions = lake, folder, identity, versions
        self.runtime, self.speak = runtime, speak
        self.last, self.best = folder / "checkpoints" / "last.safetensors", folder / "checkpoints" / "best.safetensors"
        self.started = self.spoken = self.saved = time.monotonic()
        self.images_since = 0
        self.is_ready = False
        self.picture: Path | None = None

    # --- before the first step --------------------------------------------------------------------------------------
    def prepare(self, manifest, *, resume: bool) -> None:
        """Pack images, gather studies, build or restore the state."""
        cv2.setNumThreads(0)
        self.device = _device(self.runtime)
        images = self._pack(manifest)
        self.train_studies = pool_studies(manifest, self.recipe, "train", images.row_of_image)
        self.validation_studies = pool_studies(manifest, self.recipe, "validation", images.row_of_image)
        workers = self.runtime.workers or max(1, (os.cpu_count() or 2) // distributed.world() - 1)
        self.loader = BatchLoader(self.train_studies, images, self.recipe, workers=workers)
        self.validation_loader = BatchLoader(self.validation_studies, images, self.recipe, workers=workers)
        self.steps = self.loader.steps
        self.state = TrainingState(self.recipe, self.train_studies, self.device, self.lake)
        if resume and self.last.exists():
            self.state.restore(self.last, self.identity)
        elif distributed.rank() == 0:
            shutil.rmtree(self.last.parent, ignore_errors=True)
        distributed.barrier()
        self.is_ready = True
        self._announce()

    def _pack(self, manifest) -> PackedImages:
        wanted: dict[str, list] = {}
        for source, image, patient, path in zip(
            *(manifest.column(name).to_pylist() for name in ("source", "image_id", "patient_key", "path"))
        ):
            wanted.setdefault(source, []).append(packed.Wanted(image, patient, self.lake.root / path))
        size = self.recipe.input.size_px
        if distributed.rank() == 0:
            images = packed.pack(self.lake, wanted, size, self._on_packed)
        distributed.barrier()
        return images if distributed.rank() == 0 else packed.open_packed(self.lake, wanted, size)

    def _on_packed(self, done: int, count: int) -> None:
        self.speak({"event": "packing", "done": done, "total": count})
        if self.runtime.stop and distributed.world() == 1:
            raise Stopped

    def _announce(self) -> None:
        counts = label_counts(self.train_studies)
        names = np.array(vocabulary().classes)
        self.speak({
            "event": "start", "recipe": self.recipe.name, "fingerprint": self.identity, "device": str(self.device),
            "processes": distributed.world(), "train_studies": len(self.train_studies),
            "validation_studies": len(self.validation_studies), "steps_per_epoch": self.steps,
            "max_epochs": self.recipe.training.max_epochs, "resumed_at_step": self.state.progress.step,
        })  # fmt: skip
        if none := names[counts["positives"] == 0].tolist():
            self.speak({"event": "warning", "message": f"no positive in training: {', '.join(none)}", "classes": none})

    # --- the loop ---------------------------------------------------------------------------------------------------
    def fit(self) -> None:
        """Epoch after epoch until the last one, or until validation has not improved for ``patience`` epochs."""
        progress = self.state.progress
        for epoch in range(progress.validated_epochs, self.recipe.training.max_epochs):
            if progress.epochs_without_gain >= self.recipe.stopping.patience:
                break
            self.state.train_mode()
            done = progress.step - epoch * self.steps
            for batch in self.loader.training(epoch, done, rank=distributed.rank(), world=distributed.world()):
                self._step(batch)
                self._housekeep(epoch)
            self._validate(epoch)

    def _step(self, batch: Batch) -> None:
        state, recipe = self.state, self.recipe
        rate = set_step(state.optimizer, recipe, state.progress.step, self.steps)
        seed_step(recipe, state.progress.step)
        self._keep_picture(batch)
        self.images_since += int(batch.present.sum())
        batch = batch.to(self.device, state.dtype, channels_last=recipe.training.channels_last)
        if state.moving is not None:
            state.moving.put_into(batch)
        denominator = distributed.total(state.objective.task.denominator(batch)).clamp(min=1e-12)
        with torch.autocast(self.device.type, dtype=state.autocast_dtype, enabled=state.autocast_dtype is not None):
            loss, logits = state.net(batch, denominator)
        state.optimizer.zero_grad(set_to_none=True)
        # DistributedDataParallel averages gradients over processes; the loss is a share of one global sum.
        state.scaler.scale(loss * distributed.world()).backward()
        state.scaler.unscale_(state.optimizer)
        whole = float(distributed.total(loss.detach().double()))
        if self._is_sound(whole, batch, logits):
            state.scaler.step(state.optimizer)
            state.objective.task.after_step()
            if state.average is not None:
                state.average.update(state.classifier, state.progress.step)
            if state.moving is not None:
                state.moving.update(batch, logits, recipe.training.batch_size)
            state.progress.loss_sum += whole
            state.progress.loss_count += 1
        state.scaler.update()
        state.progress.step += 1
        self.rate = rate

    def _is_sound(self, loss: float, batch: Batch, logits: torch.Tensor) -> bool:
        """Clip the gradient and tell whether loss and norm are finite; after too many bad steps, stop with the ids."""
        state = self.state
        limit = self.recipe.optimizer.clip_norm or float("inf")
        parameters = [parameter for parameter in state.objective.parameters() if parameter.grad is not None]
        norm = float(torch.nn.utils.clip_grad_norm_(parameters, limit))
        is_bad = distributed.any_process(not (np.isfinite(loss) and np.isfinite(norm)), self.device)
        state.progress.bad_steps = state.progress.bad_steps + 1 if is_bad else 0
        if is_bad:
            broken = ~torch.isfinite(logits).all(dim=1)
            rows = batch.index[broken] if broken.any() else batch.index
            studies = self.train_studies.study_id[rows.cpu().numpy()][:5].tolist()
            self.speak({"event": "bad_step", "step": state.progress.step, "loss": loss, "studies": studies})
            if state.progress.bad_steps >= self.recipe.training.max_bad_steps:
                raise TrainingDiverged(
                    f"Loss or gradient was not finite in {state.progress.bad_steps} steps running; last studies "
                    + ", ".join(studies),
                    do="lower optimizer.lr, use bf16 or fp32, and look at these studies",
                )
        return not is_bad

    def _housekeep(self, epoch: int) -> None:
        """Speak, save, and obey a request to stop; never within a step."""
        now = time.monotonic()
        if now - self.spoken >= self.runtime.log_every_s or self.state.progress.step == 1:
            self._speak_step(epoch, now)
        if distributed.any_process(bool(self.runtime.stop), self.device):
            self._save()
            raise Stopped
        due = distributed.rank() == 0 and now - self.saved >= self.runtime.checkpoint_every_s
        if due:
            self._save()

    def _speak_step(self, epoch: int, now: float) -> None:
        progress, elapsed = self.state.progress, max(now - self.spoken, 1e-9)
        speed = self.images_since * distributed.world() / elapsed
        self.steps_spoken, before = progress.step, getattr(self, "steps_spoken", progress.step - 1)
        left = self.recipe.training.max_epochs * self.steps - progress.step
        self.speak({
            "event": "step", "step": progress.step, "epoch": epoch, "lr": self.rate,
            "loss": progress.loss_sum / max(progress.loss_count, 1), "images_per_s": round(speed, 1),
            "left_s": round(left * elapsed / max(progress.step - before, 1), 1),
        })  # fmt: skip
        self.spoken, self.images_since = now, 0

    def _save(self) -> None:
        if distributed.rank() == 0:
            self.state.save(self.last, self.identity)
            self.speak({"event": "checkpoint", "step": self.state.progress.step})
        self.saved = time.monotonic()

    def _validate(self, epoch: int) -> None:
        """Score the validation pool, keep the best weights, note the epoch, save."""
        progress, section = self.state.progress, self.recipe.stopping
        model = self.state.evaluated()
        logits = score_studies(model, self.validation_loader, self.device, self._stop_between)
        log_probability = model.log_probabilities(torch.from_numpy(logits).to(self.device)).cpu().numpy()
        labels = evaluation_labels(self.validation_studies)
        figures = distributed.from_first(
            validation_figures(log_probability, labels, section) if distributed.rank() == 0 else None
        )
        value = figures.chosen(section)
        is_best = progress.best_metric is None or value > progress.best_metric
        if is_best:
            progress.best_metric, progress.best_epoch = value, epoch
        progress.epochs_without_gain = 0 if is_best else progress.epochs_without_gain + 1
        line = {
            "epoch": epoch, "step": progress.step, "train_loss": progress.loss_sum / max(progress.loss_count, 1),
            "lr": self.rate_now(), "is_best": is_best, **asdict(figures), "counted": list(figures.counted),
        }  # fmt: skip
        progress.history.append(line)
        progress.validated_epochs, progress.loss_sum, progress.loss_count = epoch + 1, 0.0, 0
        if distributed.rank() == 0:
            if is_best:
                save_tensors(self.best, model.state_dict(), {"kind": "best", "fingerprint": self.identity})
            self._write_history()
        self._save()
        self.speak({"event": "epoch", **line, "elapsed_s": round(time.monotonic() - self.started, 1)})

    def rate_now(self) -> float:
        """Learning rate of the optimizer's first group."""
        return float(self.state.optimizer.param_groups[0]["lr"])

    def _stop_between(self) -> None:
        if distributed.any_process(bool(self.runtime.stop), self.device):
            self._save()
            raise Stopped

    # --- around the loop --------------------------------------------------------------------------------------------
    def _keep_picture(self, batch: Batch) -> None:
        if self.picture is None and distributed.rank() == 0:
            path = self.lake.previews_dir / "batches" / f"{self.recipe.name}-{self.identity}.png"
            self.picture = save_batch_picture(batch, self.recipe, path)
            self.speak({"event": "picture", "path": str(path.relative_to(self.lake.root))})

    def _write_history(self) -> None:
        lines = "".join(json.dumps(line) + "\n" for line in self.state.progress.history)
        write_text(self.folder / "metrics.jsonl", lines)

    def finish(self, *, at_home: bool) -> TrainResult:
        """Publish the best weights with their card and make them the recipe's newest model."""
        progress = self.state.progress
        if distributed.rank() == 0:
            weights, _ = load_tensors(self.best)
            model = self.state.evaluated()
            model.load_state_dict(weights)
            card = self._card(empty_answer(model, self.device))
            model_store.publish(self.folder, weights, card)
            if at_home:
                model_store.point_latest(self.lake, self.recipe.name, self.folder)
        distributed.barrier()
        result = self._result(model_store.read_card(self.folder)["metrics"], stopped=False)
        self.speak({"event": "done", "model_dir": str(self.folder), "epochs": progress.validated_epochs,
                    "steps": progress.step, "best_metric": progress.best_metric, "reused": False,
                    "duration_s": round(result.duration_s, 1)})  # fmt: skip
        return result

    def stopped_result(self) -> TrainResult:
        """What is reported when the training was asked to end."""
        self.speak({"event": "stopped", "reason": self.runtime.stop.reason})
        return self._result({}, stopped=True)

    def _card(self, answer: dict[str, float]) -> dict[str, Any]:
        progress = self.state.progress
        best = progress.history[progress.best_epoch]
        return {
            "recipe": self.recipe.model_dump(mode="json"), "recipe_hash": self.recipe.hash,
            "fingerprint": self.identity, "classes": list(vocabulary().classes),
            "vocabulary_version": vocabulary().version, "manifest_versions": self.versions,
            "code_version": model_store.code_version(),
            "input": {"channels": self.recipe.input.channel_count, "size_px": self.recipe.input.size_px},
            "epochs": progress.validated_epochs, "steps": progress.step, "best_epoch": progress.best_epoch,
            "best_metric": progress.best_metric, "metrics": best, "empty_image_probabilities": answer,
            "duration_s": round(time.monotonic() - self.started, 1),
        }  # fmt: skip

    def _result(self, metrics: dict[str, Any], *, stopped: bool) -> TrainResult:
        progress = self.state.progress if self.is_ready else None
        return TrainResult(
            self.recipe.name, self.folder, self.identity, self.versions,
            progress.validated_epochs if progress else 0, progress.step if progress else 0,
            progress.best_metric if progress else None, progress.best_epoch if progress else -1,
            metrics, list(progress.history) if progress else [], False, stopped,
            time.monotonic() - self.started, self.picture,
        )  # fmt: skip


def _reuse(lake, recipe: Recipe, folder: Path, speak: OnEvent, *, at_home: bool) -> TrainResult:
    card = model_store.read_card(folder)
    if at_home and distributed.rank() == 0:
        model_store.point_latest(lake, recipe.name, folder)
    history = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    speak({"event": "done", "model_dir": str(folder), "epochs": card["epochs"], "steps": card["steps"],
           "best_metric": card["best_metric"], "reused": True, "duration_s": 0.0})  # fmt: skip
    picture = lake.previews_dir / "batches" / f"{recipe.name}-{card['fingerprint']}.png"
    return TrainResult(
        recipe.name, folder, card["fingerprint"], card["manifest_versions"], card["epochs"], card["steps"],
        card["best_metric"], card["best_epoch"], card["metrics"], history, True, False, 0.0,
        picture if picture.exists() else None,
    )  # fmt: skip


def _alone(lake, recipe: Recipe):
    """Process 0 holds the lock for all processes of its training."""
    return lifecycle.exclusive(lake, recipe.name) if distributed.rank() == 0 else contextlib.nullcontext()


def _device(runtime: Runtime) -> torch.device:
    if runtime.device:
        return torch.device(runtime.device)
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return torch.device("cpu")
