"""The lake's models as they are judged: a recipe or the ensemble on validation, or on test where it was released.

The one place that decides by which scores, thresholds and calibrations a model is judged: the scorecard and the page of
readings ask here. Not here: figures (``scorecard``, ``validated``), how cross-fitting is done (``judged``).
"""

from __future__ import annotations

from dataclasses import replace

from radia_pipeline.contracts.pools import TEST
from radia_pipeline.errors import MissingTable
from radia_pipeline.evaluation.ensemble import load_ensemble
from radia_pipeline.evaluation.judged import Judged
from radia_pipeline.evaluation.panel import ENSEMBLE, Panel, aligned, read_held, read_panel
from radia_pipeline.evaluation.release import released_panels
from radia_pipeline.lake.lake import Lake


def judged_model(lake: Lake, model: str, pool: str) -> Judged:
    """Return a recipe or the ensemble as it is judged on a pool.

    Raises MissingTable where it has no predictions there: on test only a released ensemble and its members have them.
    """
    return _on_test(lake, model) if pool == TEST else _on_validation(lake, model)


def _on_validation(lake: Lake, model: str) -> Judged:
    if model != ENSEMBLE:
        return Judged.cross_fitted(read_panel(lake, model))
    chosen = load_ensemble(lake)
    return Judged.ensemble_cross_fitted(chosen, aligned([read_panel(lake, name) for name in chosen.members]))


def _on_test(lake: Lake, model: str) -> Judged:
    """By thresholds of all of validation."""
    panels = released_panels(lake)
    if model not in panels:
        raise MissingTable(
            f"The model {model} has not been scored on the test pool",
            do="release the ensemble: `radia scorecard --release --who … --why …`",
        )
    tuned = load_ensemble(lake).cuts if model == ENSEMBLE else None
    return Judged.by(panels[model], read_panel(lake, model), tuned)


def judged_held(lake: Lake, model: str, pool: str) -> Judged | None:
    """Return a recipe or the ensemble as it is judged on a pool's held splits, by what was chosen on validation; None
    where it has not been scored there.
    """
    panel, tuned = _held(lake, model, pool), load_ensemble(lake).cuts if model == ENSEMBLE else None
    return Judged.by(panel, read_panel(lake, model), tuned) if panel is not None and len(panel) else None


def _held(lake: Lake, model: str, pool: str) -> Panel | None:
    if pool == TEST:
        return released_panels(lake, held=True).get(model)
    if model != ENSEMBLE:
        return read_held(lake, model)
    chosen = load_ensemble(lake)
    panels = [read_held(lake, name) for name in chosen.used_members]
    if not all(map(len, panels)):
        return None
    panels = aligned(panels)
    moved, probability = chosen.predict({name: one.probability for name, one in zip(chosen.used_members, panels)})
    return replace(panels[0], logit=moved, probability=probability)
