"""How members are combined: candidate rules, the choice on validation, thresholds and calibration per class.

The choice sees the validation pool only. Preference goes to rules in their order here (the mean first, for it won among
published CheXpert submissions): a later rule must beat the earlier ones by more than chance, paired on the same
draws of groups. What does not belong here: figures on the test pool (``scorecard``).

Shape legend: M members, n studies, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from radia_pipeline.contracts.choices import Table
from radia_pipeline.contracts.pools import VALIDATION
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import EmptyPool, UnknownName
from radia_pipeline.evaluation import bootstrap, metrics
from radia_pipeline.evaluation.calibration import Calibration, fit_platt, logit, sigmoid
from radia_pipeline.evaluation.panel import ENSEMBLE, Panel, aligned, read_panel, rows_of
from radia_pipeline.lake.lake import Lake

SINGLE = "single:"
MIN_POSITIVES = 5  # a class with fewer positives (or negatives) does not enter a mean over classes
DEFAULT_THRESHOLD = 0.5  # of classes without a positive in validation
CHOICE_REPLICATES = 500


def candidate_rules(members: Sequence[str]) -> tuple[str, ...]:
    """Return all rules to try, in order of preference; with one member only that member."""
    singles = tuple(SINGLE + name for name in members)
    return singles if len(members) == 1 else (*COMBINATIONS, *singles)


def combine(rule: str, members: Sequence[str], probability: np.ndarray) -> np.ndarray:
    """Combine probabilities (M, n, K) of the members, in their order, to (n, K)."""
    probability = np.asarray(probability, dtype=np.float64)
    if rule in COMBINATIONS:
        return COMBINATIONS[rule](probability)
    name = rule.removeprefix(SINGLE)
    if not rule.startswith(SINGLE) or name not in members:
        raise UnknownName(f"Unknown ensemble rule {rule!r}", accepted=", ".join(candidate_rules(members)))
    return probability[list(members).index(name)]


def _mean_probability(probability: np.ndarray) -> np.ndarray:
    return probability.mean(axis=0)


def _mean_logit(probability: np.ndarray) -> np.ndarray:
    return sigmoid(logit(probability).mean(axis=0))


def _minimum(probability: np.ndarray) -> np.ndarray:
    return probability.min(axis=0)


def _maximum(probability: np.ndarray) -> np.ndarray:
    return probability.max(axis=0)


COMBINATIONS = Table("combination of members", {
    "mean_probability": _mean_probability, "mean_logit": _mean_logit, "minimum": _minimum, "maximum": _maximum,
})  # fmt: skip
"""Probabilities (M, n, K) -> (n, K), in order of preference."""


@dataclass(frozen=True)
class Ensemble:
    """A rule over members with calibration and threshold per class: what turns their outputs into a decision."""

    rule: str
    members: tuple[str, ...]
    calibrations: tuple[Calibration, ...]
    thresholds: np.ndarray

    @property
    def used_members(self) -> tuple[str, ...]:
        """The members whose output matters under the rule."""
        return (self.rule.removeprefix(SINGLE),) if self.rule.startswith(SINGLE) else self.members

    def predict(self, probability: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Combine and calibrate members' probabilities {recipe: (n, K)}: calibrated logit and probability, (n, K).

        Members that the rule does not use may be absent.
        """
        members = self.used_members
        if missing := [name for name in members if name not in probability]:
            raise UnknownName(f"No output of {', '.join(missing)}", accepted=", ".join(members))
        mixed = logit(combine(self.rule, members, np.stack([probability[name] for name in members])))
        moved = np.stack([fit(mixed[:, k]) for k, fit in enumerate(self.calibrations)], axis=1)
        return moved, sigmoid(moved)


@dataclass(frozen=True)
class EnsembleResult:
    """What ``build_ensemble`` chose: the rule, every candidate's mean validation AUC, and what stands behind it."""

    rule: str
    members: tuple[str, ...]
    validation_auc: dict[str, float]
    validation_studies: int
    classes_in_mean: int
    left_out_studies: int = 0
    rows: int = 0
    version: str = ""
    warnings: list[str] = field(default_factory=list)


def enough(label: np.ndarray, minimum: int = MIN_POSITIVES) -> np.ndarray:
    """Return which classes (K,) have at least ``minimum`` positives and as many negatives."""
    return ((label == 1).sum(axis=0) >= minimum) & ((label == 0).sum(axis=0) >= minimum)


def choose_rule(members: Sequence[str], panels: Sequence[Panel], *, seed: int = 0) -> tuple[str, dict[str, float]]:
    """Choose on aligned validation panels. Returns (rule, mean AUC of every candidate).

    The best candidate by mean AUC sets the bar; the first rule, in order of preference, that is not below it beyond
    chance (the 95 % interval of the paired difference holds 0) is taken. Without any class to judge by: the first rule.
    """
    rules = candidate_rules(members)
    label, kept = panels[0].label, enough(panels[0].label)
    probability = np.stack([panel.probability for panel in panels])
    scores = {rule: combine(rule, members, probability)[:, kept] for rule in rules}
    means = {rule: _mean_auc(scores[rule], label[:, kept]) for rule in rules}
    if not kept.any():
        return rules[0], means
    best = max(rules, key=lambda rule: means[rule])
    for rule in rules:
        if rule == best:
            break
        difference = bootstrap.paired_difference(
            scores[best], scores[rule], label[:, kept], panels[0].group_id, replicates=CHOICE_REPLICATES, seed=seed
        )
        if difference.low <= 0:
            return rule, means
    return best, means


def _mean_auc(score: np.ndarray, label: np.ndarray) -> float:
    values = [metrics.auc(score[:, k], label[:, k]) for k in range(score.shape[1])]
    return float(np.mean(values)) if values else float("nan")


def fit_ensemble(rule: str, members: Sequence[str], panels: Sequence[Panel]) -> Ensemble:
    """Fit calibration and best-F1 threshold of each class on aligned panels of a whole pool (natural prevalence)."""
    mixed = combine(rule, members, np.stack([panel.probability for panel in panels]))
    label, scores = panels[0].label, logit(mixed)
    fits, thresholds = [], np.full(label.shape[1], np.nan)
    for k in range(label.shape[1]):
        fits.append(fit_platt(scores[:, k], label[:, k]))
        if (label[:, k] == 1).any():
            cut, _ = metrics.best_f1_threshold(sigmoid(fits[k](scores[:, k])), label[:, k])
            thresholds[k] = min(max(cut, 0.0), 1.0)
    return Ensemble(rule, tuple(members), tuple(fits), thresholds)


def build_ensemble(lake: Lake, recipes: Sequence[str], *, seed: int = 0) -> EnsembleResult:
    """Choose a rule on validation, fit it, publish ``ensemble`` and the predictions partition ``ensemble``.

    Raises MissingTable where a recipe has no predictions, EmptyPool where no study is in validation.
    """
    members = tuple(sorted(dict.fromkeys(recipes)))
    raw = [read_panel(lake, name) for name in members]
    panels = aligned(raw)
    validation = [panel.only(pool=VALIDATION) for panel in panels]
    if not len(validation[0]):
        raise EmptyPool("No predicted study is in the validation pool", do="run with more patients: pools are 80/10/10")
    rule, means = choose_rule(members, validation, seed=seed)
    fitted = fit_ensemble(rule, members, validation)
    moved, probability = fitted.predict({name: panel.probability for name, panel in zip(members, panels)})
    written = lake.write("ensemble", _rows(fitted, validation))
    lake.write("predictions", rows_of(replace(panels[0], logit=moved, probability=probability), ENSEMBLE), ENSEMBLE)
    kept = int(enough(validation[0].label).sum())
    return EnsembleResult(
        rule=rule,
        members=members,
        validation_auc=means,
        validation_studies=len(validation[0]),
        classes_in_mean=kept,
        left_out_studies=max(map(len, raw)) - len(panels[0]),
        rows=written.rows,
        version=written.version,
        warnings=[] if kept else [f"no class has {MIN_POSITIVES} positives in validation: the rule is the default"],
    )


def _rows(fitted: Ensemble, validation: Sequence[Panel]) -> list[dict]:
    mixed = combine(fitted.rule, fitted.members, np.stack([panel.probability for panel in validation]))
    label, rows = validation[0].label, []
    for k, name in enumerate(vocabulary().classes):
        auc, cut = metrics.auc(mixed[:, k], label[:, k]), fitted.thresholds[k]
        rows.append(
            {
                "class": name,
                "rule": fitted.rule,
                "members": list(fitted.members),
                "threshold": float(cut) if np.isfinite(cut) else None,
                "calibration_a": fitted.calibrations[k].a,
                "calibration_b": fitted.calibrations[k].b,
                "validation_auc": auc if np.isfinite(auc) else None,
                "validation_positives": int((label[:, k] == 1).sum()),
            }
        )
    return rows


def load_ensemble(lake: Lake) -> Ensemble:
    """Read the published ensemble; raises MissingTable before it was built."""
    rows = {row["class"]: row for row in lake.read("ensemble").to_pylist()}
    ordered = [rows[name] for name in vocabulary().classes]
    cuts = [np.nan if row["threshold"] is None else row["threshold"] for row in ordered]
    fits = tuple(Calibration(row["calibration_a"], row["calibration_b"]) for row in ordered)
    return Ensemble(ordered[0]["rule"], tuple(ordered[0]["members"]), fits, np.array(cuts))
