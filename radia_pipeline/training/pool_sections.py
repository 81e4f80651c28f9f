"""What a recipe may say of pools: which classes and studies it learns from, how often, and what steers it.

Nothing here computes.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from radia_pipeline.contracts.pools import TRAIN_FOLDS
from radia_pipeline.training.choices import SAMPLERS, STOPPING
from radia_pipeline.training.sections import PositiveInt, Probability, Section, one_of


class ClassesSection(Section):
    """Which classes a recipe learns."""

    leave_out: tuple[str, ...] = Field(
        (), description="Classes that are not learned, do not steer, and answer with the pool's odds."
    )


class DataSection(Section):
    """Which studies are learned from and how often."""

    sources: tuple[str, ...] | None = Field(None, description="None: every source that the lake's manifest holds.")
    fold: Annotated[int, Field(ge=0, lt=TRAIN_FOLDS)] | None = Field(
        None, description="Learn from the other folds of the training pool and choose the epoch on this one."
    )
    sampler: Annotated[str, one_of(SAMPLERS)] = Field("shuffle", description="weighted draws with replacement.")
    balance: Probability = Field(
        0.5, description="Of weighted: a study weighs (rarest positive class's count) ** -balance."
    )
    no_finding_weight: Annotated[float, Field(ge=0.0)] = Field(
        1.0, description="Of weighted: factor for studies with No Finding (the original: 0.1)."
    )
    samples_per_epoch: PositiveInt | None = Field(None, description="None: each study once.")
    max_per_patient: PositiveInt | None = Field(
        None, description="Studies of one patient in an epoch, drawn anew for each; of weighted: as often as so many."
    )


class StoppingSection(Section):
    """Which epoch is kept and when to stop looking for a better one."""

    metric: Annotated[str, one_of(STOPPING)] = Field(
        "auc", description="Mean over classes. f1, p4: at each class's best threshold; cf1: of probabilities."
    )
    min_positives: PositiveInt = Field(5, description="Classes with fewer in validation do not count in the mean.")
    validation_studies: PositiveInt | None = Field(
        None,
        description="A fixed sample of the pool that steers, rare findings oftener, weighted; None: the whole pool.",
    )
    patience: PositiveInt = Field(20, description="Epochs without a better one after which training ends.")
