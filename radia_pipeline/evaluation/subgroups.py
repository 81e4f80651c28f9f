"""One model on parts of a pool: each part's AUC beside that of the other studies, corrected for how many are looked at.

Not here: what is known of studies (``study_facts``), how it looks (``pages``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.evaluation.class_figures import OneClass, mean_figure
from radia_pipeline.evaluation.combinations import enough
from radia_pipeline.evaluation.groups import numbered
from radia_pipeline.evaluation.intervals import Z_95, Interval, mover_difference
from radia_pipeline.evaluation.panel import Panel
from radia_pipeline.evaluation.study_facts import Study

MEAN = "mean"
MEAN_CLASSES = 3
"""Classes with enough positives on both sides that a mean over classes is made of at least."""
CO_FINDING = "co-finding"
TOO_FEW = "too few"
METRIC = "auc"


@dataclass(frozen=True)
class Part:
    """A subgroup, bool (n,) each: ``inside`` studies are of this stratum, ``known`` ones of any of the attribute."""

    attribute: str
    stratum: str
    inside: np.ndarray
    known: np.ndarray


def parts(panel: Panel, facts: Mapping[str, Mapping[Study, tuple[str, ...]]]) -> Iterator[Part]:
    """Yield every subgroup of a pool: by source, by what is known of studies, by other findings."""
    keys = list(zip(panel.source.tolist(), panel.study_id.tolist()))
    everywhere = {"source": {key: (key[0],) for key in keys}, **facts}
    for attribute, strata in everywhere.items():
        given = [strata.get(key, ()) for key in keys]
        known = np.array([bool(found) for found in given])
        names = sorted({name for found in given for name in found})
        if len(names) < 2:
            continue
        for name in names:
            yield Part(attribute, name, np.array([name in found for found in given]), known)
    for name in vocabulary().pathologies:
        label = panel.label[:, vocabulary().index(name)]
        yield Part(CO_FINDING, name, label == 1, (label == 0) | (label == 1))


def subgroup_rows(
    place: Mapping[str, str], panel: Panel, facts: Mapping[str, Mapping[Study, tuple[str, ...]]]
) -> list[dict]:
    """Return the rows of ``scorecard_subgroups`` for one model's panel of a pool."""
    group, _ = numbered(panel.group_id)
    rows = []
    for part in parts(panel, facts):
        inside, outside = part.known & part.inside, part.known & ~part.inside
        fixed = {**place, "attribute": part.attribute, "stratum": part.stratum}
        rows += [{**fixed, **row} for row in _compared(panel, group, inside, outside, left_out(part))]
    return rows


def left_out(part: Part) -> frozenset[str]:
    """Return the classes that say nothing of a part: a finding's own, those above and those below it."""
    if part.attribute != CO_FINDING:
        return frozenset()
    words = vocabulary()
    below = {name for name in words.classes if part.stratum in words.ancestors(name)}
    return frozenset({part.stratum, *words.ancestors(part.stratum), *below, words.no_finding})


def _compared(
    panel: Panel, group: np.ndarray, inside: np.ndarray, outside: np.ndarray, left_out: frozenset[str]
) -> Iterator[dict]:
    groups = int(group.max(initial=-1)) + 1
    sides: list[list[OneClass]] = [[], []]
    both = enough(panel.label[inside]) & enough(panel.label[outside])
    for k, name in enumerate(vocabulary().classes):
        if name in left_out:
            continue
        pair = [
            OneClass.of(panel.probability[side, k], panel.label[side, k], group[side], groups=groups)
            for side in (inside, outside)
        ]
        yield _row(name, pair[0].interval(METRIC), pair[1].interval(METRIC), pair[0].patients)
        if both[k] and all(one.has_both for one in pair):
            sides[0].append(pair[0])
            sides[1].append(pair[1])
    if len(sides[0]) >= MEAN_CLASSES:
        patients = max(one.patients for one in sides[0])
        yield _row(MEAN, mean_figure(sides[0], METRIC), mean_figure(sides[1], METRIC), patients)


def _row(name: str, inside: Interval, outside: Interval, patients: int) -> dict:
    row = {
        "class": name,
        "metric": METRIC,
        "positives": inside.positives,
        "studies": inside.studies,
        "patients": patients,
        "remark": None,
    }
    if not np.isfinite(inside.value):
        return {**row, "remark": TOO_FEW}
    row |= {"value": inside.value, "low": inside.low, "high": inside.high}
    if not np.isfinite(outside.value):
        return row
    low, high = mover_difference(inside, outside, 0.0)
    difference = inside.value - outside.value
    return {
        **row,
        "rest": outside.value,
        "difference": difference,
        "difference_low": low,
        "difference_high": high,
        "p_value": _p_value(difference, low, high),
    }


def _p_value(difference: float, low: float, high: float) -> float:
    """Return the two-sided p of a difference of 0, by the deviation that the limit towards 0 stands for."""
    reach = difference - low if difference > 0 else high - difference
    return float(2 * stats.norm.sf(abs(difference) * Z_95 / reach)) if reach > 0 else 1.0


def corrected(p_values: Sequence[float | None]) -> list[float | None]:
    """Return q values (Benjamini & Hochberg 1995) of those that exist."""
    given = np.array([p for p in p_values if p is not None], dtype=float)
    order = np.argsort(given, kind="stable")
    scaled = given[order] * len(given) / np.arange(1, len(given) + 1)
    q = np.empty(len(given))
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    found = iter(q.tolist())
    return [None if p is None else next(found) for p in p_values]
