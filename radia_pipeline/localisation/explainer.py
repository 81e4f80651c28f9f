"""Stored images in, probabilities and maps of several models out: what benchmark and pseudo boxes share.

Images come from the same packed arrays that training reads, so that model and map see the same pixels. What does not
belong here: the maps' formulas (``maps``) and what is done with them.

Shape legend: N images, K classes, h x w positions, S side.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.lake.lake import Lake
from radia_pipeline.localisation.boxes import Frame
from radia_pipeline.localisation.maps import explain
from radia_pipeline.training.inference import latest_model, load_classifier
from radia_pipeline.training.inputs import GREY_MAX, to_channels
from radia_pipeline.training.packed import PackedImages, pack, wanted_images
from radia_pipeline.training.studies import LATERAL, known_absent, label_matrix, labelled_by

BATCH = 32
KEYS = ("source", "image_id", "study_id", "patient_key", "group_id", "path", "view", "width_px", "height_px", "pool")


@dataclass(frozen=True)
class ImageSet:
    """Rows of the manifest that may be used: columns as lists, label values int8 (N, K) with -9 for null."""

    columns: Mapping[str, list]
    values: np.ndarray

    def __len__(self) -> int:
        return len(self.columns["image_id"])

    def take(self, rows: Sequence[int]) -> ImageSet:
        """Return some rows, in this order."""
        return ImageSet({k: [v[row] for row in rows] for k, v in self.columns.items()}, self.values[list(rows)])

    def where(self, **wanted: Collection[str]) -> ImageSet:
        """Return the rows whose columns hold one of the given values."""
        keep = [
            row for row in range(len(self)) if all(self.columns[name][row] in some for name, some in wanted.items())
        ]
        return self.take(keep)

    def frame(self, row: int, size_px: int) -> Frame:
        """Geometry of one image for a model with this input size."""
        return Frame(self.columns["width_px"][row], self.columns["height_px"][row], size_px)

    def known_absent(self, row: int) -> np.ndarray:
        """Which classes (K,) the image surely does not show: said 0, or blank in a source that labels them."""
        return known_absent(self.values[row], labelled_by(self.columns["source"][row]))


def read_images(lake: Lake, sources: Sequence[str]) -> ImageSet:
    """Read the manifest of these sources, excluded rows left out; raises MissingTable."""
    columns = [*KEYS, "excluded", *vocabulary().classes]
    table = pa.concat_tables([lake.read("manifest", source, columns=columns) for source in sources])
    table = table.filter(pa.array([reason is None for reason in table.column("excluded").to_pylist()], pa.bool_()))
    values = label_matrix(table) if table.num_rows else np.zeros((0, len(vocabulary().classes)), dtype=np.int8)
    return ImageSet({name: table.column(name).to_pylist() for name in KEYS}, values)


@dataclass(frozen=True)
class Explained:
    """One image as one model sees it: its own probability (K,) and {method: maps (K, h, w)}."""

    probability: np.ndarray
    maps: Mapping[str, np.ndarray]


class Explainer:
    """One trained recipe, by its newest model or that of a folder, ready to explain images of an :class:`ImageSet`."""

    def __init__(
        self, lake: Lake, recipe: str, images: ImageSet, methods: Sequence[str], *, folder: Path | None = None
    ) -> None:
        self.recipe, self.methods, self.images = recipe, tuple(methods), images
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.classifier = load_classifier(folder or latest_model(lake, recipe), self.device)
        self.classifier.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's types lack it
        self.size_px = self.classifier.input.size_px
        self.packed = _packed(lake, images, self.size_px)

    def rows(self, rows: Sequence[int], wanted: torch.Tensor | None = None) -> list[Explained]:
        """Explain these rows of the image set, in order; ``wanted`` (N, K): which maps, all by default. The result does
        not depend on how rows are batched."""
        batch, slots = self.inputs(rows)
        logits, found = explain(self.classifier, batch, self.methods, slots=slots, wanted=wanted)
        with torch.no_grad():
            probability = self.classifier.probabilities(logits.to(self.device)).cpu().numpy()
        return [
            Explained(probability[i], {name: one[i].numpy() for name, one in found.items()}) for i in range(len(rows))
        ]

    @torch.no_grad()
    def probabilities(self, rows: Sequence[int]) -> np.ndarray:
        """Return what the model says of these rows (N, K), without a map."""
        batch, slots = self.inputs(rows)
        logits = torch.zeros(len(rows), len(vocabulary().classes), device=self.device)
        for slot in sorted(set(slots)):
            mine = [place for place, one in enumerate(slots) if one == slot]
            logits[mine] = self.classifier.head(self.classifier.feature_map(batch[mine], slot).float(), slot)
        return self.classifier.probabilities(logits).cpu().numpy()

    def inputs(self, rows: Sequence[int]) -> tuple[torch.Tensor, list[int]]:
        """Return these rows' inputs (N, C, S, S) and view slots."""
        batch = torch.from_numpy(np.stack([self._tensor(row) for row in rows])).to(self.device)
        return batch, [int(self.images.columns["view"][row] == LATERAL) for row in rows]

    def batches(self, size: int = BATCH, only: np.ndarray | None = None) -> Iterator[tuple[list[int], list[Explained]]]:
        """Explain the whole set, batch by batch; maps of ``only`` bool (K,) classes, where those are given."""
        for start in range(0, len(self.images), size):
            rows = list(range(start, min(start + size, len(self.images))))
            yield rows, self.rows(rows, None if only is None else torch.from_numpy(only)[None].expand(len(rows), -1))

    def _tensor(self, row: int) -> np.ndarray:
        stored = self.packed.read(self.packed.row_of_image[self.images.columns["image_id"][row]])
        return to_channels(stored.astype(np.float32) / GREY_MAX, self.classifier.input)


def _packed(lake: Lake, images: ImageSet, size_px: int) -> PackedImages:
    """Pack what is not packed yet at this size (training has packed its own sources)."""
    columns = (images.columns[name] for name in ("source", "image_id", "path"))
    return pack(lake, wanted_images(lake, *columns), size_px)
