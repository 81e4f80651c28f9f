"""Models as the scorecard judges them: scores of a pool with decisions that were chosen on other patients.

On validation, where thresholds, calibration and rules are chosen, each study is judged by what was fitted on the other
folds; on test by what was fitted on all of validation. Not here: figures (``scorecard``).

Shape legend: n studies, K classes and, after them, ``abnormal``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from radia_pipeline.contracts.label_values import MISSING, NEGATIVE, POSITIVE
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.evaluation import folds
from radia_pipeline.evaluation.calibration import fit_shift, sigmoid
from radia_pipeline.evaluation.class_figures import Cuts, OneClass
from radia_pipeline.evaluation.ensemble import (
    DEFAULT_THRESHOLD,
    Ensemble,
    best_cuts,
    cross_fitted,
    filled,
    fit_ensemble,
)
from radia_pipeline.evaluation.groups import numbered
from radia_pipeline.evaluation.panel import Panel

ABNORMAL = "abnormal"
"""Normal or not, whatever the finding: the complement of No Finding."""


def judged_classes() -> tuple[str, ...]:
    """Return the vocabulary's classes, then ``abnormal``."""
    return (*vocabulary().classes, ABNORMAL)


def with_abnormal(panel: Panel) -> Panel:
    """Return a panel with one more column: abnormal, which is not No Finding."""
    k = vocabulary().index(vocabulary().no_finding)
    label = panel.label[:, k]
    flipped = np.select([label == POSITIVE, label == NEGATIVE], [NEGATIVE, POSITIVE], MISSING).astype(label.dtype)
    return replace(
        panel,
        logit=np.column_stack([panel.logit, -panel.logit[:, k]]),
        probability=np.column_stack([panel.probability, 1 - panel.probability[:, k]]),
        label=np.column_stack([panel.label, flipped]),
    )


@dataclass(frozen=True)
class Judged:
    """A model on a pool, (n, K + 1) each: its panel, whose scores rank; ``probability``, which decides and is weighed;
    the thresholds of best F1, and those of the prior shift.

    On validation each study's probability is calibrated on other folds. Such probabilities do not rank: a fold that
    lacks a positive is calibrated lower, and holds it.
    """

    panel: Panel
    probability: np.ndarray
    tuned: np.ndarray
    prior: np.ndarray

    @classmethod
    def by(cls, panel: Panel, chosen_on: Panel, tuned: np.ndarray | None = None) -> Judged:
        """Judge a pool by thresholds chosen on another panel; ``tuned`` (K,): thresholds that are given instead."""
        panel, chosen_on = with_abnormal(panel), with_abnormal(chosen_on)
        found = filled(best_cuts(chosen_on.probability, chosen_on.label))
        if tuned is not None:
            found[: len(tuned)] = tuned
        shape = panel.label.shape
        cuts = np.broadcast_to(found, shape), np.broadcast_to(prior_cuts(chosen_on), shape)
        return cls(panel, panel.probability, *cuts)

    @classmethod
    def cross_fitted(cls, panel: Panel) -> Judged:
        """Judge validation by thresholds of its other folds."""
        parts = [
            (judged, cls.by(panel.take(judged), panel.take(fitted))) for fitted, judged in folds.splits(panel.group_id)
        ]
        return _joined(panel, parts) if parts else cls.by(panel, panel)

    @classmethod
    def ensemble_cross_fitted(cls, chosen: Ensemble, panels: Sequence[Panel]) -> Judged:
        """Judge an ensemble on aligned panels of validation: cuts and probabilities come from other folds.

        Scores are ranked after the calibration that was fitted on all of them, and the rule was chosen on all of them.
        """
        parts = []
        for fitted, judged in folds.splits(panels[0].group_id):
            one = fit_ensemble(chosen.rule, chosen.members, [panel.take(fitted) for panel in panels], like=chosen)
            seen, held = _predicted(one, panels, fitted), _predicted(one, panels, judged)
            parts.append((judged, cls.by(held, seen, one.cuts)))
        moved, probability = chosen.calibrated(cross_fitted(chosen.rule, chosen.members, panels))
        ranked = replace(panels[0], logit=moved, probability=probability)
        return _joined(ranked, parts) if parts else cls.by(ranked, ranked, chosen.cuts)

    @cached_property
    def groups(self) -> tuple[np.ndarray, int]:
        """Each study's group as a number (n,), and how many there are."""
        index, names = numbered(self.panel.group_id)
        return index, len(names)

    @property
    def calls(self) -> np.ndarray:
        """What the model decides at the tuned thresholds: bool (n, K + 1)."""
        return self.probability >= self.tuned

    def take(self, index: np.ndarray) -> Judged:
        """Return the studies of an index or mask."""
        return Judged(self.panel.take(index), self.probability[index], self.tuned[index], self.prior[index])

    def classes(self) -> Mapping[str, OneClass]:
        """Return each class with its studies and cuts; those without a score are not in it."""
        return dict(self._classes())

    def _classes(self) -> Iterator[tuple[str, OneClass]]:
        group, groups = self.groups
        for k, name in enumerate(judged_classes()):
            ranks, score = self.panel.probability[:, k], self.probability[:, k]
            label = np.where(np.isfinite(score), self.panel.label[:, k], MISSING)
            cuts = Cuts(self.tuned[:, k], self.prior[:, k])
            ranking = OneClass.of(np.nan_to_num(ranks), label, group, cuts, groups)
            yield name, replace(OneClass.of(np.nan_to_num(score), label, group, cuts, groups), ranking=ranking)


def prior_cuts(panel: Panel) -> np.ndarray:
    """Return the score (K,) that stands at .5 once the logits are shifted to the panel's prevalence."""
    fits = [fit_shift(panel.logit[:, k], panel.label[:, k]) for k in range(panel.label.shape[1])]
    return sigmoid(np.array([-fit.b for fit in fits]))


def _predicted(chosen: Ensemble, panels: Sequence[Panel], kept: np.ndarray) -> Panel:
    members = dict(zip(chosen.members, panels))
    moved, probability = chosen.predict({name: panel.probability[kept] for name, panel in members.items()})
    return replace(panels[0].take(kept), logit=moved, probability=probability)


def _joined(panel: Panel, parts: Sequence[tuple[np.ndarray, Judged]]) -> Judged:
    whole = with_abnormal(panel)
    probability = whole.probability.copy()
    tuned, prior = np.full(whole.label.shape, DEFAULT_THRESHOLD), np.full(whole.label.shape, DEFAULT_THRESHOLD)
    for kept, one in parts:
        probability[kept] = one.probability
        tuned[kept], prior[kept] = one.tuned, one.prior
    return Judged(whole, probability, tuned, prior)
