"""Which classifier a detector starts from: the best member on validation of what answers, the champion or else the
ensemble; or the one that the detector's file names.

Not here: the copying of weights (``model``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from radia_pipeline.contracts.pools import VALIDATION
from radia_pipeline.detection.config import DetectorConfig
from radia_pipeline.errors import MissingTable, NotTrained
from radia_pipeline.evaluation import metrics
from radia_pipeline.evaluation.combinations import enough
from radia_pipeline.evaluation.ensemble import load_ensemble
from radia_pipeline.evaluation.in_use import champion_of
from radia_pipeline.evaluation.panel import Panel, predicted_recipes, read_panel
from radia_pipeline.lake.lake import Lake
from radia_pipeline.training.model_folders import latest_model


@dataclass(frozen=True)
class Start:
    """A classifier to start from, and why it was chosen."""

    recipe: str
    model_dir: Path
    reason: str


def choose_start(lake: Lake, config: DetectorConfig) -> Start:
    """The config's recipe, else the member with the highest mean validation AUC; raises NotTrained.

    Of a champion it is the model of its approval, by what that said of validation then.
    """
    if config.recipe:
        return Start(config.recipe, latest_model(lake, config.recipe), "named by the detector's file")
    champion = champion_of(lake)
    if champion is not None:
        scores = {name: auc_of(champion.panel(name)) for name in champion.ensemble.members}
        best = max(sorted(scores), key=lambda name: scores[name])
        return Start(best, champion.folder(best), "best mean AUC on validation, of the champion")
    try:
        members = load_ensemble(lake).members if lake.exists("ensemble") else predicted_recipes(lake)
    except MissingTable:
        raise NotTrained(
            "No classifier has been trained to start from", do="materialize classifiers and predictions"
        ) from None
    scores = {name: auc_of(read_panel(lake, name)) for name in members}
    best = max(sorted(scores), key=lambda name: scores[name])
    return Start(best, latest_model(lake, best), "best mean AUC on validation")


def auc_of(panel: Panel) -> float:
    """Mean AUC over the classes with enough positives and negatives in validation; 0 where there is none."""
    panel = panel.only(pool=VALIDATION)
    counted = enough(panel.label) if len(panel) else np.zeros(0, dtype=bool)
    values = [metrics.auc(panel.probability[:, k], panel.label[:, k]) for k in np.flatnonzero(counted)]
    return float(np.mean(values)) if values else 0.0
