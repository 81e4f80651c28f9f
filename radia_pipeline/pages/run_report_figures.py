"""What the report shows, gathered from the lake's tables as plain data and small pictures. Layout is in the template.

Counts, figures and intervals only: no pixels, no report text, no key of a patient, study or image leaves this module.
Each function returns None or an empty collection where its table has not been made yet, so that a report can be written
at any stage.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from radia_pipeline.contracts.pools import POOLS, TEST
from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.drawing import svg
from radia_pipeline.errors import RadiaError
from radia_pipeline.evaluation import curves
from radia_pipeline.evaluation.calibration import sigmoid
from radia_pipeline.evaluation.ensemble import MIN_POSITIVES, Ensemble, combine, load_ensemble
from radia_pipeline.evaluation.metrics import counted
from radia_pipeline.evaluation.panel import ENSEMBLE, aligned, read_panel
from radia_pipeline.evaluation.scorecard import CANDIDATE, MEAN, MEAN_GROUPS, MEAN_PATHOLOGIES
from radia_pipeline.lake.lake import Lake

CONTROLS = ("random", "prior", "prior_blind")
CONTROL_NAMES = {
    "random": "control: random place",
    "prior": "control: usual place",
    "prior_blind": "control: usual place, no model",
}
TABLES = ("images", "labels", "manifest", "splits", "predictions", "ensemble", "scorecard", "saliency_benchmark",
          "pseudo_boxes", "detector_scorecard")  # fmt: skip


def sources(lake: Lake) -> list[dict[str, Any]]:
    """One row per source: what became of its files and studies; found = ingested + quarantined + duplicates."""
    rows = []
    for name in lake.partitions("images"):
        ingested = lake.read("images", name, ["image_id"]).num_rows
        reasons = Counter(_values(lake, "quarantine", name, "reason"))
        duplicates = len(_values(lake, "duplicates", name, "file_id"))
        refused = sum(reasons.values())
        counts = [("ingested", ingested), ("duplicates", duplicates), ("quarantined", refused)]
        rows.append(
            {
                "name": name,
                "title": _title(name),
                "found": ingested + refused + duplicates,
                **dict(counts),
                "reasons": reasons.most_common(),
                "bar": svg.stacked_bar(counts, width=220),
                "labelled": _labelled_studies(lake, name),
                "in_manifest": len(_values(lake, "manifest", name, "image_id")),
                "boxes": len(_values(lake, "box_annotations", name, "image_id")),
            }
        )
    return rows


def _title(source: str) -> str:
    try:
        return source_sheet(source).title
    except RadiaError:
        return source


def _values(lake: Lake, table: str, partition: str, column: str) -> list:
    return lake.read(table, partition, [column]).column(0).to_pylist() if lake.exists(table, partition) else []


def _labelled_studies(lake: Lake, source: str) -> int | None:
    if not lake.exists("labels", source):
        return None
    table = lake.read("labels", source, ["study_id", "value"])
    return len({s for s, v in zip(table["study_id"].to_pylist(), table["value"].to_pylist()) if v is not None})


def pools(lake: Lake) -> list[dict[str, Any]]:
    """One row per source: patients in each pool."""
    if not lake.exists("splits"):
        return []
    table = lake.read("splits", columns=["source", "pool"])
    counts = Counter(zip(table["source"].to_pylist(), table["pool"].to_pylist()))
    rows = []
    for name in sorted({source for source, _ in counts}):
        each = [(pool, counts[name, pool]) for pool in POOLS]
        rows.append({"name": name, **dict(each), "bar": svg.stacked_bar(each, width=260)})
    return rows


def _scorecard(lake: Lake) -> list[dict]:
    return lake.read("scorecard").to_pylist() if lake.exists("scorecard") else []


def _indexed(rows: Iterable[dict], **place) -> dict[tuple[str, str, str], dict]:
    """Rows at one place by (model, class, metric)."""
    kept = (row for row in rows if all(row[key] == value for key, value in place.items()))
    return {(row["model"], row["class"], row["metric"]): row for row in kept}


def figure(row: dict | None, **axis) -> dict[str, Any] | None:
    """A figure ready to be shown: text, interval text, picture; None where it does not exist."""
    if row is None or row["value"] is None:
        return None
    has_interval = row.get("low") is not None and row.get("high") is not None
    return {
        "value": f"{row['value']:.2f}",
        "interval": f"{row['low']:.2f}–{row['high']:.2f}" if has_interval else "",
        "picture": svg.whisker(row["value"], row.get("low"), row.get("high"), **axis),
        "positives": row.get("positives"),
        "studies": row.get("studies"),
    }


def models(lake: Lake, pool: str = TEST) -> list[dict[str, Any]]:
    """Mean AUC and F1 of every model, the ensemble first, then its candidate rules last."""
    found = _indexed(_scorecard(lake), source="all", pool=pool, view="pool")
    names = sorted({model for model, _, _ in found}, key=lambda m: (m != ENSEMBLE, m.startswith(CANDIDATE), m))
    rows = []
    for name in names:
        kind = "main" if name == ENSEMBLE else "other" if name.startswith(CANDIDATE) else "member"
        row = {"name": name.removeprefix(CANDIDATE), "kind": kind}
        for key, where in (("auc", MEAN), ("auc_pathologies", MEAN_PATHOLOGIES), ("auc_groups", MEAN_GROUPS)):
            row[key] = figure(found.get((name, where, "auc")), start=0.5, style=kind, width=124)
        row["f1"] = figure(found.get((name, MEAN, "f1")), style=kind, width=124)
        count = found.get((name, MEAN, "classes"))
        row["classes"] = int(count["value"]) if count else 0
        rows.append(row)
    return rows


def class_rows(lake: Lake, source: str, pool: str = TEST, model: str = ENSEMBLE) -> list[dict[str, Any]]:
    """Figures of each class of a model on one source's pool; classes without any label are left out."""
    found = _indexed(_scorecard(lake), source=source, pool=pool, view="pool", model=model)
    words, rows = vocabulary(), []
    for name in words.classes:
        one = {
            metric: found.get((model, name, metric)) for metric in ("auc", "f1", "sensitivity", "specificity", "ppv")
        }
        if one["auc"] is None or not one["auc"]["studies"]:
            continue
        kind = "group" if name in (*words.finding_groups, *words.unions) else "pathology"
        few = min(one["auc"]["positives"], one["auc"]["studies"] - one["auc"]["positives"]) < MIN_POSITIVES
        style = "other" if few else "main"
        rows.append(
            {
                "name": name,
                "kind": kind,
                "few": few,
                "positives": one["auc"]["positives"],
                "studies": one["auc"]["studies"],
                "auc": figure(one["auc"], start=0.0, mark=0.5, style=style, width=100),
                "f1": figure(one["f1"] if one["auc"]["positives"] else None, style=style, width=100),
                **{metric: figure(one[metric]) for metric in ("sensitivity", "specificity", "ppv")},
            }
        )
    return sorted(rows, key=lambda row: row["kind"] != "pathology")


def evaluated_sources(lake: Lake) -> list[str]:
    """Sources of the scorecard, all of them together first."""
    return sorted({row["source"] for row in _scorecard(lake)}, key=lambda name: (name != "all", name))


def ensemble(lake: Lake) -> dict[str, Any] | None:
    """The rule that was chosen and its members."""
    if not lake.exists("ensemble"):
        return None
    chosen = load_ensemble(lake)
    return {"rule": chosen.rule.replace("_", " "), "members": chosen.used_members}


def class_panels(lake: Lake, pool: str = TEST) -> list[dict[str, str]]:
    """ROC and reliability of each class of the ensemble on a pool; only classes with both kinds of studies."""
    if not lake.exists("predictions", ENSEMBLE) or not lake.exists("ensemble"):
        return []
    panel, raw, out = read_panel(lake, ENSEMBLE).only(pool=pool), _uncalibrated(lake, load_ensemble(lake), pool), []
    found = _indexed(_scorecard(lake), source="all", pool=pool, view="pool", model=ENSEMBLE)
    for k, name in enumerate(vocabulary().classes):
        p, y = panel.probability[:, k], panel.label[:, k]
        positives, studies = int((y == 1).sum()), int(counted(y).sum())
        if not positives or positives == studies:
            continue
        x, tpr = curves.thinned(*curves.roc_points(p, y))
        after, before = curves.reliability_points(p, y), curves.reliability_points(raw[:, k], y)
        area = figure(found.get((ENSEMBLE, name, "auc")))
        value = f"AUC {area['value']} ({area['interval']})" if area else "AUC not in the scorecard"
        calibration = [svg.Line(*before[:2], "before", True), svg.Line(*after[:2], "main", True)]
        roc_axes, bin_axes = ("false positive rate", "sensitivity"), ("probability", "share of positives")
        out.append(
            {
                "name": name,
                "caption": value,
                "basis": f"{positives:,} of {studies:,} positive",
                "roc": svg.panel([svg.Line(x, tpr, "main")], f"ROC of {name}: {value}", labels=roc_axes),
                "reliability": svg.panel(calibration, f"Reliability of {name}", labels=bin_axes),
            }
        )
    return out


def _uncalibrated(lake: Lake, chosen: Ensemble, pool: str) -> np.ndarray:
    """Probabilities of the rule before calibration, on the ensemble's studies in its order."""
    panels = [panel.only(pool=pool) for panel in aligned([read_panel(lake, name) for name in chosen.members])]
    out = combine(chosen.rule, chosen.members, np.stack([panel.probability for panel in panels]))
    return np.where(np.isfinite(out), out, sigmoid(np.zeros(1)))


def saliency(lake: Lake) -> list[dict[str, Any]]:
    """mAP@.3 on test of each method and control, best first within a recipe, controls last."""
    if not lake.exists("saliency_benchmark"):
        return []
    table = lake.read("saliency_benchmark").to_pylist()
    votes = {(row["recipe"], row["method"]) for row in table if row["metric"] == "vote" and row["value"]}
    same = {
        (r["recipe"], r["method"]): r["metric"].removeprefix("same as ")
        for r in table
        if r["metric"].startswith("same")
    }
    means = [row for row in table if row["class"] == MEAN and row["metric"] == "map@0.3"]
    top = max((row["high"] or row["value"] or 0 for row in means), default=1.0) or 1.0
    rows = []
    for row in means:
        place = (row["recipe"], row["method"])
        style = "other" if row["method"] in CONTROLS else "main"
        note = "draws the pseudo boxes" if place in votes else f"same maps as {same[place]}" if place in same else ""
        shown = figure(row, stop=min(1.0, top * 1.05), style=style)
        shown = {"recipe": row["recipe"], "method": _control(row["method"]), "map": shown, "note": note}
        rows.append({**shown, "boxes": row["boxes"], "images": row["images"], "is_control": style == "other"})
    return sorted(rows, key=lambda r: (r["recipe"], r["is_control"], -float(r["map"]["value"] if r["map"] else 0)))


def _control(name: str) -> str:
    return CONTROL_NAMES.get(name, name)


def pseudo_boxes(lake: Lake) -> list[dict[str, Any]]:
    """Boxes per class over all sources."""
    if not lake.partitions("pseudo_boxes"):
        return []
    counts = Counter(lake.read("pseudo_boxes", columns=["class"]).column(0).to_pylist())
    most = max(counts.values(), default=1)
    return [
        {"name": name, "count": count, "bar": svg.stacked_bar([(name, count)], total=most, width=260)}
        for name, count in counts.most_common()
    ]


def detector(lake: Lake) -> list[dict[str, Any]]:
    """mAP@.3 of the detector at each level, against each reference."""
    if not lake.exists("detector_scorecard"):
        return []
    rows = [r for r in lake.read("detector_scorecard").to_pylist() if r["metric"] == "map@0.3" and r["class"] == MEAN]
    order = {"class": 0, "group": 1, "agnostic": 2}
    rows.sort(key=lambda r: (r["against"], order.get(r["level"], 3), r["model"] in CONTROLS, r["model"]))
    return [
        {
            **{key: row[key] for key in ("against", "level", "boxes", "images")},
            "model": _control(row["model"]),
            "is_control": row["model"] in CONTROLS,
            "map": figure(row, style="other" if row["model"] in CONTROLS else "main"),
        }
        for row in rows
    ]


def truth(rows: Iterable[dict]) -> list[dict[str, Any]]:
    """The demo's scores against the phantom's truth, as ``localisation.truth`` returns them."""
    return [
        {"name": _control(r["boxes_of"]), "pool": r["pool"], "boxes": r["boxes"], "images": r.get("images"),
         "is_control": r["boxes_of"] in CONTROLS,
         "map": figure(r, style="other" if r["boxes_of"] in CONTROLS else "main")}
        for r in rows
    ]  # fmt: skip


def versions(lake: Lake) -> list[tuple[str, str]]:
    """Tables and their data versions, so that two reports can be compared."""
    return [
        (table if partition == "all" else f"{table}/{partition}", lake.version(table, partition)[:12])
        for table in TABLES
        for partition in lake.partitions(table)
    ]
