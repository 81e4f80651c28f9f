"""Which saliency method points where radiologists point: chosen and judged on validation, beside controls.

Only images on which somebody drew a box are judged: elsewhere nobody says where nothing is. What does not belong here:
formulas of maps (``maps``) and boxes for training a detector (``pseudo``).

Rows of ``saliency_benchmark``: method x class x metric. ``map@0.3`` and ``ap@0.3`` are on validation, each image's
boxes cut where the other half of the patients says; ``threshold_share`` where maps are cut, by all of them; ``vote`` 1
for the methods that draw pseudo boxes; ``same as X`` 1 where a method's maps are those of X but for their scale, so
that it has no vote of its own; ``outside thorax`` the mean share of a map outside the outline of the thorax, on frontal
films where one was found. The test pool is kept for a release.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from radia_pipeline.contracts.pools import TRAIN, VALIDATION
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.dicom import png16
from radia_pipeline.dicom.thorax import Thorax, thorax_of
from radia_pipeline.evaluation.ensemble import validation_cuts
from radia_pipeline.evaluation.folds import fold_of
from radia_pipeline.evaluation.panel import read_panel
from radia_pipeline.lake.lake import Lake
from radia_pipeline.localisation import controls
from radia_pipeline.localisation.average_precision import MEAN, Reference, average_precision, finite, score_boxes
from radia_pipeline.localisation.boxes import DEFAULT_THRESHOLD_SHARE, Boxes, CutRules, boxes_from_map
from radia_pipeline.localisation.explainer import Explained, Explainer, ImageSet, read_images
from radia_pipeline.localisation.within import outside_share
from radia_pipeline.training.studies import LATERAL

SHARES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
CHOICE_IOU = 0.3
MIN_VALIDATION_BOXES = 10  # below this a threshold or a method is not chosen but taken from the defaults
GATE_SHARE = 0.5  # of the class's decision threshold: boxes of unlikely classes rank low, but are drawn
SAME_CORRELATION = 0.9999  # maps of two methods that agree so well cut the same boxes
DEFAULT_METHOD = "pcam"
CANDIDATES = ("gradcam", "hirescam", "gradcam++", "layercam", "pcam")
"""Methods among which is chosen: all from one look at the map. A handful of boxes tells no more of them apart."""
OUTSIDE = "outside thorax"
HALVES = 2
"""Parts of the patients: each is judged by thresholds of the other."""


@dataclass(frozen=True)
class BenchmarkResult:
    """What was compared: drawn boxes in each pool, the method that votes for each recipe."""

    recipes: tuple[str, ...]
    boxes: dict[str, int]
    images: dict[str, int]
    chosen: dict[str, str]
    rows: int
    version: str
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Drawn:
    """One pool's images with drawn boxes, and the reference they make."""

    images: ImageSet
    reference: Reference
    sizes: Mapping[str, tuple[int, int]]


def boxed_classes() -> tuple[str, ...]:
    """Return the classes that have a place: all but No Finding and the pure unions."""
    words = vocabulary()
    return tuple(name for name in words.classes if name in (*words.pathologies, *words.finding_groups))


def drawn_pools(lake: Lake) -> dict[str, Drawn]:
    """Read the images with boxes of each pool; pools without any are empty."""
    sources = [name for name in lake.partitions("box_annotations") if lake.exists("manifest", name)]
    tables = {name: lake.read("box_annotations", name) for name in sources}
    sources = [name for name in sources if tables[name].num_rows]
    if not sources:
        return {}
    boxes = Boxes.joined(Boxes.from_table(tables[name]) for name in sources)
    images = read_images(lake, sources).where(image_id=set(boxes.image_id))
    return {pool: _drawn(images.where(pool={pool}), boxes) for pool in (TRAIN, VALIDATION)}


def _drawn(images: ImageSet, boxes: Boxes) -> Drawn:
    names = tuple(images.columns["image_id"])
    boxes = boxes.on(names)
    have, classes = set(zip(boxes.image_id, boxes.label)), vocabulary().classes
    silent = {
        (image, classes[k])
        for row, image in enumerate(names)
        for k in np.flatnonzero(~images.known_absent(row))
        if (image, classes[k]) not in have
    }
    groups = np.array(images.columns["group_id"], dtype=object)
    sizes = controls.sizes_of(names, images.columns["width_px"], images.columns["height_px"])
    return Drawn(images, Reference(names, groups, boxes, frozenset(silent)), sizes)


def cut(
    explained: Sequence[Explained], images: ImageSet, size_px: int, method: str, gates: np.ndarray,
    shares: Mapping[str, float] | float, *, classes: Sequence[str] | None = None,
) -> Boxes:  # fmt: skip
    """Cut boxes of every class whose probability reaches its gate (K,) out of a method's maps."""
    rows = []
    for row, one in enumerate(explained):
        frame, image = images.frame(row, size_px), images.columns["image_id"][row]
        for name in classes or boxed_classes():
            k = vocabulary().index(name)
            if one.probability[k] < gates[k]:
                continue
            share = shares if isinstance(shares, float) else shares.get(name, shares[MEAN])
            found = boxes_from_map(one.maps[method][k], float(one.probability[k]), name, frame, CutRules(share))
            rows += [(image, name, corners, score) for corners, score in found]
    return Boxes.of(rows)


def gates_of(lake: Lake, recipe: str) -> np.ndarray:
    """Return the probability (K,) from which a recipe's class is drawn at all."""
    return GATE_SHARE * validation_cuts(read_panel(lake, recipe))


def coinciding(explained: Sequence[Explained], methods: Sequence[str]) -> dict[str, str]:
    """Return {method: earlier method} for methods whose maps differ by scale only, on all of these images."""
    same: dict[str, str] = {}
    for place, later in enumerate(methods):
        for earlier in methods[:place]:
            if earlier not in same and all(_proportional(one.maps[earlier], one.maps[later]) for one in explained):
                same[later] = earlier
                break
    return same if explained else {}


def _proportional(first: np.ndarray, second: np.ndarray) -> bool:
    a, b = first.reshape(len(first), -1), second.reshape(len(second), -1)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosine = np.divide((a * b).sum(axis=1), lengths, out=np.ones(len(a)), where=lengths > 1e-12)
    return bool((cosine > SAME_CORRELATION).all())


def best_shares(boxes_at: Mapping[float, Boxes], reference: Reference) -> dict[str, float]:
    """Choose where to cut: per class with enough drawn boxes by its AP, and under ``mean`` for the others."""
    labels = reference.boxes.label
    counted = [name for name in sorted(set(labels)) if (labels == name).sum() >= MIN_VALIDATION_BOXES]
    if len(labels) < MIN_VALIDATION_BOXES:
        return {MEAN: DEFAULT_THRESHOLD_SHARE}
    table = {}
    for share, boxes in boxes_at.items():
        boxes = reference.counting(boxes)
        table[share] = {name: _class_ap(boxes, reference, name) for name in sorted(set(labels))}
    means = {share: float(np.mean(list(row.values()))) for share, row in table.items()}
    chosen = {name: max(table, key=lambda share, name=name: table[share][name]) for name in counted}
    return {MEAN: max(means, key=lambda share: means[share]), **chosen}


def _class_ap(boxes: Boxes, reference: Reference, name: str) -> float:
    drawn = reference.boxes.take(reference.boxes.label == name)
    return average_precision(boxes.take(boxes.label == name), drawn, reference.image_ids, CHOICE_IOU)


def build_saliency_benchmark(lake: Lake, recipes: Sequence[str]) -> BenchmarkResult:
    """Compare all methods of all recipes with drawn boxes; publish ``saliency_benchmark`` (empty without any box).

    Raises NotTrained where a recipe has no model, MissingTable where it has no predictions.
    """
    pools, rows, chosen = drawn_pools(lake), [], {}
    thoraces = _thoraces(lake, pools[VALIDATION]) if pools else {}
    for recipe in recipes if pools else ():
        found = list(_recipe_rows(lake, recipe, pools, thoraces))
        rows += found
        chosen[recipe] = next(row["method"] for row in found if row["metric"] == "vote" and row["value"])
    written = lake.write("saliency_benchmark", [finite(row) for row in rows])
    counts = {pool: len(one.reference.boxes) for pool, one in pools.items()}
    short = counts.get(VALIDATION, 0) < MIN_VALIDATION_BOXES
    return BenchmarkResult(
        tuple(recipes), counts, {pool: len(one.images) for pool, one in pools.items()}, chosen, written.rows,
        written.version, ["too few boxes in validation: methods and thresholds are the defaults"] if short else [],
    )  # fmt: skip


def _recipe_rows(lake: Lake, recipe: str, pools: Mapping[str, Drawn], thoraces: Mapping[str, Thorax]) -> Iterator[dict]:
    gates, drawn = gates_of(lake, recipe), pools[VALIDATION]
    seen, size_px = _explain_all(lake, recipe, drawn)
    same = coinciding(seen, CANDIDATES)
    classes = sorted(set(drawn.reference.boxes.label))
    scores: dict[str, float] = {}
    for method in CANDIDATES:
        place = {"recipe": recipe, "method": method}
        outside = _outside(seen, drawn, size_px, method, thoraces)
        if np.isfinite(outside):
            yield _fact(place, MEAN, OUTSIDE, outside, drawn)
        at = {s: cut(seen, drawn.images, size_px, method, gates, s, classes=classes) for s in SHARES}
        for name, share in best_shares(at, drawn.reference).items():
            yield _fact(place, name, "threshold_share", share, drawn)
        boxes = _cross_fitted(at, drawn.reference)
        judged = list(_judged(place, boxes, drawn))
        yield from judged
        found = [row["value"] for row in judged if row["metric"] == f"map@{CHOICE_IOU:g}"]
        scores[method] = found[0] if found else np.nan
        if method == DEFAULT_METHOD:
            yield from _control_rows(recipe, boxes, pools)
        if method in same:
            yield _fact(place, MEAN, f"same as {same[method]}", 1.0, drawn)
    vote = _vote(scores, same, len(drawn.reference.boxes))
    for method in CANDIDATES:
        yield _fact({"recipe": recipe, "method": method}, MEAN, "vote", float(method == vote), drawn)


def _cross_fitted(at: Mapping[float, Boxes], reference: Reference) -> Boxes:
    """Return boxes of every image, cut at the shares that are best on the other half of the patients."""
    half, names = fold_of(reference.group_ids, HALVES), np.array(reference.image_ids, dtype=object)
    parts = []
    for number in range(HALVES):
        other, here = half != number, names[half == number]
        elsewhere = replace(
            reference, image_ids=tuple(names[other]), group_ids=np.asarray(reference.group_ids)[other],
            boxes=reference.boxes.on(names[other]),
        )  # fmt: skip
        shares = best_shares(at, elsewhere)
        for share, boxes in at.items():
            chosen = np.array([shares.get(name, shares[MEAN]) == share for name in boxes.label], dtype=bool)
            parts.append(boxes.take(chosen).on(here))
    return Boxes.joined(parts)


def _thoraces(lake: Lake, drawn: Drawn) -> dict[str, Thorax]:
    """Find the thorax on each frontal film of a pool; films on which none is found are absent."""
    found, columns = {}, drawn.images.columns
    for image, path, view in zip(columns["image_id"], columns["path"], columns["view"], strict=True):
        thorax = None if view == LATERAL else thorax_of(png16.decode((lake.root / path).read_bytes()))
        if thorax is not None:
            found[image] = thorax
    return found


def _outside(
    explained: Sequence[Explained], drawn: Drawn, size_px: int, method: str, thoraces: Mapping[str, Thorax]
) -> float:
    """Return the mean share of a method's maps outside the thorax, over the classes that somebody drew on a film."""
    boxes, shares = drawn.reference.boxes, []
    for row, one in enumerate(explained):
        image = drawn.images.columns["image_id"][row]
        for name in sorted(set(boxes.label[boxes.image_id == image])) if image in thoraces else ():
            saliency = one.maps[method][vocabulary().index(name)]
            shares.append(outside_share(saliency, drawn.images.frame(row, size_px), thoraces[image]))
    return float(np.mean(shares)) if shares else float("nan")


def _explain_all(lake: Lake, recipe: str, drawn: Drawn) -> tuple[list[Explained], int]:
    explainer = Explainer(lake, recipe, drawn.images, CANDIDATES)
    return [one for _, part in explainer.batches() for one in part], explainer.size_px


def _judged(place: dict, boxes: Boxes, drawn: Drawn) -> Iterator[dict]:
    for row in score_boxes(boxes, drawn.reference, levels=("class",)):
        yield {**place, **{key: value for key, value in row.items() if key != "level"}}


def _control_rows(recipe: str, boxes: Boxes, pools: Mapping[str, Drawn]) -> Iterator[dict]:
    """Controls on validation; the prior knows the boxes of the patients of train."""
    elsewhere, here = pools[TRAIN], pools[VALIDATION]
    priors = controls.prior_boxes(elsewhere.reference.boxes, elsewhere.sizes)
    for name, control in controls.all_of(boxes, priors, here.sizes).items():
        yield from _judged({"recipe": recipe, "method": name}, control, here)


def _vote(scores: Mapping[str, float], same: Mapping[str, str], boxes: int) -> str:
    """The best method on validation; the head's own map where validation cannot say."""
    known = {name: score for name, score in scores.items() if np.isfinite(score) and name not in same}
    if boxes < MIN_VALIDATION_BOXES or not known:
        return same.get(DEFAULT_METHOD, DEFAULT_METHOD)
    return max(known, key=lambda name: known[name])


def _fact(place: dict, name: str, metric: str, value: float, drawn: Drawn) -> dict:
    counts = {"boxes": len(drawn.reference.boxes), "images": len(drawn.images)}
    return {**place, "class": name, "metric": metric, "value": float(value), "low": None, "high": None, **counts}


@dataclass(frozen=True)
class Choice:
    """How a recipe draws: one method and where its maps are cut, per class with ``mean`` for the others."""

    method: str = DEFAULT_METHOD
    shares: Mapping[str, float] = field(default_factory=lambda: {MEAN: DEFAULT_THRESHOLD_SHARE})


def read_choice(lake: Lake, recipe: str) -> Choice:
    """Read what the benchmark chose for a recipe; the defaults where it has no rows or has not run."""
    if not lake.exists("saliency_benchmark"):
        return Choice()
    rows = [row for row in lake.read("saliency_benchmark").to_pylist() if row["recipe"] == recipe]
    method = next((row["method"] for row in rows if row["metric"] == "vote" and row["value"]), None)
    if method is None:
        return Choice()
    cuts = {row["class"]: row["value"] for row in rows if (row["method"], row["metric"]) == (method, "threshold_share")}
    return Choice(method, cuts)
