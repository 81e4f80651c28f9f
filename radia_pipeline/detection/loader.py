"""Images of a pool -> batches for the detector, built ahead by threads.

What a sample looks like is a pure function of (seed, epoch, image): batches do not depend on the number of threads or
processes, and training goes on at any step. Not here: which images there are (``data``).

Legend: B images, C channels, S side.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from radia_pipeline.detection import data
from radia_pipeline.detection.config import DetectorConfig
from radia_pipeline.detection.loss import ImageTarget, Matcher, Targets
from radia_pipeline.detection.objective import ImageBatch
from radia_pipeline.training.composed import Augmenter
from radia_pipeline.training.inputs import GREY_MAX, to_channels
from radia_pipeline.training.loader import ahead
from radia_pipeline.training.packed import PackedImages
from radia_pipeline.training.picture_sections import InputSection
from radia_pipeline.training.sampler import batch_slots, generator


class ImageLoader:
    """Batches of one pool's entries for one detector."""

    def __init__(
        self,
        entries: Sequence[data.ImageEntry],
        pixels: PackedImages,
        config: DetectorConfig,
        section: InputSection,
        *,
        workers: int = 1,
    ) -> None:
        self.entries, self.pixels, self.config, self.section = list(entries), pixels, config, section
        self.workers = max(1, workers)
        head = config.head
        self.matcher = Matcher(config.input.size_px, head.strides, head.center_radius, head.range_factor)
        self._of_thread = threading.local()

    @property
    def steps(self) -> int:
        """Whole batches in an epoch, at least one: of fewer images than a batch some are shown twice."""
        return max(1, len(self.entries) // self.config.training.batch_size)

    def training(self, epoch: int, first_step: int = 0, *, rank: int = 0, world_size: int = 1) -> Iterator[ImageBatch]:
        """Yield this process's part of each global batch of an epoch, from a step on, augmented."""
        size, seed = self.config.training.batch_size, self.config.training.seed
        order = generator(seed, "detector order", epoch).permutation(len(self.entries))
        order = np.resize(order, self.steps * size)
        plans = [(order[batch_slots(step, size, rank, world_size)], epoch) for step in range(first_step, self.steps)]
        return ahead(self.build, plans, self.workers)

    def evaluation(self, *, rank: int = 0, world_size: int = 1) -> Iterator[tuple[torch.Tensor, np.ndarray]]:
        """Yield images (B, C, S, S) as prediction sees them and their numbers (B,): every
        ``world_size``-th one, in order.

        Every process gets equally many: the last image fills up, and ``distributed.gather_rows`` drops it.
        """
        count = len(self.entries)
        mine = np.minimum(np.arange(-(-count // world_size), dtype=np.int64) * world_size + rank, count - 1)
        size = self.config.training.batch_size
        plans = [(mine[first : first + size],) for first in range(0, len(mine), size)]
        return ahead(self._plain, plans, self.workers)

    def build(self, numbers: np.ndarray, epoch: int) -> ImageBatch:
        """Build one batch of training."""
        pairs = [self._sample(self.entries[number], epoch) for number in numbers]
        images = torch.from_numpy(np.stack([to_channels(grey, self.section) for grey, _ in pairs]))
        targets = Targets.of([target for _, target in pairs], self.matcher)
        return ImageBatch(images, targets, torch.from_numpy(np.asarray(numbers)))

    def _plain(self, numbers: np.ndarray) -> tuple[torch.Tensor, np.ndarray]:
        greys = [to_channels(self._grey(self.entries[number]), self.section) for number in numbers]
        return torch.from_numpy(np.stack(greys)), numbers

    def _sample(self, entry: data.ImageEntry, epoch: int) -> tuple[np.ndarray, ImageTarget]:
        random, further = (
            generator(self.config.training.seed, f"detector {what}", epoch, entry.image_id)
            for what in ("sample", "further")
        )
        return data.augment(self._grey(entry), entry.target, self._augmenter(), random, further)

    def _grey(self, entry: data.ImageEntry) -> np.ndarray:
        return self.pixels.read(self.pixels.row_of_image[entry.image_id]).astype(np.float32) / GREY_MAX

    def _augmenter(self) -> Augmenter:
        """The thread's own: a transform of the library keeps what it drew. Raises BadRecipe."""
        if not hasattr(self._of_thread, "augmenter"):
            self._of_thread.augmenter = Augmenter(self.config.augmentation, kept_share=data.KEPT_SHARE)
        return self._of_thread.augmenter
