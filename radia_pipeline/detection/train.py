"""The detector's training loop. Its data, loss, network and files are other modules.

Randomness is a pure function of (seed, epoch, image): a training that is resumed after its last checkpoint (one per
epoch) ends with the same weights as one that was never stopped.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from radia_pipeline.contracts.pools import TRAIN, VALIDATION
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.detection import data, store
from radia_pipeline.detection.config import DetectorConfig, load_config
from radia_pipeline.detection.decode import raw_to_boxes
from radia_pipeline.detection.export import ONNX_FILE, export_onnx
from radia_pipeline.detection.identity import DETECTOR_VERSION, fingerprint, folder_of
from radia_pipeline.detection.loss import ImageTarget, Matcher, detection_loss
from radia_pipeline.detection.model import Detector, start_from_classifier
from radia_pipeline.detection.sources import data_versions, training_sources
from radia_pipeline.detection.spec import DetectorSpec
from radia_pipeline.detection.start import Start, choose_start
from radia_pipeline.errors import EmptyPool, TrainingDiverged
from radia_pipeline.lake.atomic import write_text
from radia_pipeline.lake.lake import Lake
from radia_pipeline.localisation.average_precision import Reference, mean_average_precision
from radia_pipeline.localisation.boxes import Boxes
from radia_pipeline.processes.lifecycle import StopRequest, stop_on_signals
from radia_pipeline.training.checkpoints import (
    Progress,
    load_checkpoint,
    load_tensors,
    optimizer_tensors,
    prefixed,
    restore_optimizer,
    save_checkpoint,
    save_tensors,
    select,
)
from radia_pipeline.training.composed import Augmenter
from radia_pipeline.training.exclusive import exclusive
from radia_pipeline.training.identity import TRAINING_VERSION, VERSION_KEY
from radia_pipeline.training.inference import load_classifier
from radia_pipeline.training.inputs import GREY_MAX, to_channels
from radia_pipeline.training.model_folders import is_finished, read_card, read_history
from radia_pipeline.training.model_store import publish
from radia_pipeline.training.outcome import OnEvent, library_versions, warn_of_unfinished
from radia_pipeline.training.packed import PackedImages
from radia_pipeline.training.sampler import generator
from radia_pipeline.training.schedules import Moment, ScheduleSection, learning_rate

STOPPING_IOU = 0.3
LOG_EVERY_S = 5.0


@dataclass(frozen=True)
class DetectorResult:
    """What a training came to. ``best_metric``: mean AP at IoU .3 against validation's pseudo boxes, or minus the
    training loss where validation has none. ``stopped``: asked to end, a checkpoint is left and no model."""

    name: str
    model_dir: Path
    fingerprint: str
    start_recipe: str
    classes: tuple[str, ...]
    images: int
    boxes: int
    validation_images: int
    epochs: int
    best_metric: float | None
    best_epoch: int
    reused: bool
    stopped: bool
    duration_s: float
    history: list[dict[str, Any]] = field(default_factory=list)


def train_detector(
    lake: Lake,
    config: DetectorConfig | str = "small",
    *,
    run_dir: Path | None = None,
    on_event: OnEvent = lambda _event: None,
    resume: bool = True,
    force: bool = False,
    device: str | None = None,
    stop: StopRequest | None = None,
) -> DetectorResult:
    """Train a detector on the pseudo boxes of the train pool; a finished one is reported, not repeated.

    Raises EmptyPool (no pseudo boxes), NotTrained (no classifier), BadRecipe, AlreadyRunning, TrainingDiverged,
    DamagedFile.
    """
    config = load_config(config) if isinstance(config, str) else config
    stop = StopRequest() if stop is None else stop  # an unset request is false
    sources = training_sources(lake, config)
    start = choose_start(lake, config)
    versions = data_versions(lake, sources)
    name = fingerprint(config, versions, start)
    with exclusive(lake, f"detector.{config.name}"):
        folder = Path(run_dir) if run_dir else folder_of(lake, config, versions, start)
        if is_finished(folder) and not force:
            _export(config, folder, on_event)
            return _reuse(lake, config, folder, on_event, at_home=run_dir is None)
        with stop_on_signals(stop):
            run = _Run(lake, config, start, folder, name, versions, on_event, stop)
            run.prepare(sources, device, resume=resume and not force)
            is_whole = run.fit()
        return run.finish(at_home=run_dir is None) if is_whole else run.stopped()


class _Run:
    """One training under way."""

    def __init__(self, lake, config, start, folder, identity, versions, speak: OnEvent, stop) -> None:
        self.lake: Lake = lake
        self.config: DetectorConfig = config
        self.start: Start = start
        self.folder, self.identity, self.versions, self.speak, self.stop = folder, identity, versions, speak, stop
        self.last, self.best = folder / "checkpoints" / "last.safetensors", folder / "checkpoints" / "best.safetensors"
        self.started = self.spoken = time.monotonic()
        self.progress = Progress()

    # --- before the first step --------------------------------------------------------------------------------------
    def prepare(self, sources: tuple[str, ...], device: str | None, *, resume: bool) -> None:
        """Choose images, pack them, build the network or restore it."""
        config = self.config
        boxes = data.read_boxes(self.lake, sources, config.min_score)
        grey = data.read_boxes(self.lake, sources, config.min_score, grey=True)
        images = data.read_images(self.lake, sources, (TRAIN,))
        on_train = boxes.on(images["image_id"].to_pylist())
        self.classes = tuple(name for name in vocabulary().classes if name in set(on_train.label))
        if not self.classes:
            raise EmptyPool(
                "The train pool has no pseudo box", do="lower the gate of pseudo_boxes, or add images of more patients"
            )
        self.entries = data.choose_entries(data.pool_entries(images, boxes, self.classes, config, grey), config)
        held_out = data.read_images(self.lake, sources, (VALIDATION,))
        several = data.pool_entries(held_out, boxes, self.classes, config, grey)
        self.validation = several[: config.max_validation_images]
        self.reference = _reference(self.validation, boxes, held_out, self.classes)
        self.pixels: PackedImages = data.pack_entries(self.lake, self.entries + self.validation, config.size_px)
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self._build()
        if resume and self.last.exists():
            self._restore()
        else:
            shutil.rmtree(self.last.parent, ignore_errors=True)
            warn_of_unfinished(self.folder.parent, self.speak)
        self.steps = -(-len(self.entries) // config.batch_size)
        self.augmenter = Augmenter(config.augmentation(), kept_share=data.KEPT_SHARE)
        self.matcher = Matcher(config.size_px, config.strides, config.center_radius, config.range_factor)
        self.speak({
            "event": "start", "detector": config.name, "fingerprint": self.identity, "recipe": self.start.recipe,
            "device": str(self.device), "images": len(self.entries), "boxes": self.box_count,
            "classes": len(self.classes), "validation_images": len(self.validation), "steps_per_epoch": self.steps,
            "max_epochs": config.epochs, "known_share": data.negatives_share(self.entries),
            "resumed_at_step": self.progress.step,
        })  # fmt: skip

    @property
    def box_count(self) -> int:
        """Boxes that are learned from."""
        return sum(len(entry.target.label) for entry in self.entries)

    def _build(self) -> None:
        config = self.config
        recipe = read_card(self.start.model_dir)["recipe"]
        self.spec = DetectorSpec(
            classes=self.classes, size_px=config.size_px, strides=config.strides, fpn_channels=config.fpn_channels,
            head_convs=config.head_convs, input={**recipe["input"], "size_px": config.size_px},
            backbone=recipe["model"], score_threshold=config.score_threshold, nms_iou=config.nms_iou,
            max_boxes=config.max_boxes, vocabulary_version=vocabulary().version, name=config.name,
            provenance={"recipe": self.start.recipe, "classifier": self.start.model_dir.name,
                        "reason": self.start.reason, "versions": self.versions},
        )  # fmt: skip
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.detector = Detector(self.spec)
        start_from_classifier(self.detector, load_classifier(self.start.model_dir))
        self.detector.to(self.device, memory_format=torch.channels_last)
        self.optimizer = _optimizer(self.detector, config)

    def _restore(self) -> None:
        tensors, self.progress = load_checkpoint(self.last, self.identity)
        self.detector.load_state_dict(select(tensors, "model"))
        restore_optimizer(self.optimizer, tensors)

    # --- the loop ---------------------------------------------------------------------------------------------------
    def fit(self) -> bool:
        """Epoch after epoch; False if asked to stop. The checkpoint of the last whole epoch stays."""
        progress = self.progress
        for epoch in range(progress.validated_epochs, self.config.epochs):
            if progress.epochs_without_gain >= self.config.patience:
                break
            self.detector.train()
            for images, targets in self._batches(epoch):
                if self.stop:
                    return False
                self._step(images, targets, epoch)
            self._validate(epoch)
        return True

    def _batches(self, epoch: int) -> Iterator[tuple[torch.Tensor, list[ImageTarget]]]:
        order = generator(self.config.seed, "detector order", epoch).permutation(len(self.entries))
        size = self.config.batch_size
        for first in range(0, len(order), size):
            pairs = [self._sample(self.entries[index], epoch) for index in order[first : first + size]]
            yield self._tensor([image for image, _ in pairs]), [target for _, target in pairs]

    def _sample(self, entry: data.ImageEntry, epoch: int) -> tuple[np.ndarray, ImageTarget]:
        random, further = (
            generator(self.config.seed, f"detector {what}", epoch, entry.image_id) for what in ("sample", "further")
        )
        return data.augment(self._grey(entry), entry.target, self.augmenter, random, further)

    def _grey(self, entry: data.ImageEntry) -> np.ndarray:
        return self.pixels.read(self.pixels.row_of_image[entry.image_id]).astype(np.float32) / GREY_MAX

    def _tensor(self, greys: list[np.ndarray]) -> torch.Tensor:
        section = self.spec.input_section
        batch = torch.from_numpy(np.stack([to_channels(grey, section) for grey in greys]))
        return batch.to(self.device, memory_format=torch.channels_last)

    def _step(self, images: torch.Tensor, targets: list[ImageTarget], epoch: int) -> None:
        config, progress = self.config, self.progress
        rate = _rate(config, progress.step, self.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        losses = detection_loss(self.detector(images), targets, self.matcher)
        loss = sum(losses.values())
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.detector.parameters(), config.clip_norm)
        if not (torch.isfinite(loss) and torch.isfinite(norm)):
            raise TrainingDiverged(
                "The detector's loss or gradient is not finite", do="lower lr in the detector's file"
            )
        self.optimizer.step()
        progress.step += 1
        progress.loss_sum += float(loss.detach())
        progress.loss_count += 1
        now = time.monotonic()
        if now - self.spoken >= LOG_EVERY_S or progress.step == 1:
            self.spoken = now
            parts = {f"loss_{name}": float(value.detach()) for name, value in losses.items()}
            self.speak({
                "event": "step", "step": progress.step, "epoch": epoch, "lr": rate, "grad_norm": float(norm),
                "loss": progress.loss_sum / progress.loss_count, **parts,
            })  # fmt: skip

    def _validate(self, epoch: int) -> None:
        """Score the validation images, keep the best weights, save."""
        progress = self.progress
        train_loss = progress.loss_sum / max(progress.loss_count, 1)
        figures = self._figures()
        value = figures["ap30"] if figures else -train_loss
        is_best = progress.best_metric is None or value > progress.best_metric
        if is_best:
            progress.best_metric, progress.best_epoch = value, epoch
            save_tensors(self.best, self.detector.state_dict(), {"kind": "best", "fingerprint": self.identity})
        progress.epochs_without_gain = 0 if is_best else progress.epochs_without_gain + 1
        line = {"epoch": epoch, "step": progress.step, "train_loss": train_loss, "is_best": is_best, **figures}
        progress.history.append(line)
        progress.validated_epochs, progress.loss_sum, progress.loss_count = epoch + 1, 0.0, 0
        tensors = {**prefixed("model", self.detector.state_dict()), **optimizer_tensors(self.optimizer)}
        save_checkpoint(self.last, tensors, progress, self.identity)
        self.speak({"event": "epoch", **line, "elapsed_s": round(time.monotonic() - self.started, 1)})

    @torch.no_grad()
    def _figures(self) -> dict[str, float]:
        """Mean AP at .3 over classes and class-agnostic AP against validation's pseudo boxes; empty without any."""
        if not len(self.reference.boxes):
            return {}
        self.detector.eval()
        parts = []
        for first in range(0, len(self.validation), self.config.batch_size):
            some = self.validation[first : first + self.config.batch_size]
            raw = [output.cpu().numpy() for output in self.detector(self._tensor([self._grey(one) for one in some]))]
            parts.append(raw_to_boxes(raw, self.spec, [(one.image_id, one.height_px, one.width_px) for one in some]))
        boxes = Boxes.joined(parts)
        names = {"ap30": "class", "agnostic_ap30": "agnostic"}
        return {
            name: mean_average_precision(boxes, self.reference, level, STOPPING_IOU) for name, level in names.items()
        }

    # --- after the loop ---------------------------------------------------------------------------------------------
    def finish(self, *, at_home: bool) -> DetectorResult:
        """Publish the best weights with their card."""
        progress = self.progress
        weights, _ = load_tensors(self.best)
        lines = "".join(json.dumps(line) + "\n" for line in progress.history)
        write_text(self.folder / "metrics.jsonl", lines)
        card = {
            "spec": self.spec.to_json(), "config": self.config.as_dict(), "config_hash": self.config.hash,
            "fingerprint": self.identity, "detector_version": DETECTOR_VERSION, VERSION_KEY: TRAINING_VERSION,
            "made_with": library_versions(), "vocabulary_version": vocabulary().version, "versions": self.versions,
            "images": len(self.entries), "boxes": self.box_count, "validation_images": len(self.validation),
            "epochs": progress.validated_epochs, "best_epoch": progress.best_epoch, "best_metric": progress.best_metric,
            "metrics": progress.history[progress.best_epoch], "duration_s": round(time.monotonic() - self.started, 1),
        }  # fmt: skip
        publish(self.folder, weights, card)
        if at_home:
            store.point_latest(self.lake, self.config.name, self.folder)
        (self.folder / ONNX_FILE).unlink(missing_ok=True)
        _export(self.config, self.folder, self.speak)
        result = _result(self.config, self.folder, card, progress.history, reused=False)
        self.speak({"event": "done", "epochs": result.epochs, "best_metric": result.best_metric, "reused": False,
                    "duration_s": round(result.duration_s, 1)})  # fmt: skip
        return result

    def stopped(self) -> DetectorResult:
        """What is reported when the training was asked to end."""
        self.speak({"event": "stopped", "reason": self.stop.reason})
        card = {"fingerprint": self.identity, "spec": self.spec.to_json(), "images": len(self.entries),
                "boxes": self.box_count, "validation_images": len(self.validation),
                "epochs": self.progress.validated_epochs, "best_epoch": self.progress.best_epoch,
                "best_metric": self.progress.best_metric, "duration_s": time.monotonic() - self.started}  # fmt: skip
        return _result(self.config, self.folder, card, self.progress.history, reused=False, stopped=True)


def _reuse(lake: Lake, config: DetectorConfig, folder: Path, speak: OnEvent, *, at_home: bool) -> DetectorResult:
    card = read_card(folder)
    if at_home:
        store.point_latest(lake, config.name, folder)
    speak({"event": "done", "epochs": card["epochs"], "best_metric": card["best_metric"], "reused": True,
           "duration_s": 0.0})  # fmt: skip
    return _result(config, folder, {**card, "duration_s": 0.0}, read_history(folder), reused=True)


def _result(config, folder, card, history, *, reused: bool, stopped: bool = False) -> DetectorResult:
    spec = DetectorSpec.from_json(card["spec"])
    return DetectorResult(
        name=config.name, model_dir=folder, fingerprint=card["fingerprint"], start_recipe=spec.provenance["recipe"],
        classes=spec.classes, images=card["images"], boxes=card["boxes"], validation_images=card["validation_images"],
        epochs=card["epochs"], best_metric=card["best_metric"], best_epoch=card["best_epoch"], reused=reused,
        stopped=stopped, duration_s=card["duration_s"], history=list(history),
    )  # fmt: skip


def _export(config: DetectorConfig, folder: Path, speak: OnEvent) -> None:
    """Write ``model.onnx`` if it is wanted and not there; the weights are published by then."""
    if config.export_onnx and not (folder / ONNX_FILE).exists():
        exported = export_onnx(folder)
        speak({"event": "exported", "max_difference": exported.max_difference, "size_bytes": exported.size_bytes})


def _reference(entries: list[data.ImageEntry], boxes: Boxes, images, classes: tuple[str, ...]) -> Reference:
    ids = tuple(entry.image_id for entry in entries)
    mine = boxes.on(ids)
    mine = mine.take(np.array([name in classes for name in mine.label], dtype=bool))
    groups = np.array([entry.group_id for entry in entries])
    return Reference(ids, groups, mine, data.positive_without_box(images, boxes, classes))


def _optimizer(detector: Detector, config: DetectorConfig) -> torch.optim.Optimizer:
    """AdamW; the backbone, which is trained already, moves slower; biases and normalisation are not decayed."""
    groups: dict[tuple[bool, bool], list[torch.nn.Parameter]] = {}
    for name, parameter in detector.named_parameters():
        is_backbone = name.startswith("net.")
        if is_backbone and config.backbone_lr_factor == 0:
            parameter.requires_grad_(False)
            continue
        groups.setdefault((is_backbone, parameter.ndim > 1), []).append(parameter)
    return torch.optim.AdamW([
        {"params": members, "factor": config.backbone_lr_factor if is_backbone else 1.0,
         "weight_decay": config.weight_decay if is_decayed else 0.0}
        for (is_backbone, is_decayed), members in sorted(groups.items())
    ], lr=config.lr)  # fmt: skip


def _rate(config: DetectorConfig, step: int, steps: int) -> float:
    """One cycle: up for ``warmup_share`` of all steps, then down along a cosine."""
    section = ScheduleSection(name="onecycle", warmup_share=max(config.warmup_share, 1e-3))
    return learning_rate(section, config.lr, Moment(step, steps, config.epochs * steps))
