"""How often the gate lets pass what should, and refuses what should not, by rule, on simulated pools of several sizes.

Pairs of models whose true qualities are known see the same patients: equally good, better, worse, better but in one
subgroup, and one whose probabilities are too sure by a third once everything is fitted. Each class is judged by itself,
so that one probability in four contradicts the vocabulary. All that is fitted is taken from other patients; what needs
no simulation (release, truth, pace) is taken as passed.

``calibration_one_by_one``: what the rule on calibration would refuse were curves fitted class by class and classes made
coherent afterwards. ``too_few``: of refusals by a mean, the share that says that studies are too few to tell;
``studies_needed``: the number that they name, by its median. Draws are kept one by one, so that the run can be made in
pieces: arguments are studies, world, first draw, one after the last. Results: benchmarks/results/promotion.json.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.evaluation import ensemble
from radia_pipeline.evaluation.calibration import logit, sigmoid
from radia_pipeline.evaluation.ensemble import fit_ensemble
from radia_pipeline.evaluation.gate_case import Case, Side, TruthOfReadings
from radia_pipeline.evaluation.gate_rules import RULES
from radia_pipeline.evaluation.judged import Judged
from radia_pipeline.evaluation.panel import Panel

RESULTS = Path(__file__).parent / "results" / "promotion.json"
SKILL = 1.5
"""Distance between the means of positives and negatives, in deviations: AUC .86."""
WORLDS = {
    "equal": (SKILL, 0.0),
    "better by .02 AUC": (1.62, 0.0),
    "worse by .02 AUC": (1.39, 0.0),
    "worse by .04 AUC": (1.28, 0.0),
    "better, blunt in one of eight": (1.75, 0.75),
    "equal, too sure": (SKILL, 0.0),
}
"""Name → the challenger's skill, and by how much of a deviation it is blunter in one subgroup of eight."""
TOO_SURE = 1.33
"""Factor on log odds after everything is fitted, in the world of that name."""
SHARED = {"study": 0.3, "class": 0.55}
"""Parts of a score's variance that both models share, for all classes of a study and for each class."""
JUDGED = ("mean_auc", "mean_f1", "subgroups", "calibration")
FACTS = {"sex": 2, "age": 5, "machine": 8}


def panel(rng: np.random.Generator, label: np.ndarray, shared: np.ndarray, skill: np.ndarray) -> Panel:
    """Return a model's panel; ``skill`` (n,): of each study."""
    own = rng.normal(size=label.shape) * np.sqrt(1 - sum(SHARED.values()))
    seen = skill[:, None] * label + shared + own
    share = label.mean(axis=0)
    odds = SKILL * seen - SKILL**2 / 2 + np.log(share / (1 - share))
    count = len(label)
    names = np.array([f"s{number}" for number in range(count)], dtype=object)
    group = np.array([f"g{number * 3 // 4}" for number in range(count)], dtype=object)
    return Panel(
        np.full(count, "ccsmtl", dtype=object),
        names,
        group,
        group,
        np.full(count, "validation", dtype=object),
        np.ones(count, dtype=int),
        odds,
        sigmoid(odds),
        label,
        np.zeros(count, dtype=bool),
    )


def labels(rng: np.random.Generator, studies: int) -> np.ndarray:
    """Return labels (n, K) closed upward, of prevalences from 1 to 15 %."""
    words = vocabulary()
    share = np.geomspace(0.01, 0.15, len(words.classes))
    label = (rng.random((studies, len(words.classes))) < rng.permutation(share)).astype(np.int8)
    for name in words.topological[::-1]:
        for above in words.parents(name):
            label[:, words.index(above)] |= label[:, words.index(name)]
    last = words.index(words.no_finding)
    label[:, last] = 1 - np.delete(label, last, axis=1).max(axis=1)
    return label


def drawn(seed: int, studies: int, world: str) -> tuple[list[Panel], dict[str, np.ndarray]]:
    """Draw a pool: both models' panels, and the stratum of each study by fact."""
    rng, (skill, blunt) = np.random.default_rng(seed), WORLDS[world]
    label = labels(rng, studies)
    shared = np.sqrt(SHARED["study"]) * rng.normal(size=(studies, 1))
    shared = shared + np.sqrt(SHARED["class"]) * rng.normal(size=label.shape)
    strata = {name: rng.integers(0, count, studies) for name, count in FACTS.items()}
    skills = np.where(strata["machine"] == 0, skill - blunt, skill)
    return [panel(rng, label, shared, values) for values in (skills, np.full(studies, SKILL))], strata


def case_of(panels: list[Panel], strata: dict[str, np.ndarray], world: str) -> Case:
    """Judge both models on a pool."""
    keys = [("ccsmtl", name) for name in panels[0].study_id.tolist()]
    facts = {name: {key: (str(value),) for key, value in zip(keys, values)} for name, values in strata.items()}
    judged = [fitted(one) for one in panels]
    if world.endswith("too sure"):
        judged[0] = replace(judged[0], probability=sigmoid(TOO_SURE * logit(judged[0].probability)))
    sides = [Side(one, 1.0) for one in judged]
    return Case(*sides, {"validation": sides[0].judged.panel}, facts, TruthOfReadings(), True)


def fitted(one: Panel) -> Judged:
    """Judge a model as the gate does."""
    return Judged.ensemble_cross_fitted(fit_ensemble("single:m", ("m",), [one]), [one])


def one_draw(seed: int, studies: int, world: str) -> dict[str, object]:
    """Return which rules refuse, what the rule on calibration would without settled curves, and what words are told."""
    panels, strata = drawn(seed, studies, world)
    case = case_of(panels, strata, world)
    verdicts = {rule: list(RULES[rule](case)) for rule in JUDGED}
    found: dict[str, object] = {rule: any(one.outcome == "refused" for one in mine) for rule, mine in verdicts.items()}
    found["slopes_off"] = sum(one.outcome == "refused" for one in verdicts["calibration"])
    means = [one for rule in ("mean_auc", "mean_f1") for one in verdicts[rule] if one.outcome == "refused"]
    found["refusing_means"] = len(means)
    found["needed"] = [one.studies_needed for one in means if one.studies_needed]
    if world == "equal":
        with mock.patch.object(ensemble, "settled", lambda fits, *_: tuple(fits)):
            before = replace(case, challenger=Side(fitted(panels[0]), 1.0))
            slopes = [one.outcome == "refused" for one in RULES["calibration"](before)]
        found["calibration_one_by_one"], found["slopes_off_one_by_one"] = any(slopes), sum(slopes)
    return found


def summary(draws: dict[str, dict]) -> dict[str, object]:
    """Return shares over the draws of a world."""
    found = list(draws.values())
    names = [*JUDGED, *(["calibration_one_by_one"] if "calibration_one_by_one" in found[0] else [])]
    shares = {name: round(float(np.mean([one[name] for one in found])), 3) for name in names}
    shares["any"] = round(float(np.mean([any(one[name] for name in JUDGED) for one in found])), 3)
    means, needed = sum(one["refusing_means"] for one in found), [n for one in found for n in one["needed"]]
    told = {"draws": len(found), "refused": shares}
    if means:
        few = {"too_few": round(len(needed) / means, 3), "studies_needed": int(np.median(needed)) if needed else None}
        told.update(few)
    return told


def main() -> None:
    """Run some draws of one world; every finished one is written at once."""
    studies, world, first, last = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    for seed in range(first, last):
        started, found = time.monotonic(), one_draw(seed, studies, world)
        kept: dict[str, dict] = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
        draws = kept.setdefault("draws", {}).setdefault(f"{studies} studies", {}).setdefault(world, {})
        draws[str(seed)] = found
        kept.setdefault("summary", {}).setdefault(f"{studies} studies", {})[world] = summary(draws)
        RESULTS.write_text(json.dumps({name: kept[name] for name in ("summary", "draws")}) + "\n", encoding="utf-8")
        sys.stdout.write(f"{studies} {world} {seed}: {found}, {time.monotonic() - started:.0f} s\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
