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
from radia_pipeline.errors import BadInput
from radia_pipeline.evaluation.intervals import Interval
from radia_pipeline.evaluation.judged_models import judged_model
from radia_pipeline.evaluation.panel import ENSEMBLE
from radia_pipeline.evaluation.reader_gap import Below, count_below, curve_of, place_reader
from radia_pipeline.evaluation.weighted import Sample, figures
from radia_pipeline.lake.lake import Lake
from radia_pipeline.readings.membership import rows_of_set
from radia_pipeline.readings.truth import StudyAnswers, answers_by_set, is_open


@dataclass(frozen=True)
class ReaderPoint:
    """One reader on the ROC plane of one class. ``gap``: as ``evaluation.reader_gap`` has it."""

    reader: str
    sensitivity: float
    specificity: float
    gap: Interval


@dataclass(frozen=True)
class ClassJudgement:
    """One class, its figures and its readers. ``curve``: false alarm rates and sensitivities of the model's ROC."""

    name: str
    effective_positives: float
    figures: Mapping[str, Interval]
    readers: tuple[ReaderPoint, ...]
    below: Below
    curve: tuple[tuple[float, ...], tuple[float, ...]]


def judge_set(lake: Lake, set_id: str, model: str = ENSEMBLE) -> tuple[ClassJudgement, ...]:
    """Judge a model's predictions on a reading set, class by class; classes without enough positives are left out.

    Raises BadInput for a set that is unknown or not read to its end, MissingTable where the model has no predictions on
    its pool: on test only a released ensemble and its members have them.
    """
    members = rows_of_set(lake, set_id)
    said = answers_by_set(lake).get(set_id, {})
    if waiting := sum(is_open(said.get(member["study_id"], StudyAnswers())) for member in members):
        received = f"{waiting} studies of {set_id} wait for somebody: figures on the others would be those of easy ones"
        raise BadInput(received, do="see `radia review status` for what is next")
    model_judged = judged_model(lake, model, members[0]["pool"])
    panel, calls = model_judged.panel, model_judged.calls
    place = {study: row for row, study in enumerate(panel.study_id.tolist())}
    members = [member for member in members if member["study_id"] in place]
    rows = np.array([place[member["study_id"]] for member in members], dtype=np.int64)
    answers = [said.get(member["study_id"], StudyAnswers()) for member in members]
    weight = np.array([1.0 / member["inclusion_probability"] for member in members])
    stratum = np.array([member["stratum"] for member in members])
    judged = []
    for column, name in enumerate(vocabulary().classes):
        scores = panel.probability[rows, column]
        one = _Class(name, scores, answers, weight, stratum)
        if (found := one.judged(calls[rows, column])) is not None:
            judged.append(found)
    return tuple(judged)


@dataclass(frozen=True)
class _Class:
    """One class on the set's studies, (n,) each."""

    name: str
    scores: np.ndarray
    answers: list[StudyAnswers]
    weight: np.ndarray
    stratum: np.ndarray

    def judged(self, called: np.ndarray) -> ClassJudgement | None:
        """Judge the model's decisions (n,) of bool."""
        sample, kept = self._sample(())
        found = figures(sample, called[kept]) if len(sample.truth) else {}
        if not found:
            return None
        readers = sorted({reader for said in self.answers for reader in said.blind})
        points = tuple(point for reader in readers if (point := self._point(reader)) is not None)
        below = count_below([point.gap for point in points])
        return ClassJudgement(self.name, sample.effective_positives, found, points, below, curve_of(sample))

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
        parts = (part[counts] for part in (sample.score, sample.truth, sample.weight, sample.stratum))
        placed = place_reader(Sample(*parts), calls[counts] == POSITIVE)
        return ReaderPoint(reader, **vars(placed)) if placed else None
