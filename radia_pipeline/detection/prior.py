"""What the ensemble says of a study, as a prior on the classes of a detector's boxes: few of a class that is not there.

Here: reading it from the predictions that stand. Not here: how scores are weighed (``decode``).

Legend: N studies, K classes of the detector.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import MissingTable, NotTrained
from radia_pipeline.evaluation.in_use import in_use
from radia_pipeline.evaluation.panel import ENSEMBLE
from radia_pipeline.lake.lake import Lake

Prior = Mapping[str, np.ndarray]
"""study_id -> probabilities of all classes of the vocabulary, float64 (21,)."""


def validation_prior(lake: Lake) -> Prior | None:
    """What answers (champion, else ensemble) says of validation's studies; None where nothing answers yet."""
    try:
        panel = in_use(lake).panel(ENSEMBLE)
    except (MissingTable, NotTrained):
        return None
    return dict(zip(panel.study_id, panel.probability, strict=True))


def prior_of(prior: Prior, study_ids: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    """The studies' probabilities of a detector's classes, (N, K); of an unknown study or class the others' median."""
    columns = [vocabulary().index(name) for name in classes]
    usual = np.nanmedian(np.stack(list(prior.values())), axis=0)
    rows = np.stack([prior.get(name, usual) for name in study_ids])
    return np.where(np.isfinite(rows), rows, usual)[:, columns].clip(0.0, 1.0)
