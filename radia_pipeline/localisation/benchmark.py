"""Which saliency method points where radiologists point: judged on validation, beside controls.

Only images on which somebody drew a box are judged: elsewhere nobody says where nothing is. What does not belong here:
formulas of maps (``maps``), which one is chosen (``choice``) and boxes for training a detector (``pseudo``).

Rows of ``saliency_benchmark``: method x class x metric. ``map@0.3`` and ``ap@0.3`` (and at other IoU, and behind
``group`` and ``agnostic``) are on validation, each method's maps cut by the defaults, with sizes from the patients of
train; ``map@0.3 over default`` with the pair's interval; ``sensitivity@0.3 at 0.5 false an image`` over all classes;
``pointing game`` the share of maps whose highest point lies in a box; ``IoBB@0.5`` the share of drawn boxes in which
more than half of a box of their class lies;
``threshold_share`` where maps are cut; ``vote`` 1 for the method that draws pseudo boxes; ``same as X`` 1 where a
method's maps are those of X but for their scale, so that it has no vote of its own; ``outside thorax`` the mean share
of a map outside the outline of the thorax, on frontal films where one was found. The test pool is kept for a release.
What a method costs is in the result, not in the table, whose version is its content's; a sheet of films is for the
previews.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

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
from radia_pipeline.localisation.found_shares import boxes_within, pointing, sensitivities
from radia_pipeline.localisation.maps import SLOW, explain
from radia_pipeline.localisation.organs import organ_boxes
from radia_pipeline.localisation.pictures import SheetFilm, save_sheet
from radia_pipeline.localisation.within import on_image, outside_share
from radia_pipeline.training.studies import LATERAL

SAME_CORRELATION = 0.9999  # maps of two methods that agree so well cut the same boxes
FEW_BOXES = 10  # of validation, below which nothing can be chosen
CANDIDATES = (
    DEFAULT_METHOD,
    "gradcam",
    "hirescam",
    "gradcam++",
    "layercam",
    "pcam",
    "xgradcam",
    "elementwise",
    "eigengradcam",
)
"""Methods that are compared: those of one look at the film, the default first."""
OUTSIDE = "outside thorax"
IOU_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5)
TIMED = 4
"""Films on which a method's cost is taken."""


@dataclass(frozen=True)
class BenchmarkResult:
    """What was compared: drawn boxes in each pool, the method that votes for each recipe.

    ``ms_a_film``: processor milliseconds of each recipe's methods, all classes of one film; ``sheets``: pictures of the
    voting methods' best, middling and worst films, below the lake's root.
    """

    recipes: tuple[str, ...]
    boxes: dict[str, int]
    images: dict[str, int]
    chosen: dict[str, str]
    rows: int
    version: str
    ms_a_film: dict[str, dict[str, float]] = field(default_factory=dict)
    sheets: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def boxed_classes() -> tuple[str, ...]:
    """Return the classes that have a place: all but No Finding and the pure unions."""
    words = vocabulary()
    return tuple(name for name in words.classes if name in (*words.pathologies, *words.finding_groups))


@dataclass(frozen=True)
class ExplainedFilms:
    """Films as a recipe sees them, each explained, at the side of its input."""

    explained: Sequence[Explained]
    images: ImageSet
    size_px: int


def cut(
    seen: ExplainedFilms,
    gates: np.ndarray,
    choice: Choice,
    *,
    classes: Sequence[str] | None = None,
    thoraces: Mapping[str, Thorax] | None = None,
) -> Boxes:
    """Cut boxes of every class whose probability reaches its gate (K,) out of the chosen method's maps.

    ``thoraces``: by image, where one was found; the box of a class that is of both lungs is the thorax's.
    """
    rows = []
    for row, one in enumerate(seen.explained):
        frame, image = seen.images.frame(row, seen.size_px), seen.images.columns["image_id"][row]
        for name in classes or boxed_classes():
            k = vocabulary().index(name)
            if one.probability[k] < gates[k]:
                continue
            chance = float(one.probability[k])
            found = organ_boxes(name, chance, (thoraces or {}).get(image), frame)
            if found is None:
                found = boxes_from_map(one.maps[choice.method][k], chance, name, frame, choice.rules(name))
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
    pools, rows, chosen, costs, sheets = drawn_pools(lake), [], {}, {}, []
    thoraces = thoraces_of(lake, pools[VALIDATION].images) if pools else {}
    for recipe in recipes if pools else ():
        judged = Judged(lake, recipe, pools, thoraces)
        rows += judged.rows()
        chosen[recipe], costs[recipe] = judged.vote, judged.ms_a_film
        if len(pools[VALIDATION].reference.boxes):
            sheets.append(str(judged.save_sheet().relative_to(lake.root)))
    written = lake.write("saliency_benchmark", [finite(row) for row in rows])
    counts = {pool: len(one.reference.boxes) for pool, one in pools.items()}
    short = counts.get(VALIDATION, 0) < FEW_BOXES
    return BenchmarkResult(
        tuple(recipes),
        counts,
        {pool: len(one.images) for pool, one in pools.items()},
        chosen,
        written.rows,
        written.version,
        costs,
        sheets,
        ["too few boxes in validation: methods and thresholds are the defaults"] if short else [],
    )


class Judged:
    """One recipe's methods on the drawn films of validation; sizes and the usual place are of the patients of train.

    ``methods``: those that are judged; of them only ``CANDIDATES`` vote.
    """

    def __init__(
        self,
        lake: Lake,
        recipe: str,
        pools: Mapping[str, Drawn],
        thoraces: Mapping[str, Thorax],
        *,
        methods: Sequence[str] = CANDIDATES,
    ) -> None:
        self.lake, self.recipe, self.pools, self.thoraces, self.methods = lake, recipe, pools, thoraces, tuple(methods)
        self.drawn, self.extents = pools[VALIDATION], pools[TRAIN].extents()
        self.classes = sorted(set(self.drawn.reference.boxes.label))
        self.gates = gates_of(lake, recipe)
        explainer = Explainer(lake, recipe, self.drawn.images, self.methods)
        self.size_px, self.ms_a_film = explainer.size_px, costs_of(explainer)
        drawn_only = np.isin(vocabulary().classes, self.classes) if set(self.methods) & set(SLOW) else None
        self.seen = [one for _, part in explainer.batches(only=drawn_only) for one in part]
        self.same = coinciding(self.seen, self.methods)
        self.boxes = {method: self.cut_at(method, DEFAULT_THRESHOLD_SHARE) for method in self.methods}
        votes = {one: boxes for one, boxes in self.boxes.items() if one not in self.same and one in CANDIDATES}
        self.vote, self.over = surely_best_method(votes, self.drawn.reference)

    def cut_at(self, method: str, share: float) -> Boxes:
        """Return a method's boxes where its maps are cut at a share of their height."""
        choice = Choice(method, {MEAN: share}, self.extents)
        seen = ExplainedFilms(self.seen, self.drawn.images, self.size_px)
        return cut(seen, self.gates, choice, classes=self.classes, thoraces=self.thoraces)

    def rows(self) -> list[dict]:
        """Return the table's rows."""
        return list(self._rows())

    def _rows(self) -> Iterator[dict]:
        for name, metric, value in extent_facts(self.extents):
            yield _fact({"recipe": self.recipe, "method": DRAWN}, name, metric, value, self.pools[TRAIN])
        for method in self.methods:
            place = {"recipe": self.recipe, "method": method}
            outside = _outside(self.seen, self.drawn, self.size_px, method, self.thoraces)
            if np.isfinite(outside):
                yield _fact(place, MEAN, OUTSIDE, outside, self.drawn)
            yield from _judged(place, self.boxes[method], self.drawn)
            yield from _pointed(place, self.seen, self.drawn, self.size_px, method)
            if method == DEFAULT_METHOD:
                yield from _control_rows(self.recipe, self.boxes[method], self.pools)
            if method in self.same:
                yield _fact(place, MEAN, f"same as {self.same[method]}", 1.0, self.drawn)
            if method in self.over:
                value, low, high = self.over[method]
                yield {**_fact(place, MEAN, OVER_DEFAULT, value, self.drawn), "low": low, "high": high}
            yield _fact(place, MEAN, VOTE, float(method == self.vote), self.drawn)
        shares = sure_shares({share: self.cut_at(self.vote, share) for share in SHARES}, self.drawn.reference)
        for name, share in shares.items():
            yield _fact({"recipe": self.recipe, "method": self.vote}, name, SHARE, share, self.drawn)

    def save_sheet(self) -> Path:
        """Write the sheet of the voting method's films; return where."""
        columns, shown = self.drawn.images.columns, {}
        for row, one in enumerate(self.seen):
            image = columns["image_id"][row]
            names = set(self.drawn.reference.boxes.label[self.drawn.reference.boxes.image_id == image])
            maps = [one.maps[self.vote][vocabulary().index(name)] for name in names]
            if maps:
                over_peak = [found / max(float(found.max()), 1e-12) for found in maps]
                shown[image] = on_image(np.max(over_peak, axis=0), self.drawn.images.frame(row, self.size_px))
        films = {
            image: SheetFilm(self.lake.root / path, shown.get(image))
            for image, path in zip(columns["image_id"], columns["path"], strict=True)
        }
        return save_sheet(self.lake, self.recipe, self.vote, self.boxes[self.vote], self.drawn.reference, films)


def costs_of(explainer: Explainer, films: int = TIMED) -> dict[str, float]:
    """Return processor milliseconds of each method for all classes of a film, each alone; slow ones on one film.

    Nothing where there is no film.
    """
    found = {}
    for method in explainer.methods if len(explainer.images) else ():
        batch, slots = explainer.inputs(range(min(1 if method in SLOW else films, len(explainer.images))))
        started = time.process_time()
        for row in range(len(batch)):
            explain(explainer.classifier, batch[row : row + 1], (method,), slots=slots[row : row + 1])
        found[method] = round(1000 * (time.process_time() - started) / len(batch), 2)
    return found


def thoraces_of(lake: Lake, images: ImageSet) -> dict[str, Thorax]:
    """Find the thorax on each frontal film; films on which none is found are absent."""
    found, columns = {}, images.columns
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


def _judged(place: dict, boxes: Boxes, drawn: Drawn) -> Iterator[dict]:
    """Figures of a set of boxes: by class under the metric's own name, others behind the word of their level."""
    for row in score_boxes(boxes, drawn.reference, thresholds=IOU_THRESHOLDS):
        level = "" if row["level"] == "class" else f"{row['level']} "
        kept = {key: value for key, value in row.items() if key != "level"}
        yield {**place, **kept, "metric": level + row["metric"]}
    for limit, share in sensitivities(boxes, drawn.reference, CHOICE_IOU).items():
        yield _share(place, MEAN, f"sensitivity@{CHOICE_IOU:g} at {limit:g} false an image", share, drawn)
    for (name, limit), share in boxes_within(boxes, drawn.reference).items():
        yield _share(place, name, f"IoBB@{limit:g}", share, drawn)


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
