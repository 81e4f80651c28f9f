"""A model on a closed reading set: its figures for the whole pool, and the set's readers beside it on the ROC plane.

A reader is compared with truth in which that reader had no part, and with the model on the same studies. Not here: the
formulas (``evaluation.weighted``), the truth (``truth``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from radia_pipeline.contracts.label_values import NEGATIVE, POSITIVE
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.evaluation.bootstrap import Interval, percentile_interval
from radia_pipeline.evaluation.ensemble import DEFAULT_THRESHOLD, load_ensemble
from radia_pipeline.evaluation.panel import ENSEMBLE, Panel, read_panel
from radia_pipeline.evaluation.scorecard import validation_thresholds
from radia_pipeline.evaluation.weighted import MIN_POSITIVES, Sample, figures
from radia_pipeline.lake.lake import Lake
from radia_pipeline.readings.membership import rows_of_set
from radia_pipeline.readings.truth import StudyAnswers, answers_by_set

REPLICATES = 500


@dataclass(frozen=True)
class ReaderPoint:
    """One reader on the ROC plane of one class. ``gap``: the model's sensitivity at the reader's false alarms minus the
    reader's: above 0 the reader lies below the curve.
    """

    reader: str
    sensitivity: float
    specificity: float
    gap: Interval


@dataclass(frozen=True)
class ClassJudgement:
    """One class. ``below``: readers below the curve; the interval: surely below, and not surely above it."""

    name: str
    effective_positives: float
    figures: Mapping[str, Interval]
    readers: tuple[ReaderPoint, ...]
    below: Interval


def judge_set(lake: Lake, set_id: str, model: str = ENSEMBLE) -> tuple[ClassJudgement, ...]:
    """Judge a model's predictions on a reading set, class by class; classes without enough positives are left out.

    Raises BadInput for an unknown set, MissingTable where the model has no predictions.
    """
    members = rows_of_set(lake, set_id)
    panel = read_panel(lake, model)
    place = {study: row for row, study in enumerate(panel.study_id.tolist())}
    members = [member for member in members if member["study_id"] in place]
    rows = np.array([place[member["study_id"]] for member in members], dtype=np.int64)
    said = answers_by_set(lake).get(set_id, {})
    answers = [said.get(member["study_id"], StudyAnswers()) for member in members]
    weight = np.array([1.0 / member["inclusion_probability"] for member in members])
    stratum = np.array([member["stratum"] for member in members])
    thresholds = _thresholds(lake, panel, model)
    judged = []
    for column, name in enumerate(vocabulary().classes):
        scores = panel.probability[rows, column]
        one = _Class(name, scores, answers, weight, stratum)
        if (found := one.judged(float(thresholds[column]))) is not None:
            judged.append(found)
    return tuple(judged)


def _thresholds(lake: Lake, panel: Panel, model: str) -> np.ndarray:
    if model != ENSEMBLE:
        return validation_thresholds(panel)
    chosen = load_ensemble(lake).thresholds
    return np.where(np.isfinite(chosen), chosen, DEFAULT_THRESHOLD)


@dataclass(frozen=True)
class _Class:
    """One class on the set's studies, (n,) each."""

    name: str
    scores: np.ndarray
    answers: list[StudyAnswers]
    weight: np.ndarray
    stratum: np.ndarray

    def judged(self, threshold: float) -> ClassJudgement | None:
        sample, _ = self._sample(())
        found = figures(sample, threshold) if len(sample.truth) else {}
        if not found:
            return None
        readers = sorted({reader for said in self.answers for reader in said.blind})
        points = tuple(point for reader in readers if (point := self._point(reader)) is not None)
        below = sum(point.gap.value > 0 for point in points)
        surely = sum(point.gap.low > 0 for point in points)
        possibly = sum(point.gap.high > 0 for point in points)
        counted = Interval(float(below), float(surely), float(possibly), int(sample.truth.sum()), len(sample.truth))
        return ClassJudgement(self.name, sample.effective_positives, found, points, counted)

    def _sample(self, without: tuple[str, ...]) -> tuple[Sample, np.ndarray]:
        """Return the studies with a truth that is present or absent, and their places."""
        truth = np.array([self._truth(said, without) for said in self.answers])
        kept = np.flatnonzero(np.isin(truth, (POSITIVE, NEGATIVE)) & np.isfinite(self.scores))
        return Sample(self.scores[kept], truth[kept].astype(int), self.weight[kept], self.stratum[kept]), kept

    def _truth(self, said: StudyAnswers, without: tuple[str, ...]) -> float:
        value, _ = said.truth(self.name, without)
        return np.nan if value is None else float(value)

    def _point(self, reader: str) -> ReaderPoint | None:
        sample, kept = self._sample((reader,))
        given = [self.answers[place].blind.get(reader, {}).get(self.name) for place in kept]
        calls = np.array([np.nan if value is None else float(value) for value in given])
        counts = np.isin(calls, (POSITIVE, NEGATIVE))
        positives = int(sample.truth[counts].sum())
        if min(positives, int(counts.sum()) - positives) < MIN_POSITIVES:
            return None
        scores, truth = sample.score[counts], sample.truth[counts] == 1
        called, weight = calls[counts] == 1, sample.weight[counts]
        value, sensitivity, alarms = _gap(scores, truth, called, weight)
        generator = np.random.default_rng(0)
        drawn = [
            _gap(scores, truth, called, weight * _resampled(generator, sample.stratum[counts]))[0]
            for _ in range(REPLICATES)
        ]
        low, high = percentile_interval(np.array(drawn))
        return ReaderPoint(reader, sensitivity, 1 - alarms, Interval(value, low, high, positives, int(counts.sum())))


def _resampled(generator: np.random.Generator, stratum: np.ndarray) -> np.ndarray:
    """Return how often each study is drawn when each stratum is drawn anew with replacement: (n,)."""
    times = np.zeros(len(stratum))
    for name in np.unique(stratum):
        inside = np.flatnonzero(stratum == name)
        times[inside] = np.bincount(generator.integers(0, len(inside), len(inside)), minlength=len(inside))
    return times


def _gap(score: np.ndarray, truth: np.ndarray, called: np.ndarray, weight: np.ndarray) -> tuple[float, float, float]:
    """Return (the model's sensitivity at the reader's false alarm rate − the reader's, the reader's, that rate)."""
    positive, negative = weight * truth, weight * ~truth
    if positive.sum() == 0 or negative.sum() == 0:
        return float("nan"), float("nan"), float("nan")
    sensitivity, alarms = positive[called].sum() / positive.sum(), negative[called].sum() / negative.sum()
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.r_[score[order][1:] != score[order][:-1], True])
    rates = [np.r_[0.0, np.cumsum(side[order])[ends] / side.sum()] for side in (negative, positive)]
    return float(np.interp(alarms, *rates)) - float(sensitivity), float(sensitivity), float(alarms)
