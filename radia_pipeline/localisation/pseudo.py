"""Pseudo boxes: saliency maps of what answers as boxes with scores, for training a detector and for being judged.

In the training pool labels help: a class known to be absent gets no box, a positive one gets its box whatever its
probability. In the validation pool nothing but the models is used, so that the boxes there are predictions. Images of
the test pool have none: it is kept for a release. What does not belong here: choosing methods (``benchmark``) and
exporting boxes to other formats.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from radia_pipeline.contracts.label_values import POSITIVE
from radia_pipeline.contracts.pools import POOLS, TEST, TRAIN
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.evaluation.ensemble import Ensemble
from radia_pipeline.evaluation.in_use import challenger_of, champion_of
from radia_pipeline.lake.lake import Lake
from radia_pipeline.localisation.average_precision import MEAN
from radia_pipeline.localisation.benchmark import GATE_SHARE, Choice, boxed_classes, read_choice
from radia_pipeline.localisation.boxes import MAX_BOXES, CutRules, boxes_from_map
from radia_pipeline.localisation.explainer import BATCH, Explained, Explainer, ImageSet, read_images
from radia_pipeline.localisation.fusion import fuse

MIN_SCORE = 0.01  # fainter boxes only fill the disk


@dataclass(frozen=True)
class PseudoResult:
    """What was drawn: boxes per class and pool, by which method of which recipe. ``model``: ensemble or champion, whose
    ``release`` and ``standing`` those are."""

    source: str
    model: str
    release: str | None
    standing: str | None
    rule: str
    methods: dict[str, str]
    images: int
    images_with_boxes: int
    boxes: int
    boxes_per_class: dict[str, int]
    boxes_per_pool: dict[str, int]
    version: str


@dataclass(frozen=True)
class Voter:
    """One member of the ensemble and how it draws."""

    explainer: Explainer
    choice: Choice


def build_pseudo_boxes(
    source_name: str, lake: Lake, on_progress: Callable[[int, int], None] = lambda *_: None
) -> PseudoResult:
    """Draw boxes on every image of a source and publish ``pseudo_boxes/<source>``.

    ``on_progress(done, total)`` counts images. Raises MissingTable without ensemble or manifest, NotTrained without a
    member's model.
    """
    using = champion_of(lake) or challenger_of(lake)
    ensemble = using.ensemble
    images = read_images(lake, [source_name]).where(pool=set(POOLS) - {TEST})
    choices = {name: read_choice(lake, name) for name in ensemble.used_members}
    voters = [
        Voter(Explainer(lake, name, images, (one.method,), folder=using.folder(name)), one)
        for name, one in choices.items()
    ]
    label = "+".join(sorted({one.method for one in choices.values()}))
    rows: list[dict] = []
    for start in range(0, len(images), BATCH):
        batch = list(range(start, min(start + BATCH, len(images))))
        rows += [{**row, "model": using.kind} for row in _batch_rows(batch, images, voters, ensemble, label)]
        on_progress(batch[-1] + 1, len(images))
    written = lake.write("pseudo_boxes", rows, source_name)
    pool = dict(zip(images.columns["image_id"], images.columns["pool"]))
    return PseudoResult(
        source=source_name,
        model=using.kind,
        release=using.release,
        standing=using.standing,
        rule=ensemble.rule,
        methods={name: one.method for name, one in choices.items()},
        images=len(images),
        images_with_boxes=len({row["image_id"] for row in rows}),
        boxes=len(rows),
        boxes_per_class=dict(Counter(row["class"] for row in rows)),
        boxes_per_pool=dict(Counter(pool[row["image_id"]] for row in rows)),
        version=written.version,
    )


def _batch_rows(batch: list[int], images: ImageSet, voters: Sequence[Voter], ensemble: Ensemble, label: str):
    seen = {voter.explainer.recipe: voter.explainer.rows(batch) for voter in voters}
    outputs = {name: np.stack([one.probability for one in part]) for name, part in seen.items()}
    _, probability = ensemble.predict(outputs)
    for place, row in enumerate(batch):
        mine = {name: part[place] for name, part in seen.items()}
        found = _image_boxes(row, images, mine, voters, probability[place], ensemble.cuts)
        for index, (name, corners, score) in enumerate(found):
            yield _row(images, row, index, name, corners, score, label)


def wanted_classes(row: int, images: ImageSet, probability: np.ndarray, cuts: np.ndarray) -> list[str]:
    """Return the classes to draw on an image, best first. ``cuts`` (K,): the classes' thresholds.

    Training pool: positive by label; or likely, and not known to be absent. Elsewhere: likely, labels unseen. A finding
    group is drawn only where none of the classes under it is: its child says the same, more exactly.
    """
    chosen = probability >= GATE_SHARE * cuts
    if images.columns["pool"][row] == TRAIN:
        positive = images.values[row] == POSITIVE
        chosen = positive | ((probability >= cuts) & ~images.known_absent(row))
    words = vocabulary()
    names = [name for name in boxed_classes() if chosen[words.index(name)]]
    covered = {above for name in names for above in words.ancestors(name) if above in words.finding_groups}
    return sorted((n for n in names if n not in covered), key=lambda n: -probability[words.index(n)])


def _image_boxes(
    row: int, images: ImageSet, seen: Mapping[str, Explained], voters: Sequence[Voter], probability: np.ndarray,
    cuts: np.ndarray,
) -> Iterator[tuple[str, np.ndarray, float]]:  # fmt: skip
    for name in wanted_classes(row, images, probability, cuts):
        k = vocabulary().index(name)
        corners, scores = [], []
        for voter in voters:
            frame = images.frame(row, voter.explainer.size_px)
            share = voter.choice.shares.get(name, voter.choice.shares[MEAN])
            saliency = seen[voter.explainer.recipe].maps[voter.choice.method][k]
            found = boxes_from_map(saliency, float(probability[k]), name, frame, CutRules(share))
            corners.append(np.array([box for box, _ in found]).reshape(-1, 4))
            scores.append(np.array([score for _, score in found]))
        fused, rated = fuse(corners, scores)
        for box, score in list(zip(fused, rated))[:MAX_BOXES]:
            if score >= MIN_SCORE:
                yield name, box, float(score)


def _row(images: ImageSet, row: int, index: int, name: str, corners: np.ndarray, score: float, method: str) -> dict:
    left, top, right, bottom = (float(edge) for edge in corners)
    return {
        "source": images.columns["source"][row],
        "image_id": images.columns["image_id"][row],
        "study_id": images.columns["study_id"][row],
        "box_index": index,
        "class": name,
        "x_px": left,
        "y_px": top,
        "width_px": right - left,
        "height_px": bottom - top,
        "score": min(score, 1.0),
        "method": method,
    }
