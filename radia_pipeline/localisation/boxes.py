"""Boxes: how they are held, compared, and cut out of a saliency map.

What does not belong here: where maps come from (``maps``), merging boxes of several maps (``fusion``) and judging
boxes (``average_precision``).

Coordinates are edges in pixels, x to the right, y down: a box over the whole of a W x H image is (0, 0, W, H). Inside
this package boxes are (left, top, right, bottom), in tables x_px, y_px, width_px, height_px.
Shape legend: n boxes; h x w positions of a map; S side of the model's square input.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from radia_pipeline.localisation.extents import EXTENTS, UNKNOWN, Extent
from radia_pipeline.sources.overlap import iou
from radia_pipeline.training.inputs import Placement, placement

DEFAULT_THRESHOLD_SHARE = 0.5  # where no drawn box can choose it
SHARE_TOLERANCE = 0.2  # how far from there a map is cut where a usual size asks for it: one standard deviation
SHARES_TRIED = np.arange(0.2, 0.96, 0.05)
TIGHTENING = 1.12  # factor between two tries when a component is larger than its class can be
CELLS_PER_POSITION = 8  # maps are interpolated to this many cells per position before they are cut
MAX_BOXES = 3  # of one class on one image
PADDING_EPSILON = 1e-9


@dataclass(frozen=True)
class Boxes:
    """Boxes of many images: ``image_id`` and ``label`` (n,) str, ``corners`` (n, 4) float64, ``score`` (n,) float64."""

    image_id: np.ndarray
    label: np.ndarray
    corners: np.ndarray
    score: np.ndarray

    def __len__(self) -> int:
        return len(self.score)

    @classmethod
    def empty(cls) -> Boxes:
        """Return no boxes."""
        return cls(np.zeros(0, dtype=object), np.zeros(0, dtype=object), np.zeros((0, 4)), np.zeros(0))

    @classmethod
    def of(cls, rows: Iterable[tuple[str, str, tuple[float, float, float, float], float]]) -> Boxes:
        """Gather (image_id, label, (left, top, right, bottom), score)."""
        rows = list(rows)
        if not rows:
            return cls.empty()
        images, labels, corners, scores = zip(*rows, strict=True)
        return cls(
            np.array(images, dtype=object),
            np.array(labels, dtype=object),
            np.array(corners, dtype=np.float64),
            np.array(scores, dtype=np.float64),
        )

    @classmethod
    def from_table(cls, table: pa.Table) -> Boxes:
        """Read a table with image_id, class, x_px, y_px, width_px, height_px and, if it has one, score (else 1)."""
        x, y, w, h = (
            np.asarray(table.column(name).to_numpy(), dtype=np.float64)
            for name in ("x_px", "y_px", "width_px", "height_px")
        )
        has_score = "score" in table.column_names
        score = np.asarray(table.column("score").to_numpy(), dtype=np.float64) if has_score else np.ones(len(x))
        images, labels = (np.array(table.column(name).to_pylist(), dtype=object) for name in ("image_id", "class"))
        return cls(images, labels, np.stack([x, y, x + w, y + h], axis=1), score)

    def take(self, index: np.ndarray) -> Boxes:
        """Return the boxes of an index or mask."""
        return Boxes(self.image_id[index], self.label[index], self.corners[index], self.score[index])

    def relabelled(self, label: np.ndarray) -> Boxes:
        """Return the same boxes under other labels (n,)."""
        return replace(self, label=label)

    def on(self, image_ids: Iterable[str]) -> Boxes:
        """Return the boxes of these images."""
        wanted = set(image_ids)
        return self.take(np.array([image in wanted for image in self.image_id], dtype=bool))

    @staticmethod
    def joined(parts: Iterable[Boxes]) -> Boxes:
        """Concatenate."""
        parts = [Boxes.empty(), *parts]
        names = ("image_id", "label", "corners", "score")
        return Boxes(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def suppressed(corners: np.ndarray, score: np.ndarray, threshold: float) -> np.ndarray:
    """Non-maximum suppression: indices (k,) that stay, best first; equal scores keep their order."""
    order = np.argsort(-np.asarray(score), kind="stable")
    overlaps = iou(corners, corners)
    kept: list[int] = []
    for index in order:
        if not kept or overlaps[index][kept].max() <= threshold:
            kept.append(int(index))
    return np.array(kept, dtype=int)


@dataclass(frozen=True)
class CutRules:
    """How a map becomes boxes. ``threshold_share``: where it is cut, of its maximum, unless the class's usual size asks
    for another share; ``extents``: what a lake knows of its classes' sizes, beside ``EXTENTS``."""

    threshold_share: float = DEFAULT_THRESHOLD_SHARE
    max_boxes: int = MAX_BOXES
    extents: Mapping[str, Extent] = field(default_factory=dict)

    def extent(self, label: str) -> Extent:
        """Return how large a class's boxes are."""
        return self.extents.get(label) or EXTENTS.get(label, UNKNOWN)


@dataclass(frozen=True)
class Frame:
    """A stored image (W x H pixels) and the square input (S) into which the model's input spec letterboxes it."""

    width_px: int
    height_px: int
    size_px: int

    @property
    def placement(self) -> Placement:
        """Where the stored image lies in the square."""
        return placement(self.height_px, self.width_px, self.size_px)

    def clipped(self, corners: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        """Clip corners in stored-image pixels to the image."""
        left, top, right, bottom = corners
        return max(left, 0.0), max(top, 0.0), min(right, float(self.width_px)), min(bottom, float(self.height_px))


def boxes_from_map(
    saliency: np.ndarray, probability: float, label: str, frame: Frame, rules: CutRules | None = None
) -> list[tuple[tuple[float, float, float, float], float]]:
    """Cut boxes of one class out of a map (h, w) over the model's square input.

    Returns [((left, top, right, bottom) in stored-image pixels, score)], best first; score = probability x mean of the
    map (its maximum scaled to 1) inside the component. Negative saliency counts as none; saliency over the padding is
    ignored; a map without positive saliency gives no box. The map is cut where the box around its peak is most like one
    of its class: near the rules' share, near the class's usual size, each by its spread. A component larger than its
    class can be is cut again at a higher threshold.
    """
    rules, where = rules or CutRules(), frame.placement
    fine, cell_px = _on_image(np.asarray(saliency, dtype=np.float32), where)
    peak = float(fine.max(initial=0.0))
    if not np.isfinite(peak) or peak <= PADDING_EPSILON:
        return []
    fine = np.clip(fine, 0.0, None) / peak
    extent, found = rules.extent(label), []
    share = _likeliest_share(fine, rules.threshold_share, extent)
    for window, mean in _components(fine, share, extent.largest * fine.size):
        if (window[2] - window[0]) * (window[3] - window[1]) >= extent.smallest * fine.size:
            corners = frame.clipped(_stored(window, cell_px, where))
            found.append((corners, float(np.clip(probability * mean, 0.0, 1.0))))
    return sorted(found, key=lambda item: -item[1])[: rules.max_boxes]


def peak_of(saliency: np.ndarray, frame: Frame) -> tuple[float, float] | None:
    """Return where on the stored image (x, y in its pixels) a map (h, w) is highest; None of a map without any."""
    fine, cell_px = _on_image(np.asarray(saliency, dtype=np.float32), frame.placement)
    if not fine.max(initial=0.0) > PADDING_EPSILON:
        return None
    row, column = map(int, np.unravel_index(int(np.argmax(fine)), fine.shape))
    left, top, right, bottom = _stored((column, row, column + 1, row + 1), cell_px, frame.placement)
    return (left + right) / 2, (top + bottom) / 2


def _on_image(saliency: np.ndarray, placement: Placement) -> tuple[np.ndarray, float]:
    """Interpolate a map to fine cells and keep those on the stored image; also return the side of a cell in px."""
    import cv2

    h, w = saliency.shape
    side = CELLS_PER_POSITION * max(h, w)
    cell_px = placement.size_px / side
    fine = cv2.resize(saliency, (side, side), interpolation=cv2.INTER_LINEAR)
    top, left = int(placement.top_px // cell_px), int(placement.left_px // cell_px)
    bottom = int(np.ceil((placement.top_px + placement.height_px) / cell_px))
    right = int(np.ceil((placement.left_px + placement.width_px) / cell_px))
    return fine[top:bottom, left:right], cell_px


def _likeliest_share(fine: np.ndarray, preferred: float, extent: Extent) -> float:
    """Return the share of the peak at which the box around it is least surprising in both respects."""
    if extent.usual is None:
        return preferred
    shares = np.append(preferred, SHARES_TRIED)
    sizes = np.array([_size_at_peak(fine, share) for share in shares]) / fine.size
    surprise = extent.surprise(sizes) + ((shares - preferred) / SHARE_TOLERANCE) ** 2
    return float(shares[int(np.argmin(surprise))])


def _size_at_peak(fine: np.ndarray, share: float) -> float:
    """Return the cells of the box around the component that holds the peak."""
    import cv2

    _, labels, stats, _ = cv2.connectedComponentsWithStats((fine >= share).astype(np.uint8), connectivity=4)
    _, _, width, height, _ = stats[labels.ravel()[int(np.argmax(fine))]]
    return float(width * height)


def _components(
    fine: np.ndarray, share: float, largest: float, corner: tuple[int, int] = (0, 0)
) -> Iterator[tuple[tuple[float, float, float, float], float]]:
    """Yield (left, top, right, bottom) in cells and the mean inside, for each 4-connected component above the share.

    One whose box has more than ``largest`` cells is cut again, alone, at a higher threshold; a peak that stays too
    large is replaced by the largest allowed square around it. ``corner``: where this window lies on the image.
    """
    import cv2

    count, labels, stats, _ = cv2.connectedComponentsWithStats((fine >= share).astype(np.uint8), connectivity=4)
    totals = np.bincount(labels.ravel(), weights=fine.ravel(), minlength=count)
    for number in range(1, count):
        x, y, width, height, cells = (int(value) for value in stats[number])
        left, top = corner[0] + x, corner[1] + y
        if width * height <= largest:
            yield (left, top, left + width, top + height), float(totals[number] / cells)
            continue
        inside = np.where(labels == number, fine, 0.0)[y : y + height, x : x + width]
        if share * TIGHTENING < 1.0:
            yield from _components(inside, share * TIGHTENING, largest, (left, top))
        else:
            yield _square_at_peak(inside, largest, (left, top)), float(totals[number] / cells)


def _square_at_peak(inside: np.ndarray, largest: float, corner: tuple[int, int]) -> tuple[float, float, float, float]:
    row, column = np.unravel_index(int(np.argmax(inside)), inside.shape)
    half = 0.5 * np.sqrt(largest)
    left, top = max(column + 0.5 - half, 0.0), max(row + 0.5 - half, 0.0)
    right, bottom = min(column + 0.5 + half, inside.shape[1]), min(row + 0.5 + half, inside.shape[0])
    return corner[0] + left, corner[1] + top, corner[0] + right, corner[1] + bottom


def _stored(
    window: tuple[float, float, float, float], cell_px: float, placement: Placement
) -> tuple[float, float, float, float]:
    """Cells of the image's part of the square -> corners in stored-image pixels."""
    offset_x, offset_y = placement.left_px // cell_px * cell_px, placement.top_px // cell_px * cell_px
    left, top, right, bottom = (edge * cell_px for edge in window)
    x, y, w, h = placement.to_stored(left + offset_x, top + offset_y, right - left, bottom - top)
    return x, y, x + w, y + h
