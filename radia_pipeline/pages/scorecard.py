"""The scorecard's page: every figure with its interval, calls, curves, readers, subgroups, the model's card.

Its figures are in ``scorecard_figures``, the card in ``scorecard_card``, wrong calls in ``scorecard_misses``, its words
in the template, its looks in ``render``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from radia_pipeline.contracts.pools import TEST
from radia_pipeline.evaluation.combinations import MIN_POSITIVES
from radia_pipeline.evaluation.decisions import judged_ensemble
from radia_pipeline.evaluation.scorecard import shown_pool
from radia_pipeline.lake.atomic import write_text
from radia_pipeline.lake.lake import Lake
from radia_pipeline.pages import scorecard_card as card
from radia_pipeline.pages import scorecard_figures as figures
from radia_pipeline.pages.render import made_from, render
from radia_pipeline.pages.run_report_curves import class_panels
from radia_pipeline.pages.run_report_figures import scorecard_rows
from radia_pipeline.pages.run_report_readings import FEW, read_sets_shown
from radia_pipeline.pages.scorecard_misses import misses
from radia_pipeline.usecases.summary import test_pool_counts, test_pool_words

SECTIONS = (
    ("models", "Models"),
    ("classes", "Class by class"),
    ("decisions", "Calls"),
    ("curves", "Curves"),
    ("readings", "Readings"),
    ("choice", "How the rule was chosen"),
    ("subgroups", "Subgroups"),
    ("sources", "Trained on, tested on"),
    ("test-pool", "Uses of the test pool"),
    ("changes", "What changed"),
    ("card", "Model card"),
    ("reading", "How to read this"),
)


def write_scorecard_page(lake: Lake, path: Path | str) -> Path:
    """Write the page and return its path; sections whose tables are absent say so."""
    write_text(Path(path), render("scorecard.html.j2", _content(lake)))
    return Path(path)


def _content(lake: Lake) -> dict[str, Any]:
    rows = scorecard_rows(lake)
    pool = shown_pool(rows)
    judged = judged_ensemble(lake, pool)
    content = {
        "title": "Scorecard",
        "made_from": made_from(lake, "champion", "ensemble", "scorecard"),
        "sections": SECTIONS,
        "pool": pool,
        "pools": figures.pools_of(rows),
        "models": {name: figures.models(rows, name) for name in figures.pools_of(rows)},
        "classes": figures.classes(rows, pool),
        "kinds": figures.KINDS,
        "figures": figures.FIGURES,
        "words": figures.WORDS,
        "candidates": figures.candidates(lake, rows),
        "subgroups": figures.subgroups(lake, pool),
        "single_classes": figures.single_classes(lake, pool),
        "subgroup_counts": figures.subgroup_counts(lake, pool),
        "matrix": figures.matrix(rows, pool),
        "ledger": figures.ledger(lake),
        "test_pool": test_pool_words(**test_pool_counts(lake)),
        "is_test": pool == TEST,
        "min_positives": MIN_POSITIVES,
        "answers": card.answers(lake),
        "confusions": figures.calls(judged),
        "call_roles": [(role, name) for name, role in figures.CALL_ROLES.items()],
        "misses": misses(lake, judged, pool),
        "panels": class_panels(lake),
        "read_sets": read_sets_shown(lake),
        "few_effective": FEW,
        "changes": card.changes(lake),
        "card": card.model_card(lake),
    }
    return {**content, "tiles": _tiles(content, test_pool_counts(lake))}


def _tiles(content: dict[str, Any], counts: dict[str, int]) -> list[dict[str, str]]:
    """The page's first answer: a few large figures, each with what it rests on."""
    tiles = []
    best = figures.first_of(content["models"].get(content["pool"], ()))
    for key, name in (("auc", "mean AUC"), ("abnormal", "normal or not, AUC"), ("f1", "mean F1")):
        if best and best[key]:
            note = f"95 %: {best[key]['interval']} · {best['name']} on {content['pool']}"
            tiles.append({"name": name, "value": best[key]["value"], "note": note})
    out = content["subgroup_counts"]
    if out["looked_at"]:
        note = f"of {out['looked_at'] - out['too_few']:,} with a figure; {out['too_few']:,} too few"
        tiles.append({"name": "subgroups that stand out", "value": str(out["stand_out"]), "note": note})
    note = f"{counts['uses']} uses of its scores in all"
    tiles.append({"name": "releases on the test pool", "value": str(counts["releases"]), "note": note})
    return tiles
