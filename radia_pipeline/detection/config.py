"""What a detector's file may say: every option, typed, with its default; sections as in a classifier's recipe.

Light on purpose: no torch. Not here: how files are read (``recipes``), what the options do (``model``, ``data``,
``loss``).
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from radia_pipeline.training.optimizers import OptimizerSection
from radia_pipeline.training.recipe_schema import (
    AffineSection,
    AugmentationSection,
    FlipSection,
    JitterSection,
    TrainingSection,
)
from radia_pipeline.training.schedules import ScheduleSection
from radia_pipeline.training.sections import PositiveFloat, PositiveInt, Probability, Section

NAMELESS = ("name", "title", "export_onnx")
"""What changes neither weights nor how they are read."""
FCOS: Literal["fcos"] = "fcos"
GFL: Literal["gfl"] = "gfl"
"""Kinds of heads."""
REACH = 16
"""Strides that an edge may lie from its position in generalized focal loss, as published."""


class DetectorInputSection(Section):
    """The picture; grey levels and channels are the classifier's."""

    size_px: Annotated[int, Field(ge=64, le=2048)] = Field(192, description="Side of the square input.")


class DetectorHeadSection(Section):
    """Pyramid and heads, and which positions learn a box."""

    kind: Literal["fcos", "gfl"] = Field(
        FCOS,
        description="fcos: a class's probability, and centre-ness; gfl: scores that say how well a box fits, and edges "
        "as distributions (generalized focal loss).",
    )
    strides: tuple[PositiveInt, ...] = Field(
        (8, 16, 32), min_length=1, description="Levels of the pyramid, rising; those of the backbone's maps, or beyond."
    )
    channels: Annotated[int, Field(ge=32, le=1024, multiple_of=32)] = Field(
        64, description="Of the pyramid; what a network costs goes with their square."
    )
    norm_groups: Annotated[int, Field(ge=1, le=32)] = Field(
        32, description="The heads normalise their channels in so many groups; as many as channels: each by itself."
    )
    convs: Annotated[int, Field(ge=1, le=8)] = Field(2, description="Layers of each head.")
    center_radius: Annotated[float, Field(ge=0.5, le=16)] = Field(
        1.5, description="A position learns a box if it lies within so many strides of the box's centre."
    )
    range_factor: Annotated[float, Field(ge=1, le=64)] = Field(
        4.0, description="A level is responsible for boxes that reach up to so many of its strides from there."
    )


class DetectorDataSection(Section):
    """Which images are learned from."""

    sources: tuple[str, ...] | None = Field(None, description="None: every source that has pseudo boxes.")
    max_images: PositiveInt = Field(400, description="Of the training pool, rare classes first.")
    max_validation_images: PositiveInt = Field(150, description="That steer the training.")
    empty_share: Annotated[float, Field(ge=0, le=0.9)] = Field(0.25, description="Of the images, without a box.")
    hard_share: Probability = Field(
        0.0,
        description="Of the images without a box, those on which ``teacher`` is most sure of a class that is known not "
        "to be there; the others are drawn by chance.",
    )


class DetectorBoxesSection(Section):
    """Which boxes are learned from, and how much each counts."""

    min_score: Probability = Field(0.0, description="Pseudo boxes below are not learned from.")
    weigh_by_score: bool = Field(
        True, description="A pseudo box counts as much as its score, relative to its class's mean."
    )
    softness: Probability = Field(
        0.0,
        description="Of a class's pseudo boxes, those below its mean score are wanted less than surely: by this "
        "share of what they lack to it; 0: all are wanted as sure findings.",
    )
    ignore_grey: bool = Field(
        True,
        description="Where a box of the grey zone is, its class counts neither as a finding nor as background; false: "
        "such boxes are as if they were not there.",
    )
    from_teacher: bool = Field(
        False,
        description="Where a label says that a class is there and ``teacher`` shows a box of it at its working point, "
        "the teacher's boxes stand in place of the pseudo boxes.",
    )
    real: bool = Field(
        False, description="On images that radiologists drew on, their boxes stand in place of the pseudo boxes."
    )


class DetectorAffineSection(AffineSection):
    """As a recipe's; no rotation, since a box cannot turn."""

    p: Probability = Field(1.0, description="Chance for a picture.")
    translate: Probability = Field(0.08, description="Share of the side.")
    rotate_deg: Annotated[float, Field(ge=0.0, le=180.0)] = Field(0.0, description="About the centre, in degrees.")
    shear_deg: Annotated[float, Field(ge=0.0, lt=80.0)] = Field(0.0, description="Along each axis, in degrees.")
    scale: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(0.15, description="Share by which it grows or shrinks.")


class DetectorJitterSection(JitterSection):
    """As a recipe's."""

    p: Probability = Field(1.0, description="Chance for a picture.")
    brightness: Probability = Field(0.15, description="The factor lies within 1 plus or minus this.")
    contrast: Probability = Field(0.15, description="The factor about the mean, likewise.")


class DetectorFlipSection(FlipSection):
    """As a recipe's."""

    p: Probability = Field(0.5, description="Chance for a picture.")


class DetectorAugmentationSection(AugmentationSection):
    """What changes images and boxes alike, in a recipe's words."""

    affine: DetectorAffineSection = DetectorAffineSection()
    jitter: DetectorJitterSection = DetectorJitterSection()
    flip: DetectorFlipSection = DetectorFlipSection()


class DetectorOptimizerSection(OptimizerSection):
    """As a recipe's; the backbone, which is trained already, moves slower."""

    lr: PositiveFloat = Field(1e-3, description="At the schedule's height.")
    clip_norm: PositiveFloat | None = Field(5.0, description="Largest norm of the whole gradient; None: any.")
    backbone_factor: Annotated[float, Field(ge=0.0, le=10.0)] = Field(
        0.2, description="Of the rate, for the backbone; 0: it stays as the classifier left it."
    )


class DetectorScheduleSection(ScheduleSection):
    """As a recipe's."""

    warmup_share: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(0.1, description="Of onecycle.")


class DetectorStoppingSection(Section):
    """When a training ends; epochs are compared by mean AP at IoU .3 against validation's pseudo boxes."""

    patience: PositiveInt = Field(6, description="Epochs without gain.")


class DetectorTrainingSection(TrainingSection):
    """As a recipe's."""

    max_epochs: PositiveInt = Field(14, description="The schedule is made for so many.")
    batch_size: PositiveInt = Field(16, description="Images per step over all processes together.")


class DecodingSection(Section):
    """How raw outputs become boxes."""

    score_threshold: Probability = Field(0.05, description="Boxes below are not made, not even to be judged.")
    nms_iou: Probability = Field(0.4, description="Of two boxes of a class that overlap by more the better one stays.")
    max_boxes: Annotated[int, Field(ge=1, le=1000)] = Field(100, description="On one image, at the very most.")
    prior_weight: Annotated[float, Field(ge=0, le=4)] = Field(
        0.0, description="Scores are multiplied by the ensemble's probability of their class, to this power; 0: not."
    )
    false_boxes: PositiveFloat = Field(
        0.5, description="Working point: false boxes on a normal film, over all classes, at most."
    )
    absent_boxes: PositiveFloat = Field(
        7.0,
        description="Working point: boxes of classes that labels say are absent, on a film of any kind, at most; "
        "thresholds follow by class.",
    )
    class_boxes: PositiveInt = Field(3, description="Working point: boxes of one class on an image, at most.")
    false_images: PositiveInt = Field(2000, description="Images of validation on which they are counted, at most.")


class DetectorConfig(Section):
    """One detector, whole. Lengths in pixels of the square input."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]{0,63}$")] = Field("small", description="The file's name.")
    title: str = Field("", description="One line for people.")
    recipe: str | None = Field(
        None, description="Classifier whose backbone starts it; None: the best member of what answers."
    )
    teacher: str | None = Field(
        None,
        description="A detector that the lake has trained, for a second round: what it teaches say "
        "``from_teacher`` and ``hard_share``. With ``ema`` its averaged weights teach.",
    )
    input: DetectorInputSection = DetectorInputSection()
    head: DetectorHeadSection = DetectorHeadSection()
    data: DetectorDataSection = DetectorDataSection()
    boxes: DetectorBoxesSection = DetectorBoxesSection()
    augmentation: DetectorAugmentationSection = DetectorAugmentationSection()
    optimizer: DetectorOptimizerSection = DetectorOptimizerSection()
    schedule: DetectorScheduleSection = DetectorScheduleSection()
    stopping: DetectorStoppingSection = DetectorStoppingSection()
    training: DetectorTrainingSection = DetectorTrainingSection()
    decoding: DecodingSection = DecodingSection()
    export_onnx: bool = Field(True, description="After training; about 15 s of one core.")

    @model_validator(mode="after")
    def _parts_fit(self) -> DetectorConfig:
        strides = self.head.strides
        if list(strides) != sorted(set(strides)):
            raise ValueError(f"head.strides are {list(strides)}: give rising numbers, such as 8, 16, 32")
        if self.head.channels % self.head.norm_groups:
            raise ValueError(f"head.norm_groups is {self.head.norm_groups}: give a divisor of {self.head.channels}")
        if self.head.kind == GFL and self.input.size_px > 2 * REACH * strides[-1]:
            raise ValueError(
                f"head.kind gfl reaches {REACH} strides each way: input.size_px {self.input.size_px} wants a level of "
                f"stride {strides[-1] * 2} or more in head.strides"
            )
        if bool(self.teacher) != (self.boxes.from_teacher or self.data.hard_share > 0):
            raise ValueError("give teacher together with boxes.from_teacher, data.hard_share or both")
        if self.teacher == self.name:
            raise ValueError("teacher names the detector itself")
        if self.input.size_px % strides[-1]:
            raise ValueError(f"input.size_px is {self.input.size_px}: give a multiple of the last stride {strides[-1]}")
        return self

    def as_dict(self) -> dict[str, Any]:
        """All options as plain values."""
        return self.model_dump(mode="json")

    @property
    def hash(self) -> str:
        """sha256 over what differs from the defaults and can change the weights or how they are read, 64 hex digits.

        Name, title and export do not; a new option leaves the detectors that do not use it alone.
        """
        content = self.model_dump(mode="json", exclude_defaults=True, exclude=set(NAMELESS))
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
