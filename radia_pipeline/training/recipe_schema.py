"""What a recipe may say: every option of a training, typed, with its default. Reading files is in ``recipes``.

Nothing here computes. A new technique starts as a field here; what can be chosen by name stands in ``choices``.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any

from pydantic import Field, model_validator

from radia_pipeline.training.choices import (
    ASKED_BLANK,
    BLANK,
    HEADS,
    INFERENCES,
    OPEN_CELLS,
    POSITIVE_WEIGHTS,
    PRECISIONS,
    TASKS,
    TRAINED,
    UNCERTAIN,
)
from radia_pipeline.training.further import FurtherTransform
from radia_pipeline.training.optimizers import OptimizerSection
from radia_pipeline.training.picture_sections import InputSection, ViewsSection
from radia_pipeline.training.pool_sections import ClassesSection, DataSection, StoppingSection
from radia_pipeline.training.schedules import ScheduleSection
from radia_pipeline.training.sections import PositiveFloat, PositiveInt, Probability, Section, one_of


class ModelSection(Section):
    """The network: a timm backbone, a head, what is trained."""

    backbone: str = Field(
        "densenet121",
        description="A timm model whose map, pooled by its mean, is what timm itself hands to a classifier.",
    )
    kwargs: dict[str, Any] = Field(default_factory=dict, description="Passed to timm.create_model.")
    pretrained: bool = Field(
        False, description="Start from published weights; the file is looked for in RADIA_WEIGHTS."
    )
    weights: str | None = Field(
        None,
        description="Start from this file (.safetensors or .pt), sought in RADIA_WEIGHTS unless its path is whole.",
    )
    head: Annotated[str, one_of(HEADS)] = Field(
        "linear", description="pcam: each class pools the map by its own probabilities (Ye et al. 2020)."
    )
    map_stride: PositiveInt | None = Field(
        None,
        description="Pixels of the input for a position under the head: a light pyramid (in the manner of PYLON) joins "
        "the backbone's last map with finer ones. None: the last map as it is.",
    )
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(0.0, description="Before the head.")
    drop_path: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(0.0, description="Stochastic depth of the backbone.")
    train_only: Annotated[str, one_of(TRAINED)] = Field("all", description="head: the backbone is frozen.")
    checkpoint_activations: bool = Field(
        False, description="Compute a block's activations again for its gradient, instead of keeping them."
    )
    freeze_batch_norm: bool = Field(False, description="Batch normalisation keeps its running statistics.")
    sync_batch_norm: bool = Field(False, description="One set of batch statistics over all processes (GPU only).")


class TaskSection(Section):
    """The objective, and how logits become probabilities."""

    kind: Annotated[str, one_of(TASKS)] = Field(
        "bce", description="conditional: loss of a class only where all its parents are positive (Pham et al. 2019)."
    )
    inference: Annotated[str, one_of(INFERENCES)] = Field(
        "plain", description="hierarchy: P(class) = sigmoid(z) x min over parents of P(parent)."
    )
    pos_weight: Annotated[str, one_of(POSITIVE_WEIGHTS)] | dict[str, PositiveFloat] = Field(
        "none",
        description="auto: negatives / positives of what the loss counts, per class, at most pos_weight_cap and at "
        "least its inverse. Weights given by class are taken as they are.",
    )
    pos_weight_cap: Annotated[float, Field(ge=1.0)] = Field(10.0, description="Of auto.")
    class_weight: dict[str, Annotated[float, Field(ge=0.0)]] = Field(
        default_factory=dict, description="Weight of a class in the loss; 1 where it is not named."
    )
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        0.0, description="Targets move by this share towards one half."
    )
    margin: PositiveFloat = Field(1.0, description="Of auc_margin.")
    correct_prior: bool = Field(
        True, description="Undo pos_weight's and weighted sampling's factor on the odds in probabilities."
    )


class LabelsSection(Section):
    """What uncertain and blank labels mean to the loss."""

    uncertain: Annotated[str, one_of(UNCERTAIN)] = Field(
        "uniform", description="uniform: a share drawn within uncertain_range; ignore: no part of the loss."
    )
    uncertain_range: tuple[Probability, Probability] = Field(
        (0.5, 0.85), description="Of uniform, redrawn at each epoch; the original's. Pham et al.: 0.55 to 0.85."
    )
    blank: Annotated[str, one_of(BLANK)] = Field(
        "negative", description="Only for classes that the source labels; others are always masked."
    )
    asked_blank: Annotated[str, one_of(ASKED_BLANK)] = Field(
        "as_blank", description="What the indication asks for and the report never mentions: as any blank, or masked."
    )
    moving_average: Annotated[float, Field(ge=0.0, lt=1.0)] | None = Field(
        None, description="L <- a L + (1 - a) P after each prediction (the original: a = 0.999)."
    )
    teacher: str | None = Field(
        None, description="Recipe whose model's probabilities are the targets of cells that labels leave open."
    )
    teacher_answers: tuple[Annotated[str, one_of(OPEN_CELLS)], ...] = Field(
        ("uncertain", "blank"),
        min_length=1,
        description="Which cells; unlabelled: of classes that a source does not label.",
    )
    doubt: Probability = Field(
        0.0, description="A cell of the review queue weighs 1 - doubt x its chance to be wrong in the loss."
    )

    @model_validator(mode="after")
    def _range_rises(self) -> LabelsSection:
        low, high = self.uncertain_range
        if low > high:
            raise ValueError("uncertain_range must rise")
        return self


class AffineSection(Section):
    """Translation, rotation, shear and scale; each drawn uniformly within plus or minus its limit."""

    p: Probability = Field(0.0, description="Chance for a picture.")
    translate: Probability = Field(0.1, description="Share of the side.")
    rotate_deg: Annotated[float, Field(ge=0.0, le=180.0)] = Field(15.0, description="About the centre, in degrees.")
    shear_deg: Annotated[float, Field(ge=0.0, lt=80.0)] = Field(5.0, description="Along each axis, in degrees.")
    scale: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(0.1, description="Share by which it grows or shrinks.")


class JitterSection(Section):
    """Brightness (a factor), contrast (around the mean); saturation has no meaning in grey."""

    p: Probability = Field(0.0, description="Chance for a picture.")
    brightness: Probability = Field(0.1, description="The factor lies within 1 plus or minus this.")
    contrast: Probability = Field(0.1, description="The factor about the mean, likewise.")


class FlipSection(Section):
    """Left and right exchanged."""

    p: Probability = Field(0.0, description="Chance for a picture.")


class GridSection(Section):
    """Grid distortion: each of num_steps cells is stretched by 1 plus or minus distort_limit, per axis."""

    p: Probability = Field(0.0, description="Chance for a picture.")
    num_steps: Annotated[int, Field(ge=1, le=50)] = Field(5, description="Cells along each axis.")
    distort_limit: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(0.2, description="Share by which one is stretched.")


class ElasticSection(Section):
    """Elastic deformation, with the random affine (alpha_affine, in pixels) that newer libraries dropped."""

    p: Probability = Field(0.0, description="Chance for a picture.")
    alpha: Annotated[float, Field(ge=0.0)] = Field(0.1, description="Strength of the field, in pixels.")
    sigma: PositiveFloat = Field(20.0, description="Deviation by which the field is smoothed, in pixels.")
    alpha_affine_px: Annotated[float, Field(ge=0.0)] = Field(40.0, description="At 384 px; scaled with the input.")


class AugmentationSection(Section):
    """The original's five, p0 to p4, and what comes after them."""

    affine: AffineSection = AffineSection()
    jitter: JitterSection = JitterSection()
    flip: FlipSection = FlipSection()
    grid: GridSection = GridSection()
    elastic: ElasticSection = ElasticSection()
    also: tuple[FurtherTransform, ...] = Field(
        (), description="Transforms of albumentations after the five, in order: docs/augmentations.md lists them."
    )


class TrainingSection(Section):
    """Length, arithmetic and seeds."""

    max_epochs: PositiveInt = Field(200, description="The schedule is made for so many.")
    batch_size: PositiveInt = Field(32, description="Studies per step over all processes together.")
    accumulate: PositiveInt = Field(1, description="Parts in which a step's studies go through the network.")
    precision: Annotated[str, one_of(PRECISIONS)] = Field(
        "fp32", description="bf16, fp16: autocast; tf32: a GPU rounds factors; fp64: weights and arithmetic."
    )
    channels_last: bool = Field(True, description="Memory layout of pictures; results stay but for rounding.")
    compile: bool = Field(False, description="torch.compile.")
    seed: int = Field(0, description="Of weights, order, augmentation, draws and dropout.")
    ema: Annotated[float, Field(ge=0.0, lt=1.0)] | None = Field(None, description="Decay of averaged weights.")
    max_bad_steps: PositiveInt = Field(10, description="Consecutive skipped steps after which training stops.")


class SweepRange(Section):
    """Values that a sweep may try for one option."""

    low: float | None = Field(None, description="Least value.")
    high: float | None = Field(None, description="Greatest value.")
    log: bool = Field(False, description="Orders of magnitude are equally likely.")
    integer: bool = Field(False, description="Whole numbers alone.")
    choices: tuple[Any, ...] | None = Field(None, description="In place of low and high: one of these.")

    @model_validator(mode="after")
    def _one_of_two_forms(self) -> SweepRange:
        bounded = self.low is not None and self.high is not None
        if bounded == (self.choices is not None):
            raise ValueError("give either low and high, or choices")
        return self


class Recipe(Section):
    """One training, whole: what ``classifiers/<recipe>`` is made from."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]{0,63}$")] = Field(description="The file's name.")
    title: str = Field("", description="One line for people.")
    vocabulary: str | None = Field(
        None, description="Version of the vocabulary whose classes the recipe names, 1.0.0 unless said; else of any."
    )
    init_from: str | None = Field(None, description="Recipe whose trained weights this one starts from.")
    input: InputSection = InputSection()
    views: ViewsSection = ViewsSection()
    model: ModelSection = ModelSection()
    task: TaskSection = TaskSection()
    classes: ClassesSection = ClassesSection()
    labels: LabelsSection = LabelsSection()
    augmentation: AugmentationSection = AugmentationSection()
    data: DataSection = DataSection()
    optimizer: OptimizerSection = OptimizerSection()
    schedule: ScheduleSection = ScheduleSection()
    stopping: StoppingSection = StoppingSection()
    training: TrainingSection = TrainingSection()
    sweep: dict[str, SweepRange] = Field(default_factory=dict, description="Option path -> values to try.")

    @model_validator(mode="after")
    def _parts_fit(self) -> Recipe:
        if self.model.pretrained and self.input.normalisation != "imagenet":
            raise ValueError("model.pretrained needs input.normalisation: imagenet")
        if self.model.weights and (self.model.pretrained or self.init_from):
            raise ValueError("give one of model.weights, model.pretrained and init_from")
        if self.model.weights and "normalisation" not in self.input.model_fields_set:
            raise ValueError(
                "model.weights needs input.normalisation: how the pictures were that the file learned from"
            )
        if self.labels.teacher and not TASKS[self.task.kind].takes_shares:
            raise ValueError(f"task.kind {self.task.kind} cannot learn from a teacher's probabilities")
        if self.labels.teacher == self.name:
            raise ValueError("labels.teacher names the recipe itself")
        if self.init_from == self.name:
            raise ValueError("init_from names the recipe itself")
        if UNCERTAIN[self.labels.uncertain].gives_shares and not TASKS[self.task.kind].takes_shares:
            raise ValueError(
                f"task.kind {self.task.kind} compares positives with negatives: "
                f"labels.uncertain cannot be {self.labels.uncertain}"
            )
        return self

    @property
    def hash(self) -> str:
        """sha256 of what differs from the defaults and can change the result, in no order, 64 hex digits.

        Title, vocabulary and sweep ranges change nothing; a new option leaves the recipes that do not use it alone.
        """
        content = self.model_dump(mode="json", exclude_defaults=True, exclude={"title", "sweep", "vocabulary"})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
