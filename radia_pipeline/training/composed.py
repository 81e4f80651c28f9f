"""Augmentation as albumentations composes it: our one resampling as one transform, then what a recipe adds.

Whatever is drawn comes from generators that the caller hands over, which belong to one sample: resuming and replaying
are exact, with any number of threads, as long as each has an ``Augmenter`` of its own. Not here: what our transform
does (``augmentation``), what may be added (``further``).

Legend: S side; boxes (left, top, right, bottom) in pixels, edges of pixels at whole numbers.
"""

from __future__ import annotations

import os
from random import Random
from typing import Any

import numpy as np

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # read when it is imported; else it asks the network

import albumentations
from albumentations.core.type_definitions import Targets

from radia_pipeline.errors import BadInput, BadRecipe
from radia_pipeline.training import augmentation
from radia_pipeline.training.further import FurtherTransform
from radia_pipeline.training.recipe_schema import AugmentationSection

POINTS_A_SIDE = 9
"""Of a box's outline that are followed; for an affine its corners would do."""
SEEDS = 2**63


class OneResampling(albumentations.DualTransform):
    """The original's five augmentations, drawn and applied at once by ``augmentation``; boxes follow.

    Takes pictures (S, S) float32 in 0..1; raises BadInput for others, (C, S, S) among them, which the library takes for
    a picture of S channels.
    """

    _targets = (Targets.IMAGE, Targets.BBOXES)

    def __init__(self, section: AugmentationSection) -> None:
        super().__init__(p=1.0)
        self.section = section

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Draw what happens to this picture."""
        return {"drawn": augmentation.draw(self.random_generator, self.section, data["image"].shape[0])}

    def apply(self, img: np.ndarray, drawn: augmentation.Drawn, **_: Any) -> np.ndarray:
        """(S, S) -> the same, changed as drawn."""
        return augmentation.apply(img, drawn, self.section)

    def apply_to_bboxes(self, bboxes: np.ndarray, drawn: augmentation.Drawn, shape: Any, **_: Any) -> np.ndarray:
        """(n, 4 or more) shares of the side -> what encloses each moved outline; further columns stay."""
        size = shape[0]
        along = np.linspace(0, 1, POINTS_A_SIDE)
        start, end = np.zeros(POINTS_A_SIDE), np.ones(POINTS_A_SIDE)
        outline = np.stack([np.concatenate([along, along, start, end]), np.concatenate([start, end, along, along])], 1)
        low, high = (bboxes[:, None, edges].astype(np.float64) * size for edges in ([0, 1], [2, 3]))
        points = (low + outline * (high - low)).reshape(-1, 2) - 0.5
        moved = augmentation.moved_points(points, drawn, self.section, size).reshape(-1, len(outline), 2) + 0.5
        found = bboxes.copy()
        found[:, :4] = np.concatenate([moved.min(axis=1), moved.max(axis=1)], axis=1) / size
        return found


class Augmenter:
    """A section of augmentations, ready to be applied; for one thread. Raises BadRecipe for what the library refuses.

    ``kept_share``: a box of which more than the rest is moved out of the picture is dropped; None: there are no boxes.
    """

    def __init__(self, section: AugmentationSection, kept_share: float | None = None) -> None:
        self.section = section
        boxes = None
        if kept_share is not None:
            boxes = albumentations.BboxParams(
                format="pascal_voc", min_visibility=kept_share, clip=True, filter_invalid_bboxes=True
            )
        steps = [OneResampling(section), *(_of_library(one) for one in section.also)]
        self._compose = albumentations.Compose(steps, bbox_params=boxes)

    def __call__(
        self, image: np.ndarray, random: np.random.Generator, further: np.random.Generator | None
    ) -> np.ndarray:
        """(S, S) float32 in 0..1 -> the same, augmented. ``random`` draws ours, ``further`` what is added, if any.

        What is added to a recipe changes nothing of what ours draws. Raises BadInput for another shape or type.
        """
        self._seed(random, further)
        return self._same_kind(self._compose(image=image)["image"], image)

    def with_boxes(
        self, image: np.ndarray, boxes: np.ndarray, random: np.random.Generator, further: np.random.Generator | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The same with boxes (M, 4) -> picture, boxes (m, 4) clipped to it, which of the M they are, int64 (m,)."""
        self._seed(random, further)
        numbered = np.concatenate([boxes.reshape(-1, 4), np.arange(len(boxes))[:, None]], axis=1)
        found = self._compose(image=image, bboxes=numbered)
        kept = np.asarray(found["bboxes"], dtype=np.float64).reshape(-1, 5)
        return self._same_kind(found["image"], image), kept[:, :4], np.rint(kept[:, 4]).astype(np.int64)

    def _seed(self, random: np.random.Generator, further: np.random.Generator | None) -> None:
        ours, *others = self._compose.transforms
        ours.set_random_state(random, ours.py_random)  # it draws from the first alone
        if others and further is not None:
            word = Random(int(further.integers(SEEDS)))
            for transform in others:
                transform.set_random_state(further, word)

    def _same_kind(self, found: np.ndarray, image: np.ndarray) -> np.ndarray:
        if found.shape != image.shape or found.dtype != np.float32:
            names = ", ".join(one.name for one in self.section.also)
            raise BadInput(f"{names} made a picture of shape {found.shape} and type {found.dtype} of {image.shape}")
        return found


def _of_library(also: FurtherTransform) -> albumentations.BasicTransform:
    kind, options = getattr(albumentations, also.name), also.options
    # Strict where a class checks by itself; it would warn and take its defaults otherwise.
    strict = {"strict": True} if "InitSchema" in vars(kind) else {}
    try:
        return kind(**options, **strict)
    except ValueError as error:
        # The library's words are about numbers of a recipe: nobody's data.
        raise BadRecipe(
            f"augmentation.also: {also.name} refuses {options}: {str(error).splitlines()[-1]}",
            accepted="what docs/augmentations.md and the library's page of the transform say",
            do="correct the recipe file",
        ) from None
