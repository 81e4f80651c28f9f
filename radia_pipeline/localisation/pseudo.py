"""Pseudo boxes: saliency maps of what answers as boxes with scores, for training a detector and for being judged.

In the training pool labels help: a class known to be absent gets no box, a positive one gets its box whatever its
probability. In the validation pool nothing but the models is used, so that the boxes there are predictions. Images of
the test pool have none: it is kept for a release. Boxes of which the models are not sure enough, or that most of them
do not draw, are grey: a detector learns neither a finding there nor that there is none. What does not belong here:
choosing methods (``choice``) and exporting boxes to other formats.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from radia_pipeline.contracts.label_values import POSITIVE
from radia_pipeline.contracts.pools import POOLS, TEST, TRAIN
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.dicom import png16
from radia_pipeline.dicom.thorax import Thorax, thorax_of
from radia_pipeline.evaluation.ensemble import Ensemble
from radia_pipeline.evaluation.in_use import InUse, challenger_of, champion_of
from radia_pipeline.lake.lake import Lake
from radia_pipeline.localisation.benchmark import boxed_classes
from radia_pipeline.localisation.boxes import MAX_BOXES, boxes_from_map
from radia_pipeline.localisation.choice import GATE_SHARE, Choice, read_choice
from radia_pipeline.localisation.explainer import BATCH, Explained, Explainer, ImageSet, read_images
from radia_pipeline.localisation.fusion import fuse
from radia_pipeline.localisation.organs import OF_BOTH_LUNGS, organ_boxes
from radia_pipeline.training.studies import LATERAL

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
    grey_boxes: int
    boxes_per_class: dict[str, int]
    boxes_per_pool: dict[str, int]
    version: str


@dataclass(frozen=True)
class Voter:
    """One member of the ensemble and how it draws. ``draws``: whether its maps become boxes, or it only says how likely
    a class is."""

    explainer: Explainer
    choice: Choice
    draws: bool = True


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
    voters = voters_of(lake, using, images)
    choices = {voter.explainer.recipe: voter.choice for voter in voters if voter.draws}
    label = "+".join(sorted({one.method for one in choices.values()}))
    rows: list[dict] = []
    for start in range(0, len(images), BATCH):
        batch = list(range(start, min(start + BATCH, len(images))))
        rows += [{**row, "model": using.kind} for row in _batch_rows(lake, batch, images, voters, ensemble, label)]
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
        grey_boxes=sum(row["is_grey"] for row in rows),
        boxes_per_class=dict(Counter(row["class"] for row in rows)),
        boxes_per_pool=dict(Counter(pool[row["image_id"]] for row in rows)),
        version=written.version,
    )


def voters_of(lake: Lake, using: InUse, images: ImageSet) -> list[Voter]:
    """Open the members that answer, and those that draw.

    What pools by a map of its own has learned where a class is, and a mean over positions has not: where a member of
    the ensemble has such a head those alone draw, those that answer before the others.
    """
    used, voters = using.ensemble.used_members, {}
    for name in using.ensemble.members:
        choice = read_choice(lake, name)
        voters[name] = Voter(Explainer(lake, name, images, (choice.method,), folder=using.folder(name)), choice)
    local = [name for name, one in voters.items() if one.explainer.classifier.pools_by_place]
    drawing = [name for name in local if name in used] or local or used
    return [replace(one, draws=name in drawing) for name, one in voters.items() if name in used or name in drawing]


def _batch_rows(
    lake: Lake, batch: list[int], images: ImageSet, voters: Sequence[Voter], ensemble: Ensemble, label: str
) -> Iterator[dict[str, Any]]:
    outputs = {voter.explainer.recipe: voter.explainer.probabilities(batch) for voter in voters}
    _, probability = ensemble.predict({name: outputs[name] for name in ensemble.used_members})
    names = [wanted_classes(row, images, probability[place], ensemble.cuts) for place, row in enumerate(batch)]
    wanted = torch.zeros(len(batch), len(vocabulary().classes), dtype=torch.bool)
    for place, some in enumerate(names):
        wanted[place, [vocabulary().index(name) for name in some]] = True
    drawing = [voter for voter in voters if voter.draws]
    seen = {voter.explainer.recipe: voter.explainer.rows(batch, wanted) for voter in drawing}
    thoraces = {row: _thorax(lake, images, row) for row, some in zip(batch, names) if set(some) & set(OF_BOTH_LUNGS)}
    for place, row in enumerate(batch):
        mine = {name: part[place] for name, part in seen.items()}
        film, index = _Film(images, row, mine, thoraces.get(row)), 0
        for name in names[place]:
            k = vocabulary().index(name)
            chance, cut = float(probability[place, k]), float(ensemble.cuts[k])
            unsure = is_unsure(row, images, k, chance, cut)
            for corners, score, votes in _class_boxes(film, drawing, name, chance):
                facts = {"score": min(score, 1.0), "probability": chance, "votes": votes, "method": label}
                facts["is_grey"] = unsure or 2 * votes < len(drawing)
                yield _row(images, row, index, name, corners) | facts
                index += 1


def wanted_classes(row: int, images: ImageSet, probability: np.ndarray, cuts: np.ndarray) -> list[str]:
    """Return the classes to draw on an image, best first. ``cuts`` (K,): the classes' thresholds.

    Training pool: positive by label; or perhaps there, and not known to be absent. Elsewhere: perhaps there, labels
    unseen. A finding group is drawn only where none of the classes under it is: its child says the same, more exactly.
    """
    chosen = probability >= GATE_SHARE * cuts
    if images.columns["pool"][row] == TRAIN:
        chosen = (images.values[row] == POSITIVE) | (chosen & ~images.known_absent(row))
    words = vocabulary()
    names = [name for name in boxed_classes() if chosen[words.index(name)]]
    covered = {above for name in names for above in words.ancestors(name) if above in words.finding_groups}
    return sorted((n for n in names if n not in covered), key=lambda n: -probability[words.index(n)])


def is_unsure(row: int, images: ImageSet, k: int, probability: float, cut: float) -> bool:
    """Tell whether a class that is drawn is only perhaps there: below its threshold, or, where a label of the training
    pool says that it is there, below the gate, since then the map has seen something else."""
    is_said = images.columns["pool"][row] == TRAIN and images.values[row][k] == POSITIVE
    return probability < (GATE_SHARE * cut if is_said else cut)


def _thorax(lake: Lake, images: ImageSet, row: int) -> Thorax | None:
    """Find the thorax on a film; None on a lateral one."""
    if images.columns["view"][row] == LATERAL:
        return None
    return thorax_of(png16.decode((lake.root / images.columns["path"][row]).read_bytes()))


@dataclass(frozen=True)
class _Film:
    """A row of the images, as the recipes that draw explain it, with its thorax where that is asked for."""

    images: ImageSet
    row: int
    seen: Mapping[str, Explained]
    thorax: Thorax | None


def _class_boxes(
    film: _Film, voters: Sequence[Voter], name: str, probability: float
) -> Iterator[tuple[np.ndarray, float, int]]:
    corners, scores = [], []
    for voter in voters:
        frame = film.images.frame(film.row, voter.explainer.size_px)
        saliency = film.seen[voter.explainer.recipe].maps[voter.choice.method][vocabulary().index(name)]
        found = organ_boxes(name, probability, film.thorax, frame)
        if found is None:
            found = boxes_from_map(saliency, probability, name, frame, voter.choice.rules(name))
        corners.append(np.array([box for box, _ in found]).reshape(-1, 4))
        scores.append(np.array([score for _, score in found]))
    for box, score, votes in list(zip(*fuse(corners, scores), strict=True))[:MAX_BOXES]:
        if score >= MIN_SCORE:
            yield box, float(score), int(votes)


def _row(images: ImageSet, row: int, index: int, name: str, corners: np.ndarray) -> dict:
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
    }
