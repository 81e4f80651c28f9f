"""Where the models of an answer look on one film: a map for each class, and how much of it lies outside the thorax.

The mean of the models' maps, each over its peak. Needs torch. Not here: the methods (``localisation``), pictures
(``answer_maps``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.dicom.thorax import Thorax, thorax_of
from radia_pipeline.lake.lake import Lake
from radia_pipeline.localisation.boxes import Frame
from radia_pipeline.localisation.choice import read_choice
from radia_pipeline.localisation.maps import explain
from radia_pipeline.localisation.within import MOST_OUTSIDE, on_image, outside_share
from radia_pipeline.training.inference import load_classifier
from radia_pipeline.training.inputs import GREY_MAX, to_channels
from radia_pipeline.usecases.answers import Reader
from radia_pipeline.usecases.looking import Looked

OUTSIDE = "more than half of this map lies outside the thorax"
NOT_FOUND = "no thorax was found on this film, so nobody knows whether this map lies inside it"


@dataclass(frozen=True)
class FilmMap:
    """One class's map. ``shown``: float32 (h, w) over the whole film, not negative; ``outside``: share of it outside
    the thorax, None where none was found."""

    class_name: str
    shown: np.ndarray
    outside: float | None

    @property
    def warning(self) -> str | None:
        """What a person who looks at the map should know."""
        if self.outside is None:
            return NOT_FOUND
        return OUTSIDE if self.outside > MOST_OUTSIDE else None


@dataclass(frozen=True)
class Explained:
    """What was seen on one film. ``thorax``: in pixels of the stored picture."""

    thorax: Thorax | None
    maps: tuple[FilmMap, ...]


class FilmMaps:
    """The classifiers of an ensemble with their methods, opened once."""

    def __init__(self, lake: Lake, reader: Reader) -> None:
        self._reader = reader
        self._methods = {name: read_choice(lake, name).method for name in reader.ready.models}
        self._classifiers = {name: load_classifier(reader.ready.using.folder(name)) for name in self._methods}

    def of(self, looked: Looked, classes: Sequence[str]) -> Explained:
        """Explain a film that was let in, with its stored picture, for these classes."""
        thorax = thorax_of(looked.stored_picture())
        maps = []
        for name, (saliency, frame) in zip(classes, self._saliency(looked, classes), strict=True):
            outside = None if thorax is None else outside_share(saliency, frame, thorax)
            maps.append(FilmMap(name, on_image(saliency, frame), outside))
        return Explained(thorax, tuple(maps))

    def _saliency(self, looked: Looked, classes: Sequence[str]) -> list[tuple[np.ndarray, Frame]]:
        """Return each class's map over the square input, at the largest of the models' sizes."""
        columns = [vocabulary().index(name) for name in classes]
        height, width = looked.stored
        side = max(classifier.input.size_px for classifier in self._classifiers.values())
        wanted = torch.zeros(1, len(vocabulary().classes), dtype=torch.bool)
        wanted[0, columns] = True
        total = np.zeros((len(classes), side, side), dtype=np.float32)
        for name, classifier in self._classifiers.items():
            square = self._reader.square(looked, classifier.input.size_px)
            tensor = torch.from_numpy(to_channels(square.astype(np.float32) / GREY_MAX, classifier.input))[None]
            method = self._methods[name]
            seen = explain(classifier, tensor, (method,), wanted=wanted)[1][method][0].numpy()
            for row, column in enumerate(columns):
                fine = cv2.resize(seen[column], (side, side), interpolation=cv2.INTER_LINEAR)
                total[row] += fine / max(float(fine.max()), 1e-9) / len(self._classifiers)
        return [(total[row], Frame(width, height, side)) for row in range(len(classes))]
