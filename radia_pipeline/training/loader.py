"""Studies + packed images -> batches, built ahead by threads (OpenCV releases the interpreter lock).

What a sample looks like is a pure function of (seed, epoch, place in the epoch): batches do not depend on the number
of threads or processes, and training resumes at any step. Legend: B studies, V slots, C channels, S side, 21 classes.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch

from radia_pipeline.errors import BadInput
from radia_pipeline.training.choices import CHANNELS
from radia_pipeline.training.inputs import GREY_MAX, normalisation, to_channels
from radia_pipeline.training.packed import PackedImages
from radia_pipeline.training.recipe_schema import Recipe
from radia_pipeline.training.sampler import batch_slots, epoch_order, generator, loss_weights, steps_per_epoch
from radia_pipeline.training.studies import Studies
from radia_pipeline.training.targets import targets_and_mask
from radia_pipeline.training.tasks import Batch

if TYPE_CHECKING:
    from radia_pipeline.training.composed import Augmenter

Built = TypeVar("Built")
CHANNEL_TOLERANCE = 0.01
"""Mean difference, in grey levels of 0 to 1, that rounding on the way back may leave."""


class BatchLoader:
    """Batches of one pool for one recipe; ``is_pinned``: in memory from which a GPU copies by itself."""

    def __init__(
        self, studies: Studies, packed: PackedImages, recipe: Recipe, *, workers: int = 1, is_pinned: bool = False
    ) -> None:
        self.is_pinned = is_pinned
        self.studies, self.packed, self.recipe, self.workers = studies, packed, recipe, max(1, workers)
        self._of_thread = threading.local()
        self.loss_weights = loss_weights(studies, recipe.data)

    @property
    def steps(self) -> int:
        """Steps in an epoch of training."""
        return steps_per_epoch(self.studies, self.recipe.data, self.recipe.training.batch_size)

    def training(self, epoch: int, first_step: int = 0, *, rank: int = 0, world_size: int = 1) -> Iterator[Batch]:
        """Yield this process's part of each global batch of an epoch, from ``first_step`` on, augmented."""
        order = epoch_order(self.studies, self.recipe.data, self.recipe.training.seed, epoch)
        size = self.recipe.training.batch_size
        slots = [batch_slots(step, size, rank, world_size) for step in range(first_step, self.steps)]
        self._augmenter()
        return ahead(self.build, [(order[places], places, epoch) for places in slots], self.workers)

    def evaluation(self, *, rank: int = 0, world_size: int = 1) -> Iterator[Batch]:
        """Yield every ``world_size``-th study, in order, as prediction sees it.

        Every process gets equally many batches: the last study fills up, and ``distributed.gather_rows`` drops it.
        """
        count = len(self.studies)
        mine = np.minimum(np.arange(-(-count // world_size), dtype=np.int64) * world_size + rank, count - 1)
        size = max(1, self.recipe.training.batch_size // world_size)
        parts = [mine[start : start + size] for start in range(0, len(mine), size)]
        return ahead(self.build, [(part, part, None) for part in parts], self.workers)

    def build(self, indices: np.ndarray, places: np.ndarray, epoch: int | None) -> Batch:
        """Build one batch; ``epoch`` None means without augmentation and draws."""
        studies, section = self.studies, self.recipe.input
        shape = (len(indices), studies.image_rows.shape[1], section.channel_count, section.size_px, section.size_px)
        images = np.zeros(shape, dtype=np.float32)
        draws = np.full((len(indices), studies.values.shape[1]), 0.5)
        for at, (study, place) in enumerate(zip(indices, places)):
            random = further = None
            if epoch is not None:
                random = generator(self.recipe.training.seed, "sample", epoch, int(place))
                if self.recipe.augmentation.also:
                    further = generator(self.recipe.training.seed, "further", epoch, int(place))
                draws[at] = random.random(draws.shape[1])
            for slot, row in enumerate(studies.image_rows[study]):
                if row >= 0:
                    images[at, slot] = self._image(int(row), random, further)
        values, labelled = studies.values[indices], studies.labelled[indices]
        soft = None if studies.soft is None else studies.soft[indices]
        targets, mask = targets_and_mask(values, labelled, self.recipe.labels, draws, soft)
        present, weight = studies.image_rows[indices] >= 0, self.loss_weights[indices]
        arrays = (images, present, targets, mask, values, weight, np.asarray(indices))
        batch = Batch(*(torch.from_numpy(array) for array in arrays))
        check_batch(batch, self.recipe, studies.study_id[indices])
        return batch.pinned() if self.is_pinned else batch

    def _image(self, row: int, random: np.random.Generator | None, further: np.random.Generator | None) -> np.ndarray:
        grey = self.packed.read(row).astype(np.float32) * np.float32(1 / GREY_MAX)
        if random is not None:
            grey = self._augmenter()(grey, random, further)
        return to_channels(grey, self.recipe.input)

    def _augmenter(self) -> Augmenter:
        """The thread's own: a transform of the library keeps what it drew. Raises BadRecipe."""
        if not hasattr(self._of_thread, "augmenter"):
            # Imported by those who train alone: the library takes seconds.
            from radia_pipeline.training.composed import Augmenter

            self._of_thread.augmenter = Augmenter(self.recipe.augmentation)
        return self._of_thread.augmenter


def ahead(build: Callable[..., Built], plans: Iterable[tuple], workers: int) -> Iterator[Built]:
    """Yield what is built of each plan, in order, while threads build the next ones."""
    with ThreadPoolExecutor(max_workers=workers) as pool:
        waiting: deque = deque()
        try:
            for plan in plans:
                waiting.append(pool.submit(build, *plan))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def check_batch(batch: Batch, recipe: Recipe, study_ids: np.ndarray) -> None:
    """Refuse a batch whose shape, type or content cannot be right; names keyed study ids. Raises BadInput."""
    side, channels = recipe.input.size_px, recipe.input.channel_count
    images = batch.images
    if images.ndim != 5 or tuple(images.shape[2:]) != (channels, side, side):
        raise BadInput(
            f"Batch of images of shape {tuple(images.shape)}",
            accepted=f"(studies, views, {channels}, {side}, {side}): channels before rows and columns",
        )
    if images.dtype != torch.float32:
        raise BadInput(f"Batch of images of type {images.dtype}", accepted="float32")
    sums = images.flatten(1).sum(dim=1).numpy()
    if not np.isfinite(sums).all():
        raise BadInput(
            f"Pixels that are not finite in studies {_named(study_ids, ~np.isfinite(sums))}", accepted="numbers"
        )
    targets = batch.targets.numpy()
    wrong = ~(np.isfinite(targets) & (targets >= 0) & (targets <= 1)).all(axis=1)
    if wrong.any():
        raise BadInput(f"Targets outside 0 to 1 in studies {_named(study_ids, wrong)}", accepted="0 to 1")
    if not batch.present.any(dim=1).all():
        raise BadInput(
            f"No image in studies {_named(study_ids, ~batch.present.any(dim=1).numpy())}", accepted="one or more"
        )


def check_channels(batch: Batch, recipe: Recipe) -> None:
    """Refuse a batch whose channels are not what ``to_channels`` makes of its first one; raises BadInput.

    Looked at once per training, on one image: three planes in another order have the right shape and teach nonsense.
    """
    section = recipe.input
    study, slot = (int(places[0]) for places in torch.nonzero(batch.present, as_tuple=True))
    tensor = batch.images[study, slot].numpy()
    mean, deviation = normalisation(section)
    grey = np.clip(tensor[0] * deviation[0] + mean[0], 0, 1).astype(np.float32)
    away = np.abs(to_channels(grey, section) - tensor).mean(axis=(1, 2)) * deviation
    if away.max() > CHANNEL_TOLERANCE:
        raise BadInput(
            f"Channel {int(away.argmax())} of a batch is not what the recipe says",
            accepted=f"{CHANNELS[section.channels].words}, in this order",
            do="look at the picture of the training batch",
        )


def _named(study_ids: np.ndarray, chosen: np.ndarray) -> str:
    return ", ".join(study_ids[chosen][:5])
