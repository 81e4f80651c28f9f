"""What the scorecard's page shows, gathered from the lake's tables as plain data and small pictures.

Figures and counts only. What does not belong here: layout (the template), how a figure comes about (``evaluation``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from radia_pipeline.contracts.pools import TEST, VALIDATION
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.drawing.small import divided_bar, whisker
from radia_pipeline.drawing.text import digits_apart, limits
from radia_pipeline.evaluation.combinations import MIN_POSITIVES
from radia_pipeline.evaluation.decisions import confusions
from radia_pipeline.evaluation.ensemble import SINGLE, load_ensemble
from radia_pipeline.evaluation.judged import ABNORMAL, Judged
from radia_pipeline.evaluation.panel import ENSEMBLE
from radia_pipeline.evaluation.pool_uses import uses
from radia_pipeline.evaluation.scorecard import ALL_SOURCES, CANDIDATE, HELD, MEAN, POOL
from radia_pipeline.evaluation.study_facts import EXPERT
from radia_pipeline.lake.lake import Lake
from radia_pipeline.pages.run_report_figures import BESIDE, MAIN, figure, indexed

CALL_ROLES = {"found": "s0", "missed": "s1", "false alarm": "s5"}
"""How studies look by what became of them; the rest was rightly not called."""
STANDS_OUT = 0.05
"""q below which a subgroup is marked."""
SHOWN_PARTS = 12
"""Single classes of subgroups that are shown at most, the surest first."""
KINDS = {"ranks": "How it ranks", "decides": "How it decides", "probabilities": "What its probabilities are worth"}
FIGURES = {
    "ranks": ("auc", "partial_auc", "sensitivity_at_specificity_95", "ap"),
    "decides": ("f1", "f1_at_half", "f1_prior_corrected", "sensitivity", "specificity", "ppv", "p4"),
    "probabilities": ("brier", "cf1", "mean_probability", "prevalence"),
}
WORDS = {
    "auc": "AUC",
    "partial_auc": "partial AUC, ≤ 10 % false",
    "sensitivity_at_specificity_95": "sensitivity at 95 %",
    "ap": "AP",
    "f1": "F1",
    "f1_at_half": "F1 at .5",
    "f1_prior_corrected": "F1, prior shift",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "ppv": "PPV",
    "p4": "P4",
    "brier": "Brier",
    "cf1": "confidence F1",
    "mean_probability": "mean probability",
    "prevalence": "positive",
}


def models(rows: Sequence[Mapping], pool: str) -> list[dict[str, Any]]:
    """Return recipes and ensemble on a pool: mean figures over classes, the ensemble first."""
    found = indexed(rows, source=ALL_SOURCES, pool=pool, view=POOL)
    names = {model for model, _, _ in found if not model.startswith(CANDIDATE)}
    return [_mean_row(found, name) for name in sorted(names, key=lambda name: (name != ENSEMBLE, name))]


def candidates(lake: Lake, rows: Sequence[Mapping]) -> list[dict[str, Any]]:
    """Return every rule that could have been chosen, best first, with the chosen one marked; singles are recipes."""
    if not lake.exists(ENSEMBLE):
        return []
    chosen = load_ensemble(lake)
    found = indexed(rows, source=ALL_SOURCES, pool=VALIDATION, view=POOL)
    wanted = [name for name in {model for model, _, _ in found} if name.startswith(CANDIDATE)] + list(chosen.members)
    shown = [_mean_row(found, name) for name in sorted(wanted)]
    for row in shown:
        rule = row["model"].removeprefix(CANDIDATE)
        row["name"] = rule if row["model"].startswith(CANDIDATE) else f"{rule} alone"
        row["is_chosen"] = chosen.rule in (rule, f"{SINGLE}{rule}")
    return sorted(shown, key=lambda row: -row["order"])


def _mean_row(found: Mapping, name: str) -> dict[str, Any]:
    row: dict[str, Any] = {"model": name, "name": name}
    for metric in ("auc", "ap", "f1"):
        row[metric] = figure(found.get((name, MEAN, metric)), start=0.5 if metric == "auc" else 0.0, width=118)
    row["abnormal"] = figure(found.get((name, ABNORMAL, "auc")), start=0.5, width=118)
    auc = found.get((name, MEAN, "auc"), {})
    row |= {"order": auc.get("value") or 0.0, "trained_on": auc.get("trained_on"), "studies": auc.get("studies")}
    return row


def classes(rows: Sequence[Mapping], pool: str) -> list[dict[str, Any]]:
    """Return the ensemble class by class: abnormal, then groups, then pathologies, each with its figures by kind."""
    found = indexed(rows, source=ALL_SOURCES, pool=pool, view=POOL, model=ENSEMBLE)
    words = vocabulary()
    groups = (*words.finding_groups, *words.unions)
    order = [
        (ABNORMAL, "normal or not"),
        *((name, "groups") for name in groups),
        *((name, "pathologies") for name in words.pathologies),
    ]
    return [_class_row(found, name, kind) for name, kind in order if (ENSEMBLE, name, "auc") in found]


def _class_row(found: Mapping, name: str, kind: str) -> dict[str, Any]:
    rows = {metric: row for (_, of, metric), row in found.items() if of == name}
    auc = rows["auc"]
    few = min(auc["positives"], auc["studies"] - auc["positives"]) < MIN_POSITIVES
    role = BESIDE if few else MAIN
    shown = {
        metric: figure(rows.get(metric), 3 if part == "probabilities" else 2, role=role, width=92)
        for part, metrics in FIGURES.items()
        for metric in metrics
    }
    return {
        "name": name,
        "kind": kind,
        "few": few,
        "positives": auc["positives"],
        "studies": auc["studies"],
        "patients": auc["patients"],
        "figures": shown,
        "error": _error(rows),
    }


def _error(rows: Mapping[str, Mapping]) -> dict[str, Any] | None:
    """Return calibration error with the band of a calibrated model, and whether it lies above."""
    value, band = rows.get("ece", {}).get("value"), rows.get("ece_if_calibrated", {})
    if value is None or band.get("low") is None:
        return None
    return {
        "value": f"{value:.3f}",
        "band": "–".join(limits(band["low"], band["high"])),
        "is_above": value > band["high"],
    }


def calls(judged: Judged | None) -> list[dict[str, Any]]:
    """Return each class's studies by label and call, normal or not first; rare ones are shown quietly."""
    rows = []
    for one in confusions(judged) if judged is not None else ():
        parts = {"found": one.hits, "missed": one.misses, "false alarm": one.false_alarms}
        total = sum(parts.values()) + one.rejections
        if not total:
            continue
        few = min(one.hits + one.misses, one.false_alarms + one.rejections) < MIN_POSITIVES
        bar = [(name, count, CALL_ROLES[name]) for name, count in parts.items()]
        name = "normal or not" if one.name == ABNORMAL else one.name
        rows.append({**vars(one), "name": name, "few": few, "bar": divided_bar(bar, total=total, width=180)})
    return rows[-1:] + rows[:-1] if rows and rows[-1]["name"] == "normal or not" else rows


def subgroups(lake: Lake, pool: str) -> list[dict[str, Any]]:
    """Return each attribute with its subgroups' mean AUC beside the rest; co-findings stand with single classes."""
    table = [row for row in _subgroup_rows(lake, pool) if row["class"] == MEAN]
    found: dict[str, list] = {}
    for row in table:
        found.setdefault(row["attribute"], []).append(_part(row))
    return [{"attribute": name, "parts": parts} for name, parts in sorted(found.items())]


def single_classes(lake: Lake, pool: str) -> list[dict[str, Any]]:
    """Return the surest differences of single classes in subgroups, by q."""
    rows = [row for row in _subgroup_rows(lake, pool) if row["class"] != MEAN and row["q_value"] is not None]
    return [_part(row) for row in sorted(rows, key=lambda row: (row["q_value"], row["p_value"]))[:SHOWN_PARTS]]


def subgroup_counts(lake: Lake, pool: str) -> dict[str, int]:
    """Return how many rows were looked at, how many are too few for a figure, how many stand out."""
    rows = _subgroup_rows(lake, pool)
    return {
        "looked_at": len(rows),
        "too_few": sum(row["value"] is None for row in rows),
        "stand_out": sum(_stands_out(row) for row in rows),
    }


def _subgroup_rows(lake: Lake, pool: str) -> list[dict]:
    if not lake.exists("scorecard_subgroups"):
        return []
    return [row for row in lake.read("scorecard_subgroups").to_pylist() if row["pool"] == pool]


def _stands_out(row: Mapping) -> bool:
    return row["q_value"] is not None and row["q_value"] < STANDS_OUT


def _part(row: Mapping) -> dict[str, Any]:
    is_out = _stands_out(row)
    moved = {key: row[key] for key in ("difference", "difference_low", "difference_high")}
    return {
        **{key: row[key] for key in ("attribute", "stratum", "class", "positives", "studies", "patients")},
        "auc": figure(row, start=0.5, width=118),
        "rest": None if row["rest"] is None else f"{row['rest']:.2f}",
        "difference": None
        if None in moved.values()
        else {
            "value": _signed(moved["difference"]),
            "interval": _signed_range(moved["difference_low"], moved["difference_high"]),
            "picture": whisker(
                *moved.values(), start=-0.4, stop=0.4, guide=0.0, width=118, role="s1" if is_out else BESIDE
            ),
        },
        "q": None if row["q_value"] is None else ("< .001" if row["q_value"] < 0.001 else f"{row['q_value']:.3f}"),
        "stands_out": is_out,
    }


def _signed_range(low: float, high: float) -> str:
    digits = digits_apart(low, high, 2)
    return f"{_signed(low, digits)} to {_signed(high, digits)}"


def _signed(value: float, digits: int = 2) -> str:
    """Return a difference with a sign that a reader knows; nothing is neither above nor below."""
    shown = f"{abs(value):.{digits}f}"
    return shown if float(shown) == 0 else f"{'+' if value > 0 else '−'}{shown}"


def matrix(rows: Sequence[Mapping], pool: str) -> dict[str, Any]:
    """Return trained on × tested on: mean AUC of each model on each source, and on what experts read of it."""
    kept = [
        row
        for row in rows
        if (row["pool"], row["class"], row["metric"]) == (pool, MEAN, "auc")
        and row["view"] in (POOL, EXPERT, HELD)
        and not row["model"].startswith(CANDIDATE)
    ]
    found = {(row["source"], row["view"]) for row in kept}
    columns = sorted(found, key=lambda place: (place[0] != ALL_SOURCES, place[0], place[1] != POOL, place[1]))
    cells = {(row["model"], row["source"], row["view"]): row for row in kept}
    names = sorted({row["model"] for row in kept}, key=lambda name: (name != ENSEMBLE, name))
    trained = {row["model"]: row["trained_on"] for row in kept}
    return {
        "columns": [_column(source, view) for source, view in columns],
        "rows": [
            {
                "name": name,
                "trained_on": trained[name] or "–",
                "cells": [
                    {
                        "figure": figure(cells.get((name, *column)), start=0.5, width=100),
                        "is_foreign": _is_foreign(column[0], trained[name]),
                    }
                    for column in columns
                ],
            }
            for name in names
        ],
    }


def _is_foreign(source: str, trained_on: str | None) -> bool:
    """Say whether a model is known to have learned from other sources than the one it is tested on."""
    return source != ALL_SOURCES and trained_on is not None and source not in trained_on.split(", ")


def _column(source: str, view: str) -> str:
    name = "all sources" if source == ALL_SOURCES else source
    return name + {EXPERT: ", expert-read", HELD: ", held"}.get(view, "")


def ledger(lake: Lake) -> list[dict[str, Any]]:
    """Return the uses of the test pool, newest first."""
    return [
        {
            **{key: getattr(use, key) for key in ("purpose", "name", "studies", "who", "why")},
            "at": use.at[:16].replace("T", " "),
            "shows_figures": use.shows_figures,
        }
        for use in reversed(uses(lake))
    ]


def first_of(found: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the first of some rows, None of none."""
    return next(iter(found), None)


def pools_of(rows: Sequence[Mapping]) -> list[str]:
    """Return the pools that were judged, test first."""
    return [pool for pool in (TEST, VALIDATION) if any(row["pool"] == pool for row in rows)]
