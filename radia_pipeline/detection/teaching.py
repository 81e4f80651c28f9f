"""What a trained detector teaches the next one: boxes of its own, and films on which it is wrongly sure.

A second round of self-training: where a label says that a class is there and the teacher shows a box of it, that box
takes the pseudo box's place. A teacher that was trained with ``ema`` teaches by its averaged weights. Not
here: what a pool holds without a teacher (``data``).

Legend: K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from radia_pipeline.contracts.label_values import POSITIVE
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.detection import store
from radia_pipeline.detection.config import DetectorConfig
from radia_pipeline.detection.data import ImageEntry
from radia_pipeline.detection.inference import detect
from radia_pipeline.errors import DamagedFile
from radia_pipeline.lake.lake import Lake
from radia_pipeline.localisation.boxes import Boxes
from radia_pipeline.training import distributed
from radia_pipeline.training.checkpoints import load_tensors, save_tensors
from radia_pipeline.training.studies import label_matrix

FILE = "teacher.safetensors"
"""In the folder of a training under way: what its teacher sees, so that all processes and a training that goes on learn
from the same. It names images by their row in the pool, and no one."""


@dataclass(frozen=True)
class Teacher:
    """All boxes of a teacher on the training pool, and the score above which it shows those of each class."""

    boxes: Boxes
    shown_above: dict[str, float]


def look(lake: Lake, config: DetectorConfig, images: pa.Table, folder: Path, identity: str) -> Teacher | None:
    """Let a config's teacher look at the training pool, once for a training; None where it has none.

    Every process calls this; the first looks. Raises NotTrained, and DamagedFile where a stored image is absent.
    """
    if not config.teacher:
        return None
    model_dir = store.latest_detector(lake, config.teacher)
    spec, path, names = store.read_spec(model_dir), folder / FILE, images["image_id"].to_pylist()
    cut = spec.working_point
    thresholds = dict(zip(spec.classes, cut if isinstance(cut, tuple) else [cut] * len(spec.classes)))
    if distributed.rank() == 0 and not _stands(path, identity):
        found = Boxes.from_table(detect(lake, images, model_dir=model_dir))
        row = {name: place for place, name in enumerate(names)}
        columns = {
            "image": np.array([row[name] for name in found.image_id], dtype=np.int64),
            "label": np.array([spec.classes.index(name) for name in found.label], dtype=np.int64),
            "corners": found.corners,
            "score": found.score,
        }
        save_tensors(path, {name: torch.tensor(part) for name, part in columns.items()}, {"training": identity})
    distributed.barrier()
    seen = {name: tensor.numpy() for name, tensor in load_tensors(path)[0].items()}
    image, label = np.array(names, dtype=object)[seen["image"]], np.array(spec.classes, dtype=object)[seen["label"]]
    return Teacher(Boxes(image, label, seen["corners"], seen["score"]), thresholds)


def _stands(path: Path, identity: str) -> bool:
    try:
        return path.is_file() and load_tensors(path)[1].get("training") == identity
    except DamagedFile:
        return False


def forget(folder: Path) -> None:
    """Take away what a teacher saw, when the training has ended."""
    (folder / FILE).unlink(missing_ok=True)


def with_own(teacher: Teacher, images: pa.Table, boxes: Boxes, grey: Boxes) -> tuple[Boxes, Boxes]:
    """Pseudo boxes, certain and grey, with the teacher's in their place: of each image and class that is positive there
    and of which it shows a box.

    Its scores are brought to the pseudo boxes' mean of their class. A group's box is left out where a class below it
    has one, which stands for the group too.
    """
    found, words = teacher.boxes, vocabulary()
    row = {name: place for place, name in enumerate(images["image_id"].to_pylist())}
    values, cuts = label_matrix(images), np.array([teacher.shown_above[name] for name in found.label])
    place, column = [row[name] for name in found.image_id], [words.index(name) for name in found.label]
    mine = found.take((found.score > cuts) & (values[place, column] == POSITIVE))
    named = set(zip((*boxes.image_id, *mine.image_id), (*boxes.label, *mine.label)))
    above = {(image, group) for image, label in named for group in words.ancestors(label)}
    mine = mine.take(np.array([pair not in above for pair in zip(mine.image_id, mine.label)], dtype=bool))
    replaced = set(zip(mine.image_id, mine.label))

    def others(some: Boxes) -> Boxes:
        return some.take(np.array([pair not in replaced for pair in zip(some.image_id, some.label)], dtype=bool))

    return Boxes.joined([others(boxes), _as_sure_as(boxes, mine)]), others(grey)


def _as_sure_as(boxes: Boxes, mine: Boxes) -> Boxes:
    """Scale scores class by class, at most to 1, so that their mean is that of the boxes of before."""
    score = mine.score.copy()
    for name in set(mine.label):
        usual, is_mine = boxes.score[boxes.label == name], mine.label == name
        if len(usual):
            score[is_mine] = (score[is_mine] * usual.mean() / max(score[is_mine].mean(), 1e-9)).clip(max=1.0)
    return Boxes(mine.image_id, mine.label, mine.corners, score)


def wrongly_sure(teacher: Teacher, entries: Sequence[ImageEntry], classes: tuple[str, ...]) -> dict[str, float]:
    """image_id -> the teacher's highest score of a class that is known not to be on the image; none where it has none.

    ``classes``: (K,) those of the entries' targets.
    """
    absent = {
        one.image_id: {classes[k] for k in set(np.flatnonzero(one.target.known)) - set(one.target.label)}
        for one in entries
    }
    found: dict[str, float] = {}
    for image, name, score in zip(teacher.boxes.image_id, teacher.boxes.label, teacher.boxes.score):
        if name in absent.get(image, ()):
            found[image] = max(found.get(image, 0.0), float(score))
    return found
