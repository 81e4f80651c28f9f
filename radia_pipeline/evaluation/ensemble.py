"""How members become one decision: the rule, calibration, coherence and thresholds, all chosen on validation.

The choice sees the validation pool only, and what is fitted there is judged on its other patients (``folds``). The
cheapest rule that is not below the best beyond chance is taken. What does not belong here: the rules themselves
(``combinations``), figures (``scorecard``).

Shape legend: M members, n studies, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from radia_pipeline.contracts.pools import VALIDATION
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import EmptyPool, UnknownName
from radia_pipeline.evaluation import folds, metrics
from radia_pipeline.evaluation.calibration import METHODS, Calibration, log_loss, logit, sigmoid
from radia_pipeline.evaluation.coherence import WAYS, capped
from radia_pipeline.evaluation.combinations import MIN_POSITIVES, RULES, enough, mean_auc
from radia_pipeline.evaluation.differences import paired_difference
from radia_pipeline.evaluation.groups import numbered
from radia_pipeline.evaluation.panel import ENSEMBLE, Panel, aligned, read_panel, rows_of
from radia_pipeline.evaluation.settling import coherent, settled
from radia_pipeline.lake.lake import Lake

SINGLE = "single:"
DEFAULT_THRESHOLD = 0.5  # of classes without a positive in validation
SURELY = 2.0
"""By how many standard errors a calibration must beat the first method of the table to take its place."""


def candidate_rules(members: Sequence[str]) -> tuple[str, ...]:
    """Return all rules to try; with one member only that member."""
    singles = tuple(SINGLE + name for name in members)
    return singles if len(members) == 1 else (*singles, *RULES)


@dataclass(frozen=True)
class Combination:
    """A rule over members with its parameters (K, P)."""

    rule: str
    members: tuple[str, ...]
    parameters: np.ndarray

    @classmethod
    def fitted(cls, rule: str, members: Sequence[str], probability: np.ndarray, label: np.ndarray) -> Combination:
        """Fit a rule on probabilities (M, n, K) and labels (n, K); raises UnknownName."""
        members = tuple(members)
        if rule in RULES:
            return cls(rule, members, RULES[rule].fitted(probability, label))
        if not rule.startswith(SINGLE) or rule.removeprefix(SINGLE) not in members:
            raise UnknownName(f"Unknown ensemble rule {rule!r}", accepted=", ".join(candidate_rules(members)))
        return cls(rule, members, np.zeros((label.shape[1], 0)))

    @property
    def used_members(self) -> tuple[str, ...]:
        """The members whose output matters under the rule."""
        if self.rule.startswith(SINGLE):
            return (self.rule.removeprefix(SINGLE),)
        is_used = RULES[self.rule].uses(len(self.members), self.parameters)
        return tuple(name for name, used in zip(self.members, is_used) if used)

    def __call__(self, probability: Mapping[str, np.ndarray]) -> np.ndarray:
        """Combine {recipe: (n, K)} to (n, K); members that the rule does not use may be absent."""
        if missing := [name for name in self.used_members if name not in probability]:
            raise UnknownName(f"No output of {', '.join(missing)}", accepted=", ".join(self.used_members))
        if self.rule.startswith(SINGLE):
            return np.asarray(probability[self.used_members[0]], dtype=np.float64)
        shape = probability[self.used_members[0]].shape
        stacked = [np.asarray(probability.get(name, np.zeros(shape)), dtype=np.float64) for name in self.members]
        return RULES[self.rule].combine(np.stack(stacked), self.parameters)


@dataclass(frozen=True)
class Ensemble:
    """What turns members' outputs into a decision: a combination, a calibration for each class, coherence, thresholds
    (K,), NaN where a class has none."""

    combination: Combination
    calibrations: tuple[Calibration, ...]
    way: str
    thresholds: np.ndarray

    @property
    def rule(self) -> str:
        """Name of the combination's rule."""
        return self.combination.rule

    @property
    def members(self) -> tuple[str, ...]:
        """All members that the rule was chosen among."""
        return self.combination.members

    @property
    def used_members(self) -> tuple[str, ...]:
        """The members whose output matters under the rule."""
        return self.combination.used_members

    @property
    def cuts(self) -> np.ndarray:
        """Thresholds (K,), .5 where a class has none."""
        return filled(self.thresholds)

    def predict(self, probability: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Combine and calibrate members' probabilities {recipe: (n, K)}: logit and probability, (n, K).

        No class stands above one of its parents. Members that the rule does not use may be absent.
        """
        return self.calibrated(self.combination(probability))

    def calibrated(self, mixed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Calibrate combined probabilities (n, K) and make them coherent: logit and probability."""
        moved = coherent(self.calibrations, self.way, logit(mixed))
        return moved, capped(sigmoid(moved))


@dataclass(frozen=True)
class EnsembleResult:
    """What ``build_ensemble`` chose: the rule, every candidate's mean validation AUC, and what stands behind it."""

    rule: str
    members: tuple[str, ...]
    validation_auc: dict[str, float]
    validation_studies: int
    classes_in_mean: int
    calibrations: dict[str, int]
    way_to_coherence: str
    left_out_studies: int = 0
    rows: int = 0
    version: str = ""
    warnings: list[str] = field(default_factory=list)


def cross_fitted(rule: str, members: Sequence[str], panels: Sequence[Panel]) -> np.ndarray:
    """Return the rule's scores (n, K) on aligned panels, each study's from parameters fitted on other patients.

    What moves all studies alike is that of the whole pool: an offset of each fold would rank a study by the labels of
    its own fold, which it left out.
    """
    probability, label = np.stack([panel.probability for panel in panels]), panels[0].label
    named, whole = dict(zip(members, probability)), Combination.fitted(rule, members, probability, label)
    out = whole(named)
    if rule in RULES and RULES[rule].fit:
        common = RULES[rule].offsets
        for fitted, judged in folds.splits(panels[0].group_id):
            one = Combination.fitted(rule, members, probability[:, fitted], label[fitted])
            one.parameters[:, :common] = whole.parameters[:, :common]
            out[judged] = one({name: values[judged] for name, values in named.items()})
    return out


def candidates(members: Sequence[str], panels: Sequence[Panel]) -> dict[str, np.ndarray]:
    """Return every rule's cross-fitted scores (n, K) on aligned panels of validation."""
    return {rule: cross_fitted(rule, members, panels) for rule in candidate_rules(members)}


def choose_rule(members: Sequence[str], panels: Sequence[Panel]) -> tuple[str, dict[str, float]]:
    """Choose on aligned validation panels. Returns (rule, mean AUC of every candidate).

    The best candidate by mean AUC sets the bar; the cheapest one that is not below it beyond chance (the 95 % interval
    of the paired difference holds 0) is taken, the better of two that cost the same. Without any class to judge by: the
    mean.
    """
    label, kept = panels[0].label, enough(panels[0].label)
    scores = {rule: score[:, kept] for rule, score in candidates(members, panels).items()}
    means = {rule: mean_auc(score, label[:, kept]) for rule, score in scores.items()}
    if not kept.any():
        return next((rule for rule in RULES if rule in scores), SINGLE + members[0]), means
    best = max(scores, key=lambda rule: means[rule])
    cost = {rule: 1 if rule.startswith(SINGLE) else len(members) for rule in scores}
    for rule in sorted(scores, key=lambda rule: (cost[rule], -means[rule])):
        if rule == best:
            break
        found = paired_difference(scores[best], scores[rule], label[:, kept], panels[0].group_id)
        if not found.low > 0:  # nor where there are too few to tell
            return rule, means
    return best, means


def choose_calibration(logits: np.ndarray, label: np.ndarray, group_ids: np.ndarray) -> Calibration:
    """Fit the method of METHODS that is best on patients that it was not fitted on, for logits and labels (n,).

    The first method is left only for one that is surely better: its log loss lower by SURELY standard errors.
    """
    losses = {}
    for name, fit in METHODS.items():
        out = np.full(len(logits), np.nan)
        for fitted, judged in folds.splits(group_ids):
            out[judged] = fit(logits[fitted], label[fitted])(logits[judged])
        losses[name] = log_loss(out, label)
    first = next(iter(METHODS))
    gains = {name: losses[first] - loss for name, loss in losses.items() if name != first}
    sure = {name: value for name, gain in gains.items() if (value := _sure_gain(gain, group_ids)) > 0}
    return METHODS[max(sure, key=lambda name: sure[name], default=first)](logits, label)


def _sure_gain(gain: np.ndarray, group_ids: np.ndarray) -> float:
    """Return the sum of gains of studies (n,) less SURELY standard errors over groups; 0 without any."""
    kept = np.isfinite(gain)
    if not kept.any():
        return 0.0
    index, _ = numbered(np.asarray(group_ids)[kept])
    sums = np.bincount(index, weights=gain[kept])
    return float(sums.sum() - SURELY * np.sqrt(len(sums)) * sums.std())


def fit_ensemble(
    rule: str, members: Sequence[str], panels: Sequence[Panel], *, like: Ensemble | None = None
) -> Ensemble:
    """Fit combination, calibrations and thresholds on aligned panels of a whole pool (natural prevalence).

    ``like``: an ensemble whose calibration methods and way to coherence are taken instead of chosen again.
    """
    probability, label = np.stack([panel.probability for panel in panels]), panels[0].label
    combination = Combination.fitted(rule, members, probability, label)
    mixed = combination(dict(zip(members, probability)))
    logits = logit(mixed)
    fits = _calibrations(logits, label, panels[0].group_id, like)
    ways = (like.way,) if like else tuple(WAYS)
    curves = {way: settled(fits, way, logits, label) for way in ways}
    losses = {way: _loss(coherent(found, way, logits), label) for way, found in curves.items()}
    way = min(ways, key=lambda name: losses[name])
    whole = Ensemble(combination, curves[way], way, np.full(label.shape[1], np.nan))
    return replace(whole, thresholds=best_cuts(whole.calibrated(mixed)[1], label))


def _loss(logits: np.ndarray, label: np.ndarray) -> float:
    """Return the mean log loss over cells, 0 where none counts."""
    found = log_loss(logits, label)
    return float(np.nanmean(found)) if np.isfinite(found).any() else 0.0


def _calibrations(
    logits: np.ndarray, label: np.ndarray, group_ids: np.ndarray, like: Ensemble | None
) -> tuple[Calibration, ...]:
    columns = range(label.shape[1])
    if like is None:
        return tuple(choose_calibration(logits[:, k], label[:, k], group_ids) for k in columns)
    known = [one.method if one.method in METHODS else next(iter(METHODS)) for one in like.calibrations]
    return tuple(METHODS[known[k]](logits[:, k], label[:, k]) for k in columns)


def best_cuts(probability: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return the best-F1 threshold (K,) of each class, NaN for one without a positive."""
    out = np.full(label.shape[1], np.nan)
    for k in range(label.shape[1]):
        if (label[:, k] == 1).any():
            cut, _ = metrics.best_f1_threshold(probability[:, k], label[:, k])
            out[k] = min(max(cut, 0.0), 1.0)
    return out


def filled(cuts: np.ndarray) -> np.ndarray:
    """Return thresholds (K,), .5 where a class has none."""
    return np.where(np.isfinite(cuts), cuts, DEFAULT_THRESHOLD)


def validation_cuts(panel: Panel) -> np.ndarray:
    """Return the best-F1 threshold (K,) of each class on the panel's validation studies; .5 without positives."""
    pool = panel.only(pool=VALIDATION)
    return filled(best_cuts(pool.probability, pool.label))


def build_ensemble(lake: Lake, recipes: Sequence[str]) -> EnsembleResult:
    """Choose a rule on validation, fit it, publish ``ensemble`` and the predictions partition ``ensemble``.

    Raises MissingTable where a recipe has no predictions, EmptyPool where no study is in validation.
    """
    members = tuple(sorted(dict.fromkeys(recipes)))
    raw = [read_panel(lake, name).only(pool=VALIDATION) for name in members]
    if not min(map(len, raw), default=0):
        raise EmptyPool("No predicted study is in the validation pool", do="run with more patients: pools are 80/10/10")
    panels = aligned(raw)
    rule, means = choose_rule(members, panels)
    fitted = fit_ensemble(rule, members, panels)
    moved, probability = fitted.predict({name: panel.probability for name, panel in zip(members, panels)})
    written = lake.write("ensemble", _rows(fitted, panels))
    lake.write("predictions", rows_of(replace(panels[0], logit=moved, probability=probability), ENSEMBLE), ENSEMBLE)
    kept = int(enough(panels[0].label).sum())
    used = [one.method for one in fitted.calibrations]
    return EnsembleResult(
        rule=rule,
        members=members,
        validation_auc=means,
        validation_studies=len(panels[0]),
        classes_in_mean=kept,
        calibrations={name: used.count(name) for name in sorted(set(used))},
        way_to_coherence=fitted.way,
        left_out_studies=max(map(len, raw)) - len(panels[0]),
        rows=written.rows,
        version=written.version,
        warnings=[] if kept else [f"no class has {MIN_POSITIVES} positives in validation: the rule is the default"],
    )


def _rows(fitted: Ensemble, validation: Sequence[Panel]) -> list[dict]:
    mixed = fitted.combination({name: panel.probability for name, panel in zip(fitted.members, validation)})
    label, rows = validation[0].label, []
    for k, name in enumerate(vocabulary().classes):
        auc, cut, fit = metrics.auc(mixed[:, k], label[:, k]), fitted.thresholds[k], fitted.calibrations[k]
        rows.append(
            {
                "class": name,
                "rule": fitted.rule,
                "members": list(fitted.members),
                "parameters": fitted.combination.parameters[k].tolist(),
                "threshold": float(cut) if np.isfinite(cut) else None,
                "calibration": fit.method,
                "calibration_a": fit.a,
                "calibration_b": fit.b,
                "calibration_knots": list(fit.knots),
                "calibration_shares": list(fit.shares),
                "coherence": fitted.way,
                "validation_auc": auc if np.isfinite(auc) else None,
                "validation_positives": int((label[:, k] == 1).sum()),
            }
        )
    return rows


def load_ensemble(lake: Lake) -> Ensemble:
    """Read the published ensemble, one of an earlier release too; raises MissingTable before it was built."""
    return ensemble_of(lake.read("ensemble").to_pylist())


def ensemble_of(table: Sequence[Mapping]) -> Ensemble:
    """Return the ensemble that rows of ``ensemble`` or ``champion`` tell of."""
    rows = {row["class"]: row for row in table}
    ordered = [rows[name] for name in vocabulary().classes]
    cuts = [np.nan if row["threshold"] is None else row["threshold"] for row in ordered]
    parameters = np.array([row.get("parameters") or [] for row in ordered], dtype=float).reshape(len(ordered), -1)
    return Ensemble(
        Combination(ordered[0]["rule"], tuple(ordered[0]["members"]), parameters),
        tuple(_calibration(row) for row in ordered),
        ordered[0].get("coherence") or next(iter(WAYS)),
        np.array(cuts),
    )


def _calibration(row: Mapping[str, Any]) -> Calibration:
    knots, shares = (tuple(row.get(name) or ()) for name in ("calibration_knots", "calibration_shares"))
    method = row.get("calibration") or next(iter(METHODS))
    return Calibration(row["calibration_a"], row["calibration_b"], method, knots, shares)
