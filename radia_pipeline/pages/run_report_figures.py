"""What the report shows, gathered from the lake's tables as plain data and small pictures. Layout is in the template.

Counts, figures and intervals only: no pixels, no report text, no key of a patient, study or image leaves this module.
Each function returns None or an empty collection where its table has not been made yet, so that a report can be written
at any stage. What does not belong here: curves (``run_report_curves``).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Unpack

from radia_pipeline.contracts.pools import POOLS
from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.drawing.small import Whisker, divided_bar, whisker
from radia_pipeline.drawing.text import limits
from radia_pipeline.errors import RadiaError
from radia_pipeline.evaluation.combinations import MIN_POSITIVES
from radia_pipeline.evaluation.ensemble import SINGLE, load_ensemble
from radia_pipeline.evaluation.panel import ENSEMBLE
from radia_pipeline.evaluation.scorecard import CANDIDATE, MEAN, MEAN_GROUPS, MEAN_PATHOLOGIES, shown_pool
from radia_pipeline.lake.lake import Lake
from radia_pipeline.localisation.average_precision import LEVELS
from radia_pipeline.localisation.controls import is_control, shown_name
from radia_pipeline.pages.render import short_version
from radia_pipeline.usecases.summary import localisation_figures, pool_counts, source_counts

MAIN, BESIDE = "s0", "muted"
"""How figures look, and how those that stand beside them (other rules, controls, classes with few studies) do."""
FILE_ROLES = {"ingested": "s0", "duplicates": "s5", "quarantined": "s1"}
TABLES = (
    "images",
    "labels",
    "manifest",
    "splits",
    "predictions",
    "ensemble",
    "scorecard",
    "saliency_benchmark",
    "pseudo_boxes",
    "detector_scorecard",
)
_LEVELS = tuple(LEVELS)


def sources(lake: Lake) -> list[dict[str, Any]]:
    """One row per source: what became of its files and studies; found = ingested + quarantined + duplicates."""
    rows = []
    for name in lake.partitions("images"):
        counts = source_counts(lake, name)
        rows.append(
            {
                **{key: counts[key] for key in ("found", *FILE_ROLES)},
                "name": name,
                "title": _title(name),
                "reasons": Counter(counts["reasons"]).most_common(),
                "bar": divided_bar([(part, counts[part], role) for part, role in FILE_ROLES.items()]),
                "labelled": counts.get("studies_labelled"),
                "in_manifest": counts.get("images_in_manifest", 0),
            }
        )
    return rows


def _title(source: str) -> str:
    try:
        return source_sheet(source).title
    except RadiaError:
        return source


def pools(lake: Lake) -> list[dict[str, Any]]:
    """One row per source: patients in each pool."""
    if not lake.exists("splits"):
        return []
    return [
        {"name": name, **{pool: counts[pool] for pool in POOLS}} for name, counts in sorted(pool_counts(lake).items())
    ]


def scorecard_rows(lake: Lake) -> list[dict]:
    """The scorecard's rows; none before it is made."""
    return lake.read("scorecard").to_pylist() if lake.exists("scorecard") else []


def indexed(rows: Iterable[Mapping], **place: str) -> dict[tuple[str, str, str], Mapping]:
    """Rows at one place by (model, class, metric)."""
    kept = (row for row in rows if all(row[key] == value for key, value in place.items()))
    return {(row["model"], row["class"], row["metric"]): row for row in kept}


def figure(row: Mapping | None, digits: int = 2, **axis: Unpack[Whisker]) -> dict[str, Any] | None:
    """A figure ready to be shown: text, interval text, picture; None where it does not exist."""
    if row is None or row["value"] is None:
        return None
    has_interval = row.get("low") is not None and row.get("high") is not None
    return {
        "value": f"{row['value']:.{digits}f}",
        "interval": "–".join(limits(row["low"], row["high"], digits)) if has_interval else "",
        "picture": whisker(row["value"], row.get("low"), row.get("high"), **axis),
    }


def models(lake: Lake) -> list[dict[str, Any]]:
    """Mean AUC and F1 of every model on the scorecard's pool, the ensemble first, its candidate rules last."""
    rows = scorecard_rows(lake)
    found = indexed(rows, source="all", pool=shown_pool(rows), view="pool")
    names = sorted({model for model, _, _ in found}, key=lambda m: (m != ENSEMBLE, m.startswith(CANDIDATE), m))
    shown = []
    for name in names:
        kind = "main" if name == ENSEMBLE else "other" if name.startswith(CANDIDATE) else "member"
        role = BESIDE if kind == "other" else MAIN
        row: dict[str, Any] = {"name": name.removeprefix(CANDIDATE), "kind": kind}
        for key, where in (("auc", MEAN), ("auc_pathologies", MEAN_PATHOLOGIES), ("auc_groups", MEAN_GROUPS)):
            row[key] = figure(found.get((name, where, "auc")), start=0.5, role=role, width=124)
        row["f1"] = figure(found.get((name, MEAN, "f1")), role=role, width=124)
        count = found.get((name, MEAN, "classes"))
        row["classes"] = int(count["value"]) if count else 0
        shown.append(row)
    return shown


def class_rows(lake: Lake, source: str, model: str = ENSEMBLE) -> list[dict[str, Any]]:
    """Figures of each class of a model on one source's pool; classes without any label are left out."""
    table = scorecard_rows(lake)
    found = indexed(table, source=source, pool=shown_pool(table), view="pool", model=model)
    words, rows = vocabulary(), []
    for name in words.classes:
        one = {m: found.get((model, name, m)) for m in ("auc", "f1", "sensitivity", "specificity", "ppv")}
        if one["auc"] is None or not one["auc"]["studies"]:
            continue
        positives, studies = one["auc"]["positives"], one["auc"]["studies"]
        is_rare = min(positives, studies - positives) < MIN_POSITIVES
        role = BESIDE if is_rare else MAIN
        rows.append(
            {
                "name": name,
                "kind": "group" if name in (*words.finding_groups, *words.unions) else "pathology",
                "few": is_rare,
                "positives": positives,
                "studies": studies,
                "auc": figure(one["auc"], guide=0.5, role=role, width=100),
                "f1": figure(one["f1"] if positives else None, role=role, width=100),
                **{metric: figure(one[metric]) for metric in ("sensitivity", "specificity", "ppv")},
            }
        )
    return sorted(rows, key=lambda row: row["kind"] != "pathology")


def evaluated_sources(lake: Lake) -> list[str]:
    """Sources of the scorecard, all of them together first."""
    return sorted({row["source"] for row in scorecard_rows(lake)}, key=lambda name: (name != "all", name))


def ensemble(lake: Lake) -> dict[str, Any] | None:
    """The rule that was chosen and its members."""
    if not lake.exists("ensemble"):
        return None
    chosen = load_ensemble(lake)
    rule = f"{chosen.rule.removeprefix(SINGLE)} alone" if chosen.rule.startswith(SINGLE) else chosen.rule
    return {"rule": rule.replace("_", " "), "members": chosen.used_members}


def saliency(lake: Lake) -> list[dict[str, Any]]:
    """mAP@.3 on test of each method and control, best first within a recipe, controls last."""
    if not lake.exists("saliency_benchmark"):
        return []
    table = lake.read("saliency_benchmark").to_pylist()
    votes = {(row["recipe"], row["method"]) for row in table if row["metric"] == "vote" and row["value"]}
    same = {
        (row["recipe"], row["method"]): row["metric"].removeprefix("same as ")
        for row in table
        if row["metric"].startswith("same")
    }
    means = localisation_figures(lake, "saliency_benchmark")
    top = max((row["high"] or row["value"] or 0 for row in means), default=1.0) or 1.0
    stop = min(1.0, math.ceil(top * 10) / 10)
    rows = []
    for row in means:
        place = (row["recipe"], row["method"])
        is_beside = is_control(row["method"])
        rows.append(
            {
                "recipe": row["recipe"],
                "method": shown_name(row["method"]),
                "map": figure(row, stop=stop, role=BESIDE if is_beside else MAIN),
                "stop": f"{stop:g}",
                "is_vote": place in votes,
                "note": "draws the pseudo boxes" if place in votes else _same_as(same.get(place)),
                "boxes": row["boxes"],
                "images": row["images"],
                "is_control": is_beside,
            }
        )
    return sorted(rows, key=lambda r: (r["recipe"], r["is_control"], -float(r["map"]["value"] if r["map"] else 0)))


def _same_as(method: str | None) -> str:
    return f"same maps as {method}" if method else ""


def pseudo_boxes(lake: Lake) -> list[dict[str, Any]]:
    """Boxes per class over all sources."""
    if not lake.partitions("pseudo_boxes"):
        return []
    counts = Counter(lake.read("pseudo_boxes", columns=["class"]).column(0).to_pylist())
    most = max(counts.values(), default=1)
    return [
        {"name": name, "count": count, "bar": divided_bar([(name, count, MAIN)], total=most, width=260)}
        for name, count in counts.most_common()
    ]


def detector(lake: Lake) -> list[dict[str, Any]]:
    """mAP@.3 of the detector at each level, against each reference, controls last."""
    if not lake.exists("detector_scorecard"):
        return []
    rows = localisation_figures(lake, "detector_scorecard")
    rows.sort(key=lambda r: (r["against"], _LEVELS.index(r["level"]), is_control(r["model"]), r["model"]))
    return [
        {
            **{key: row[key] for key in ("against", "level", "boxes", "images")},
            "model": shown_name(row["model"]),
            "is_control": is_control(row["model"]),
            "map": figure(row, role=BESIDE if is_control(row["model"]) else MAIN),
        }
        for row in rows
    ]


def truth(rows: Iterable[dict]) -> list[dict[str, Any]]:
    """The demo's scores against the phantom's truth, as ``localisation.truth`` returns them."""
    return [
        {
            **{key: row[key] for key in ("pool", "boxes", "images")},
            "name": shown_name(row["boxes_of"]),
            "is_control": is_control(row["boxes_of"]),
            "map": figure(row, role=BESIDE if is_control(row["boxes_of"]) else MAIN),
        }
        for row in rows
    ]


def versions(lake: Lake) -> list[tuple[str, str]]:
    """Tables and their data versions, so that two reports can be compared."""
    return [
        (table if partition == "all" else f"{table}/{partition}", short_version(lake, table, partition))
        for table in TABLES
        for partition in lake.partitions(table)
    ]
