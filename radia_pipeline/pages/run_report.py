"""One self-contained HTML page of what a run came to. Its figures are in ``report_figures``, its looks in the template.

The page has no script, no link to the outside, no pixels and no text of reports; it reads in light and dark, on paper
and by a screen reader.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from radia_pipeline.contracts.pools import POOLS, TEST
from radia_pipeline.evaluation.ensemble import MIN_POSITIVES
from radia_pipeline.lake.atomic import write_text
from radia_pipeline.lake.lake import Lake
from radia_pipeline.pages import run_report_figures as figures

TEMPLATE = Path(__file__).with_name("run_report.html.j2")
DEFAULT_TITLE = "What the pipeline came to"
SHOWN_FACTS = ("duration_s", "vocabulary_version", "git_revision", "recipes", "sources_root", "device", "memory_gb")


def write_html_report(lake: Lake, path: Path | str, extra: Mapping[str, Any] | None = None) -> Path:
    """Write the page and return its path.

    ``extra`` may hold ``title``, ``truth`` (rows of ``localisation.truth.score_against_truth``), ``failed`` ({step:
    error}), ``facts`` ({name: value}) and any of ``SHOWN_FACTS``; other keys are ignored, for they may hold what must
    not be shown. Sections whose tables are absent say so.
    """
    page = _template().render(_content(lake, dict(extra or {})))
    write_text(Path(path), page)
    return Path(path)


def _template():
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(TEMPLATE.parent)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["thousands"] = lambda value: "–" if value is None else f"{value:,}"
    environment.filters["words"] = lambda value: str(value).replace("_", " ")
    return environment.get_template(TEMPLATE.name)


def _content(lake: Lake, extra: dict[str, Any]) -> dict[str, Any]:
    rows = figures.models(lake)
    places = figures.evaluated_sources(lake)
    truth = figures.truth(extra.get("truth") or ())
    content = {
        "title": extra.get("title", DEFAULT_TITLE),
        "failed": dict(extra.get("failed") or {}),
        "facts": _facts(extra),
        "sources": figures.sources(lake),
        "pools": figures.pools(lake),
        "ensemble": figures.ensemble(lake),
        "models": rows,
        "places": [{"name": name, "classes": figures.class_rows(lake, name)} for name in places],
        "panels": figures.class_panels(lake),
        "saliency": figures.saliency(lake),
        "pseudo_boxes": figures.pseudo_boxes(lake),
        "detector": figures.detector(lake),
        "truth": truth,
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
        tiles.append({"name": "images ingested", "value": f"{images:,}", "note": f"{refused:,} files in quarantine"})
    if content["pools"]:
        patients = sum(row[pool] for row in content["pools"] for pool in POOLS)
        tested = sum(row[TEST] for row in content["pools"])
        tiles.append({"name": "patients", "value": f"{patients:,}", "note": f"{tested:,} of them in test"})
    best = next((row for row in content["models"] if row["kind"] == "main"), None)
    for key, name in (("auc", "mean AUC, ensemble"), ("f1", "mean F1, ensemble")):
        if best and best[key]:
            note = f"95 %: {best[key]['interval']} · test, {best['classes']} classes"
            tiles.append({"name": name, "value": best[key]["value"], "note": note})
    located = [row for row in content["truth"] if not row["is_control"] and row["map"]]
    for row in located:
        note = f"95 %: {row['map']['interval']} · against the truth"
        tiles.append({"name": f"mAP@.3, {row['name']}", "value": row["map"]["value"], "note": note})
    return tiles
