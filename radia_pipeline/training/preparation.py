"""What stands before the first step: images packed, studies gathered, loaders opened, on every process alike."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import pyarrow as pa
import torch

from radia_pipeline.contracts.pools import TRAIN, VALIDATION
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.processes.lifecycle import Stopped
from radia_pipeline.training import distributed, packed
from radia_pipeline.training.loader import BatchLoader
from radia_pipeline.training.outcome import OnEvent, Runtime
from radia_pipeline.training.recipe_schema import Recipe
from radia_pipeline.training.studies import label_counts, pool_studies


@dataclass(frozen=True)
class Pools:
    """The two pools that a training reads."""

    training: BatchLoader
    validation: BatchLoader


def prepare_pools(recipe: Recipe, lake, manifest: pa.Table, runtime: Runtime, speak: OnEvent) -> Pools:
    """Pack what is missing (process 0) and open training and validation studies; raises EmptyPool, Stopped."""
    cv2.setNumThreads(0)
    wanted = wanted_images(lake, manifest)
    size = recipe.input.size_px
    if distributed.rank() == 0:
        packed.pack(lake, wanted, size, _on_packed(runtime, speak))
    distributed.barrier()
    images = packed.open_packed(lake, wanted, size)
    workers = runtime.workers or max(1, (os.cpu_count() or 2) // distributed.world() - 1)
    loaders = [
        BatchLoader(pool_studies(manifest, recipe, pool, images.row_of_image), images, recipe, workers=workers)
        for pool in (TRAIN, VALIDATION)
    ]
    return Pools(*loaders)


def wanted_images(lake, manifest: pa.Table) -> dict[str, list[packed.Wanted]]:
    """Return each source's images of a manifest, as packing wants them."""
    return packed.wanted_images(lake, *(manifest.column(name).to_pylist() for name in ("source", "image_id", "path")))


def announce(
    recipe: Recipe, pools: Pools, device: torch.device, first_step: int, identity: str, speak: OnEvent
) -> None:
    """Say what is about to be trained, and which classes cannot be learned."""
    speak(
        {
            "event": "start",
            "recipe": recipe.name,
            "fingerprint": identity,
            "device": str(device),
            "processes": distributed.world(),
            "train_studies": len(pools.training.studies),
            "validation_studies": len(pools.validation.studies),
            "steps_per_epoch": pools.training.steps,
            "max_epochs": recipe.training.max_epochs,
            "resumed_at_step": first_step,
        }
    )
    counts = label_counts(pools.training.studies)
    none = np.array(vocabulary().classes)[counts["positives"] == 0].tolist()
    if none:
        speak({"event": "warning", "message": f"no positive in training: {', '.join(none)}", "classes": none})


def choose_device(runtime: Runtime) -> torch.device:
    """Return the named device, else this process's GPU, else the CPU."""
    if runtime.device:
        return torch.device(runtime.device)
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return torch.device("cpu")


def _on_packed(runtime: Runtime, speak: OnEvent) -> Callable[[int, int], None]:
    def on_packed(done: int, count: int) -> None:
        speak({"event": "packing", "done": done, "total": count})
        if runtime.stop and distributed.world() == 1:
            raise Stopped

    return on_packed
