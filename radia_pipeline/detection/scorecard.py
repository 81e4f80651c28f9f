"""How well the detector's boxes meet reference boxes on validation: per class, per group, class-agnostic.

The test pool is kept for a release.

References: ``annotations`` (radiologists' boxes), ``pseudo`` (what it was taught, on patients it has not seen) and, in
the demo, ``truth``. Beside it stand the pseudo boxes, which are the ensemble's maps, the lake's other detectors (their
names say whether they learned from drawn boxes) and two controls; each of them is compared with the detector by a
paired interval. Boxes found at few false ones an image (FROC) and the working point stand there too. Pairs and FROC are
of all classes, of each class, of each group, and of whatever class. Not here: average precision
(``localisation.average_precision``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.stats import chi2

from radia_pipeline.contracts.label_values import POSITIVE
from radia_pipeline.contracts.pools import TRAIN, VALIDATION
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.detection import store
from radia_pipeline.detection.config import DetectorConfig
from radia_pipeline.detection.data import positive_without_box, read_boxes, read_images
from radia_pipeline.detection.inference import detect
from radia_pipeline.detection.prior import validation_prior
from radia_pipeline.detection.sources import training_sources
from radia_pipeline.errors import EmptyPool
from radia_pipeline.evaluation.groups import numbered
from radia_pipeline.evaluation.intervals import Interval
from radia_pipeline.lake.lake import Lake
from radia_pipeline.localisation import controls
from radia_pipeline.localisation.average_precision import MEAN, Reference, at_level, finite, score_boxes
from radia_pipeline.localisation.boxes import Boxes
from radia_pipeline.localisation.found_shares import FALSE_AN_IMAGE, clustered_share, sensitivities
from radia_pipeline.localisation.paired import difference
from radia_pipeline.training.model_folders import read_card

THRESHOLDS = (0.3, 0.4, 0.5)
DETECTOR, PSEUDO = "detector", "pseudo_boxes"
PRIOR, RANDOM = controls.NAMES[controls.PRIOR], controls.NAMES[controls.RANDOM]
DRAWN = ", of drawn boxes"
SHOWN = "detector at its working point"
HEADLINE, ONE_HEADLINE, PAIR_IOU = "map@0.3", "ap@0.3", 0.3
EVERY = {np.inf: "sensitivity"}
FEW = {rate: f"sensitivity@{rate:g} false boxes" for rate in FALSE_AN_IMAGE}
"""False boxes an image -> what the share of boxes found there is called."""


@dataclass(frozen=True)
class DetectorScorecardResult:
    """What was judged; ``headline``: mean AP at IoU .3 of the detector's classes, by reference."""

    model: str
    images: int
    detected_boxes: int
    reference_boxes: dict[str, int]
    headline: dict[str, float]
    rows: int
    version: str
    warnings: list[str] = field(default_factory=list)


def build_detector_scorecard(
    lake: Lake, truth: Boxes | None = None, *, name: str | None = None, seed: int = 0
) -> DetectorScorecardResult:
    """Let the newest detector look at the validation pool, judge its boxes, publish ``detector_scorecard``.

    ``truth``: true boxes in stored-image pixels, on all images of that pool (the phantom's only). ``name``: which
    detector; the one trained last if not given. Raises NotTrained, EmptyPool (no image in the pool).
    """
    model_dir = store.latest_detector(lake, name)
    sources = training_sources(lake, DetectorConfig())
    images = read_images(lake, sources, (VALIDATION,))
    if not images.num_rows:
        raise EmptyPool("The validation pool has no frontal image", do="run with more patients: pools are 80/10/10")
    prior = validation_prior(lake)
    detected, shown = (
        Boxes.from_table(detect(lake, images, model_dir=model_dir, prior=prior, shown=is_shown))
        for is_shown in (False, True)
    )
    taught = read_boxes(lake, sources)
    references = dict(_references(lake, images, taught, truth))
    voters = _voters(lake, sources, images, detected, taught, seed) | {
        PSEUDO: read_boxes(lake, sources, grey=None).on(images["image_id"].to_pylist())
    }
    voters |= {
        _named(folder): Boxes.from_table(detect(lake, images, model_dir=folder, prior=prior))
        for folder in store.other_detectors(lake, model_dir)
    }
    rows = [
        {"model": model, "against": against, **row}
        for against, reference in references.items()
        for model, boxes in voters.items()
        if (model, against) != (PSEUDO, "pseudo")
        for row in (*score_boxes(boxes, reference, thresholds=THRESHOLDS), *_found_shares(boxes, reference))
    ]
    for against, reference in references.items():
        beside = {name: boxes for name, boxes in voters.items() if (name, against) != (PSEUDO, "pseudo")}
        rows += [{"model": DETECTOR, "against": against, **row} for row in _pairs(detected, beside, reference)]
        rows += [{"model": SHOWN, "against": against, **row} for row in _found_shares(shown, reference, EVERY)]
    rows += [{"model": SHOWN, "against": "pseudo", **row} for row in _on_normal_films(images, shown)]
    written = lake.write("detector_scorecard", [finite(row) for row in rows])
    return DetectorScorecardResult(
        model=f"{model_dir.parent.name}/{model_dir.name}",
        images=images.num_rows,
        detected_boxes=len(detected),
        reference_boxes={against: len(reference.boxes) for against, reference in references.items()},
        headline=_headline(rows),
        rows=written.rows,
        version=written.version,
        warnings=[f"no reference box: {against}" for against, one in references.items() if not len(one.boxes)],
    )


def _named(folder: Path) -> str:
    """What another detector is called; in a word whether radiologists' boxes taught it."""
    is_real = read_card(folder).get("config", {}).get("boxes", {}).get("real", False)
    return f"{DETECTOR}: {folder.parent.name}{DRAWN if is_real else ''}"


def _found_shares(boxes: Boxes, reference: Reference, rates: Mapping[float, str] | None = None) -> Iterator[dict]:
    """Yield the share of reference boxes that are found at IoU .3, by false boxes an image: of all classes, of each
    class, of each group, and whatever the class."""
    names = rates or FEW
    for level, name, mine, drawn in _at_levels({DETECTOR: boxes}, reference):
        for rate, found in sensitivities(mine[DETECTOR], drawn, PAIR_IOU, tuple(names)).items():
            yield _row(names[rate], found, len(drawn.boxes), len(drawn.image_ids), level, name)


def _pairs(detected: Boxes, beside: Mapping[str, Boxes], reference: Reference) -> Iterator[dict]:
    """Yield by how much the detector's AP at IoU .3 is above each other's, with the pair's interval: the mean over
    classes, each class's, each group's, and whatever the class."""
    for level, name, boxes, drawn in _at_levels({DETECTOR: detected, **beside}, reference):
        for other in sorted(set(beside) - {DETECTOR}):
            classes = None if name == MEAN else [name]
            found = difference(boxes[DETECTOR], boxes[other], drawn, PAIR_IOU, classes)
            if found is not None:
                metric = f"{HEADLINE if name == MEAN else ONE_HEADLINE} over {other}"
                yield _row(metric, found, len(drawn.boxes), len(drawn.image_ids), level, name)


def _at_levels(
    voters: Mapping[str, Boxes], reference: Reference
) -> Iterator[tuple[str, str, dict[str, Boxes], Reference]]:
    """Yield level, name, boxes and reference: of all classes together (``mean``), of each class, of each group, of any.

    What says nothing is left out by class, before boxes bear a group's name.
    """
    yield "class", MEAN, dict(voters), reference
    for name in sorted(set(reference.boxes.label)):
        mine = {who: boxes.take(boxes.label == name) for who, boxes in voters.items()}
        yield "class", name, mine, replace(reference, boxes=reference.boxes.take(reference.boxes.label == name))
    for level in ("group", "agnostic"):
        drawn = at_level(reference.boxes.on(reference.image_ids), level)
        lifted = {who: at_level(reference.counting(boxes), level) for who, boxes in voters.items()}
        for name in sorted(set(drawn.label)):
            mine = {who: boxes.take(boxes.label == name) for who, boxes in lifted.items()}
            yield level, name, mine, replace(reference, boxes=drawn.take(drawn.label == name), ignored=frozenset())


def _on_normal_films(images: pa.Table, shown: Boxes) -> Iterator[dict]:
    """Yield the share of films said to be normal on which a box is shown, and how many boxes one shows.

    The number's interval is Garwood's for a Poisson count, divided by how much patients' counts scatter beyond it.
    """
    normal = images.filter(pc.equal(images[vocabulary().no_finding], POSITIVE))
    if not normal.num_rows:
        return
    counts = Counter(shown.image_id)
    false = np.array([counts[name] for name in normal["image_id"].to_pylist()], dtype=float)
    group = np.array(normal["group_id"].to_pylist(), dtype=object)
    share = clustered_share(false > 0, group)
    if share is None:
        return
    yield _row("normal films with a box", share, 0, len(false))
    number, names = numbered(group)
    scatter = np.square(np.bincount(number, weights=false - false.mean(), minlength=len(names))).sum()
    spread = max(scatter / max(false.sum(), 1.0), 1.0)
    seen = false.sum() / spread
    low, high = (
        float(chi2.ppf(q, 2 * (seen + more))) / 2 * spread / len(false) for q, more in ((0.025, 0), (0.975, 1))
    )
    low = low if seen else 0.0
    yield _row(
        "false boxes on a normal film",
        Interval(float(false.mean()), low, high, int(false.sum()), len(false)),
        0,
        len(false),
    )


def _row(metric: str, found: Interval, boxes: int, images: int, level: str = "class", name: str = MEAN) -> dict:
    figures = {"value": found.value, "low": found.low, "high": found.high}
    return {"level": level, "class": name, "metric": metric, **figures, "boxes": boxes, "images": images}


def _references(lake: Lake, images: pa.Table, taught: Boxes, truth: Boxes | None) -> Iterator[tuple[str, Reference]]:
    """Reference boxes and the images that they speak of: only images on which somebody drew, for annotations."""
    drawn = drawn_by_people(lake, images)
    yield "annotations", _reference(images.filter(_on(images, drawn)), drawn)
    yield "pseudo", _reference(images, taught)
    if truth is not None:
        yield "truth", _reference(images, truth, is_complete=True)


def drawn_by_people(lake: Lake, images: pa.Table) -> Boxes:
    """Radiologists' boxes on these images."""
    sources = sorted(set(images["source"].to_pylist()) & set(lake.partitions("box_annotations")))
    parts = [Boxes.from_table(lake.read("box_annotations", source)) for source in sources]
    return Boxes.joined(parts).on(images["image_id"].to_pylist())


def _on(images: pa.Table, boxes: Boxes) -> pa.Array:
    drawn = set(boxes.image_id)
    return pa.array([name in drawn for name in images["image_id"].to_pylist()], pa.bool_())


def _reference(images: pa.Table, boxes: Boxes, *, is_complete: bool = False) -> Reference:
    """``is_complete``: every finding has its box, so that nothing is left out of the judgement."""
    ids = tuple(images["image_id"].to_pylist())
    boxes = boxes.on(ids)
    silent = frozenset() if is_complete else positive_without_box(images, boxes, vocabulary().classes)
    return Reference(ids, np.array(images["group_id"].to_pylist(), dtype=object), boxes, silent)


def _voters(
    lake: Lake, sources: tuple[str, ...], images: pa.Table, detected: Boxes, taught: Boxes, seed: int
) -> dict[str, Boxes]:
    """The detector, and its boxes moved to usual and to random places.

    The usual place is the median pseudo box of the training pool: no drawn box is used.
    """
    sizes = _sizes(images)
    priors = controls.prior_boxes(taught, _sizes(read_images(lake, sources, (TRAIN,))))
    return {
        DETECTOR: detected,
        PRIOR: controls.at_prior(detected, priors, sizes),
        RANDOM: controls.at_random(detected, sizes, seed),
    }


def _sizes(images: pa.Table) -> dict[str, tuple[int, int]]:
    return controls.sizes_of(*(images[name].to_pylist() for name in ("image_id", "width_px", "height_px")))


def _headline(rows: list[dict]) -> dict[str, float]:
    return {
        row["against"]: row["value"]
        for row in rows
        if (row["model"], row["level"], row["class"], row["metric"]) == (DETECTOR, "class", MEAN, HEADLINE)
    }
