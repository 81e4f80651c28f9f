"""What an ensemble needs to answer for single studies, made once and kept in the lake: serving forms and familiarity.

``answering`` opens it, quickly and without torch where all is there; what is missing is made then, whole or not at all.
``radia run`` makes it with the ensemble. Not here: files of strangers, studies and words.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from radia_pipeline.contracts.pools import TRAIN, VALIDATION
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.dicom import png16
from radia_pipeline.dicom.sides import FEATURES, laid_out, side_features
from radia_pipeline.errors import LakeUnwritable, MissingTable
from radia_pipeline.evaluation import familiarity
from radia_pipeline.evaluation.ensemble import Ensemble
from radia_pipeline.evaluation.familiarity import Gaussian, Threshold
from radia_pipeline.evaluation.in_use import InUse, in_use
from radia_pipeline.evaluation.reliability import Reliability, read_reliability
from radia_pipeline.evaluation.serving import ServedModel, served_card
from radia_pipeline.evaluation.sides import Sides, fit_sides
from radia_pipeline.lake import atomic
from radia_pipeline.lake.lake import Lake
from radia_pipeline.training.studies import LATERAL, labelled_by

MOST_LEARNED, MOST_JUDGED = 4000, 2000
"""Films that a Gaussian is fitted on, and that a threshold is."""
MOST_FOR_SIDES = 700
"""Films from which is learned which side is which: on about as many of real patients it was measured
(``benchmarks/sides.py``), and each takes a seventh of a second."""
FEW_JUDGED = 100
"""Below so many films in validation a part of the training films is left out of the Gaussian and judges too."""
_HELD_OUT_OF = 5
_KEYS = ("source", "image_id", "path", "view", "pool", "excluded", "group_id")
Speak = Callable[[str], None]


@dataclass(frozen=True)
class Answering:
    """An ensemble that is ready. ``using``: which it is; ``unknown``: classes that no source of the lake labels."""

    using: InUse
    models: Mapping[str, ServedModel]
    fingerprints: Mapping[str, str]
    gaussians: Mapping[str, Gaussian]
    threshold: Threshold
    reliability: Reliability
    unknown: frozenset[str]

    @property
    def ensemble(self) -> Ensemble:
        """What turns the models' outputs into a decision."""
        return self.using.ensemble

    @property
    def sides_px(self) -> tuple[int, ...]:
        """Sides of the squares that the models want, each once."""
        return tuple(sorted({model.input.size_px for model in self.models.values()}))


def answering(lake: Lake, *, threads: int = 0, speak: Speak = lambda _: None) -> Answering:
    """Open what the lake answers with, its champion or else its ensemble, making what is missing.

    Raises NotTrained before there is one.
    """
    using = in_use(lake)
    models = served_models(using, threads=threads, speak=speak)
    folders = {name: using.folder(name) for name in models}
    gaussians, threshold = _familiar(lake, folders, models, speak)
    known = {name for source in lake.partitions("manifest") for name in _labelled(source)}
    return Answering(
        using,
        models,
        {name: folder.name for name, folder in folders.items()},
        gaussians,
        threshold,
        read_reliability(lake, using),
        frozenset(vocabulary().classes) - known,
    )


def served_models(using: InUse, *, threads: int = 0, speak: Speak = lambda _: None) -> dict[str, ServedModel]:
    """Open the models that an ensemble uses, by recipe, making their form for answering where it is missing."""
    names = using.ensemble.used_members
    return {name: _served(using.lake, name, using.folder(name), threads, speak) for name in names}


def _labelled(source: str) -> list[str]:
    return [name for name, is_labelled in zip(vocabulary().classes, labelled_by(source)) if is_labelled]


def _served(lake: Lake, name: str, folder: Path, threads: int, speak: Speak) -> ServedModel:
    if served_card(folder) is None:
        with _writing(lake), lake.lock(f"serving.{name}", wait_s=3600.0):
            if served_card(folder) is None:
                from radia_pipeline.evaluation.serving_export import export

                speak(f"{name}: its form for answering is made, once")
                export(folder)
    card = served_card(folder)
    if card is not None and not card["files"]:
        from radia_pipeline.evaluation.serving_export import TorchModel

        return TorchModel(folder, card)
    return ServedModel.load(folder, threads=threads)


@contextlib.contextmanager
def _writing(lake: Lake) -> Iterator[None]:
    """Say of a lake that cannot be written what is missing in it, and who can make it."""
    try:
        with atomic.writable(lake.models_dir):
            yield
    except LakeUnwritable as error:
        raise LakeUnwritable(
            f"What the models answer with is not there yet. {error.received}",
            do="predict once with rights to write, or run `radia run`; afterwards reading is enough",
        ) from None


def _familiar(
    lake: Lake, folders: Mapping[str, Path], models: Mapping[str, ServedModel], speak: Speak
) -> tuple[dict[str, Gaussian], Threshold]:
    path = familiarity.threshold_path(lake.models_dir, {name: folder.name for name, folder in folders.items()})
    if known := _described(folders, path):
        return known
    with _writing(lake), lake.lock("familiarity", wait_s=3600.0):
        if known := _described(folders, path):  # another process made it while this one waited
            return known
        speak("the films that the models know are described, once")
        return _fit(lake, folders, models, path)


def _described(folders: Mapping[str, Path], path: Path) -> tuple[dict[str, Gaussian], Threshold] | None:
    gaussians = {name: familiarity.load_gaussian(folder) for name, folder in folders.items()}
    threshold = familiarity.load_threshold(path)
    found = {name: one for name, one in gaussians.items() if one is not None}
    return (found, threshold) if threshold is not None and len(found) == len(folders) else None


def _fit(
    lake: Lake, folders: Mapping[str, Path], models: Mapping[str, ServedModel], path: Path
) -> tuple[dict[str, Gaussian], Threshold]:
    films = _films(lake)
    learned, judged = split(films)
    gaussians, distances = {}, {}
    for name, folder in folders.items():
        squares = _Squares(lake, films, models[name].input.size_px)
        seen = np.stack([models[name].look(squares[row], _slot(films, row)).features for row in learned])
        gaussians[name] = familiarity.fit_gaussian(seen, _kinds(films, learned))
        facts = {"films": len(learned), "model": folder.name}
        familiarity.save_gaussian(folder, gaussians[name], facts)
        others = np.stack([models[name].look(squares[row], _slot(films, row)).features for row in judged])
        distances[name] = gaussians[name].distance(others)
    groups = [films["group_id"][row] for row in judged]
    threshold = familiarity.fit_threshold(distances, groups, _sides(lake, films, sorted({*learned, *judged})))
    familiarity.save_threshold(path, threshold)
    return gaussians, threshold


def _films(lake: Lake) -> dict[str, list]:
    table = lake.read("manifest", columns=[*_KEYS, *vocabulary().classes])
    films = {name: table.column(name).to_pylist() for name in table.column_names}
    order = [row for row in np.argsort(films["image_id"]).tolist() if films["excluded"][row] is None]
    return {name: [values[row] for row in order] for name, values in films.items()}


def split(films: Mapping[str, Sequence]) -> tuple[list[int], list[int]]:
    """Return the rows that a Gaussian learns from and those that judge it, in the order of their keyed ids.

    The training pool and the validation pool; where the latter is small, a fifth of the training pool's groups judges
    too. Raises MissingTable where either is empty.
    """
    pools = films["pool"]
    training = [row for row, pool in enumerate(pools) if pool == TRAIN]
    judged = [row for row, pool in enumerate(pools) if pool == VALIDATION]
    if len(judged) < FEW_JUDGED:
        held = {row for row in training if _digit(films["group_id"][row]) % _HELD_OUT_OF == 0}
        judged = sorted({*judged, *held})
        training = [row for row in training if row not in held]
    if not training or not judged:
        raise MissingTable("The training pool has no films to know", do="run with more patients: pools are 80/10/10")
    return training[:MOST_LEARNED], judged[:MOST_JUDGED]


def _digit(group: str) -> int:
    return hashlib.sha256(group.encode()).digest()[0]


def _slot(films: Mapping[str, Sequence], row: int) -> int:
    return int(films["view"][row] == LATERAL)


def _kinds(films: Mapping[str, Sequence], rows: Sequence[int]) -> list[np.ndarray]:
    """Masks over ``rows``: frontal films, laterals, then each class's positives among the frontal ones."""
    lateral = np.array([_slot(films, row) == 1 for row in rows])
    positive = (np.array([films[name][row] == 1 for row in rows]) & ~lateral for name in vocabulary().classes)
    return [~lateral, lateral, *positive]


def _sides(lake: Lake, films: Mapping[str, Sequence], rows: Sequence[int]) -> Sides:
    """Return what the lake's films tell of their sides; the same films are not asked again for other models."""
    frontal = [row for row in rows if not _slot(films, row)][:MOST_FOR_SIDES]
    path = familiarity.sides_path(lake.models_dir, [films["image_id"][row] for row in frontal])
    if (known := familiarity.load_sides(path)) is not None:
        return known
    pictures = (png16.decode((lake.root / films["path"][row]).read_bytes()) for row in frontal)
    features = np.array([side_features(laid_out(picture)) for picture in pictures]).reshape(len(frontal), FEATURES)
    found = fit_sides(features, [films["group_id"][row] for row in frontal])
    familiarity.save_sides(path, found)
    return found


class _Squares:
    """Films of the manifest at one side, packed as training reads them, by row."""

    def __init__(self, lake: Lake, films: Mapping[str, Sequence], size_px: int) -> None:
        from radia_pipeline.training.packed import pack, wanted_images

        self._ids = films["image_id"]
        self._packed = pack(lake, wanted_images(lake, films["source"], self._ids, films["path"]), size_px)

    def __getitem__(self, row: int) -> np.ndarray:
        return np.array(self._packed.read(self._packed.row_of_image[self._ids[row]]))
