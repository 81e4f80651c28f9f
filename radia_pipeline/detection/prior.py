"""What the ensemble says of a study, for a detector's boxes: how likely their class is, and whether it may be there.

Here: reading it from the predictions that stand, and which classes may be shown. Not here: how scores are weighed
(``decode``), how thresholds are chosen (``working_point``).

Legend: N studies, K classes of the detector.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import MissingTable, NotTrained
from radia_pipeline.evaluation.in_use import in_use
from radia_pipeline.evaluation.panel import ENSEMBLE
from radia_pipeline.lake.lake import Lake

POSSIBLE_SHARE = 0.25
"""Of a class's threshold: a class that the ensemble holds less likely is not shown. Half of what pseudo boxes are drawn
from, since the detector has seen something too."""


@dataclass(frozen=True)
class Prior:
    """``probability``: study_id -> that of every class of the vocabulary, (21,); ``thresholds``: those of the classes,
    (21,), NaN where one has none."""

    probability: Mapping[str, np.ndarray]
    thresholds: np.ndarray

    def of(self, study_ids: Sequence[str], classes: Sequence[str]) -> np.ndarray:
        """The studies' probabilities of a detector's classes, (N, K); of an unknown study or class the others'
        median."""
        columns = [vocabulary().index(name) for name in classes]
        usual = np.nanmedian(np.stack(list(self.probability.values())), axis=0)
        rows = np.stack([self.probability.get(name, usual) for name in study_ids])
        return np.where(np.isfinite(rows), rows, usual)[:, columns].clip(0.0, 1.0)

    def possible(self, study_ids: Sequence[str], classes: Sequence[str]) -> np.ndarray:
        """Whether a detector's classes may be shown of the studies, bool (N, K); all of an unknown study."""
        unknown = np.full(len(self.thresholds), np.nan)
        return possible(np.stack([self.probability.get(name, unknown) for name in study_ids]), self.thresholds, classes)


def possible(probability: np.ndarray, thresholds: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Of probabilities (N, 21) and thresholds (21,): which of a detector's classes may be shown, bool (N, K).

    Those at ``POSSIBLE_SHARE`` of their threshold or above; none of a study that is called normal. What is not known,
    a probability or a threshold (NaN), forbids nothing.
    """
    words = vocabulary()
    columns, normal = [words.index(name) for name in classes], words.index(words.no_finding)
    is_unlikely = probability[:, columns] < POSSIBLE_SHARE * thresholds[columns]
    return ~is_unlikely & ~(probability[:, [normal]] >= thresholds[normal])


def validation_prior(lake: Lake) -> Prior | None:
    """What answers (champion, else ensemble) says of validation's studies; None where nothing answers yet."""
    try:
        using = in_use(lake)
        panel = using.panel(ENSEMBLE)
    except (MissingTable, NotTrained):
        return None
    return Prior(dict(zip(panel.study_id, panel.probability, strict=True)), using.ensemble.thresholds)
