"""One self-contained HTML page of what a run came to. Its figures are in ``run_report_figures``,
``run_report_curves`` and ``run_report_readings``, its words in the template, its looks in ``render``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from radia_pipeline.contracts.pools import POOLS
from radia_pipeline.evaluation.combinations import MIN_POSITIVES
from radia_pipeline.evaluation.scorecard import shown_pool
from radia_pipeline.lake.atomic import write_text
from radia_pipeline.lake.lake import Lake
from radia_pipeline.pages import run_report_figures as figures
from radia_pipeline.pages.render import made_from, render
from radia_pipeline.pages.run_report_curves import class_panels
from radia_pipeline.pages.run_report_readings import FEW, read_sets_shown
from radia_pipeline.pages.scorecard_card import answers
from radia_pipeline.usecases.summary import test_pool_counts, test_pool_words

DEFAULT_TITLE = "What the pipeline came to"
SHOWN_FACTS = ("duration_s", "vocabulary_version", "git_revision", "recipes", "sources_root", "device", "memory_gb")
SECTIONS = (
    ("results", "Results"),
    ("readings", "Readings"),
    ("data", "Data"),
    ("classes", "Class by class"),
    ("curves", "Curves"),
    ("places", "Where it looks"),
    ("reading", "How to read this"),
    ("versions", "Versions"),
)


def write_html_report(lake: Lake, path: Path | str, extra: Mapping[str, Any] | None = None) -> Path:
    """Write the page and return its path.

    ``extra`` may hold ``title``, ``truth`` (rows of ``localisation.truth.score_against_truth``), ``failed`` ({step:
    error}), ``facts`` ({name: value}) and any of ``SHOWN_FACTS``; other keys are ignored, for they may hold what must
    not be shown. Sections whose tables are absent say so.
    """
    write_text(Path(path), render("run_report.html.j2", _content(lake, dict(extra or {}))))
    return Path(path)


def _content(lake: Lake, extra: dict[str, Any]) -> dict[str, Any]:
    content = {
        "title": extra.get("title", DEFAULT_TITLE),
        "made_from": made_from(lake, "champion", "ensemble", "scorecard"),
        "answers": answers(lake),
        "sections": SECTIONS,
        "failed": dict(extra.get("failed") or {}),
        "facts": _facts(extra),
        "sources": figures.sources(lake),
        "file_roles": [(role, name) for name, role in figures.FILE_ROLES.items()],
        "pools": figures.pools(lake),
        "ensemble": figures.ensemble(lake),
        "models": figures.models(lake),
        "pool": shown_pool(figures.scorecard_rows(lake)),
        "test_pool": test_pool_words(**test_pool_counts(lake)),
        "places": [
            {"name": name, "classes": figures.class_rows(lake, name)} for name in figures.evaluated_sources(lake)
        ],
        "panels": class_panels(lake),
        "saliency": figures.saliency(lake),
        "pseudo_boxes": figures.pseudo_boxes(lake),
        "detector": figures.detector(lake),
        "truth": figures.truth(extra.get("truth") or ()),
        "read_sets": read_sets_shown(lake),
        "few_effective": FEW,
        "versions": figures.versions(lake),
        "min_positives": MIN_POSITIVES,
    }
    return {**content, "tiles": _tiles(content)}


def _facts(extra: dict[str, Any]) -> list[tuple[str, str]]:
    facts = {name: extra[name] for name in SHOWN_FACTS if name in extra} | dict(extra.get("facts") or {})
    if "duration_s" in facts:
        facts["duration"] = f"{float(facts.pop('duration_s')) / 60:.1f} minutes"
    shown = {k: ", ".join(map(str, v)) if isinstance(v, list | tuple) else str(v) for k, v in facts.items()}
    return [(name.replace("_", " "), value) for name, value in shown.items()]


def _tiles(content: dict[str, Any]) -> list[dict[str, Any]]:
    """The page's first answer: a few large figures, each with what it rests on."""
    tiles = []
    if content["sources"]:
        images = sum(row["ingested"] for row in content["sources"])
        refused = sum(row["quarantined"] for row in content["sources"])
        tiles.append(_tile("images ingested", f"{images:,}", f"{refused:,} files in quarantine"))
    if content["pools"]:
        patients = sum(row[pool] for row in content["pools"] for pool in POOLS)
        tested = sum(row["test"] for row in content["pools"])
        tiles.append(_tile("patients", f"{patients:,}", f"{tested:,} of them in test"))
    best = next((row for row in content["models"] if row["kind"] == "main"), None)
    for key, name in (("auc", "mean AUC, ensemble"), ("f1", "mean F1, ensemble")):
        if best and best[key]:
            note = f"95 %: {best[key]['interval']} · {content['pool']}, {best['classes']} classes"
            tiles.append(_tile(name, best[key]["value"], note))
    for row in content["truth"]:
        if row["map"] and not row["is_control"]:
            note = f"95 %: {row['map']['interval']} · against the truth"
            tiles.append(_tile(f"mAP@.3, {row['name'].replace('_', ' ')}", row["map"]["value"], note))
    return tiles


def _tile(name: str, value: str, note: str) -> dict[str, str]:
    return {"name": name, "value": value, "note": note}
