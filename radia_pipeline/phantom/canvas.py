"""Geometry and rasters that every drawing uses: the frame, smooth outlines, soft masks, noise fields.

Canonical coordinates: x and y in units of the image's longest side, (0.5, 0.5) at the middle of the thorax,
y downwards,
the patient's right at small x. Rasters are float32 (height_px, width_px). No anatomy and no pathology belongs here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from zlib import crc32

import cv2
import numpy as np

SUBPIXEL_BITS = 4
"""cv2 draws at sixteenths of a pixel."""
_WAVE_TURNS = (1.3, 2.6)


def generator(seed: int, *parts: object) -> np.random.Generator:
    """Return the random stream that belongs to ``parts``, independent of every other stream and of any order."""
    words = [seed & 0xFFFFFFFF] + [part if isinstance(part, int) else crc32(str(part).encode()) for part in parts]
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(words)))


@dataclass(frozen=True)
class Wave:
    """A smooth displacement along an axis (0: x, 1: y) that varies along one: ``height`` and ``turns`` per longest
    side of the image, ``phase`` in radians.
    """

    moves: int
    along: int
    height: float
    turns: float
    phase: float


def draw_waves(rng: np.random.Generator, height: float) -> tuple[Wave, ...]:
    """Draw displacements along both axes, varying along both, that no affine map takes back."""
    return tuple(
        Wave(
            moves,
            along,
            float(height * rng.uniform(0.7, 1.3)),
            float(turns * rng.uniform(0.8, 1.2)),
            float(rng.uniform(0, 2 * np.pi)),
        )
        for moves in (0, 1)
        for along in (0, 1)
        for turns in _WAVE_TURNS
    )


@dataclass(frozen=True)
class Frame:
    """Maps canonical coordinates to pixels: rotation in radians, zoom, shift in canonical units, then ``waves``.

    ``xs`` and ``ys`` undo the waves to first order: a field lies within .003 of the longest side of an outline.
    """

    width_px: int
    height_px: int
    angle: float = 0.0
    zoom: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    waves: tuple[Wave, ...] = ()
    unit_px: float = field(init=False)
    xs: np.ndarray = field(init=False, repr=False, compare=False)
    ys: np.ndarray = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "unit_px", max(self.width_px, self.height_px) * self.zoom)
        cos, sin = np.float32(np.cos(self.angle) / self.unit_px), np.float32(np.sin(self.angle) / self.unit_px)
        columns = np.arange(self.width_px, dtype=np.float32)[None, :]
        rows = np.arange(self.height_px, dtype=np.float32)[:, None]
        moved = [self._sway(axis, columns, rows).astype(np.float32) for axis in (0, 1)]
        columns = columns - moved[0] - np.float32(self._centre[0])
        rows = rows - moved[1] - np.float32(self._centre[1])
        object.__setattr__(self, "xs", columns * cos + rows * sin + np.float32(0.5))
        object.__setattr__(self, "ys", rows * cos - columns * sin + np.float32(0.5))

    @property
    def _centre(self) -> tuple[float, float]:
        longest = max(self.width_px, self.height_px)
        return self.width_px / 2 + self.shift[0] * longest, self.height_px / 2 + self.shift[1] * longest

    @property
    def _stretch_px(self) -> float:
        """The most by which the waves move two places apart."""
        heights = [sum(wave.height for wave in self.waves if wave.moves == axis) for axis in (0, 1)]
        return 2 * max(heights) * max(self.width_px, self.height_px)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.height_px, self.width_px

    def to_px(self, points: np.ndarray) -> np.ndarray:
        """Map canonical points (..., 2) to pixels (..., 2)."""
        cos, sin = np.cos(self.angle) * self.unit_px, np.sin(self.angle) * self.unit_px
        straight = (np.asarray(points, dtype=np.float64) - 0.5) @ np.array([[cos, sin], [-sin, cos]]) + self._centre
        x, y = straight[..., 0], straight[..., 1]
        return straight + np.stack([self._sway(axis, x, y) for axis in (0, 1)], axis=-1)

    def _sway(self, axis: int, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return by how many pixels the waves move places (x, y), pixels that broadcast, along an axis."""
        longest, moved = max(self.width_px, self.height_px), np.zeros(1)
        for along, places in enumerate((x, y)):
            waves = [wave for wave in self.waves if (wave.moves, wave.along) == (axis, along)]
            parts = [wave.height * np.sin(2 * np.pi * wave.turns / longest * places + wave.phase) for wave in waves]
            moved = moved + longest * sum(parts, np.zeros(1))
        return moved

    def length_px(self, length: float) -> float:
        """Length in pixels of a canonical length."""
        return length * self.unit_px

    def zeros(self) -> np.ndarray:
        """Return an empty raster."""
        return np.zeros(self.shape, dtype=np.float32)

    def _subpixel(self, points: np.ndarray) -> np.ndarray:
        return np.round(self.to_px(points) * (1 << SUBPIXEL_BITS)).astype(np.int32)

    def fill(self, points: np.ndarray, soft: float = 0.0) -> np.ndarray:
        """Return the filled outline as 0..1, its edge softened over ``soft`` canonical units."""
        raster = np.zeros(self.shape, dtype=np.uint8)
        cv2.fillPoly(raster, [self._subpixel(points)], 255, cv2.LINE_AA, SUBPIXEL_BITS)
        return self.soften(raster, soft).astype(np.float32) * np.float32(1 / 255)

    def soften(self, raster: np.ndarray, soft: float) -> np.ndarray:
        """Blur by a standard deviation of ``soft`` canonical units (three box passes where it is wide: same shape)."""
        sigma = self.length_px(soft)
        if sigma < 0.3:
            return raster
        if sigma < 4:
            return cv2.GaussianBlur(raster, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        size = int(np.sqrt(4 * sigma * sigma + 1)) | 1
        for _ in range(3):
            raster = cv2.blur(raster, (size, size), borderType=cv2.BORDER_REPLICATE)
        return raster

    def strokes(self, lines: list[tuple[np.ndarray, float, float]], soft: float = 0.0) -> np.ndarray:
        """Return lines as one raster; later lines cover earlier ones.

        Each entry: points (k, 2) or a bundle of lines (n, k, 2), canonical width, level 0..1.
        """
        raster = np.zeros(self.shape, dtype=np.uint8)
        for points, width, level in lines:
            # A line thinner than a pixel is drawn one pixel wide and as much fainter.
            width_px = self.length_px(width)
            bundle = self._subpixel(points if points.ndim == 3 else points[None])
            shade, thickness = int(255 * level * min(1.0, width_px)), max(1, round(width_px))
            cv2.polylines(raster, list(bundle), False, shade, thickness, cv2.LINE_AA, SUBPIXEL_BITS)
        return self.soften(raster, soft).astype(np.float32) * np.float32(1 / 255)

    def window(self, x: float, y: float, reach: float) -> tuple[slice, slice]:
        """Return the pixel window that holds a disc of canonical radius ``reach``."""
        (px, py), radius = self.to_px(np.array([[x, y]]))[0], self.length_px(reach) + 2 + self._stretch_px
        rows = slice(max(0, int(py - radius)), max(0, min(self.height_px, int(py + radius) + 1)))
        columns = slice(max(0, int(px - radius)), max(0, min(self.width_px, int(px + radius) + 1)))
        return rows, columns

    def blob(self, x: float, y: float, rx: float, ry: float, *, angle: float = 0.0, edge: float = 0.25) -> np.ndarray:
        """Return a soft ellipse 0..1; ``edge`` is the share of the radius over which it fades."""
        raster = self.zeros()
        window = self.window(x, y, max(rx, ry) * (1 + edge))
        dx, dy = self.xs[window] - x, self.ys[window] - y
        cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        radius = np.sqrt(((dx * cos + dy * sin) / rx) ** 2 + ((dy * cos - dx * sin) / ry) ** 2)
        raster[window] = np.clip((1 + edge / 2 - radius) / edge, 0, 1)
        return raster

    def smooth_noise(self, rng: np.random.Generator, scale: float) -> np.ndarray:
        """Return noise of zero mean, about unit deviation and canonical grain ``scale``."""
        rows, columns = (max(4, int(np.ceil(side / self.length_px(scale))) + 3) for side in self.shape)
        coarse = rng.standard_normal((rows, columns), dtype=np.float32)
        return cv2.resize(coarse, (self.width_px, self.height_px), interpolation=cv2.INTER_CUBIC) * np.float32(1.35)

    def box(
        self, mask: np.ndarray, level: float = 0.5, margin: float = 0.0
    ) -> tuple[float, float, float, float] | None:
        """Return x, y, width, height in px of what reaches ``level``, widened by ``margin``; None if nothing does."""
        reached = mask >= level
        rows, columns = np.flatnonzero(reached.any(axis=1)), np.flatnonzero(reached.any(axis=0))
        if not len(rows):
            return None
        pad = self.length_px(margin)
        left, top = max(0.0, columns[0] - pad), max(0.0, rows[0] - pad)
        right, bottom = min(float(self.width_px), columns[-1] + 1 + pad), min(float(self.height_px), rows[-1] + 1 + pad)
        return float(left), float(top), float(right - left), float(bottom - top)


def smooth_outline(
    points: Sequence[tuple[float, float]] | np.ndarray, *, closed: bool = True, steps: int = 8
) -> np.ndarray:
    """Return a Catmull-Rom curve through ``points`` (k, 2) as (n, 2), or a bundle of curves (m, k, 2) as (m, n, 2)."""
    knots = np.asarray(points, dtype=np.float64)
    if closed:
        knots = np.concatenate([knots[..., -1:, :], knots, knots[..., :2, :]], axis=-2)
    else:
        first, last = knots[..., :1, :], knots[..., -1:, :]
        knots = np.concatenate([2 * first - knots[..., 1:2, :], knots, 2 * last - knots[..., -2:-1, :]], axis=-2)
    curve = _catmull_rom(knots.shape[-2] - 3, steps) @ knots
    return curve if closed else np.concatenate([curve, knots[..., -2:-1, :]], axis=-2)


@cache
def _catmull_rom(spans: int, steps: int) -> np.ndarray:
    """Return the matrix (spans · steps, spans + 3) that maps knots to points of the curve."""
    t = np.linspace(0, 1, steps, endpoint=False)
    weights = 0.5 * np.stack(
        [2 * t**2 - t - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2], axis=1
    )
    matrix = np.zeros((spans * steps, spans + 3))
    for span in range(spans):
        matrix[span * steps : (span + 1) * steps, span : span + 4] = weights
    return matrix


def lobulated_outline(rng: np.random.Generator, x: float, y: float, radius: float, wobble: float) -> np.ndarray:
    """Return a closed outline about (x, y) whose radius wavers by ``wobble`` (share of the radius)."""
    theta = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    reach = np.ones_like(theta)
    for order in range(2, 6):
        reach += wobble * rng.uniform(0.3, 1.0) / np.sqrt(order) * np.cos(order * theta + rng.uniform(0, 2 * np.pi))
    return np.stack([x + radius * reach * np.cos(theta), y + radius * reach * np.sin(theta)], axis=1)
