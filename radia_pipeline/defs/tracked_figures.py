"""Hands MLflow what belongs to its models: evaluation figures, and which of them the champion answers with."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

from radia_pipeline.contracts.pools import HELD_OUT
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.defs.training_process import manifest_version
from radia_pipeline.evaluation.panel import ENSEMBLE
from radia_pipeline.lake.lake import WHOLE, Lake

TAG_PAGE = "radia.page.scorecard"
"""Tag that names the page on which a run's figures stand, in its lake."""


def log_headlines(lake: Lake, recipes: tuple[str, ...]) -> int:
    """Log mean AUC and F1 with intervals, positives and studies to each recipe's newest finished run; returns runs."""
    from radia_pipeline.evaluation.scorecard import headlines
    from radia_pipeline.tracking.client import Tracker
    from radia_pipeline.tracking.provenance import TAG_RECIPE

    tracker = Tracker(lake)
    metrics: dict[str, dict[str, float]] = {}
    for pool in HELD_OUT:
        for line in headlines(lake, pool=pool):
            if line.model in recipes:
                metrics.setdefault(line.model, {}).update(_figures(pool, line))
    reached = 0
    for recipe, figures in metrics.items():
        runs = tracker.runs({TAG_RECIPE: recipe}, status="FINISHED")
        if runs:
            runs[0].log_metrics(figures, step=0)
            runs[0].log_tags({TAG_PAGE: "scorecard.html"})
            runs[0].flush()
            reached += 1
    return reached


def log_ensemble(lake: Lake) -> str:
    """Log the ensemble as it stands, with its members, as one model of MLflow; once a version. Returns its run's id."""
    from radia_pipeline.evaluation.in_use import challenger_of
    from radia_pipeline.evaluation.loaded import gather
    from radia_pipeline.tracking.client import Tracker
    from radia_pipeline.tracking.models import log_model
    from radia_pipeline.tracking.provenance import TAG_FINGERPRINT, provenance_tags

    chosen = challenger_of(lake)
    folders = {name: chosen.folder(name) for name in chosen.ensemble.used_members}
    tags = provenance_tags(
        recipe=ENSEMBLE,
        recipe_hash=chosen.version,
        manifest_version=manifest_version(lake),
        vocabulary_version=vocabulary().version,
        asset=ENSEMBLE,
    )
    run = Tracker(lake).start_or_resume(ENSEMBLE, {**tags, TAG_FINGERPRINT: chosen.version})
    if not run.is_finished:
        with tempfile.TemporaryDirectory() as staging:
            gather(Path(staging), lake.read(ENSEMBLE, WHOLE).to_pylist(), folders)
            log_model(run, staging, ENSEMBLE, kind=ENSEMBLE)
        run.finish()
    return run.run_id


def follow_champion(lake: Lake) -> int:
    """Let the alias champion name the models of the lake's champion and no others; returns how many it names."""
    from radia_pipeline.evaluation.in_use import champion_of
    from radia_pipeline.tracking.client import Tracker
    from radia_pipeline.tracking.models import name_champions

    champion = champion_of(lake)
    if champion is None:
        return name_champions(Tracker(lake), {})
    return name_champions(Tracker(lake), champion.fingerprints, champion.standing)


def _figures(pool: str, line: Any) -> dict[str, float]:
    found = {f"{pool}/studies": float(line.auc.studies), f"{pool}/positives": float(line.auc.positives)}
    for name, interval in (("auc", line.auc), ("f1", line.f1)):
        for part in ("value", "low", "high"):
            figure = getattr(interval, part)
            if not math.isnan(figure):
                found[f"{pool}/{name}" + ("" if part == "value" else f"_{part}")] = float(figure)
    return found
