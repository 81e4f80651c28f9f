"""How a detector is trained: its pools, the judgement of an epoch, its card. The loop is ``training.engine``.

Randomness is a pure function of (seed, epoch, image): a training that is resumed at any step ends with the same weights
as one that was never stopped. ``train_detector`` works the same in one process and under ``torchrun``.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch

from radia_pipeline.contracts.pools import TRAIN, VALIDATION
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.detection import data, store, teaching
from radia_pipeline.detection.config import DetectorConfig
from radia_pipeline.detection.decode import ALONE, best_of_class, each_class_alone, raw_to_boxes
from radia_pipeline.detection.export import ONNX_FILE, export_onnx
from radia_pipeline.detection.identity import DETECTOR_VERSION, data_versions, fingerprint, folder_of
from radia_pipeline.detection.loader import ImageLoader
from radia_pipeline.detection.objective import ImageBatch
from radia_pipeline.detection.pictures import save_batch_picture
from radia_pipeline.detection.prior import validation_prior
from radia_pipeline.detection.recipes import load_config
from radia_pipeline.detection.sources import training_sources
from radia_pipeline.detection.spec import DetectorSpec
from radia_pipeline.detection.start import Start, choose_start
from radia_pipeline.detection.state import DetectorState
from radia_pipeline.detection.working_point import Limits, chosen
from radia_pipeline.errors import EmptyPool, TrainingDiverged
from radia_pipeline.lake.lake import Lake
from radia_pipeline.localisation.average_precision import Reference, mean_average_precision
from radia_pipeline.localisation.boxes import Boxes
from radia_pipeline.processes.lifecycle import Stopped, stop_on_signals
from radia_pipeline.training import distributed
from radia_pipeline.training.engine import TrainingRun
from radia_pipeline.training.exclusive import exclusive
from radia_pipeline.training.identity import TRAINING_VERSION, VERSION_KEY
from radia_pipeline.training.model_folders import end_again, is_again, read_card, read_history
from radia_pipeline.training.model_store import publish
from radia_pipeline.training.outcome import OnEvent, Runtime, library_versions, picture_path
from radia_pipeline.training.packed import PackedImages
from radia_pipeline.training.soundness import is_sound
from radia_pipeline.training.state import float32_products
from radia_pipeline.training.stepper import NAMED_STUDIES, Stepper

if TYPE_CHECKING:
    from radia_pipeline.localisation.explainer import ImageSet

STOPPING_IOU = 0.3
Reader = Callable[..., Boxes]
"""Raw outputs, spec, images, prior -> boxes."""


@dataclass(frozen=True)
class DetectorResult:
    """What a training came to. ``best_metric``: mean AP at IoU .3 against validation's pseudo boxes, or minus the
    training loss where validation has none."""

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
    duration_s: float
    history: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Figures:
    """Of one epoch, against validation's pseudo boxes: mean AP at IoU .3 over classes, and class-agnostic; None without
    such boxes."""

    ap30: float | None = None
    agnostic_ap30: float | None = None


def train_detector(
    lake: Lake,
    config: DetectorConfig | str = "small",
    *,
    run_dir: Path | None = None,
    on_event: OnEvent = lambda _event: None,
    force: bool = False,
    runtime: Runtime | None = None,
) -> DetectorResult:
    """Train a detector on the pseudo boxes of the train pool; a finished one is reported, not repeated.

    A finished one that is damaged is made again; one that ``force`` began and that was stopped goes on.

    Raises EmptyPool (no pseudo boxes), NotTrained (no classifier), BadRecipe, AlreadyRunning, TrainingDiverged,
    DamagedFile; RunFailed when it was asked to stop: training then continues from its checkpoint.
    """
    config = load_config(config, lake.root) if isinstance(config, str) else config
    runtime = runtime or Runtime()
    speak = on_event if distributed.rank() == 0 else lambda _event: None
    sources = training_sources(lake, config)
    start = choose_start(lake, config)
    versions = data_versions(lake, sources, config)
    identity = fingerprint(config, versions, start)
    is_first = distributed.rank() == 0
    with exclusive(lake, f"detector.{config.name}") if is_first else contextlib.nullcontext():
        folder = Path(run_dir) if run_dir else folder_of(lake, config, versions, start)
        goes_on = distributed.from_first(is_again(folder))
        reused = distributed.from_first(is_first and not force and not goes_on and is_sound(folder, speak))
        if not reused:
            run = _Run(config, lake, folder, identity, runtime, speak)
            run.is_again = force or goes_on
            with stop_on_signals(runtime.stop), float32_products(config):
                try:
                    run.prepare(sources, start, versions, resume=runtime.resume and (goes_on or not force))
                    run.fit()
                except Stopped:
                    raise run.stopped() from None
            run.publish()
        if is_first:
            _export(config, folder, speak)
            if run_dir is None:
                store.point_latest(lake, config.name, folder)
        distributed.barrier()
    result = read_result(folder, reused=reused)
    speak({"event": "done", "model_dir": str(folder), "epochs": result.epochs, "best_metric": result.best_metric,
           "reused": reused, "duration_s": result.duration_s})  # fmt: skip
    return result


class _Run(TrainingRun):
    """One training of a detector under way."""

    def prepare(self, sources: tuple[str, ...], start: Start, versions: dict[str, str], *, resume: bool) -> None:
        """Choose images, pack them, build the network or restore it."""
        cv2.setNumThreads(0)
        self.choose_device()
        config, self.start, self.versions = self.recipe, start, versions
        boxes = data.read_boxes(self.lake, sources, config.boxes.min_score)
        grey = data.read_boxes(self.lake, sources, config.boxes.min_score, grey=True)
        images = data.read_images(self.lake, sources, (TRAIN,))
        if not config.boxes.ignore_grey:
            grey = Boxes.empty()
        teacher = teaching.look(self.lake, config, images, self.folder, self.identity)
        if teacher and config.boxes.from_teacher:
            boxes, grey = teaching.with_own(teacher, images, boxes, grey)
        if config.boxes.real:
            boxes, grey = data.with_drawn(boxes, grey, data.read_drawn(self.lake, sources, images))
        on_train = boxes.on(images["image_id"].to_pylist())
        self.classes = tuple(name for name in vocabulary().classes if name in set(on_train.label))
        if not self.classes:
            raise EmptyPool(
                "The train pool has no pseudo box", do="lower the gate of pseudo_boxes, or add images of more patients"
            )
        pool = data.pool_entries(images, boxes, self.classes, config, grey)
        sure = teaching.wrongly_sure(teacher, pool, self.classes) if teacher else None
        entries = data.choose_entries(pool, config, sure)
        held_out = data.read_images(self.lake, sources, (VALIDATION,))
        entire = data.pool_entries(held_out, boxes, self.classes, config, grey)
        several, counted = entire[: config.data.max_validation_images], entire[: config.decoding.false_images]
        self.reference = _reference(several, boxes, held_out, self.classes)
        self.prior = validation_prior(self.lake)
        self.films = data.counted_films(held_out, self.classes)
        pixels = self._pack(entries + entire[: max(len(several), len(counted))])
        self.spec = DetectorSpec.of(config, read_card(start.model_dir)["recipe"], self.classes, {
            "recipe": start.recipe, "classifier": start.model_dir.name, "reason": start.reason, "versions": versions,
        })  # fmt: skip
        if self.prior is None:
            self.spec = replace(self.spec, prior_weight=0.0)
        workers = self.runtime.workers or max(1, (os.cpu_count() or 2) // distributed.world_size() - 1)
        self.training, self.validation, self.counted = (
            ImageLoader(some, pixels, config, self.spec.input_section, workers=workers)
            for some in (entries, several, counted)
        )
        self.steps = self.training.steps
        state = DetectorState(config, self.spec, start.model_dir, self.training.matcher, self.device)
        self.take_up(state, resume=resume)
        self.image_ids = np.array([entry.image_id for entry in entries], dtype=object)
        self.stepper = Stepper(state, self.steps, self.image_ids, self.speak, what="images")
        self.speak({
            "event": "start", "detector": config.name, "fingerprint": self.identity, "recipe": start.recipe,
            "device": str(self.device), "processes": distributed.world_size(), "images": len(entries),
            "boxes": self.box_count, "classes": len(self.classes), "validation_images": len(several),
            "steps_per_epoch": self.steps, "max_epochs": config.training.max_epochs,
            "known_share": data.negatives_share(entries), "resumed_at_step": state.progress.step,
        })  # fmt: skip

    @property
    def box_count(self) -> int:
        """Boxes that are learned from."""
        return sum(len(entry.target.label) for entry in self.training.entries)

    def _pack(self, entries: list[data.ImageEntry]) -> PackedImages:
        """Process 0 packs what is missing; the others read it then."""
        size = self.recipe.input.size_px
        if distributed.rank() == 0:
            data.pack_entries(self.lake, entries, size)
        distributed.barrier()
        return data.open_entries(self.lake, entries, size)

    # --- the loop's parts -------------------------------------------------------------------------------------------
    def _batches(self, epoch: int, first_step: int) -> Iterator[ImageBatch]:
        return self.training.training(epoch, first_step, rank=distributed.rank(), world_size=distributed.world_size())

    def _images_of(self, batch: ImageBatch) -> int:
        return len(batch.images)

    def _picture(self, batch: ImageBatch) -> None:
        path = picture_path(self.lake, f"detector_{self.recipe.name}", self.identity)
        save_batch_picture(batch, self.spec.input_section, self.classes, self.image_ids, self.recipe.name, path)
        self.speak({"event": "picture", "path": str(path.relative_to(self.lake.root))})

    def _validate(self) -> Figures:
        """Look at validation's images over all processes; process 0 compares, so that all decide alike."""
        if not len(self.reference.boxes):
            return Figures()
        found = self._look(self.state.evaluated(), self.validation)
        figures = Figures(*(
            mean_average_precision(found, self.reference, level, STOPPING_IOU) for level in ("class", "agnostic")
        )) if distributed.rank() == 0 else None  # fmt: skip
        return Figures(**distributed.from_first(asdict(figures) if figures else None))

    @torch.no_grad()
    def _look(
        self, model: torch.nn.Module, loader: ImageLoader, read: Reader = raw_to_boxes, room: int | None = None
    ) -> Boxes:
        """Return all processes' boxes on a loader's images, weighed by what the ensemble says of their studies.

        ``read``: how raw outputs become boxes, ``room`` at most on an image (as the spec says).
        """
        rows, numbers, room = [], [], room or self.spec.max_boxes
        for images, mine in loader.evaluation(rank=distributed.rank(), world_size=distributed.world_size()):
            self._obey()
            batch = images.to(self.device, self.state.dtype, memory_format=torch.channels_last)
            with self.state.autocast():
                raw = [output.float().cpu().numpy() for output in model(batch)]
            some = [loader.entries[number] for number in mine]
            self._require_finite(raw[0], some)
            studies = [one.study_id for one in some]
            known = self.prior.of(studies, self.classes) if self.prior and self.spec.prior_weight else None
            facts = [(str(number), one.height_px, one.width_px) for number, one in zip(mine, some)]
            boxes = read(raw, self.spec, facts, prior=known)
            rows += [_padded(boxes, str(number), self.spec, room) for number in mine]
            numbers += list(mine)
        shape = (0, room, 6)
        mine = np.stack(rows) if rows else np.zeros(shape)
        table = distributed.gather_rows(np.array(numbers, dtype=np.int64), mine, len(loader.entries))
        return Boxes.of(
            (entry.image_id, self.classes[int(row[5])], tuple(row[:4]), float(row[4]))
            for entry, rows in zip(loader.entries, table)
            for row in rows[np.isfinite(rows[:, 4])]
        )

    def _require_finite(self, logits: np.ndarray, entries: list[data.ImageEntry]) -> None:
        """Raise TrainingDiverged where an image of validation has no finite answer: such weights are never the best."""
        broken = ~np.isfinite(logits).all(axis=(1, 2))
        if broken.any():
            images = [entries[row].image_id for row in np.flatnonzero(broken)[:NAMED_STUDIES]]
            raise TrainingDiverged(
                f"The detector has no finite answer to images of validation such as {', '.join(images)}",
                do="lower optimizer.lr, use bf16 or fp32, and look at these images",
            )

    def _chosen(self, figures: Figures) -> float:
        if figures.ap30 is not None:
            return figures.ap30
        return -self.state.progress.loss_sum / max(self.state.progress.loss_count, 1)

    # --- after the loop ---------------------------------------------------------------------------------------------
    def publish(self) -> None:
        """Choose the working point of the best weights; write them with their card."""
        distributed.barrier()  # every process reads the best weights, which the first may be writing still
        model = self.best_model()
        alone, with_ensemble = self._working_point(model)
        spec = replace(self.spec, thresholds=alone, ensemble_thresholds=with_ensemble)
        if distributed.rank() == 0:
            config, progress, weights = self.recipe, self.state.progress, model.state_dict()
            card = {
                "spec": spec.to_json(), "config": config.as_dict(), "config_hash": config.hash,
                "fingerprint": self.identity, "detector_version": DETECTOR_VERSION, VERSION_KEY: TRAINING_VERSION,
                "made_with": library_versions(), "vocabulary_version": vocabulary().version,
                "versions": self.versions, "images": len(self.training.entries), "boxes": self.box_count,
                "validation_images": len(self.validation.entries), "epochs": progress.validated_epochs,
                "steps": progress.step, "best_epoch": progress.best_epoch, "best_metric": progress.best_metric,
                "metrics": progress.history[progress.best_epoch],
                "duration_s": round(time.monotonic() - self.started, 1),
            }  # fmt: skip
            self._write_history()
            (self.folder / ONNX_FILE).unlink(missing_ok=True)
            publish(self.folder, weights, card)
            end_again(self.folder)
            teaching.forget(self.folder)
        distributed.barrier()

    def _working_point(self, model: torch.nn.Module) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return each class's threshold at the config's rates of false boxes on validation: of the detector alone, and
        where the ensemble forbids what it holds impossible."""
        entries, decoding = self.counted.entries, self.recipe.decoding
        if not entries:
            return (), ()
        films = self.films.of([entry.image_id for entry in entries])
        limits = Limits(decoding.false_boxes, decoding.absent_boxes, decoding.class_boxes, decoding.score_threshold)
        found = self._look(model, self.counted, each_class_alone, ALONE * len(self.classes))
        found = best_of_class(found, decoding.class_boxes)
        alone = chosen(found, films, self.classes, limits)
        if self.prior is None:
            return alone, ()
        possible = self.prior.possible([entry.study_id for entry in entries], self.classes)
        return alone, chosen(films.kept(found, possible, self.classes), films, self.classes, limits)


def read_result(folder: Path, *, reused: bool) -> DetectorResult:
    """Return the result of a finished training from its folder."""
    card = read_card(folder)
    spec = DetectorSpec.from_json(card["spec"])
    return DetectorResult(
        name=spec.name, model_dir=folder, fingerprint=card["fingerprint"], start_recipe=spec.provenance["recipe"],
        classes=spec.classes, images=card["images"], boxes=card["boxes"], validation_images=card["validation_images"],
        epochs=card["epochs"], best_metric=card["best_metric"], best_epoch=card["best_epoch"], reused=reused,
        duration_s=0.0 if reused else card["duration_s"], history=read_history(folder),
    )  # fmt: skip


def _padded(boxes: Boxes, image_id: str, spec: DetectorSpec, room: int) -> np.ndarray:
    """Return an image's boxes as rows of corners, score and class number, filled up with NaN: (room, 6)."""
    mine = boxes.take(boxes.image_id == image_id)
    rows = np.full((room, 6), np.nan)
    rows[: len(mine), :4], rows[: len(mine), 4] = mine.corners, mine.score
    rows[: len(mine), 5] = [spec.classes.index(name) for name in mine.label]
    return rows


def _export(config: DetectorConfig, folder: Path, speak: OnEvent) -> None:
    """Write ``model.onnx`` if it is wanted and not there; the weights are published by then."""
    if config.export_onnx and not (folder / ONNX_FILE).exists():
        exported = export_onnx(folder)
        speak({"event": "exported", "max_difference": exported.max_difference, "size_bytes": exported.size_bytes})


def _reference(entries: list[data.ImageEntry], boxes: Boxes, images: ImageSet, classes: tuple[str, ...]) -> Reference:
    ids = tuple(entry.image_id for entry in entries)
    mine = boxes.on(ids)
    mine = mine.take(np.array([name in classes for name in mine.label], dtype=bool))
    groups = np.array([entry.group_id for entry in entries])
    return Reference(ids, groups, mine, data.positive_without_box(images, boxes, classes))
