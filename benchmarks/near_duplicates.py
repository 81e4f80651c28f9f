"""Near-duplicates: what is found under which alteration, what is linked falsely, and what search costs as it grows.

Run with ``python benchmarks/near_duplicates.py [--films N] [--pairs P]`` for recall and strangers (NIH's layout with
real radiographs, default ../shared/real/nih_cxr14), ``--growth`` for search among invented descriptors with 1 % planted
copies, ``--learn`` to make the descriptor's linear map anew from phantoms. Results: results/near_duplicates.json;
``before`` in it are the figures of the hash that stood before, on the same alterations.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import scipy.linalg
from film_copies import ALTERATIONS, altered

from radia_pipeline.cohort import copies, film_descriptor, registration
from radia_pipeline.phantom.people import draw_patient
from radia_pipeline.phantom.radiograph import take
from radia_pipeline.sources.nih_cxr14 import NihCxr14

HERE = Path(__file__).resolve().parent
ASKING = 3_000
"""Films that search in the timing; the seconds of all are in proportion."""
LEARNED_ON, COPIES_OF_EACH, PHANTOM_PX = 400, 7, 192
SHRINKAGE = 0.02
IDENTICAL = 0.9999


def phantom(number: int, side: int, seed: int = 20261201) -> np.ndarray:
    """Return one frontal exposure of an invented patient, uint8."""
    images = [image for study in draw_patient(seed, "chexpert", number, side).studies for image in study.images]
    grey = take(next((image for image in images if image.film.view != "LATERAL"), images[0]).film).grey
    return np.clip(grey.astype(float) * 255 / max(1, grey.max()), 0, 255).astype(np.uint8)


def learn() -> None:
    """Write the linear map: discriminant analysis between phantoms over copies altered twice.

    Within-class scatter is shrunk towards a sphere; kept are the directions that tell films apart most.
    """
    rng = np.random.default_rng(0)
    names = [name for name in ALTERATIONS if name != "flipped"]
    rows = np.empty((LEARNED_ON, COPIES_OF_EACH, film_descriptor.HISTOGRAM_SIZE))
    for number in range(LEARNED_ON):
        image = phantom(number, PHANTOM_PX, seed=7)
        for copy in range(COPIES_OF_EACH):
            chosen = tuple(rng.choice(names, 2, replace=False)) if copy else ()
            rows[number, copy] = film_descriptor.histograms(altered(image, chosen, rng), (1.0,))[0]
    mean, means = rows.mean(axis=(0, 1)), rows.mean(axis=1)
    apart = (rows - means[:, None]).reshape(-1, rows.shape[-1])
    within = apart.T @ apart / (LEARNED_ON * (COPIES_OF_EACH - 1))
    within = (1 - SHRINKAGE) * within + SHRINKAGE * np.trace(within) / len(within) * np.eye(len(within))
    root = np.linalg.cholesky(within)
    between = scipy.linalg.solve_triangular(root, (means - mean).T, lower=True).T
    _, _, directions = np.linalg.svd(between, full_matrices=False)
    matrix = scipy.linalg.solve_triangular(root.T, directions[: film_descriptor.SIZE].T, lower=False)
    matrix /= np.abs(matrix).max()
    np.savez_compressed(film_descriptor.MAP, mean=mean.astype(np.float32), map=matrix.astype(np.float16))


def recall(films: list[np.ndarray], index: copies.Index, asked: np.ndarray, pairs: int) -> dict:
    """Return the share of copies found, alone and in pairs, with the least agreement on pixels of each."""
    rng = np.random.default_rng(1)
    every = list(itertools.combinations(ALTERATIONS, 2))
    chosen = [every[place] for place in rng.permutation(len(every))[:pairs]]
    found: dict[str, list[float]] = {}
    ranked: dict[str, list[bool]] = {}
    for place in asked.tolist():
        moves = None
        for kind in [(name,) for name in ALTERATIONS] + chosen:
            copy = altered(films[place], kind, rng)
            similarity, near = index.near(film_descriptor.describe(copy))
            is_near = bool(((near == place) & (similarity >= copies.NEAR)).any())
            moves = moves or registration.prepared(films[place])
            value = registration.same_exposure(registration.prepared(copy, moves=False), moves) if is_near else -1.0
            name = " + ".join(kind)
            found.setdefault(name, []).append(value)
            ranked.setdefault(name, []).append(is_near)
    least = registration.SAME_EXPOSURE
    shares = {name: float(np.mean(np.array(values) >= least)) for name, values in found.items()}
    alone = {name: share for name, share in shares.items() if " + " not in name}
    two = {name: share for name, share in shares.items() if " + " in name}
    values = np.concatenate([np.array(v) for v in found.values()])
    return {
        "films asked": len(asked), "copies": len(values), "alone": alone, "least alone": min(alone.values()),
        "in pairs": two, "least of a pair": min(two.values(), default=None), "mean of pairs": _mean(two.values()),
        "found near": float(np.mean([one for ones in ranked.values() for one in ones])),
        "agreement of copies found near": _spread(values[values > -1]),
    }  # fmt: skip


def _mean(values) -> float | None:
    values = list(values)
    return float(np.mean(values)) if values else None


def _spread(values: np.ndarray) -> dict[str, float]:
    shares = {"least": 0, "1 %": 1, "5 %": 5, "median": 50, "99 %": 99, "most": 100}
    return {name: round(float(np.percentile(values, share)), 3) for name, share in shares.items()}


def strangers(films: list[np.ndarray], vectors: np.ndarray, patients: np.ndarray, count: int) -> dict:
    """Return how exposures that are not the same agree on pixels: the nearest of other patients, and of one patient.

    ``count``: pairs of each that are compared.
    """
    similarity = np.triu(vectors @ vectors.T, 1)
    is_same = patients[:, None] == patients[None, :]

    def nearest(allowed: np.ndarray, wanted: int) -> list[tuple[int, int]]:
        order = np.argsort(-np.where(allowed, similarity, -1.0), axis=None)[:wanted]
        return [tuple(divmod(int(place), len(films))) for place in order]

    upper = np.triu(np.ones_like(is_same), 1).astype(bool)
    upper[similarity > IDENTICAL] = False  # one file twice
    others = nearest(upper & ~is_same, count)
    serial = nearest(upper & is_same, min(count, int((upper & is_same).sum())))
    result = {"pairs of other patients": int((upper & ~is_same).sum()),
              "of them near": int(((similarity >= copies.NEAR) & upper & ~is_same).sum())}  # fmt: skip
    for name, pairs in (("nearest of other patients", others), ("films of one patient", serial)):
        values = np.array([agreement(films[a], films[b]) for a, b in pairs])
        linked = int((values >= registration.SAME_EXPOSURE).sum())
        result[name] = {"compared": len(values), "agreement": _spread(values), "linked": linked}
    return result


def agreement(one: np.ndarray, other: np.ndarray) -> float:
    """Return how two films agree on their pixels."""
    return registration.same_exposure(registration.prepared(other, moves=False), registration.prepared(one))


def cost(films: list[np.ndarray]) -> dict[str, float]:
    """Return processor milliseconds of one film described and one pair confirmed."""
    started = time.process_time()
    for film in films:
        film_descriptor.describe(film)
    described = time.process_time() - started
    moves = [registration.prepared(film) for film in films]
    rests = [registration.prepared(film, moves=False) for film in films]
    started = time.process_time()
    for one in range(len(films)):
        registration.same_exposure(rests[one - 1], moves[one])
    compared = time.process_time() - started
    started = time.process_time()
    for film in films:
        registration.prepared(film, moves=False)
    return {
        "describe, ms": 1e3 * described / len(films), "compare, ms": 1e3 * compared / len(films),
        "prepare, ms": 1e3 * (time.process_time() - started) / len(films),
    }  # fmt: skip


def growth(vectors: np.ndarray, counts: list[int]) -> list[dict]:
    """Return seconds of index and search among invented descriptors, 1 % of them copies, all asking as films do.

    Descriptors are drawn with the covariance of real ones; a copy lies at the similarity of the fifth percentile of
    altered copies.
    """
    rng = np.random.default_rng(2)
    _, spread, parts = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)
    scaled = parts * (spread / np.sqrt(len(vectors)))[:, None]
    rows = []
    for count in counts:
        drawn = np.empty((count, film_descriptor.SIZE), dtype=np.float32)
        for start in range(0, count, 10_000):
            noise = rng.standard_normal((min(10_000, count - start), len(scaled))).astype(np.float32)
            drawn[start : start + len(noise)] = vectors.mean(axis=0) + noise @ scaled
        drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
        planted = count // 100
        noise = rng.standard_normal((planted, film_descriptor.SIZE)).astype(np.float32)
        noise /= np.linalg.norm(noise, axis=1, keepdims=True)
        drawn[-planted:] = 0.66 * drawn[:planted] + 0.75 * noise
        drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
        started, wall = time.process_time(), time.perf_counter()
        index = copies.Index(drawn.astype(np.float16))
        built = time.process_time() - started
        asked = rng.permutation(count)[:ASKING]
        started = time.process_time()
        near, found = 0, set()
        for start in range(0, len(asked), 256):
            part = asked[start : start + 256]
            similarity, places = index.near(np.repeat(drawn[part], film_descriptor.QUERIES, axis=0))
            keep = similarity[:: film_descriptor.QUERIES] >= copies.NEAR
            near += int(keep.sum()) - len(part)
            for row, names, kept in zip(part.tolist(), places[:: film_descriptor.QUERIES], keep):
                found |= {(row, other) for other in names[kept].tolist()}
        searched = (time.process_time() - started) * count / len(asked)
        wanted = [(a, b) for a, b in ((p, count - planted + p) for p in range(planted)) if a in set(asked.tolist())]
        rows.append({"films": count, "index, s": built, "search of all, s": searched, "both, s": built + searched,
                     "seconds on the clock": time.perf_counter() - wall, "near a film": near / len(asked),
                     "planted found": float(np.mean([pair in found for pair in wanted]))})  # fmt: skip
        print(json.dumps(rows[-1]), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, default=HERE.parents[1] / "shared" / "real" / "nih_cxr14")
    parser.add_argument("--films", type=int, default=60, help="films whose copies are asked for")
    parser.add_argument("--pairs", type=int, default=105, help="pairs of alterations, of 105")
    parser.add_argument("--strangers", type=int, default=1_000, help="pairs of two exposures compared, nearest first")
    parser.add_argument("--growth", type=int, nargs="*", help="search among so many films; needs a quiet machine")
    parser.add_argument("--learn", action="store_true", help="make the linear map anew")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    if arguments.learn:
        learn()
        return
    facts = NihCxr14().facts(arguments.images)
    films = [copies.read_grey(arguments.images / path).astype(np.uint8) for path in sorted(facts)]
    patients = np.array([facts[path].native_patient_id for path in sorted(facts)])
    vectors = np.concatenate([film_descriptor.mapped(film_descriptor.histograms(film, (1.0,))[:1]) for film in films])
    if arguments.growth is not None:
        result: dict = {"growth": growth(vectors, arguments.growth or [50_000, 100_000])}
    else:
        asked = np.random.default_rng(3).permutation(len(films))[: arguments.films]
        result = {"films": len(films), "recall": recall(films, copies.Index(vectors), asked, arguments.pairs),
                  "strangers": strangers(films, vectors, patients, arguments.strangers),
                  "cost": cost([films[place] for place in asked[:40]])}  # fmt: skip
    print(json.dumps(result, indent=1))
    path = HERE / "results" / "near_duplicates.json"
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.write_text(json.dumps(kept | result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
