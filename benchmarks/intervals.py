"""How often intervals of 95 % hold the truth: simulated patients, one cell for each size, prevalence and skill.

Three parts: figures of one class, with the percentile bootstrap over patients beside them; means over 14 classes whose
scores and labels go together; mean average precision of boxes. Every world has two positive patients at least. F1,
average precision and mAP are compared with their value at the pool's own prevalence. Results are kept as they come, all
cells in turn, so that a run can be stopped and goes on.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
from batched import Pools
from scipy.special import ndtr

from radia_pipeline.evaluation import metrics
from radia_pipeline.evaluation.bootstrap import Resampler, percentile_interval
from radia_pipeline.evaluation.class_figures import Cuts, OneClass, mean_figure
from radia_pipeline.evaluation.differences import paired_difference
from radia_pipeline.localisation.box_intervals import box_figure, mean_limits
from radia_pipeline.localisation.matching import weighted_ap
from radia_pipeline_tests.evaluation.patients import ALIKE, World, alike, draw, draw_together, patients_of
from radia_pipeline_tests.localisation.detections import Detections

RESULT = Path(__file__).parent / "results" / "intervals.json"
STUDIES, PREVALENCES, AUCS, CORRELATIONS = (50, 200, 1000), (0.02, 0.2, 0.5), (0.7, 0.87, 0.97), (0.0, 0.3, 0.7)
CLASSES, WORLDS, BESIDE, REPLICATES = 14, 2000, 60, 200
SKILLS = ((1.0, 0.5, 0.5), (1.5, 0.7, 0.3), (3.0, 0.9, 0.1))
SINGLE = ("auc", "sensitivity", "specificity", "f1", "ap")
MEANS = ("auc", "f1", "ap", "sensitivity")
SLACK = 1e-9
CELLS_AT_ONCE, CHECKED = 400_000, 3
"""Scores that are judged at once, and pools of each run that are held against the package's own figures."""


@cache
def true_ap(world: World, prevalence: float) -> float:
    return world.ap(prevalence)


def truths(world: World, cut: float, own: float) -> dict[str, float]:
    """True figures of one class at a cut; those that depend on prevalence at the pool's own."""
    return {
        "auc": world.auc,
        "sensitivity": float(world.found(cut)),
        "specificity": float(ndtr(cut)),
        "f1": float(world.f1_at(cut, own)),
        "ap": true_ap(world, own),
    }


def holds(low, high, truth):
    return (low - SLACK <= truth) & (truth <= high + SLACK)


def single_cell(studies: int, prevalence: float, auc: float, worlds: int) -> dict:
    """Cover and mean width of each figure; from ten positive patients apart; width and cover of percentiles beside."""
    world = World(studies, prevalence, auc)
    rng, cut = np.random.default_rng([studies, int(100 * prevalence), int(100 * auc)]), world.cut
    held = {name: [] for name in SINGLE}
    widths, many, beside = {name: [] for name in SINGLE}, [], {name: [] for name in SINGLE}
    for number in range(worlds):
        score, label, group = draw(rng, world)
        one = OneClass.of(score, label, group, Cuts(cut, cut))
        truth = truths(world, cut, float(label.mean()))
        many.append(one.positive_patients >= 10)
        for name in SINGLE:
            found = one.figure(name)
            held[name].append(holds(found.low, found.high, truth[name]))
            widths[name].append(found.high - found.low)
        if number < BESIDE:
            for name, (low, high) in percentiles(one, group, cut).items():
                beside[name].append((holds(low, high, truth[name]), high - low))
    many = np.array(many)
    out = {"worlds": worlds, "share_from_10_patients": round(float(many.mean()), 3)}
    for name in SINGLE:
        hits = np.array(held[name])
        out[name] = {
            "cover": pct(hits),
            "cover_from_10": pct(hits[many]) if many.sum() >= 200 else None,
            "width": round(float(np.mean(widths[name])), 4),
            "bootstrap_cover": pct(np.array([hit for hit, _ in beside[name]])),
            "bootstrap_width": round(float(np.nanmean([width for _, width in beside[name]])), 4),
        }
    return out


def percentiles(one: OneClass, group: np.ndarray, cut: float) -> dict[str, tuple[float, float]]:
    """The percentile bootstrap over patients."""
    ranked, parts = one.studies.ranked, []
    for weight in Resampler.of(group, REPLICATES):
        parts.append(metrics.weighted_metrics(ranked, weight[:, ranked.order], cut))
    return {name: percentile_interval(np.concatenate([part[name] for part in parts])) for name in SINGLE}


def pct(hits: np.ndarray) -> float:
    return round(100 * float(np.mean(hits)), 2) if len(hits) else float("nan")


def mean_cell(studies: int, prevalence: float, correlation: float, worlds: int, start: int = 0) -> dict:
    """Cover and mean width of means over classes of mixed skill.

    Pools are drawn and judged many at once; the first are held against the package's own figures.
    """
    kinds = [World(studies, prevalence, AUCS[k % len(AUCS)]) for k in range(CLASSES)]
    rng = np.random.default_rng([studies, int(100 * prevalence), int(10 * correlation), 7, start])
    held, widths = {name: [] for name in MEANS}, {name: [] for name in MEANS}
    at_once = max(1, CELLS_AT_ONCE // (CLASSES * studies))
    for done in range(0, worlds, at_once):
        drawn = [draw_together(rng, kinds, correlation) for _ in range(min(at_once, worlds - done))]
        for name, (low, high) in means_of(kinds, drawn, is_checked=done == 0).items():
            truth = np.array([np.mean([true[name] for true in one]) for one in true_figures(kinds, drawn)])
            held[name] += holds(low, high, truth).tolist()
            widths[name] += (high - low).tolist()
    return {"worlds": worlds} | {
        name: {"cover": pct(np.array(held[name])), "width": round(float(np.mean(widths[name])), 4)} for name in MEANS
    }


def means_of(kinds: list[World], drawn: list, *, is_checked: bool) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the limits (W,) of each mean over the classes of W pools."""
    cuts = np.array([world.cut for world in kinds])
    stacked = (np.array([[one[part] for one in classes] for _, classes in drawn]) for part in (0, 1))
    pools = Pools(*stacked, np.array([group for group, _ in drawn]), cuts)
    found = {name: getattr(pools, name)().mean() for name in MEANS}
    for place, (group, classes) in enumerate(drawn[:CHECKED] if is_checked else ()):
        own = [OneClass.of(*one, group, Cuts(cut, cut), len(group)) for one, cut in zip(classes, cuts)]
        for name in MEANS:
            mean = mean_figure(own, name)
            np.testing.assert_allclose([mean.low, mean.high], [end[place] for end in found[name]], atol=1e-9)
    return found


def true_figures(kinds: list[World], drawn: list) -> list[list[dict[str, float]]]:
    """Return the true figures of every class of every pool."""
    return [
        [truths(world, world.cut, float(label.mean())) for world, (_, label) in zip(kinds, classes)]
        for _, classes in drawn
    ]


def map_cell(images: int, prevalence: float, skill: int, worlds: int, start: int = 0) -> dict:
    """Cover and mean width of average precision of a class, and of its mean over classes."""
    kind = Detections(prevalence, *SKILLS[skill])
    rng = np.random.default_rng([images, int(100 * prevalence), skill, 11, start])
    single, single_width, mean, mean_width = [], [], [], []
    for _ in range(worlds):
        group = patients_of(rng, images)
        figures, truth = [], []
        while len(figures) < CLASSES:
            boxes = kind.boxes(rng, group)
            if boxes.sum() < 3 or np.count_nonzero(np.bincount(group[boxes > 0])) < 2:
                continue
            matched = kind.draw(rng, group, boxes)
            value = float(weighted_ap(matched, np.ones((1, images)))[0])
            figures.append(box_figure(matched, value, group, int(group.max()) + 1))
            truth.append(kind.truth(matched.boxes / images))
            single.append(holds(figures[-1].low, figures[-1].high, truth[-1]))
            single_width.append(figures[-1].high - figures[-1].low)
        low, high = mean_limits(figures)
        mean.append(holds(low, high, float(np.mean(truth))))
        mean_width.append(high - low)
    return {
        "worlds": worlds,
        "ap": {"cover": pct(np.array(single)), "width": round(float(np.mean(single_width)), 4)},
        "map": {"cover": pct(np.array(mean)), "width": round(float(np.mean(mean_width)), 4)},
    }


def pair_cell(studies: int, prevalence: float, skill: int, worlds: int, start: int = 0) -> dict:
    """Cover of the difference of two models' AUC, which share half of their scores' variance."""
    first, second = ((0.87, 0.87), (0.9, 0.8), (0.97, 0.96))[skill]
    gaps = [World(studies, prevalence, auc).gap for auc in (first, second)]
    rng = np.random.default_rng([studies, int(100 * prevalence), skill, 13, start])
    held, widths = [], []
    for _ in range(worlds):
        _, label, group = draw(rng, World(studies, prevalence, first))
        common = alike(rng, group)
        scores = [np.sqrt(ALIKE) * (common + alike(rng, group)) + gap * label for gap in gaps]
        found = paired_difference(scores[0][:, None], scores[1][:, None], label[:, None], group)
        held.append(holds(found.low, found.high, first - second))
        widths.append(found.high - found.low)
    return {"worlds": worlds, "difference": {"cover": pct(np.array(held)), "width": round(float(np.mean(widths)), 4)}}


PARTS = {
    "single": (single_cell, list(product(STUDIES, PREVALENCES, AUCS))),
    "means": (mean_cell, list(product(STUDIES, PREVALENCES, CORRELATIONS))),
    "map": (map_cell, list(product(STUDIES, PREVALENCES, range(len(SKILLS))))),
    "pairs": (pair_cell, list(product(STUDIES, PREVALENCES, range(3)))),
}


AT_ONCE = 250
"""Worlds of a cell that are simulated and kept at once; the figures of one class come whole."""


def chunk(part: str, place: tuple, worlds: int, first: int) -> dict:
    """Simulate worlds of a cell from the one that is numbered ``first``."""
    return PARTS[part][0](*place, worlds, *([first] if part != "single" else []))


def together(known: dict | None, more: dict) -> dict:
    """Return the figures of the worlds of both."""
    if not known:
        return more
    of = known["worlds"], more["worlds"]
    out: dict = {"worlds": sum(of)}
    for name, found in more.items():
        if isinstance(found, dict):
            both = known[name], found
            out[name] = {
                key: round(sum(n * one[key] for n, one in zip(of, both)) / sum(of), digits)
                for key, digits in (("cover", 3), ("width", 4))
            }
    return out


def tasks(parts: list[str], worlds: int, kept: dict) -> Iterator[tuple[str, tuple, int, int]]:
    """Yield what is left to do as (part, place, worlds, first), every cell of a round before the next round."""
    for start in range(0, worlds, AT_ONCE):
        for part in parts:
            for place in PARTS[part][1]:
                have = kept.get(part, {}).get(named(place), {}).get("worlds", 0)
                if part == "single":
                    if start == 0 and have < worlds:
                        yield part, place, worlds, 0
                elif start >= have:
                    yield part, place, min(AT_ONCE, worlds - start), start


def named(place: tuple) -> str:
    return "/".join(map(str, place))


def summary(kept: dict) -> dict:
    """Lowest and highest cover of each figure over the cells of each part."""
    out: dict = {}
    for part, cells in kept.items():
        for one in cells.values():
            for name, found in one.items():
                if isinstance(found, dict):
                    for key in ("cover", "cover_from_10"):
                        if found.get(key) is not None:
                            out.setdefault(f"{part} {name} {key}", []).append(found[key])
    return {name: [min(values), max(values), len(values)] for name, values in out.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=WORLDS)
    parser.add_argument("--parts", nargs="*", default=list(PARTS), choices=list(PARTS))
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    options = parser.parse_args()
    kept = json.loads(RESULT.read_text())["cells"] if RESULT.exists() else {}
    with ProcessPoolExecutor(options.processes) as pool:
        asked = [(task, pool.submit(chunk, *task)) for task in list(tasks(options.parts, options.worlds, kept))]
        for (part, place, _, _), done in asked:  # in this order, so that what is kept of a cell has no gap
            cells = kept.setdefault(part, {})
            cells[named(place)] = together(cells.get(named(place)) if part != "single" else None, done.result())
            in_order = {part: dict(sorted(kept[part].items())) for part in PARTS if part in kept}
            RESULT.write_text(json.dumps({"summary": summary(kept), "cells": in_order}, indent=1) + "\n")
            print(part, named(place), json.dumps(cells[named(place)]), flush=True)
    print(json.dumps(summary(kept), indent=1))


if __name__ == "__main__":
    main()
