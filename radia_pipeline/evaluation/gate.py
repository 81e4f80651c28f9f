"""The gate between a released ensemble and a champion: the case is gathered, judged by every rule, and published.

Both are judged on the same studies of validation by today's labels, with everything that is fitted taken from other
patients. The test pool is looked at through a release only. Not here: the rules (``gate_rules``), a person's act
(``usecases.promotion``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from radia_pipeline.contracts.pools import TEST, VALIDATION
from radia_pipeline.errors import EmptyPool, MissingTable
from radia_pipeline.evaluation.champion import standing
from radia_pipeline.evaluation.gate_case import Case, Side, TruthOfReadings, Verdict
from radia_pipeline.evaluation.gate_rules import RULES
from radia_pipeline.evaluation.gate_words import REFUSED
from radia_pipeline.evaluation.in_use import InUse, Rescorer, challenger_of, champion_of, rescore
from radia_pipeline.evaluation.judged import Judged
from radia_pipeline.evaluation.panel import ENSEMBLE, Panel, aligned, read_panel
from radia_pipeline.evaluation.release import TABLE as SCORES
from radia_pipeline.evaluation.release import is_noted, kept_scores, release_id, released_panels
from radia_pipeline.evaluation.study_facts import study_facts
from radia_pipeline.evaluation.validated import ValidatedSet, complete_sets
from radia_pipeline.evaluation.validated import judged as judged_by_readings
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake

TABLE = "gate_verdicts"
HOSPITAL = "ccsmtl"
"""The source whose readings are the hospital's truth."""
_BASED_ON = (
    "ensemble",
    "test_predictions",
    "label_truth",
    "reading_sets",
    "images",
    "labels",
    "report_attributes",
    "splits",
    "champion",
)
Pace = Callable[[Sequence[InUse]], tuple[float, ...]]
"""Ensembles → the images a second of each, measured in one run."""


def measured_pace(sides: Sequence[InUse]) -> tuple[float, ...]:
    """Measure with the models of each."""
    from radia_pipeline.evaluation.pace import images_per_second

    return images_per_second(sides)


@dataclass(frozen=True)
class GateResult:
    """What the gate said. ``challenger``, ``champion``: releases; ``basis``: hash of all that was judged."""

    challenger: str
    champion: str | None
    verdicts: tuple[Verdict, ...]
    basis: str
    version: str

    @property
    def refused(self) -> tuple[str, ...]:
        """The rules that refuse, each once."""
        return tuple(dict.fromkeys(one.rule for one in self.verdicts if one.outcome == REFUSED))


def judge(lake: Lake, *, pace: Pace = measured_pace, rescorer: Rescorer = rescore) -> GateResult:
    """Judge the lake's ensemble beside its champion and publish ``gate_verdicts``.

    Raises MissingTable before there is an ensemble, EmptyPool where the two share no study of validation, NotTrained
    where a model is gone.
    """
    champion, basis, release = champion_of(lake), basis_of(lake), release_id(lake)
    case = gathered(lake, pace, rescorer)
    verdicts = tuple(verdict for rule in RULES for verdict in RULES[rule](case))
    beside = champion.release if champion else None
    fixed = {"challenger": release, "champion": beside, "basis": basis}
    written = lake.write(TABLE, [{**_row(verdict), **fixed} for verdict in verdicts])
    return GateResult(release, beside, verdicts, basis, written.version)


def basis_of(lake: Lake) -> str:
    """Return what tells this case from every other: the release, and the versions of all that is judged by."""
    parts = [release_id(lake)]
    for table in (*_BASED_ON, "predictions"):
        parts += [f"{table}/{name}={version}" for name, version in sorted(lake.versions(table).items())]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def unjudged(lake: Lake) -> str | None:
    """Return the basis of a challenger that waits for the gate: a released ensemble that is not the champion and that
    was not judged as it stands; None where there is none."""
    if not is_noted(lake):
        return None
    champion = champion_of(lake)
    if champion is not None and champion.release == release_id(lake):
        return None
    basis = basis_of(lake)
    judged = lake.read(TABLE, columns=["basis"])["basis"].to_pylist() if lake.exists(TABLE) else []
    return None if basis in judged else basis


def gathered(lake: Lake, pace: Pace, rescorer: Rescorer = rescore) -> Case:
    """Return what the rules look at; raises as ``judge`` does."""
    challenger, champion = challenger_of(lake), champion_of(lake)
    mine = aligned([challenger.panel(name) for name in challenger.ensemble.members])
    panels = [mine]
    if champion is not None:
        theirs = [champion.panel(name, of=mine[0], rescorer=rescorer) for name in champion.ensemble.members]
        panels = _together(mine, theirs)
    if not len(panels[0][0]):
        raise EmptyPool("No study of validation can be judged", do="materialize predictions first")
    sides = [challenger] if champion is None else [challenger, champion]
    rates = pace(sides)
    judged = [
        Side(Judged.ensemble_cross_fitted(side.ensemble, found), rate)
        for side, found, rate in zip(sides, panels, rates, strict=True)
    ]
    published = {VALIDATION: read_panel(lake, ENSEMBLE)}
    released = released_panels(lake)
    if released:
        published[TEST] = released[ENSEMBLE]
    return Case(
        judged[0],
        judged[1] if champion else None,
        published,
        study_facts(lake),
        truth_of_readings(lake, released.get(ENSEMBLE)),
        bool(released),
        _on_test(lake, published),
        {
            VALIDATION: _held_of_validation(challenger, champion, published[VALIDATION], rescorer),
            TEST: _held_of_test(lake, published[VALIDATION]),
        },
    )


def _held_of_validation(
    challenger: InUse, champion: InUse | None, chosen_on: Panel, rescorer: Rescorer
) -> tuple[Judged, ...]:
    """Return both on the held splits of validation; nothing where the challenger has not been scored there."""
    found: list[Panel] = []
    for side in filter(None, (challenger, champion)):
        members = side.ensemble.used_members
        first = found[0] if found else None
        panels = [side.panel(name, of=first, rescorer=rescorer, held=True) for name in members]
        if not all(map(len, panels)):
            break
        panels = aligned(panels)
        moved, probability = side.ensemble.predict({name: one.probability for name, one in zip(members, panels)})
        found.append(replace(panels[0], logit=moved, probability=probability))
    return _judged_together(found, chosen_on)


def _held_of_test(lake: Lake, chosen_on: Panel) -> tuple[Judged, ...]:
    """Do so for the held splits of the test pool, as both were released."""
    found, said = list(released_panels(lake, held=True).values())[-1:], standing(lake).now
    if found and said is not None:
        kept = kept_scores(lake, said.chosen.release, said.chosen.predictions.get(SCORES), held=True)
        found += [kept] if kept is not None and len(kept) else []
    return _judged_together(found, chosen_on)


def _judged_together(found: list[Panel], chosen_on: Panel) -> tuple[Judged, ...]:
    if len(found) > 1:
        found = [part for parts in _together(found[:1], found[1:]) for part in parts]
    return tuple(Judged.by(panel, chosen_on) for panel in found)


def _on_test(lake: Lake, published: Mapping[str, Panel]) -> tuple[Judged, ...]:
    """Return the challenger on the test pool, and the champion on the same studies by the same labels, as each was
    released: nothing is scored here. The champion is left out where its scores are not kept."""
    if TEST not in published:
        return ()
    found, said = [[published[TEST]]], standing(lake).now
    if said is not None:
        kept = kept_scores(lake, said.chosen.release, said.chosen.predictions.get(SCORES))
        if kept is not None:
            found = _together(found[0], [kept])
    return tuple(Judged.by(panel, published[VALIDATION]) for (panel,) in found)


def _together(mine: list[Panel], theirs: list[Panel]) -> list[list[Panel]]:
    """Cut both to the studies that all hold, with the labels, groups and pools of today."""
    found = aligned([*mine, *theirs])
    today = found[0]
    same = {name: getattr(today, name) for name in ("label", "group_id", "patient_key", "pool")}
    theirs = [replace(panel, **same) for panel in found[len(mine) :]]
    return [found[: len(mine)], theirs]


def truth_of_readings(lake: Lake, panel: Panel | None) -> TruthOfReadings:
    """Return what reading sets of the hospital's test pool there are, and what the released ensemble's figures on the
    largest complete one rest on. ``panel``: its scores of the test pool, None where it was not released."""
    is_demo = Pseudonymizer.is_demo(lake)
    drawn = _hospital_sets(lake)
    ignored = _ignored_readings(lake, drawn) if not is_demo else 0
    found = [_of_studies(one, drawn[one.set_id]) for one in complete_sets(lake) if one.set_id in drawn]
    one = next((one for one in reversed(found) if one.truth), None)
    if one is None:
        return TruthOfReadings(open_sets=len(drawn) - len(found), ignored=ignored, is_demo=is_demo)
    classes: set[str] = set()
    positives = sum(value == 1 for value in one.truth.values())
    if panel is not None:
        cuts = np.full(panel.probability.shape, 0.5)
        classes = {name for name, _, _ in judged_by_readings(one, Judged(panel, panel.probability, cuts, cuts))}
    return TruthOfReadings(
        one.set_id,
        len({study for study, _ in one.truth}),
        len(one.truth),
        len(classes),
        positives,
        len(drawn) - len(found),
        one.is_simulated,
        ignored,
        is_demo,
    )


def _hospital_sets(lake: Lake) -> dict[str, set[str]]:
    """Return the reading sets of the test pool with their studies of the hospital."""
    if not lake.exists("reading_sets"):
        return {}
    sets: dict[str, set[str]] = {}
    for row in lake.read("reading_sets", columns=["set_id", "study_id", "source", "pool"]).to_pylist():
        if (row["source"], row["pool"]) == (HOSPITAL, TEST):
            sets.setdefault(row["set_id"], set()).add(row["study_id"])
    return sets


def _of_studies(one: ValidatedSet, studies: Collection[str]) -> ValidatedSet:
    return replace(one, truth={cell: value for cell, value in one.truth.items() if cell[0] in studies})


def _ignored_readings(lake: Lake, sets: Collection[str]) -> int:
    """Count readings of simulated readers on sets: outside a demonstration nothing counts them."""
    try:
        rows = lake.read("label_reviews", columns=["set_id", "sequence", "origin"]).to_pylist()
    except MissingTable:
        return 0
    return len({row["sequence"] for row in rows if row["origin"] == "simulated" and row["set_id"] in sets})


def _row(one: Verdict) -> Mapping[str, object]:
    numbers = {
        "value": one.found.value,
        "low": one.found.low,
        "high": one.found.high,
        "bound": one.bound,
        "challenger_value": one.challenger,
        "champion_value": one.champion,
    }
    known = {name: value for name, value in numbers.items() if value is not None and np.isfinite(value)}
    if "low" in known and not known["low"] < known["high"]:  # an ensemble beside itself differs by nothing
        del known["low"], known["high"]
    words = {name: getattr(one, name) for name in ("rule", "subject", "outcome", "measure", "detail")}
    counts = {"positives": one.found.positives, "studies": one.found.studies, "patients": one.patients}
    if one.studies_needed is not None:
        counts["studies_needed"] = one.studies_needed
    return {**words, **known, **counts}
