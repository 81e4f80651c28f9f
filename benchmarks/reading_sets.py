"""Whether figures on reading sets hold for the pool: bias and coverage over many draws of simulated pools.

Each cell is a pool of 40,000 studies of its own seed, from which sets are drawn as ``radia review draw`` does. Labels
find a share of the positives, some positives are subtle, the threshold is the one of best F1 by the labels of a second
pool. Coverage is the share of draws whose interval holds the pool's own figure: of all draws, and of those with at
least ten effective positives. Its standard error over 2,000 draws is half a percent.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from radia_pipeline.evaluation import metrics
from radia_pipeline.evaluation.reader_gap import count_below, place_reader
from radia_pipeline.evaluation.weighted import FIGURES, Sample, figures
from radia_pipeline.readings.drawing import REST, Coded
from radia_pipeline.readings.sets import HIGH_SCORE, HIGH_SHARE

RESULT = Path(__file__).parent / "results" / "reading_sets.json"
STUDIES, EFFECTIVE = 40_000, 10
COVERAGE = (0.93, 0.98)
READERS = ((0.3, 0.1, 0.99), (0.75, 0.5, 0.97), (0.95, 0.8, 0.9))
"""Simulated readers: sensitivity for clear and for subtle positives, specificity."""


@dataclass(frozen=True)
class Cell:
    """What a pool is like. ``false``: share of negatives with a positive label; ``others``: further labelled classes,
    each a stratum; ``of_one_patient``: the most studies that a patient has; ``by_scores``: high scores are a stratum.
    """

    seed: int
    prevalence: float = 0.02
    subtle: float = 0.3
    sensitivity: float = 0.5
    false: float = 0.0
    others: int = 0
    of_one_patient: int = 1
    by_scores: bool = True
    size: int = 600


def cells() -> Iterator[Cell]:
    """Yield the cells: three pools of the usual kind, a grid, and what else lakes are like."""
    yield from (Cell(seed) for seed in (0, 1, 2))
    seed = 10
    for prevalence in (0.01, 0.05, 0.02):
        for sensitivity in (0.3, 0.8, 0.5):
            if (prevalence, sensitivity) != (0.02, 0.5):
                yield Cell(seed := seed + 1, prevalence, sensitivity=sensitivity)
    yield from (Cell(21, subtle=0.1), Cell(22, subtle=0.6))
    yield from (Cell(31, of_one_patient=4), Cell(32, others=13), Cell(33, by_scores=False))
    yield from (Cell(34, false=0.005), Cell(35, size=1500), Cell(36, 0.01, 0.6, 0.3))


@dataclass(frozen=True)
class Pool:
    """A simulated pool, (STUDIES,) each; ``calls`` (readers, STUDIES)."""

    truth: np.ndarray
    score: np.ndarray
    label: np.ndarray
    stratum: np.ndarray
    group: np.ndarray
    calls: np.ndarray

    @classmethod
    def of(cls, cell: Cell) -> Pool:
        """Simulate a pool. Studies of one patient share most of their truth and of their score's noise."""
        generator = np.random.default_rng(cell.seed)
        group = np.repeat(np.arange(STUDIES), generator.integers(1, cell.of_one_patient + 1, STUDIES))[:STUDIES]
        shared = generator.random(STUDIES)[group] < (0.8 if cell.of_one_patient > 1 else 0.0)
        truth = np.where(shared, generator.random(STUDIES)[group], generator.random(STUDIES)) < cell.prevalence
        subtle = truth & (generator.random(STUDIES) < cell.subtle)
        noise = np.where(shared, generator.normal(size=STUDIES)[group], generator.normal(size=STUDIES))
        score = 1 / (1 + np.exp(5.5 - 1.6 * (noise + np.where(subtle, 0.8, 2.5 * truth))))
        label = np.where(truth, generator.random(STUDIES) < cell.sensitivity, generator.random(STUDIES) < cell.false)
        high = score >= np.quantile(score, 1 - HIGH_SHARE if cell.by_scores else 1)
        stratum = np.where(high & cell.by_scores, HIGH_SCORE, REST).astype(object)
        for number in range(cell.others):
            stratum[generator.random(STUDIES) < 0.002 * (1 + number)] = f"class {number}"
        stratum[label] = "Mass"
        chance = generator.random((len(READERS), STUDIES))
        calls = [
            np.where(truth, c < np.where(subtle, hard, clear), c > specificity)
            for c, (clear, hard, specificity) in zip(chance, READERS)
        ]
        return cls(truth.astype(int), score, label, stratum.astype(str), group, np.array(calls))

    def figures(self, threshold: float) -> dict[str, float]:
        """Return the pool's own figures."""
        ranked = metrics.Ranked.of(self.score, self.truth)
        found = metrics.weighted_metrics(ranked, ranked.weights(None), threshold)
        return {name: float(found[name][0]) for name in FIGURES}

    def sample(self, members: np.ndarray, weight: np.ndarray) -> Sample:
        """Return the studies of a set."""
        return Sample(self.score[members], self.truth[members], weight, self.stratum[members])


def simulate(cell: Cell, draws: int, replicates: int) -> dict[str, object]:
    """Draw sets of one pool and compare their figures with the pool's."""
    pool, other = Pool.of(cell), Pool.of(replace(cell, seed=cell.seed + 1000))
    threshold, _ = metrics.best_f1_threshold(other.score, other.label.astype(int))
    whole, coded, found, plain, worth = pool.figures(threshold), Coded.of(pool.group, pool.stratum), [], [], []
    for seed in range(draws):
        drawn = coded.draw(cell.size, seed)
        sample = pool.sample(drawn.members, 1 / drawn.probability)
        if not (mine := figures(sample, sample.score >= threshold, replicates)):
            continue
        worth.append(sample.effective_positives)
        plain.append((metrics.auc(sample.score, sample.truth), sample.truth.mean()))
        found.append([(mine[name].value, mine[name].low, mine[name].high) for name in FIGURES])
    values, worth, plain = np.array(found), np.array(worth), np.mean(plain, axis=0)
    enough = worth >= EFFECTIVE
    result = {name: _compared(values[:, place], whole[name], enough) for place, name in enumerate(FIGURES)}
    for place, name in enumerate(("auc", "prevalence")):
        result[name]["unweighted_bias"] = float(plain[place] - whole[name])
    fixed = {
        "draws": draws,
        "with_figures": len(values),
        "with_enough": int(enough.sum()),
        "median_effective_positives": float(np.median(worth)),
        "threshold": threshold,
    }
    return {"cell": asdict(cell), **fixed, "figures": result}


def _compared(values: np.ndarray, truth: float, enough: np.ndarray) -> dict[str, float | None]:
    value, low, high = values.T
    holds = (low <= truth) & (truth <= high)
    return {
        "pool": truth,
        "bias": float(value.mean() - truth),
        "coverage": float(holds.mean()),
        "coverage_where_enough": float(holds[enough].mean()) if enough.any() else None,
        "too_high": float((low > truth).mean()),
        "too_low": float((high < truth).mean()),
        "mean_width": float((high - low).mean()),
        "least_width": float((high - low).min()),
    }


def simulate_readers(cell: Cell, draws: int, replicates: int) -> dict[str, object]:
    """Place the simulated readers on the ROC plane of each set and compare with their places in the whole pool."""
    pool = Pool.of(cell)
    all_of_it = pool.sample(np.arange(STUDIES), np.ones(STUDIES))
    truth = [place_reader(all_of_it, calls, 2).gap.value for calls in pool.calls]
    below, coded, gaps, counted = sum(one > 0 for one in truth), Coded.of(pool.group, pool.stratum), [], []
    for seed in range(draws):
        drawn = coded.draw(cell.size, seed)
        sample = pool.sample(drawn.members, 1 / drawn.probability)
        placed = [place_reader(sample, calls[drawn.members], replicates) for calls in pool.calls]
        if None not in placed:
            gaps.append([(one.gap.value, one.gap.low, one.gap.high) for one in placed])
            count = count_below([one.gap for one in placed])
            counted.append((count.below == below, count.surely <= below <= count.possibly))
    values, counted, everything = np.array(gaps), np.mean(counted, axis=0), np.ones(len(gaps), bool)
    readers = [_compared(values[:, place], one, everything) for place, one in enumerate(truth)]
    return {
        "cell": asdict(cell),
        "draws": draws,
        "readers": readers,
        "below_in_the_pool": below,
        "count_is_right": float(counted[0]),
        "interval_of_the_count_holds": float(counted[1]),
    }


def outside(results: list[dict]) -> list[str]:
    """Name each figure of each cell whose coverage of draws with enough positives is not in COVERAGE."""
    found, usual = [], asdict(Cell(0))
    for one in results:
        cell = ", ".join(f"{key} {value}" for key, value in one["cell"].items() if value != usual[key])
        for name, figure in one["figures"].items():
            share, all_of = figure["coverage_where_enough"], figure["coverage"]
            if share is not None and not COVERAGE[0] <= share <= COVERAGE[1]:
                words = f"{name} {100 * share:.1f} % of {one['with_enough']} draws, {100 * all_of:.1f} % of all"
                found.append(f"{words}: {cell or 'the usual cell'}")
    return found


def main() -> None:
    """Simulate, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--replicates", type=int, default=500, help="Half of a product's, to save time.")
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    chosen = list(cells())
    reader_cells = [chosen[0], Cell(41, 0.05), Cell(42, sensitivity=0.8)]
    with ProcessPoolExecutor(options.processes) as pool:
        readers = [pool.submit(simulate_readers, cell, options.draws // 4, options.replicates) for cell in reader_cells]
        jobs = [pool.submit(simulate, cell, options.draws, options.replicates) for cell in chosen]
        results = []
        for job in jobs:
            results.append(job.result())
            print(json.dumps(results[-1]), flush=True)
        placed = [job.result() for job in readers]
    said = outside(results)
    result = {
        "machine": f"{os.cpu_count()} cores, shared",
        "replicates": options.replicates,
        "standard_error_of_coverage": float(np.sqrt(0.95 * 0.05 / options.draws)),
        "sets": results,
        "readers": placed,
        "outside_93_to_98": said,
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(placed, indent=1))
    print("\n".join(["coverage outside 93-98 %:", *(said or ["none"])]))


if __name__ == "__main__":
    main()
