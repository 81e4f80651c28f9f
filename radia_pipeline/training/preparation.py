"""What stands before the first step: images packed, studies gathered, loaders opened, on every process alike."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pyarrow as pa
import torch

from radia_pipeline.contracts.pools import TRAIN, VALIDATION
from radia_pipeline.errors import BadRecipe
from radia_pipeline.processes.lifecycle import Stopped
from radia_pipeline.training import distributed, packed
from radia_pipeline.training.loader import BatchLoader
from radia_pipeline.training.outcome import OnEvent, Runtime
from radia_pipeline.training.recipe_schema import Recipe
from radia_pipeline.training.studies import pool_studies
from radia_pipeline.training.teaching import taught
from radia_pipeline.training.validation_sample import validation_sample

if TYPE_CHECKING:
    from radia_pipeline.lake.lake import Lake


@dataclass(frozen=True)
class Pools:
    """The two pools that a training reads. ``stands_for``: how many studies each one of validation stands for, if a
    sample of the pool steers."""

    training: BatchLoader
    validation: BatchLoader
    stands_for: np.ndarray | None = None


def prepare_pools(recipe: Recipe, lake: Lake, manifest: pa.Table, runtime: Runtime, speak: OnEvent) -> Pools:
    """Pack what is missing (process 0) and open both pools. Raises EmptyPool, BadRecipe, Stopped."""
    cv2.setNumThreads(0)
    if recipe.training.batch_size < distributed.world_size():
        raise BadRecipe(
            f"training.batch_size is {recipe.training.batch_size} and {distributed.world_size()} processes share it",
            accepted=f"{distributed.world_size()} or more",
            do="raise training.batch_size, or let fewer GPUs be seen (CUDA_VISIBLE_DEVICES)",
        )
    wanted = packed.wanted_of_manifest(lake, manifest)
    size = recipe.input.size_px
    if distributed.rank() == 0:
        packed.pack(lake, wanted, size, _on_packed(runtime, speak))
    distributed.barrier()
    images = packed.open_packed(lake, wanted, size, _on_mended(speak))
    workers = runtime.workers or max(1, (os.cpu_count() or 2) // distributed.world_size() - 1)
    training, validation = (pool_studies(manifest, recipe, pool, images.row_of_image) for pool in (TRAIN, VALIDATION))
    sample = validation_sample(recipe, validation)
    validation = validation.taken(sample[0]) if sample else validation
    device = choose_device(runtime)
    training = taught(training, recipe, lake, manifest, device, workers)
    is_pinned = device.type == "cuda"
    first, second = (
        BatchLoader(studies, images, recipe, workers=workers, is_pinned=is_pinned) for studies in (training, validation)
    )
    return Pools(first, second, sample[1] if sample else None)


def announce(
    recipe: Recipe, pools: Pools, device: torch.device, first_step: int, identity: str, speak: OnEvent
) -> None:
    """Say what is about to be trained."""
    speak(
        {
            "event": "start",
            "recipe": recipe.name,
            "fingerprint": identity,
            "device": str(device),
            "processes": distributed.world_size(),
            "train_studies": len(pools.training.studies),
            "validation_studies": len(pools.validation.studies),
            "steps_per_epoch": pools.training.steps,
            "max_epochs": recipe.training.max_epochs,
            "resumed_at_step": first_step,
        }
    )


def choose_device(runtime: Runtime) -> torch.device:
    """Return the named device, else this process's GPU, else the CPU."""
    if runtime.device:
        return torch.device(runtime.device)
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return torch.device("cpu")


def _on_mended(speak: OnEvent) -> packed.OnMended:
    def on_mended(image_id: str) -> None:
        speak({"event": "warning", "message": f"the packed image {image_id} was damaged and has been packed anew"})

    return on_mended


def _on_packed(runtime: Runtime, speak: OnEvent) -> Callable[[int, int], None]:
    def on_packed(done: int, count: int) -> None:
        speak({"event": "packing", "done": done, "total": count})
        if runtime.stop and distributed.world_size() == 1:
            raise Stopped

    return on_packed
