"""What a run came to, read from the lake's tables: for the terminal, for ``--json`` and for the HTML report.

Nothing is computed here that a table does not hold, except counts.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from radia_pipeline.contracts.pools import POOLS
from radia_pipeline.drawing.text import interval, table
from radia_pipeline.evaluation.pool_uses import uses
from radia_pipeline.evaluation.scorecard import CANDIDATE, shown_pool
from radia_pipeline.lake.lake import Lake
from radia_pipeline.localisation import controls

ORDER = ("detector", "pseudo_boxes", controls.NAMES[controls.PRIOR], controls.NAMES[controls.RANDOM])
"""The detector's rows from the top."""


def source_counts(lake: Lake, source: str) -> dict[str, Any]:
    """Return what became of one source's files and studies."""
    ingested = lake.read("images", source, ["image_id"]).num_rows
    reasons = Counter(lake.read("quarantine", source, ["reason"])["reason"].to_pylist())
    duplicates = lake.read("duplicates", source, ["file_id"]).num_rows
    counts: dict[str, Any] = {
        "source": source,
        "found": ingested + sum(reasons.values()) + duplicates,
        "ingested": ingested,
        "quarantined": sum(reasons.values()),
        "duplicates": duplicates,
        "reasons": dict(reasons),
    }
    if lake.exists("labels", source):
        labels = lake.frame("labels", source, ["study_id", "value"])
        counts["studies_labelled"] = labels.dropna()["study_id"].nunique()
    if lake.exists("manifest", source):
        counts["images_in_manifest"] = lake.read("manifest", source, ["image_id"]).num_rows
    return counts


def pool_counts(lake: Lake) -> dict[str, dict[str, int]]:
    """Return patients of each source in each pool."""
    counts = lake.frame("splits", columns=["source", "pool"]).groupby(["source", "pool"]).size().unstack(fill_value=0)
    pools = counts.reindex(columns=list(POOLS), fill_value=0)
    return {str(source): {name: int(row[name]) for name in POOLS} for source, row in pools.iterrows()}


def model_figures(lake: Lake, metrics: tuple[str, ...] = ("auc", "f1")) -> dict[str, dict[str, Any]]:
    """Return mean figures with intervals of every model, all sources together: on the whole test pool where an ensemble
    was released, else on validation."""
    figures: dict[str, dict[str, Any]] = {}
    rows = lake.read("scorecard").to_pylist()
    pool = shown_pool(rows)
    for row in rows:
        if row["model"].startswith(CANDIDATE):  # ways to combine members that were not chosen; the report shows them
            continue
        if (row["source"], row["pool"], row["view"], row["class"]) == ("all", pool, "pool", "mean") and row[
            "metric"
        ] in metrics:
            kept = {name: row[name] for name in ("value", "low", "high", "positives", "studies", "pool")}
            figures.setdefault(row["model"], {})[row["metric"]] = kept
    return figures


def localisation_figures(lake: Lake, name: str, metric: str = "map@0.3") -> list[dict[str, Any]]:
    """Return the mean rows of ``saliency_benchmark`` or ``detector_scorecard`` for one metric."""
    return [row for row in lake.read(name).to_pylist() if row["class"] == "mean" and row["metric"] == metric]


def collect(lake: Lake) -> dict[str, Any]:
    """Return everything that has been made so far, as plain data."""
    summary: dict[str, Any] = {"sources": [source_counts(lake, source) for source in lake.partitions("images")]}
    if lake.exists("splits"):
        summary["pools"] = pool_counts(lake)
    if lake.exists("scorecard"):
        summary["models"] = model_figures(lake)
        summary["test_pool"] = test_pool_counts(lake)
    for name in ("saliency_benchmark", "detector_scorecard"):
        if lake.exists(name):
            summary[name] = localisation_figures(lake, name)
    for source in lake.partitions("pseudo_boxes"):
        summary.setdefault("pseudo_boxes", {})[source] = lake.read("pseudo_boxes", source, ["image_id"]).num_rows
    return summary


def as_text(summary: dict[str, Any]) -> str:
    """Return the summary as tables for a terminal."""
    parts = [_sources_text(summary["sources"])]
    if "pools" in summary:
        rows = [[source, *(counts[pool] for pool in POOLS)] for source, counts in sorted(summary["pools"].items())]
        parts.append("Patients per pool\n" + table(["source", *POOLS], rows))
    if summary.get("models"):
        parts.append(models_text(summary))
    if summary.get("saliency_benchmark"):
        rows = [
            [r["recipe"], controls.shown_name(r["method"]), _shown(r), r["boxes"]]
            for r in summary["saliency_benchmark"]
        ]
        parts.append(
            "Saliency against radiologists' boxes on validation, mAP@.3\n"
            + table(["recipe", "method", "mAP@.3", "boxes"], rows)
        )
    elif "saliency_benchmark" in summary:
        parts.append("Saliency against radiologists' boxes: no class has enough drawn boxes to be judged")
    if summary.get("detector_scorecard"):
        parts.append(_detector_text(summary["detector_scorecard"]))
    if summary.get("truth"):
        rows = [[controls.shown_name(r["boxes_of"]), r["pool"], _shown(r), r["boxes"]] for r in summary["truth"]]
        parts.append(
            "Against the phantom's true boxes, mAP@.3\n" + table(["boxes of", "pool", "mAP@.3", "true boxes"], rows)
        )
    return "\n\n".join(parts)


def models_text(summary: dict[str, Any]) -> str:
    """Return the models' mean figures as a table, and how often the test pool was used."""
    rows = [
        [model, _shown(f.get("auc")), _shown(f.get("f1")), (f.get("auc") or {}).get("studies")]
        for model, f in sorted(summary["models"].items())
    ]
    title = f"Classifiers on {_pool_words(summary['models'])}, mean over classes (95 % interval)"
    return f"{title}\n{table(['model', 'AUC', 'F1', 'studies'], rows)}\n{test_pool_words(**summary['test_pool'])}"


def test_pool_counts(lake: Lake) -> dict[str, int]:
    """Return how often the test pool was used: for releases, and in all."""
    used = uses(lake)
    return {"releases": sum(use.shows_figures for use in used), "uses": len(used)}


def test_pool_words(releases: int, uses: int) -> str:
    """Return in words how often the test pool was used."""
    if not uses:
        return "The test pool has not been used."
    others = f", {uses - releases} other use{'s' * (uses - releases != 1)} without figures" if uses > releases else ""
    return f"Figures of the test pool were shown for {releases} released ensemble{'s' * (releases != 1)}{others}."


def _pool_words(models: dict[str, dict[str, Any]]) -> str:
    pools = {figure["pool"] for figures in models.values() for figure in figures.values()}
    return " and ".join(sorted(pools))


def _detector_text(rows: list[dict[str, Any]]) -> str:
    """One line for each set of boxes and what it is judged against; "look here" ignores the class."""
    found = {(row["against"], row["model"], row["level"]): row for row in rows}
    levels = {"class": "by class", "group": "by group", "agnostic": "look here"}
    lines = [
        [model, against, *(_shown(found.get((against, model, level))) for level in levels)]
        for against, model in sorted({key[:2] for key in found}, key=lambda key: (key[0], _place(key[1]), key[1]))
    ]
    return "Detector on validation, mAP@.3\n" + table(["boxes of", "judged against", *levels.values()], lines)


def _place(model: str) -> int:
    """Return where a set of boxes stands in the table; other detectors follow the one that is used."""
    return ORDER.index(model) if model in ORDER else 0


def _sources_text(counts: list[dict[str, Any]]) -> str:
    fields = ("found", "ingested", "quarantined", "duplicates", "studies_labelled", "images_in_manifest")
    rows = [[row["source"], *(row.get(field) for field in fields)] for row in counts]
    text = "Delivered files\n" + table(["source", *(field.replace("_", " ") for field in fields)], rows)
    reasons = [
        f"  {row['source']}: " + ", ".join(f"{reason} {count}" for reason, count in sorted(row["reasons"].items()))
        for row in counts
        if row["reasons"]
    ]
    return text + ("\nQuarantined because of\n" + "\n".join(reasons) if reasons else "")


def _shown(figure: dict[str, Any] | None) -> str:
    return interval(figure["value"], figure["low"], figure["high"]) if figure and figure["value"] is not None else "–"
