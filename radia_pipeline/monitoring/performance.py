"""How good the models are on what arrives, measured: blind readings of a small monthly sample (phase ``monitor``).

What scores alone tell of performance is blind to concept shift: the same scores with another truth look the same. Here
only readings count. Newcombe's interval for AUC; a kappa of many classes is drawn over studies, whose cells are not
independent. Not here: which studies are read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from radia_pipeline.contracts.label_values import NEGATIVE, POSITIVE
from radia_pipeline.contracts.pools import TEST
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.evaluation.answering import Answering
from radia_pipeline.evaluation.intervals import auc_interval
from radia_pipeline.evaluation.metrics import auc
from radia_pipeline.lake.lake import Lake
from radia_pipeline.monitoring.observed import pools_of
from radia_pipeline.monitoring.readouts import read_out
from radia_pipeline.readings.agreement import agreement
from radia_pipeline.readings.in_force import readings_in_force
from radia_pipeline.readings.reading import MONITOR
from radia_pipeline.training.studies import FRONTAL_ORDER

MODEL_AND_READER, READERS = "model and reader", "two readers"
ALL_MONTHS = "all"
_REPLICATES, _SEED = 500, 15


@dataclass(frozen=True)
class Measured:
    """One figure of a month, or of all of them. ``subject``: a class, or whose agreement it is."""

    month: str
    figure: str
    subject: str
    value: float
    low: float
    high: float
    positives: int
    studies: int


@dataclass(frozen=True)
class _Read:
    """One reading beside what the models say: ``truth``, ``score``, ``call`` (K,), NaN where nothing was said."""

    month: str
    study: str
    reader: str
    truth: np.ndarray
    score: np.ndarray
    call: np.ndarray


def measured(lake: Lake, day: date, ready: Answering | None, least_positives: int) -> list[Measured]:
    """Return AUC of each class and kappa, by month and over all months, of readings made until a day."""
    reads = list(_reads(lake, day, ready))
    months = sorted({one.month for one in reads})
    found: list[Measured] = []
    for month in (*months, ALL_MONTHS) if reads else ():
        mine = [one for one in reads if month in (one.month, ALL_MONTHS)]
        found += _aucs(month, mine, least_positives)
        found += _kappas(month, mine)
    return found


def _reads(lake: Lake, day: date, ready: Answering | None) -> Iterator[_Read]:
    until = day.isoformat()
    wanted = [r for _, r in readings_in_force(lake) if r.phase == MONITOR and r.decided_at[:10] <= until]
    scores = _scores(lake, {(one.source, one.study_id) for one in wanted}, ready)
    classes = vocabulary().classes
    for one in wanted:
        score = scores.get(one.study_id)
        if score is None or one.not_assessable:
            continue
        truth = np.array([one.answers.get(name, np.nan) for name in classes], dtype=float)
        truth = np.where(np.isin(truth, (POSITIVE, NEGATIVE)), truth, np.nan)
        call = (score >= ready.ensemble.cuts).astype(float) if ready else np.full(len(classes), np.nan)
        yield _Read(one.decided_at[:7], one.study_id, one.reader, truth, score, call)


def _scores(lake: Lake, studies: set[tuple[str, str]], ready: Answering | None) -> dict[str, np.ndarray]:
    """Return study_id -> probabilities of its first frontal film; of the test pool none."""
    if ready is None or not studies:
        return {}
    pools, found = pools_of(lake), {}
    columns = ["source", "image_id", "study_id", "patient_key", "path", "view"]
    for source in sorted({name for name, _ in studies}):
        mine = {study for name, study in studies if name == source}
        films = [
            row
            for row in lake.read("images", source, columns).to_pylist()
            if row["study_id"] in mine and row["view"] in FRONTAL_ORDER and pools.get(row["patient_key"], TEST) != TEST
        ]
        films.sort(key=lambda row: (FRONTAL_ORDER.index(row["view"]), row["image_id"]))
        first = {row["study_id"]: row for row in reversed(films)}
        shown = {row["image_id"] for row in first.values()}
        for row in read_out(lake, source, list(first.values()), shown, ready).values():
            found[row["study_id"]] = np.array(row["probabilities"])
    return {study: score for study, score in found.items() if len(score)}


def _aucs(month: str, reads: Sequence[_Read], least: int) -> Iterator[Measured]:
    """Yield the AUC of each class with enough of both; of two readings of a study the first counts."""
    first = {one.study: one for one in reversed(reads)}.values()
    for place, name in enumerate(vocabulary().classes):
        cells = [(one.score[place], one.truth[place]) for one in first if not np.isnan(one.truth[place])]
        positives = sum(truth == POSITIVE for _, truth in cells)
        if min(positives, len(cells) - positives) < least:
            continue
        score, truth = np.array(cells).T
        value = float(auc(score, truth.astype(int)))
        low, high = auc_interval(value, positives, len(cells) - positives)
        yield Measured(month, "auc", name, value, low, high, positives, len(cells))


def _kappas(month: str, reads: Sequence[_Read]) -> Iterator[Measured]:
    first = {one.study: one for one in reversed(reads)}.values()
    yield from _kappa(month, MODEL_AND_READER, [(one.call, one.truth) for one in first])
    by_study: dict[str, dict[str, np.ndarray]] = defaultdict(dict)
    for one in reads:
        by_study[one.study].setdefault(one.reader, one.truth)
    of_two = [(said, sorted(said)) for said in by_study.values() if len(said) > 1]
    pairs = [(said[readers[0]], said[readers[1]]) for said, readers in of_two]
    yield from _kappa(month, READERS, pairs)


def _kappa(month: str, subject: str, pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> Iterator[Measured]:
    if len(pairs) < 2:
        return
    first, second = (np.stack(side) for side in zip(*pairs, strict=True))
    found = agreement(first.ravel(), second.ravel())
    if np.isnan(found.kappa):
        return
    rng, drawn = np.random.default_rng(_SEED), []
    for _ in range(_REPLICATES):
        rows = rng.integers(0, len(pairs), len(pairs))
        drawn.append(agreement(first[rows].ravel(), second[rows].ravel()).kappa)
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    positives = int((second == POSITIVE).sum())
    yield Measured(month, "kappa", subject, found.kappa, float(low), float(high), positives, len(pairs))


def expected_aucs(lake: Lake) -> Mapping[str, float]:
    """Return class -> AUC of the ensemble on the scorecard's validation, all sources together; none without one."""
    if not lake.exists("scorecard"):
        return {}
    wanted = {"model": "ensemble", "pool": "validation", "metric": "auc"}
    rows: list[dict[str, Any]] = lake.read("scorecard").to_pylist()
    mine = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
    whole = [row for row in mine if row["source"] == "all" and row["view"] == "pool"]
    return {row["class"]: row["value"] for row in whole if row["value"] is not None}
