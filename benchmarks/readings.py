"""The store of readings at 0 and at 50,000 lines, its verification, and whether figures on sets hold for the pool.

Append times are printed beside the disk's own fsync of the same minute: the ratio of the two appends is the claim,
since the machine may be shared. The simulation draws sets of 600 from 40,000 studies (prevalence 2 %, 30 % of positives
subtle, label sensitivity .5): bias of weighted figures, and how many intervals hold the pool's own figure.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.evaluation import metrics
from radia_pipeline.evaluation.weighted import METRICS, Sample, figures
from radia_pipeline.lake.lake import Lake
from radia_pipeline.readings.chain import READ, file_of, record_of
from radia_pipeline.readings.drawing import REST, draw
from radia_pipeline.readings.reading import Reading, as_record
from radia_pipeline.readings.sets import HIGH_SCORE, HIGH_SHARE
from radia_pipeline.readings.store import Store

RESULT = Path(__file__).parent / "results" / "readings.json"
APPENDS = 200
STUDIES, SIZE, EFFECTIVE = 40_000, 600, 10
COVERAGE = (0.93, 0.98)


def a_reading(number: int) -> Reading:
    """Return a reading of all classes, as the page would hand it on."""
    answers = dict.fromkeys(vocabulary().classes, 0)
    return Reading("ccsmtl", f"{number:032x}", "r1", "blind", f"k-{number}", answers, tuple(answers), set_id="s")


def p95_s(values: list[float]) -> float:
    """Return the 95th percentile."""
    return float(np.quantile(values, 0.95))


def fsync_s(folder: Path) -> list[float]:
    """Return how long the disk takes to make 2,000 appended bytes durable, often."""
    found = []
    with (folder / "probe").open("ab", buffering=0) as file:
        for _ in range(APPENDS):
            file.write(b"x" * 2000)
            start = time.perf_counter()
            os.fsync(file.fileno())
            found.append(time.perf_counter() - start)
    return found


def append_s(store: Store, first: int) -> list[float]:
    """Return how long each of APPENDS appends takes."""
    found = []
    for number in range(first, first + APPENDS):
        reading = a_reading(number)
        start = time.perf_counter()
        store.append(reading)
        found.append(time.perf_counter() - start)
    return found


def store_times(folder: Path, lines: int) -> dict[str, float]:
    """Measure appends in turn to an empty store and to one of so many lines, and the verification of the long one."""
    short, long = Lake.open(folder / "short"), Lake.open(folder / "long")
    Store(long)
    file_of(long).append(record_of(number, READ, as_record(a_reading(number))) for number in range(1, lines + 1))
    start = time.perf_counter()
    many = Store(long)
    verified_s = time.perf_counter() - start
    few, at_0, at_many, disk = Store(short), [], [], fsync_s(folder)
    for place in range(3):
        at_0 += append_s(few, place * APPENDS)
        at_many += append_s(many, lines + 1 + place * APPENDS)
    return {
        "lines": lines,
        "append_at_0_p95_ms": 1000 * p95_s(at_0),
        "append_at_many_p95_ms": 1000 * p95_s(at_many),
        "append_ratio_p95": p95_s(at_many) / p95_s(at_0),
        "append_ratio_median": float(np.median(at_many) / np.median(at_0)),
        "fsync_p95_ms": 1000 * p95_s(disk),
        "verification_s": verified_s,
    }


def pool(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return truth, score and stratum of the simulated pool: (STUDIES,) each."""
    generator = np.random.default_rng(seed)
    truth = generator.random(STUDIES) < 0.02
    subtle = truth & (generator.random(STUDIES) < 0.3)
    score = generator.normal(size=STUDIES) + np.where(truth, np.where(subtle, 0.8, 2.5), 0.0)
    label = truth & (generator.random(STUDIES) < 0.5)
    probability = 1 / (1 + np.exp(5.5 - 1.6 * score))
    high = probability >= np.quantile(probability, 1 - HIGH_SHARE)
    return truth, probability, np.where(label, "Mass", np.where(high, HIGH_SCORE, REST))


def simulate(draws: int) -> dict[str, object]:
    """Draw sets and compare their figures with the pool's."""
    truth, score, stratum = pool(0)
    threshold = float(np.quantile(score, 0.98))
    ranked = metrics.Ranked.of(score, truth.astype(int))
    whole = {k: float(v[0]) for k, v in metrics.weighted_metrics(ranked, ranked.weights(None), threshold).items()}
    groups, found, plain, worth = np.arange(STUDIES), {name: [] for name in METRICS}, [], []
    for seed in range(draws):
        drawn = draw(groups, stratum, SIZE, seed)
        members = drawn.members
        sample = Sample(score[members], truth[members].astype(int), 1 / drawn.probability, drawn.stratum)
        mine = figures(sample, threshold)
        worth.append(sample.effective_positives)
        plain.append((metrics.auc(sample.score, sample.truth), sample.truth.mean()))
        for name in METRICS:
            found[name].append((mine[name].value, mine[name].low, mine[name].high))
    enough = np.array(worth) >= EFFECTIVE
    result: dict[str, object] = {"draws": draws, "draws_that_count": int(enough.sum())}
    for name in METRICS:
        values, low, high = np.array(found[name]).T
        result[name] = {
            "pool": whole[name],
            "bias": float(values.mean() - whole[name]),
            "coverage": float(((low <= whole[name]) & (whole[name] <= high))[enough].mean()),
            "mean_width": float((high - low)[enough].mean()),
        }
    for place, name in enumerate(("auc", "prevalence")):
        result[name]["unweighted_bias"] = float(np.mean([one[place] for one in plain]) - whole[name])
    return result


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=50_000)
    parser.add_argument("--draws", type=int, default=2000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = store_times(Path(folder), options.lines)
    result = {"machine": f"{os.cpu_count()} cores, shared", "store": store, "sets": simulate(options.draws)}
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))
    outside = [name for name in METRICS if not COVERAGE[0] <= result["sets"][name]["coverage"] <= COVERAGE[1]]
    print("coverage outside 93-98 %:", ", ".join(outside) or "none")


if __name__ == "__main__":
    main()
