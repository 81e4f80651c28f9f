"""How a classifier is trained: pools, judgement of an epoch, card. The loop is in ``engine``, steps in ``stepper``.

What is learned (tasks), from what (loader) and what is kept (state) are other modules. ``train`` works the same in one
process and under ``torchrun``.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch

from radia_pipeline.errors import TrainingDiverged
from radia_pipeline.lake.atomic import write_text
from radia_pipeline.processes.lifecycle import Stopped, stop_on_signals
from radia_pipeline.training import distributed
from radia_pipeline.training.counted import counted_event
from radia_pipeline.training.engine import TrainingRun
from radia_pipeline.training.exclusive import exclusive
from radia_pipeline.training.identity import fingerprint
from radia_pipeline.training.inference import empty_answer, score_studies
from radia_pipeline.training.loader import check_channels
from radia_pipeline.training.model_folders import end_again, is_again, point_latest
from radia_pipeline.training.model_store import publish
from radia_pipeline.training.models import Classifier
from radia_pipeline.training.outcome import (
    OnEvent,
    Origin,
    Runtime,
    TrainResult,
    done_event,
    make_card,
    picture_path,
    read_result,
)
from radia_pipeline.training.pictures import save_batch_picture, save_empty_picture
from radia_pipeline.training.preparation import announce, prepare_pools
from radia_pipeline.training.recipe_schema import Recipe
from radia_pipeline.training.soundness import is_sound
from radia_pipeline.training.standing import folder_of, parent_of, told_by
from radia_pipeline.training.state import TrainingState, float32_products
from radia_pipeline.training.stepper import NAMED_STUDIES, Stepper
from radia_pipeline.training.studies import evaluation_labels, read_manifest
from radia_pipeline.training.tasks import Batch
from radia_pipeline.training.validation import Figures, counted_classes, validation_figures

if TYPE_CHECKING:
    import pyarrow as pa

    from radia_pipeline.lake.lake import Lake

__all__ = ["Runtime", "TrainResult", "train"]


def train(
    recipe: Recipe,
    lake: Lake,
    *,
    run_dir: Path | None = None,
    on_event: OnEvent = lambda _event: None,
    force: bool = False,
    runtime: Runtime | None = None,
) -> TrainResult:
    """Train a recipe on the lake's manifest and publish the best model; a finished one is reported, not repeated.

    A finished one that is damaged is made again; one that ``force`` began and that was stopped goes on.

    Raises EmptyPool, BadRecipe, NotTrained (``init_from``), AlreadyRunning, TrainingDiverged, DamagedFile; RunFailed
    when it was asked to stop (SIGINT, SIGTERM, ``runtime.stop``): training then continues from its checkpoint.
    """
    runtime = runtime or Runtime()
    speak = on_event if distributed.rank() == 0 else lambda _event: None
    manifest, versions = read_manifest(lake, recipe.data.sources)
    parent = parent_of(lake, recipe)
    is_first = distributed.rank() == 0
    with exclusive(lake, recipe.name) if is_first else contextlib.nullcontext():
        folder = Path(run_dir) if run_dir else folder_of(lake, recipe, versions, parent)
        goes_on = distributed.from_first(is_again(folder))
        reused = distributed.from_first(is_first and not force and not goes_on and is_sound(folder, speak))
        if not reused:
            identity = fingerprint(recipe, versions, parent, told_by(lake, recipe))
            run = _Run(recipe, lake, folder, identity, runtime, speak)
            run.is_again = force or goes_on
            with stop_on_signals(runtime.stop), float32_products(recipe):
                try:
                    run.prepare(manifest, resume=runtime.resume and (goes_on or not force))
                    run.fit()
                except Stopped:
                    raise run.stopped() from None
            run.publish(versions, parent)
        if run_dir is None and is_first:
            point_latest(lake, recipe.name, folder)
    result = read_result(lake, folder, reused=reused)
    speak(done_event(result))
    return result


class _Run(TrainingRun):
    """One training of a classifier under way."""

    @property
    def state(self) -> TrainingState:
        """What is trained, from ``prepare`` on."""
        return cast(TrainingState, super().state)  # ``prepare`` takes up no other

    def prepare(self, manifest: pa.Table, *, resume: bool) -> None:
        """Open the pools; build the state, or take it up from the checkpoint."""
        self.choose_device()
        self.pools = prepare_pools(self.recipe, self.lake, manifest, self.runtime, self.speak)
        self.steps = self.pools.training.steps
        labels = evaluation_labels(self.pools.validation.studies)
        counted_classes(labels, self.recipe.stopping, self.recipe.classes.leave_out)
        state = TrainingState(self.recipe, self.pools.training.studies, self.device, self.lake)
        self.take_up(state, resume=resume)
        self.stepper = Stepper(state, self.steps, self.pools.training.studies.study_id, self.speak)
        announce(self.recipe, self.pools, self.device, state.progress.step, self.identity, self.speak)
        self.speak(counted_event(self.recipe, state.counted))
        branches = range(len(state.classifier.backbones))
        for taken in {state.classifier.backbone_of(branch).taken for branch in branches}:
            if taken is None:
                continue
            self.speak({"event": "weights", "file": taken.file, "message": taken.words})

    # --- the loop's parts -------------------------------------------------------------------------------------------
    def _batches(self, epoch: int, first_step: int) -> Iterator[Batch]:
        return self.pools.training.training(
            epoch, first_step, rank=distributed.rank(), world_size=distributed.world_size()
        )

    def _images_of(self, batch: Batch) -> int:
        return int(batch.present.sum())

    def _require_finite(self, logits: np.ndarray) -> None:
        """Raise TrainingDiverged where a study of validation has no finite answer: such weights are never the best."""
        broken = ~np.isfinite(logits).all(axis=1)
        if broken.any():
            studies = self.pools.validation.studies.study_id[broken][:NAMED_STUDIES].tolist()
            raise TrainingDiverged(
                f"The model has no finite answer to {int(broken.sum())} of {len(broken)} studies of validation, "
                f"such as {', '.join(studies)}",
                do="lower optimizer.lr, use bf16 or fp32, and look at these studies",
            )

    def _validate(self) -> Figures:
        """Score the validation pool over all processes; process 0 compares, so that all decide alike."""
        model = cast(Classifier, self.state.evaluated())  # weights of the classifier or their mean
        arithmetic = self.state.autocast()
        logits = score_studies(model, self.pools.validation, self.device, self._obey, arithmetic)
        self._require_finite(logits)
        log_probability = model.log_probabilities(torch.from_numpy(logits).to(self.device)).cpu().numpy()
        labels = evaluation_labels(self.pools.validation.studies)
        is_first = distributed.rank() == 0
        how = self.recipe.stopping, self.pools.stands_for, self.recipe.classes.leave_out
        figures = validation_figures(log_probability, labels, *how) if is_first else None
        return Figures.of_record(distributed.from_first(asdict(figures) if figures else None))

    def _chosen(self, figures: Figures) -> float:
        return figures.chosen(self.recipe.stopping)

    def _picture(self, batch: Batch) -> None:
        path = picture_path(self.lake, self.recipe.name, self.identity)
        check_channels(batch, self.recipe)
        save_batch_picture(batch, self.recipe, path, self.pools.training.studies.study_id)
        self.speak({"event": "picture", "path": str(path.relative_to(self.lake.root))})

    # --- after the loop ---------------------------------------------------------------------------------------------
    def publish(self, versions: dict[str, str], parent: str | None) -> None:
        """Write the best weights with their card."""
        if distributed.rank() == 0:
            model = cast(Classifier, self.best_model())  # as in ``_validate``
            seconds = time.monotonic() - self.started
            answer = self._answer_nothing(model)
            progress = self.state.progress
            card = make_card(self.recipe, progress, Origin(self.identity, versions, parent), answer, seconds)
            card["told"] = told_by(self.lake, self.recipe)
            card["counted"] = {k: v for k, v in counted_event(self.recipe, self.state.counted).items() if k != "event"}
            self._write_history()
            publish(self.folder, model.state_dict(), card)
            end_again(self.folder)
        distributed.barrier()

    def _answer_nothing(self, model: Classifier) -> dict[str, float]:
        """Keep and speak what the model says without evidence: probabilities and maps of an empty image."""
        answer, maps = empty_answer(model, self.device)
        content = {name: {"probability": p, "map": m.round(4).tolist()} for (name, p), m in zip(answer.items(), maps)}
        write_text(self.folder / "empty_image.json", json.dumps(content) + "\n")
        path = picture_path(self.lake, self.recipe.name, self.identity, kind="empty_images")
        save_empty_picture(answer, maps, self.recipe, path)
        picture = str(path.relative_to(self.lake.root))
        self.speak({"event": "empty_image", "probability": answer, "picture": picture})
        return answer
