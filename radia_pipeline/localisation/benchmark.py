"""Which saliency method points where radiologists point: judged on validation, beside controls.

Only images on which somebody drew a box are judged: elsewhere nobody says where nothing is. What does not belong here:
formulas of maps (``maps``), which one is chosen (``choice``) and boxes for training a detector (``pseudo``).

Rows of ``saliency_benchmark``: method x class x metric. ``map@0.3`` and ``ap@0.3`` (and at other IoU, and behind
``group`` and ``agnostic``) are on validation, each method's maps cut by the defaults, with sizes from the patients of
train; ``map@0.3 over default`` with the pair's interval; ``sensitivity@0.3 at 0.5 false an image`` over all classes;
``pointing game`` the share of maps whose highest point lies in a box;
``threshold_share`` where maps are cut; ``vote`` 1 for the method that draws pseudo boxes; ``same as X`` 1 where a
method's maps are those of X but for their scale, so that it has no vote of its own; ``outside thorax`` the mean share
of a map outside the outline of the thorax, on frontal films where one was found. The test pool is kept for a release.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from radia_pipeline.contracts.pools import TRAIN, VALIDATION
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.dicom import png16
from radia_pipeline.dicom.thorax import Thorax, thorax_of
from radia_pipeline.evaluation.ensemble import validation_cuts
from radia_pipeline.evaluation.intervals import Interval
from radia_pipeline.evaluation.panel import read_panel
from radia_pipeline.lake.lake import Lake
from radia_pipeline.localisation import controls
from radia_pipeline.localisation.average_precision import MEAN, finite, score_boxes
from radia_pipeline.localisation.boxes import DEFAULT_THRESHOLD_SHARE, Boxes, boxes_from_map, peak_of
from radia_pipeline.localisation.choice import (
    CHOICE_IOU,
    DEFAULT_METHOD,
    DRAWN,
    GATE_SHARE,
    OVER_DEFAULT,
    SHARE,
    SHARES,
    VOTE,
    Choice,
    extent_facts,
    sure_shares,
    surely_best_method,
)
from radia_pipeline.localisation.drawn import Drawn, drawn_pools
from radia_pipeline.localisation.explainer import Explained, Explainer, ImageSet
from radia_pipeline.localisation.found_shares import pointing, sensitivities
from radia_pipeline.localisation.organs import organ_boxes
from radia_pipeline.localisation.within import outside_share
from radia_pipeline.training.studies import LATERAL

SAME_CORRELATION = 0.9999  # maps of two methods that agree so well cut the same boxes
FEW_BOXES = 10  # of validation, below which nothing can be chosen
CANDIDATES = (
    DEFAULT_METHOD, "gradcam", "hirescam", "gradcam++", "layercam", "pcam", "xgradcam", "elementwise", "eigengradcam",
)  # fmt: skip
"""Methods that are compared: those of one look at the film, the default first."""
OUTSIDE = "outside thorax"
IOU_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5)


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


def boxed_classes() -> tuple[str, ...]:
    """Return the classes that have a place: all but No Finding and the pure unions."""
    words = vocabulary()
    return tuple(name for name in words.classes if name in (*words.pathologies, *words.finding_groups))


def cut(
    explained: Sequence[Explained], images: ImageSet, size_px: int, method: str, gates: np.ndarray, choice: Choice,
    *, classes: Sequence[str] | None = None, thoraces: Mapping[str, Thorax] | None = None,
) -> Boxes:  # fmt: skip
    """Cut boxes of every class whose probability reaches its gate (K,) out of a method's maps.

    ``thoraces``: by image, where one was found; the box of a class that is of both lungs is the thorax's.
    """
    rows = []
    for row, one in enumerate(explained):
        frame, image = images.frame(row, size_px), images.columns["image_id"][row]
        for name in classes or boxed_classes():
            k = vocabulary().index(name)
            if one.probability[k] < gates[k]:
                continue
            chance = float(one.probability[k])
            found = organ_boxes(name, chance, (thoraces or {}).get(image), frame)
            if found is None:
                found = boxes_from_map(one.maps[method][k], chance, name, frame, choice.rules(name))
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
    if first.shape != second.shape:
        return False
    a, b = first.reshape(len(first), -1), second.reshape(len(second), -1)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosine = np.divide((a * b).sum(axis=1), lengths, out=np.ones(len(a)), where=lengths > 1e-12)
    return bool((cosine > SAME_CORRELATION).all())


def build_saliency_benchmark(lake: Lake, recipes: Sequence[str]) -> BenchmarkResult:
    """Compare all methods of all recipes with drawn boxes; publish ``saliency_benchmark`` (empty without any box).

    Raises NotTrained where a recipe has no model, MissingTable where it has no predictions.
    """
    pools, rows, chosen = drawn_pools(lake), [], {}
    thoraces = _thoraces(lake, pools[VALIDATION]) if pools else {}
    for recipe in recipes if pools else ():
        found = list(_recipe_rows(lake, recipe, pools, thoraces))
        rows += found
        chosen[recipe] = next(row["method"] for row in found if row["metric"] == VOTE and row["value"])
    written = lake.write("saliency_benchmark", [finite(row) for row in rows])
    counts = {pool: len(one.reference.boxes) for pool, one in pools.items()}
    short = counts.get(VALIDATION, 0) < FEW_BOXES
    return BenchmarkResult(
        tuple(recipes), counts, {pool: len(one.images) for pool, one in pools.items()}, chosen, written.rows,
        written.version, ["too few boxes in validation: methods and thresholds are the defaults"] if short else [],
    )  # fmt: skip


def _recipe_rows(lake: Lake, recipe: str, pools: Mapping[str, Drawn], thoraces: Mapping[str, Thorax]) -> Iterator[dict]:
    gates, drawn, extents = gates_of(lake, recipe), pools[VALIDATION], pools[TRAIN].extents()
    seen, size_px = _explain_all(lake, recipe, drawn)
    same = coinciding(seen, CANDIDATES)
    classes = sorted(set(drawn.reference.boxes.label))

    def cut_at(method: str, share: float) -> Boxes:
        choice = Choice(method, {MEAN: share}, extents)
        return cut(seen, drawn.images, size_px, method, gates, choice, classes=classes, thoraces=thoraces)

    for name, metric, value in extent_facts(extents):
        yield _fact({"recipe": recipe, "method": DRAWN}, name, metric, value, pools[TRAIN])
    boxes = {method: cut_at(method, DEFAULT_THRESHOLD_SHARE) for method in CANDIDATES}
    vote, over = surely_best_method({m: one for m, one in boxes.items() if m not in same}, drawn.reference)
    for method in CANDIDATES:
        place = {"recipe": recipe, "method": method}
        outside = _outside(seen, drawn, size_px, method, thoraces)
        if np.isfinite(outside):
            yield _fact(place, MEAN, OUTSIDE, outside, drawn)
        yield from _judged(place, boxes[method], drawn)
        yield from _pointed(place, seen, drawn, size_px, method)
        if method == DEFAULT_METHOD:
            yield from _control_rows(recipe, boxes[method], pools)
        if method in same:
            yield _fact(place, MEAN, f"same as {same[method]}", 1.0, drawn)
        if method in over:
            value, low, high = over[method]
            yield {**_fact(place, MEAN, OVER_DEFAULT, value, drawn), "low": low, "high": high}
        yield _fact(place, MEAN, VOTE, float(method == vote), drawn)
    shares = sure_shares({share: cut_at(vote, share) for share in SHARES}, drawn.reference)
    for name, share in shares.items():
        yield _fact({"recipe": recipe, "method": vote}, name, SHARE, share, drawn)


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
    """Figures of a set of boxes: by class under the metric's own name, others behind the word of their level."""
    for row in score_boxes(boxes, drawn.reference, thresholds=IOU_THRESHOLDS):
        level = "" if row["level"] == "class" else f"{row['level']} "
        kept = {key: value for key, value in row.items() if key != "level"}
        yield {**place, **kept, "metric": level + row["metric"]}
    for limit, share in sensitivities(boxes, drawn.reference, CHOICE_IOU).items():
        yield _share(place, MEAN, f"sensitivity@{CHOICE_IOU:g} at {limit:g} false an image", share, drawn)


def _pointed(place: dict, explained: Sequence[Explained], drawn: Drawn, size_px: int, method: str) -> Iterator[dict]:
    boxes, columns, peaks = drawn.reference.boxes, drawn.images.columns, {}
    drawn_on = {image: sorted(set(boxes.label[boxes.image_id == image])) for image in set(boxes.image_id)}
    for row, one in enumerate(explained):
        image, frame = columns["image_id"][row], drawn.images.frame(row, size_px)
        for name in drawn_on.get(image, ()):
            peak = peak_of(one.maps[method][vocabulary().index(name)], frame)
            if peak is not None:
                peaks[image, name] = peak
    for name, share in pointing(peaks, drawn.reference).items():
        yield _share(place, name, "pointing game", share, drawn)


def _share(place: dict, name: str, metric: str, share: Interval, drawn: Drawn) -> dict:
    return {**_fact(place, name, metric, share.value, drawn), "low": share.low, "high": share.high}


def _control_rows(recipe: str, boxes: Boxes, pools: Mapping[str, Drawn]) -> Iterator[dict]:
    """Controls on validation; the prior knows the boxes of the patients of train."""
    elsewhere, here = pools[TRAIN], pools[VALIDATION]
    priors = controls.prior_boxes(elsewhere.reference.boxes, elsewhere.sizes)
    for name, control in controls.all_of(boxes, priors, here.sizes).items():
        yield from _judged({"recipe": recipe, "method": name}, control, here)


def _fact(place: dict, name: str, metric: str, value: float, drawn: Drawn) -> dict:
    counts = {"boxes": len(drawn.reference.boxes), "images": len(drawn.images)}
    return {**place, "class": name, "metric": metric, "value": float(value), "low": None, "high": None, **counts}
