"""What a recipe may say of pictures: how one becomes a tensor, and which of a study are read. Nothing here computes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from radia_pipeline.training.choices import BRANCHES, CHANNELS, COMBINATIONS, NORMALISATIONS, TEST_TIME, VIEWS
from radia_pipeline.training.sections import PositiveFloat, Section, one_of


class NormalisationSection(Section):
    """How weights of others want to see a picture: values within ``range``, then less mean, over std."""

    mean: tuple[float, ...] = Field((0.0,), min_length=1, max_length=3, description="One, or three.")
    std: tuple[PositiveFloat, ...] = Field((1.0,), min_length=1, max_length=3, description="As many as mean.")
    range: tuple[float, float] = Field((0.0, 1.0), description="Black and white of the picture before mean and std.")

    @model_validator(mode="after")
    def _parts_fit(self) -> NormalisationSection:
        if len(self.mean) != len(self.std):
            raise ValueError("mean and std need as many values")
        if self.range[0] >= self.range[1]:
            raise ValueError("range must rise")
        return self


class InputSection(Section):
    """How a stored radiograph becomes a tensor."""

    size_px: Annotated[int, Field(ge=32, le=2048)] = Field(384, description="Side of the square input.")
    channels: Annotated[str, one_of(CHANNELS)] = Field(
        "gray", description="gray: 1 channel, min-max. clahe: min-max, CLAHE clip 2, CLAHE clip 4 (the original's)."
    )
    normalisation: Annotated[str, one_of(NORMALISATIONS)] | NormalisationSection = Field(
        "imagenet",
        description="After min-max: ImageNet mean and deviation; (x - 0.5) / 0.25; nothing; or mean, std and range.",
    )

    @model_validator(mode="after")
    def _one_mean_or_three(self) -> InputSection:
        own = self.normalisation
        if isinstance(own, NormalisationSection) and len(own.mean) not in (1, 3):
            raise ValueError("normalisation needs one mean and std, or three")
        return self

    @property
    def normalisation_words(self) -> str:
        """The normalisation as people call it."""
        own = self.normalisation
        return own if isinstance(own, str) else f"{own.range[0]:g} to {own.range[1]:g}, its own"

    @property
    def channel_count(self) -> int:
        """Channels of the tensor that the model sees."""
        return CHANNELS[self.channels].count


class ViewsSection(Section):
    """Which images of a study are read, and how their logits become the study's."""

    use: Annotated[str, one_of(VIEWS)] = Field(
        "frontal_lateral",
        description="Of several frontal images: PA before AP before UNKNOWN, then the smallest image_id; of several "
        "laterals the smallest image_id. all: frontals first, in that order, then laterals, at most max_views.",
    )
    weights: Annotated[str, one_of(BRANCHES)] = Field(
        "shared", description="separate: one backbone for each view kind."
    )
    combine: Annotated[str, one_of(COMBINATIONS)] = Field(
        "mean", description="Over present views, before the sigmoid. sum is the original's; logsumexp is log-mean-exp."
    )
    test_time: Annotated[str, one_of(TEST_TIME)] = Field(
        "none", description="Outside training: flip averages a picture's logits with those of its mirror image."
    )
    max_views: Annotated[int, Field(ge=1, le=8)] = Field(4, description="Only for use: all.")

    @model_validator(mode="after")
    def _separate_needs_two_kinds(self) -> ViewsSection:
        if BRANCHES[self.weights] > 1 and self.use != "frontal_lateral":
            raise ValueError(f"weights: {self.weights} needs use: frontal_lateral")
        return self
