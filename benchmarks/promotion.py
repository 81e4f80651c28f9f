"""How often the gate lets pass what should, and refuses what should not, by rule, on simulated pools of several sizes.

Pairs of models whose true qualities are known see the same patients: equally good, better, worse, and better but in one
subgroup. Each is judged as the gate judges it, all that is fitted taken from other patients; what needs no simulation
(release, truth, pace) is taken as passed. Results: benchmarks/results/promotion.json.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import numpy as np

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.evaluation.calibration import sigmoid
from radia_pipeline.evaluation.ensemble import fit_ensemble
from radia_pipeline.evaluation.gate_rules import RULES, Case, Side, TruthOfReadings
from radia_pipeline.evaluation.judged import Judged
from radia_pipeline.evaluation.panel import Panel

RESULTS = Path(__file__).parent / "results" / "promotion.json"
SIZES, DRAWS = (1000, 4000), 10
"""Studies of validation, and pools of each size."""
SKILL = 1.5
"""Distance between the means of positives and negatives, in deviations: AUC .86."""
WORLDS = {"equal": (SKILL, 0.0), "better by .02 AUC": (1.62, 0.0), "worse by .02 AUC": (1.39, 0.0),
          "better, blunt in one of eight": (1.75, 0.75)}  # fmt: skip
"""Name → the challenger's skill, and by how much of a deviation it is blunter in one subgroup of eight."""
SHARED = {"study": 0.3, "class": 0.55}
"""Parts of a score's variance that both models share, for all classes of a study and for each class."""
JUDGED = ("mean_auc", "mean_f1", "subgroups", "calibration")
FACTS = {"sex": 2, "age": 5, "machine": 8}


def panel(rng: np.random.Generator, label: np.ndarray, shared: np.ndarray, skill: np.ndarray) -> Panel:
    """Return a model's panel; ``skill`` (n,): of each study."""
    own = rng.normal(size=label.shape) * np.sqrt(1 - sum(SHARED.values()))
    seen = skill[:, None] * label + shared + own
    share = label.mean(axis=0)
    logit = SKILL * seen - SKILL**2 / 2 + np.log(share / (1 - share))
    count = len(label)
    names = np.array([f"s{number}" for number in range(count)], dtype=object)
    group = np.array([f"g{number * 3 // 4}" for number in range(count)], dtype=object)
    return Panel(
        np.full(count, "ccsmtl", dtype=object), names, group, group, np.full(count, "validation", dtype=object),
        np.ones(count, dtype=int), logit, sigmoid(logit), label,
    )  # fmt: skip


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


def one_case(seed: int, studies: int, skill: float, blunt: float) -> Case:
    """Draw a pool and judge both models on it."""
    rng = np.random.default_rng(seed)
    label = labels(rng, studies)
    shared = np.sqrt(SHARED["study"]) * rng.normal(size=(studies, 1))
    shared = shared + np.sqrt(SHARED["class"]) * rng.normal(size=label.shape)
    strata = {name: rng.integers(0, count, studies) for name, count in FACTS.items()}
    skills = np.where(strata["machine"] == 0, skill - blunt, skill)
    panels = [panel(rng, label, shared, values) for values in (skills, np.full(studies, SKILL))]
    keys = [("ccsmtl", name) for name in panels[0].study_id.tolist()]
    facts = {name: {key: (str(value),) for key, value in zip(keys, values)} for name, values in strata.items()}
    sides = []
    for one in panels:
        chosen = fit_ensemble("single:m", ("m",), [one])
        sides.append(Side(Judged.ensemble_cross_fitted(chosen, [one]), 1.0))
    return Case(*sides, {"validation": sides[0].judged.panel}, facts, TruthOfReadings(), True)


def refusing(case: Case) -> dict[str, bool]:
    """Return whether each rule refuses."""
    return {rule: any(one.outcome == "refused" for one in RULES[rule](case)) for rule in JUDGED}


def main() -> None:
    """Run; every finished world is written at once. Arguments: draws, then sizes."""
    draws = int(sys.argv[1]) if len(sys.argv) > 1 else DRAWS
    sizes = [int(size) for size in sys.argv[2:]] or SIZES
    found: dict[str, dict] = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    for studies in sizes:
        for name, (skill, blunt) in WORLDS.items():
            started = time.monotonic()
            refused = [refusing(one_case(seed, studies, skill, blunt)) for seed in range(draws)]
            shares = {rule: round(float(np.mean([one[rule] for one in refused])), 2) for rule in refused[0]}
            shares["any"] = round(float(np.mean([any(one.values()) for one in refused])), 2)
            took = {"draws": draws, "seconds": round(time.monotonic() - started), "load": round(os.getloadavg()[0], 1)}
            found.setdefault(f"{studies} studies", {})[name] = {"refused": shares, **took}
            RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
            sys.stdout.write(f"{studies} {name}: {shares} {took}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
