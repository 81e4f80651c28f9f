"""Near-duplicates: what is found under which alteration, what is linked falsely, and what search costs as it grows.

Run with ``python benchmarks/near_duplicates.py [--films N] [--pairs P]`` for recall and strangers (NIH's layout with
real radiographs, default ../shared/real/nih_cxr14), ``--growth`` for search and confirmation among invented descriptors
with 1 % planted copies, ``--end-to-end``, ``--phantoms`` and ``--gap`` for what their help says, ``--learn`` to make
the descriptor's linear map anew from phantoms. Results: results/near_duplicates.json; ``before`` in it are the figures
of the hash that stood before, on the same alterations.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import tempfile
import time
from pathlib import Path
from unittest import mock

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import scipy.linalg
from film_copies import ALTERATIONS, altered
from scipy.stats import genpareto

from radia_pipeline.cohort import copies, film_descriptor, registration
from radia_pipeline.cohort.links import build_image_links
from radia_pipeline.cohort.splits import build_splits
from radia_pipeline.lake.lake import Lake
from radia_pipeline.phantom.people import draw_patient
from radia_pipeline.phantom.radiograph import take
from radia_pipeline.sources.nih_cxr14 import NihCxr14
from radia_pipeline_tests.cohort import lakes

HERE = Path(__file__).resolve().parent
RESULT = HERE / "results" / "near_duplicates.json"
ASKING = 1_500
"""Films that search in the timing; the seconds of all are in proportion."""
LEARNED_ON, COPIES_OF_EACH, PHANTOM_PX = 400, 7, 192
SHRINKAGE = 0.02
IDENTICAL = 0.9999
PAIRS, RESAMPLED = 1e11, 1_000
PHANTOM_SEED = 20261129
DISPLACED = 100
"""Real films from which it is taken how far queries and copies lie off a film's descriptor."""


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
            rows[number, copy] = film_descriptor.histograms(
                altered(image, chosen, rng), film_descriptor.PLACEMENTS[:1]
            )[0]
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


def recall(films: list[np.ndarray], index: copies.Index, asked: np.ndarray, pairs: int, minutes: float) -> dict:
    """Return the share of copies found, alone and in pairs, with the least agreement on pixels of each; after so many
    minutes no further film is asked for.
    """
    rng = np.random.default_rng(1)
    every = list(itertools.combinations(ALTERATIONS, 2))
    chosen = [every[place] for place in rng.permutation(len(every))[:pairs]]
    found: dict[str, list[float]] = {}
    ranked: dict[str, list[bool]] = {}
    until = time.monotonic() + 60 * minutes
    for done, place in enumerate(asked.tolist()):
        if time.monotonic() > until:
            asked = asked[:done]
            break
        original = None
        for kind in [(name,) for name in ALTERATIONS] + chosen:
            copy = altered(films[place], kind, rng)
            similarity, near = index.near(film_descriptor.describe(copy))
            is_near = bool(((near == place) & (similarity >= index.least)).any())
            does_move = done % 2 == 0  # either may be laid over the other
            original = original or registration.prepared(films[place], moves=does_move)
            changed = registration.prepared(copy, moves=not does_move)
            laid = (changed, original) if does_move else (original, changed)
            value = registration.same_exposure(*laid) if is_near else -1.0
            name = " + ".join(kind)
            found.setdefault(name, []).append(value)
            ranked.setdefault(name, []).append(is_near)
    least = registration.SAME_EXPOSURE
    shares = {name: float(np.mean(np.array(values) >= least)) for name, values in found.items()}
    alone = {name: share for name, share in shares.items() if " + " not in name}
    two = {name: share for name, share in shares.items() if " + " in name}
    values = np.concatenate([np.array(v) for v in found.values()])
    return {
        "films asked": len(asked),
        "copies": len(values),
        "alone": alone,
        "least alone": min(alone.values()),
        "in pairs": two,
        "least of a pair": min(two.values(), default=None),
        "mean of pairs": _mean(two.values()),
        "found near": float(np.mean([one for ones in ranked.values() for one in ones])),
        "agreement of copies found near": _spread(values[values > -1]),
    }


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
    result = {
        "pairs of other patients": int((upper & ~is_same).sum()),
        "of them near": int(((similarity >= copies.NEAR) & upper & ~is_same).sum()),
    }
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
        "describe, ms": 1e3 * described / len(films),
        "compare, ms": 1e3 * compared / len(films),
        "prepare, ms": 1e3 * (time.process_time() - started) / len(films),
    }


def growth(films: list[np.ndarray], vectors: np.ndarray, counts: list[int], confirmation_ms: float) -> dict:
    """Return processor seconds of index, search and confirmation among invented descriptors, 1 % of them copies, all
    asking as films do, and what they would be among a million.

    Descriptors are drawn with the covariance of real ones; queries and copies are as far off them as those of real
    films that were altered twice are off theirs. Strangers among real films come nearer than drawn ones do, so that as
    many confirmations are counted as a delivery may ask for, at what one was measured to take, beside those chosen.
    """
    rng = np.random.default_rng(2)
    own, altered_twice = displacements(films, vectors, rng)
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
        kinds = rng.integers(0, len(altered_twice), planted)
        signs = rng.choice(np.float32([-1, 1]), (planted, len(parts)))  # no two copies are displaced alike

        def copied(numbers: np.ndarray, kinds: np.ndarray = kinds, signs: np.ndarray = signs) -> np.ndarray:
            return ((altered_twice[kinds[numbers]] @ parts.T) * signs[numbers][:, None]) @ parts

        drawn[count - planted :] = _unit(drawn[:planted] + copied(np.arange(planted))[:, 0])
        wall, started = time.perf_counter(), time.process_time()
        index = copies.Index(drawn.astype(np.float16))
        built = time.process_time() - started
        asked = np.sort(
            np.concatenate(
                [
                    rng.permutation(planted)[: ASKING // 10] + count - planted,
                    rng.permutation(count - planted)[: ASKING - ASKING // 10],
                ]
            )
        )
        queries = _unit(drawn[asked][:, None] + own[rng.integers(0, len(own), len(asked))])
        copy = asked - (count - planted)
        queries[copy >= 0] = _unit(drawn[copy[copy >= 0]][:, None] + copied(copy[copy >= 0]))
        started = time.process_time()
        chosen = copies.worth_a_look(index, np.arange(count), asked, queries, np.arange(count))
        searched = (time.process_time() - started) * count / len(asked)
        most = copies.DOUBTFUL_A_FILM + planted / count
        confirmed = most * count * confirmation_ms / 1e3
        wanted = {(place - (count - planted), place) for place in asked.tolist() if place >= count - planted}
        rows.append(
            {
                "films": count,
                "index, s": built,
                "search of all, s": searched,
                "confirmation of all, s": confirmed,
                "all, s": built + searched + confirmed,
                "confirmations a film, at most": most,
                "chosen a film": (len(chosen) - len(wanted & set(chosen))) / len(asked) + planted / count,
                "planted found": len(wanted & set(chosen)) / len(wanted),
                "seconds on the clock": time.perf_counter() - wall,
            }
        )
        print(json.dumps(rows[-1]), flush=True)
    return {"sizes": rows, "confirmation, ms": confirmation_ms, **_extrapolated(rows)}


def own(film: np.ndarray) -> np.ndarray:
    """Return what stands of a film in an index, (1, SIZE)."""
    return film_descriptor.mapped(film_descriptor.histograms(film, film_descriptor.PLACEMENTS[:1])[:1])


def displacements(films: list[np.ndarray], vectors: np.ndarray, rng: np.random.Generator) -> tuple:
    """Return how far queries lie off their film's descriptor, of films as they are and altered twice:
    (n, QUERIES, SIZE) each."""
    every, found = list(itertools.combinations(ALTERATIONS, 2)), ([], [])
    for place in rng.permutation(len(films))[:DISPLACED].tolist():
        kind = every[int(rng.integers(len(every)))]
        for image, kept in zip((films[place], altered(films[place], kind, rng)), found):
            kept.append(film_descriptor.describe(image) - vectors[place])
    return tuple(np.array(kept) for kept in found)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def _extrapolated(rows: list[dict]) -> dict:
    """Return how each part grows for twice the films between the first size and the last, and the seconds of a million
    films at that power of their number."""
    if len(rows) < 2:
        return {}
    first, last = rows[0], rows[-1]
    found: dict[str, dict[str, float]] = {"for twice the films": {}, "a million films, s": {}}
    for name in ("index, s", "search of all, s", "confirmation of all, s", "all, s"):
        power = np.log(last[name] / first[name]) / np.log(last["films"] / first["films"])
        found["for twice the films"][name] = round(float(2**power), 3)
        found["a million films, s"][name] = round(float(last[name] * (1e6 / last["films"]) ** power))
    return found


def ungated(one: np.ndarray, other: np.ndarray) -> float:
    """Return how two films agree where they are followed to the finest detail whatever coarser detail says: what
    strangers reach, also those that the product does not follow so far.
    """
    with mock.patch.object(registration, "_FOLLOWED", -1.0):
        return agreement(one, other)


def gap(films: list[np.ndarray], vectors: np.ndarray, patients: np.ndarray, count: int, farthest_copy: float) -> dict:
    """Return the agreement that the nearest of PAIRS stranger pairs would reach, beside that of the farthest copy.

    The ``count`` pairs of other patients that lie nearest by their descriptors are compared ungated. A generalised
    Pareto distribution is fitted to the excesses over their 90th percentile (maximum likelihood; Pickands 1975); the
    level that one pair of so many exceeds is its quantile. Interval: 2.5 to 97.5 % of 1,000 fits to resampled excesses.
    """
    similarity = np.triu(vectors @ vectors.T, 1)
    allowed = np.triu(patients[:, None] != patients[None, :], 1) & (similarity < IDENTICAL)
    order = np.argsort(-np.where(allowed, similarity, -1.0), axis=None)[:count]
    values = np.array([ungated(films[a], films[b]) for a, b in (divmod(int(place), len(films)) for place in order)])
    over = float(np.quantile(values, 0.9))
    excess = values[values > over] - over
    share = len(excess) / int(allowed.sum())
    rng = np.random.default_rng(4)

    def level(sample: np.ndarray) -> tuple[float, float]:
        shape, _, scale = genpareto.fit(sample, floc=0)
        return over + float(genpareto.isf(min(1.0, 1 / PAIRS / share), shape, scale=scale)), float(shape)

    found, shape = level(excess)
    resampled = [level(rng.choice(excess, len(excess)))[0] for _ in range(RESAMPLED)]
    low, high = np.percentile(resampled, [2.5, 97.5])
    return {
        "pairs of other patients": int(allowed.sum()),
        "compared": len(values),
        "nearest stranger": float(values.max()),
        "threshold": registration.SAME_EXPOSURE,
        "farthest copy found": farthest_copy,
        "fitted over": over,
        "excesses": len(excess),
        "shape": shape,
        "level of 1 in 1e11 pairs": found,
        "its 95 % interval": [float(low), float(high)],
        "resampled fits at or above the threshold": float(np.mean(np.array(resampled) >= registration.SAME_EXPOSURE)),
    }


def phantom_strangers(count: int) -> dict:
    """Return how many of so many phantom exposures are linked falsely: every patient stands in with all frontal films.

    Compared on pixels are the pairs that search would choose, of other patients, and all pairs of one patient.
    """
    films, patients = [], []
    for number in itertools.count(1):
        drawn = draw_patient(PHANTOM_SEED, "chexpert", number, PHANTOM_PX).studies
        for image in (image for study in drawn for image in study.images if image.film.view != "LATERAL"):
            grey = take(image.film).grey
            films.append(np.clip(grey.astype(float) * 255 / max(1, grey.max()), 0, 255).astype(np.uint8))
            patients.append(number)
        if len(films) >= count:
            break
    films, of = films[:count], np.array(patients[:count])
    queries = np.stack([film_descriptor.describe(film).astype(np.float16) for film in films])
    vectors = queries[:, 0].astype(np.float32)
    others = copies.worth_a_look(copies.Index(vectors), np.arange(count), np.arange(count), queries, of)
    same = [(a, b) for number in np.unique(of) for a, b in itertools.combinations(np.flatnonzero(of == number), 2)]
    result: dict = {"exposures": count, "patients": len(np.unique(of))}
    for name, pairs in (("other patients", others), ("one patient", same)):
        values = np.array([agreement(films[a], films[b]) for a, b in pairs])
        result[name] = {
            "compared": len(values),
            "most": float(values.max(initial=-1.0)),
            "linked": int((values >= registration.SAME_EXPOSURE).sum()),
        }
    return result


def end_to_end(films: list[np.ndarray], patients: np.ndarray, count: int) -> dict:
    """Return how many altered copies stand in another pool than their film after the real steps.

    One source holds real films and is placed first; another then brings a copy of each of ``count`` of them, half
    altered once and half twice, each under a patient of its own, and as many films of strangers.
    """
    rng = np.random.default_rng(6)
    once = rng.permutation(len(films))
    once = once[np.sort(np.unique(patients[once], return_index=True)[1])]  # one film of a patient
    originals, strange = once[:count], once[count : 2 * count]
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.open(Path(folder) / "lake")

        def put(source: str, given: list[tuple[str, str, np.ndarray]]) -> list[dict]:
            rows = [lakes.image_row(source, name, patient, width_px=1, height_px=1) for name, patient, _ in given]
            for row, (_, _, image) in zip(rows, given):
                path = lake.root / row["path"]
                path.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(path), image)
            lakes.put_images(lake, source, rows)
            return rows

        first = put("nih_cxr14", [(f"{place}.png", str(patients[place]), films[place]) for place in originals])
        build_image_links(lake)
        build_splits(lake)
        kinds = [tuple(rng.choice(list(ALTERATIONS), 1 + number % 2, replace=False)) for number in range(count)]
        second = put(
            "padchest",
            [
                *((f"c{at}.png", f"c{at}", altered(films[at], kind, rng)) for at, kind in zip(originals, kinds)),
                *((f"s{place}.png", f"s{place}", films[place]) for place in strange),
            ],
        )
        started = time.process_time()
        links = build_image_links(lake)
        build_splits(lake)
        seconds = time.process_time() - started
        pool = lakes.pools_of(lake)
        table = lake.read("image_links", columns=["patient_key_a", "patient_key_b"]).to_pylist()
    joined = {frozenset(row.values()) for row in table}
    pairs = [(one["patient_key"], other["patient_key"]) for one, other in zip(first, second)]
    missed = [" + ".join(kind) for pair, kind in zip(pairs, kinds) if frozenset(pair) not in joined]
    return {
        "films": len(first) + len(second),
        "copies": count,
        "linked": count - len(missed),
        "not linked": missed,
        "in another pool": sum(pool[a] != pool[b] for a, b in pairs),
        "false links": links.links - count + len(missed),
        "confirmations a film": links.candidates / links.searched,
        "links and pools, processor s": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, default=HERE.parents[1] / "shared" / "real" / "nih_cxr14")
    parser.add_argument("--films", type=int, default=60, help="films whose copies are asked for")
    parser.add_argument("--pairs", type=int, default=105, help="pairs of alterations, of 105; none: each alone")
    parser.add_argument("--minutes", type=float, default=60, help="ask for no further film after so long")
    parser.add_argument("--strangers", type=int, default=1_000, help="pairs of two exposures compared, nearest first")
    parser.add_argument("--growth", type=int, nargs="*", help="search among so many films; needs a quiet machine")
    parser.add_argument(
        "--end-to-end", type=int, metavar="COPIES", help="so many altered copies through the real steps"
    )
    parser.add_argument("--phantoms", type=int, metavar="EXPOSURES", help="false links among phantoms")
    parser.add_argument(
        "--gap", type=int, metavar="PAIRS", help="what the nearest of 1e11 strangers reaches, from so many"
    )
    parser.add_argument("--learn", action="store_true", help="make the linear map anew")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    if arguments.learn:
        learn()
        return
    if arguments.phantoms:
        keep({"phantoms": phantom_strangers(arguments.phantoms)})
        return
    facts = NihCxr14().facts(arguments.images)
    films = [copies.read_grey(arguments.images / path).astype(np.uint8) for path in sorted(facts)]
    patients = np.array([facts[path].native_patient_id for path in sorted(facts)])
    vectors = np.concatenate([own(film) for film in films])
    if arguments.growth is not None:
        paid = cost(films[:20])
        result: dict = {
            "growth": growth(
                films, vectors, arguments.growth or [50_000, 100_000], paid["compare, ms"] + paid["prepare, ms"]
            )
        }
    elif arguments.end_to_end:
        result = {"end to end": end_to_end(films, patients, arguments.end_to_end)}
    elif arguments.gap:
        known = json.loads(RESULT.read_text(encoding="utf-8")).get("recall", {})
        farthest = known.get("agreement of copies found near", {}).get("least")
        result = {"gap": gap(films, vectors, patients, arguments.gap, farthest)}
    else:
        asked = np.random.default_rng(3).permutation(len(films))[: arguments.films]
        found = recall(films, copies.Index(vectors), asked, arguments.pairs, arguments.minutes)
        result = {"films": len(films), "recall" if arguments.pairs else "alone": found}
        if arguments.strangers:
            result["strangers"] = strangers(films, vectors, patients, arguments.strangers)
            result["cost"] = cost([films[place] for place in asked[:40]])
    keep(result)


def keep(result: dict) -> None:
    """Print a result and write it beside what is kept of others."""
    print(json.dumps(result, indent=1))
    kept = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    RESULT.write_text(json.dumps(kept | result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
