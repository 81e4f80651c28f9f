"""What the detector learns from: images of a pool, their pseudo boxes, and where background can be trusted.

Here: choosing images, boxes in input pixels, replayable augmentation. Not here: pixels at training size (packed by
``training.packed``), the loss.

Legend: K classes, M boxes of an image, S side of the square input; boxes (left, top, right, bottom).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from radia_pipeline.contracts.label_values import POSITIVE
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.detection.config import DetectorConfig
from radia_pipeline.detection.loss import ImageTarget
from radia_pipeline.detection.working_point import Films
from radia_pipeline.lake.lake import Lake
from radia_pipeline.localisation.boxes import Boxes
from radia_pipeline.training.inputs import placement
from radia_pipeline.training.packed import PackedImages, Wanted, open_packed, pack, wanted_images
from radia_pipeline.training.sampler import generator
from radia_pipeline.training.studies import LATERAL, known_absent, label_matrix, labelled_by

if TYPE_CHECKING:
    from radia_pipeline.training.composed import Augmenter

KEPT_SHARE = 0.3
"""A box of which augmentation moved more than 70 % out of the image is not learned from."""
WEIGHT_LIMITS = (0.3, 2.0)
"""Of a pseudo box's weight: its score relative to its class's mean score."""
COLUMNS = ("source", "image_id", "study_id", "group_id", "path", "view", "width_px", "height_px", "pool")


@dataclass(frozen=True)
class ImageEntry:
    """One image of a pool and what is known of it, at the size of the input."""

    source: str
    image_id: str
    study_id: str
    group_id: str
    path: str
    height_px: int
    width_px: int
    target: ImageTarget


def read_images(lake: Lake, sources: tuple[str, ...], pools: tuple[str, ...]) -> pa.Table:
    """The manifest's rows of these pools that are not excluded, of frontal or unknown view."""
    columns = [*COLUMNS, "excluded", *vocabulary().classes]
    table = pa.concat_tables([lake.read("manifest", source, columns=columns) for source in sources])
    kept = pc.and_(pc.is_in(table["pool"], pa.array(pools)), pc.is_null(table["excluded"]))
    return table.filter(pc.and_(kept, pc.not_equal(table["view"], LATERAL)))


def read_boxes(lake: Lake, sources: tuple[str, ...], min_score: float = 0.0, *, grey: bool | None = False) -> Boxes:
    """The pseudo boxes of these sources, in pixels of the stored images.

    ``grey``: those outside the grey zone (False), those in it (True), or all (None). Older tables have no such zone.
    """
    parts = []
    for source in sources:
        table = lake.read("pseudo_boxes", source)
        if grey is not None:
            is_grey = pc.fill_null(table["is_grey"], False)
            table = table.filter(is_grey if grey else pc.invert(is_grey))
        parts.append(Boxes.from_table(table))
    boxes = Boxes.joined(parts)
    solid = (boxes.corners[:, 2:] - boxes.corners[:, :2]).min(axis=1, initial=np.inf) > 0
    named = boxes.label != vocabulary().no_finding
    return boxes.take(solid & named & (boxes.score >= min_score))


def read_drawn(lake: Lake, sources: tuple[str, ...], images: pa.Table) -> Boxes:
    """Radiologists' boxes of these sources on these images, in pixels of the stored images."""
    have = set(lake.partitions("box_annotations"))
    drawn = Boxes.joined(Boxes.from_table(lake.read("box_annotations", one)) for one in sources if one in have)
    drawn = drawn.on(images["image_id"].to_pylist())
    return drawn.take((drawn.corners[:, 2:] - drawn.corners[:, :2]).min(axis=1, initial=np.inf) > 0)


def with_drawn(boxes: Boxes, grey: Boxes, drawn: Boxes) -> tuple[Boxes, Boxes]:
    """Pseudo boxes, certain and grey, with drawn ones in their place: on each image that somebody drew on, of each
    class that was drawn on any. A class that nobody draws keeps its pseudo boxes there."""
    names, classes = set(drawn.image_id), set(drawn.label)

    def others(some: Boxes) -> Boxes:
        return some.take(
            np.array(
                [image not in names or label not in classes for image, label in zip(some.image_id, some.label)],
                dtype=bool,
            )
        )

    return Boxes.joined([others(boxes), drawn]), others(grey)


def pool_entries(
    images: pa.Table, boxes: Boxes, classes: tuple[str, ...], config: DetectorConfig, grey: Boxes | None = None
) -> list[ImageEntry]:
    """One entry per image, in order of source and image_id, its boxes in input pixels.

    ``grey``: boxes of the grey zone, which weigh nothing: where they are, their class is neither there nor absent.
    """
    place = {name: index for index, name in enumerate(classes)}
    boxes = with_groups(boxes, classes)
    mean = {name: boxes.score[boxes.label == name].mean() for name in set(boxes.label)}
    certain = len(boxes)
    boxes = Boxes.joined([boxes, with_groups(grey, classes)]) if grey is not None else boxes
    members: dict[str, list[int]] = {}
    for index, image_id in enumerate(boxes.image_id):
        members.setdefault(image_id, []).append(index)
    values = label_matrix(images)[:, [vocabulary().index(name) for name in classes]]
    entries = []
    for row, said in zip(images.select(list(COLUMNS)).to_pylist(), values):
        rows = np.array(members.get(row["image_id"], []), dtype=int)
        mine, is_certain = boxes.take(rows), rows < certain
        where = placement(row["height_px"], row["width_px"], config.input.size_px)
        offset = np.array([where.left_px, where.top_px] * 2, dtype=float)
        label = np.array([place[name] for name in mine.label], dtype=np.int64)
        relative = mine.score / np.maximum([mean.get(name, 1.0) for name in mine.label], 1e-9)
        weight = relative.clip(*WEIGHT_LIMITS) if config.boxes.weigh_by_score else np.ones(len(mine))
        weight = np.where(is_certain, weight, 0.0)
        target = ImageTarget(
            boxes=mine.corners * where.scale + offset,
            label=label,
            weight=weight.astype(np.float32),
            wanted=(1.0 - config.boxes.softness * (1.0 - relative.clip(max=1.0))).astype(np.float32),
            known=known_classes(row["source"], said, label[is_certain], classes),
        )
        facts = {key: row[key] for key in ("source", "image_id", "study_id", "group_id", "path")}
        entries.append(ImageEntry(**facts, height_px=row["height_px"], width_px=row["width_px"], target=target))
    return sorted(entries, key=lambda entry: (entry.source, entry.image_id))


def with_groups(boxes: Boxes, classes: tuple[str, ...]) -> Boxes:
    """Boxes of ``classes``, each also under those groups above its class that are among them.

    Pseudo boxes name a group only where none of its classes is drawn; yet a consolidation is an opacity.
    """
    above = {
        name: [one for one in (name, *vocabulary().ancestors(name)) if one in classes] for name in set(boxes.label)
    }
    pairs = [(index, name) for index, label in enumerate(boxes.label) for name in above[label]]
    index = np.array([index for index, _ in pairs], dtype=int)
    return boxes.take(index).relabelled(np.array([name for _, name in pairs], dtype=object))


def known_classes(source: str, values: np.ndarray, boxed: np.ndarray, classes: tuple[str, ...]) -> np.ndarray:
    """bool (K,): outside its boxes, is the class absent from the image?

    Yes where it has a box, where it is negative, and where it is blank in a source that labels it. No where it is
    positive or uncertain but nobody knows where, and where the source does not label it.
    """
    columns = [vocabulary().index(name) for name in classes]
    known = known_absent(values, labelled_by(source)[columns])
    known[boxed] = True
    return known


def counted_films(images: pa.Table, classes: tuple[str, ...]) -> Films:
    """The films on which false boxes are counted for the working point."""
    columns = [vocabulary().index(name) for name in classes]
    labels, sources = label_matrix(images), images["source"].to_pylist()
    labelled = {name: labelled_by(name)[columns] for name in set(sources)}
    is_labelled = np.array([labelled[name] for name in sources], dtype=bool).reshape(len(labels), len(columns))
    normal = labels[:, vocabulary().index(vocabulary().no_finding)] == POSITIVE
    return Films(tuple(images["image_id"].to_pylist()), known_absent(labels[:, columns], is_labelled), normal)


def choose_entries(
    entries: list[ImageEntry], config: DetectorConfig, sure: Mapping[str, float] | None = None
) -> list[ImageEntry]:
    """At most ``max_images`` entries: those with boxes first, rare classes preferred, then images without a box.

    An image's place is u ** (1 / w) with u drawn for it alone and w = (images of its rarest class) ** -0.5 (weighted
    sampling without replacement, Efraimidis and Spirakis 2006), so that adding images moves no other's draw. ``sure``:
    image_id -> how sure a teacher is of what is not there; the surest ``hard_share`` come before the drawn ones.
    """
    boxed = [entry for entry in entries if len(entry.target.learned)]
    counts = np.bincount(np.concatenate([entry.target.learned for entry in boxed] or [np.zeros(0, int)]), minlength=1)
    empty = [entry for entry in entries if not len(entry.target.learned)]

    def key(entry: ImageEntry) -> float:
        learned = entry.target.learned
        weight = counts[learned].min() ** -0.5 if len(learned) else 1.0
        return generator(config.training.seed, "detector", entry.image_id).random() ** (1.0 / weight)

    room = config.data.max_images - min(round(config.data.max_images * config.data.empty_share), len(empty))
    chosen = sorted(boxed, key=key, reverse=True)[: max(room, 1)]
    spare = round(len(chosen) * config.data.empty_share / (1 - config.data.empty_share))
    spare = min(spare, config.data.max_images - len(chosen))
    surest = sorted((-one, image_id) for image_id, one in (sure or {}).items())
    there = {entry.image_id: entry for entry in empty}
    hard = [there[name] for _, name in surest if name in there][: round(spare * config.data.hard_share)]
    taken = {entry.image_id for entry in hard}
    others = sorted((one for one in empty if one.image_id not in taken), key=key, reverse=True)
    return chosen + hard + others[: spare - len(hard)]


def pack_entries(lake: Lake, entries: list[ImageEntry], size_px: int) -> PackedImages:
    """Pack the entries' pixels at the input's size, memory-mapped; ``row_of_image`` names each one's row."""
    return pack(lake, _wanted(lake, entries), size_px)


def open_entries(lake: Lake, entries: list[ImageEntry], size_px: int) -> PackedImages:
    """Open what ``pack_entries`` has packed."""
    return open_packed(lake, _wanted(lake, entries), size_px)


def _wanted(lake: Lake, entries: list[ImageEntry]) -> dict[str, list[Wanted]]:
    sources, images, paths = ([getattr(entry, name) for entry in entries] for name in ("source", "image_id", "path"))
    return wanted_images(lake, sources, images, paths)


def augment(
    grey: np.ndarray,
    target: ImageTarget,
    augmenter: Augmenter,
    random: np.random.Generator,
    further: np.random.Generator | None,
) -> tuple[np.ndarray, ImageTarget]:
    """(S, S) float32 in 0..1 and its boxes, moved and lit alike, as the generators draw. Border is 0.

    The class of a box that mostly left the image is no longer known there: a part of it may still be seen.
    """
    moved, boxes, kept = augmenter.with_boxes(grey, target.boxes, random, further)
    known = target.known.copy()
    known[np.delete(target.label, kept)] = False
    return moved, ImageTarget(boxes, target.label[kept], target.weight[kept], known, target.sureness[kept])


def negatives_share(entries: list[ImageEntry]) -> float:
    """Share of the (image, class) cells whose background is known: what the classification learns from."""
    return float(np.mean([entry.target.known for entry in entries])) if entries else 0.0


def positive_without_box(images: pa.Table, boxes: Boxes, classes: tuple[str, ...]) -> frozenset[tuple[str, str]]:
    """(image, class) pairs that are positive or uncertain by label but have no box: nobody knows where."""
    drawn = set(zip(boxes.image_id, boxes.label))
    values = label_matrix(images)[:, [vocabulary().index(name) for name in classes]]
    rows, columns = np.nonzero((values == POSITIVE) | (values == -1))
    names = images["image_id"].to_pylist()
    pairs = {(names[row], classes[column]) for row, column in zip(rows, columns)}
    return frozenset(pairs - drawn)
