"""How a challenger's decisions differ from the champion's on the same new films, by class and subgroup.

Each patient gives one film, so that exact tests hold: McNemar's of the calls that only one of the two makes, corrected
for all that are looked at (Benjamini and Hochberg). Where labels of the new studies stand, the paired difference of AUC
too. Not here: which films, and looking at them (``shadow``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from radia_pipeline.contracts.label_values import NEGATIVE, POSITIVE
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.evaluation.class_figures import OneClass
from radia_pipeline.evaluation.differences import difference_of_means
from radia_pipeline.evaluation.intervals import Z_95
from radia_pipeline.evaluation.study_facts import Study
from radia_pipeline.evaluation.subgroups import MEAN, MEAN_CLASSES, corrected

TABLE = "shadow_differences"
ALL, DELIVERY, SOURCE = "all", "delivery", "source"
LEAST_STUDIES, LEAST_OF_A_DELIVERY, MOST_DELIVERIES = 20, 2, 30
"""Studies from which on a subgroup is told, and a delivery; how many of the newest deliveries are."""


@dataclass(frozen=True)
class Shadowed:
    """What both say of the same studies, in one order. ``scores``, ``calls``: the champion's and the challenger's,
    (n, K) each; ``label`` (n, K): 1, 0, NaN; ``strata``: attribute -> the studies' strata, several for one where it has
    several."""

    scores: tuple[np.ndarray, np.ndarray]
    calls: tuple[np.ndarray, np.ndarray]
    label: np.ndarray
    strata: Mapping[str, Sequence[tuple[str, ...]]]


def shadowed(
    rows: Sequence[Mapping[str, Any]],
    cuts: tuple[np.ndarray, np.ndarray],
    labels: Mapping[Study, Mapping[str, int]],
    facts: Mapping[str, Mapping[Study, tuple[str, ...]]],
) -> Shadowed:
    """Put rows of ``shadow_scores`` together. ``cuts``: thresholds (K,) of both; ``labels``: of studies, by class."""
    keys = [(row["source"], row["study_id"]) for row in rows]
    champion, challenger = (np.array([row[f"{name}_scores"] for row in rows]) for name in ("champion", "challenger"))
    said = np.array([[labels.get(key, {}).get(name, np.nan) for name in vocabulary().classes] for key in keys], float)
    strata = {name: [mine.get(key, ()) for key in keys] for name, mine in facts.items()}
    strata[SOURCE] = [(row["source"],) for row in rows]
    names = [f"{row['source']} {row['delivery']}, {row['day']}" for row in rows]
    newest = {name for _, name in sorted({(row["day"], name) for row, name in zip(rows, names)})[-MOST_DELIVERIES:]}
    strata[DELIVERY] = [(name,) if name in newest else () for name in names]
    return Shadowed(
        (champion, challenger),
        (champion >= cuts[0], challenger >= cuts[1]),
        np.where(np.isin(said, (POSITIVE, NEGATIVE)), said, np.nan),
        strata,
    )


def differences(seen: Shadowed) -> list[dict[str, Any]]:
    """Return the rows of ``shadow_differences``: every class in all films and in every subgroup, and the mean AUC."""
    rows = [row for attribute, stratum, inside in _parts(seen) for row in _rows(seen, attribute, stratum, inside)]
    q_values = corrected([row["p_value"] for row in rows])
    return [{**row, "q_value": q} for row, q in zip(rows, q_values, strict=True)]


def _parts(seen: Shadowed) -> Iterator[tuple[str, str, np.ndarray]]:
    count = len(seen.label)
    yield ALL, ALL, np.ones(count, dtype=bool)
    for attribute, given in sorted(seen.strata.items()):
        names = sorted({name for found in given for name in found})
        for name in names if len(names) > 1 or attribute == DELIVERY else ():
            inside = np.array([name in found for found in given])
            if inside.sum() >= (LEAST_OF_A_DELIVERY if attribute == DELIVERY else LEAST_STUDIES):
                yield attribute, name, inside


def _rows(seen: Shadowed, attribute: str, stratum: str, inside: np.ndarray) -> Iterator[dict[str, Any]]:
    place = {"attribute": attribute, "stratum": stratum, "studies": int(inside.sum())}
    sides: tuple[list[OneClass], list[OneClass]] = ([], [])
    for k, name in enumerate(vocabulary().classes):
        pair = _pair(seen, k, inside)
        if pair is not None:
            sides[0].append(pair[0])
            sides[1].append(pair[1])
        calls = _calls(*(calls[inside, k] for calls in seen.calls))
        yield (
            {**place, "class": name, **calls, **_aucs([pair[0]], [pair[1]])}
            if pair
            else {**place, "class": name, **calls, **_NO_AUC}
        )
    if len(sides[0]) >= MEAN_CLASSES:
        yield {**place, "class": MEAN, **_NO_CALLS, **_aucs(*sides)}


def _pair(seen: Shadowed, k: int, inside: np.ndarray) -> tuple[OneClass, OneClass] | None:
    known = inside & ~np.isnan(seen.label[:, k])
    alone = np.arange(int(known.sum()))
    label = seen.label[known, k].astype(np.int8)
    champion, challenger = (OneClass.of(score[known, k], label, alone, groups=len(alone)) for score in seen.scores)
    return (champion, challenger) if champion.has_both else None


_NO_CALLS = dict.fromkeys(
    ("champion_called", "challenger_called", "gained", "lost", "difference", "low", "high", "p_value")
)


def _calls(champion: np.ndarray, challenger: np.ndarray) -> dict[str, Any]:
    """Compare calls, bool (n,): shares, those that only one makes, the paired difference with its interval."""
    from scipy import stats

    count = len(champion)
    shares = [float(side.mean()) for side in (champion, challenger)]
    gained, lost = int((challenger & ~champion).sum()), int((champion & ~challenger).sum())
    difference = (gained - lost) / count
    middle, half = _paired(gained, lost, count)
    low, high = min(difference, middle - half), max(difference, middle + half)
    p_value = float(stats.binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
    return {
        "champion_called": shares[0],
        "challenger_called": shares[1],
        "gained": gained,
        "lost": lost,
        "difference": difference,
        "low": max(-1.0, low),
        "high": min(1.0, high),
        "p_value": p_value,
    }


def _paired(gained: int, lost: int, count: int) -> tuple[float, float]:
    """Return centre and half width of the 95 % interval of a paired difference of shares, each of the four cells half a
    study fuller (Agresti and Min 2005, Statistics in Medicine 24), so that none has zero width."""
    many, net, either = count + 2, gained - lost, gained + lost + 1
    return net / many, Z_95 * math.sqrt(either - net**2 / many) / many


_NO_AUC = dict.fromkeys(("champion_auc", "challenger_auc", "auc_difference", "auc_low", "auc_high"))
_NO_AUC["positives"], _NO_AUC["labelled"] = 0, 0


def _aucs(champion: Sequence[OneClass], challenger: Sequence[OneClass]) -> dict[str, Any]:
    """Return the mean AUC of both and their paired difference; nothing where it has no figure."""
    found = difference_of_means(challenger, champion, "auc")
    if not np.isfinite(found.value):
        return dict(_NO_AUC)
    sides = ([one.figure("auc") for one in side] for side in (champion, challenger))
    means = [float(np.mean([one.value for one in side if one is not None])) for side in sides]
    return {
        "champion_auc": means[0],
        "challenger_auc": means[1],
        "auc_difference": found.value,
        "auc_low": found.low,
        "auc_high": found.high,
        "positives": found.positives,
        "labelled": found.studies,
    }
