"""The original's five augmentations: parameters are drawn first, then applied, so that each can be replayed.

All geometry of one image is composed into one resampling, which is faster than five and blurs once. Legend: S side;
points are (x, y) in pixels; maps lead from output pixels to input pixels, as ``cv2.remap`` wants them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from radia_pipeline.errors import BadInput
from radia_pipeline.training.recipe_schema import AffineSection, AugmentationSection, ElasticSection, GridSection

IDENTITY = np.eye(3)
FIXED_POINT_STEPS = 12
"""Enough to invert a smoothed field: it moves neighbours by almost the same."""
ELASTIC_REFERENCE_PX = 384
"""``alpha_affine_px`` is given at this side, the original's input size."""
SMALLEST_SHIFT_PX = 1 / 32
"""``cv2.remap`` resolves coordinates to 1/32 px: a field that stays below moves nothing and is not computed."""
UNIFORM_DEVIATION = 1 / math.sqrt(3)


@dataclass(frozen=True)
class Drawn:
    """What happens to one image. ``forward`` maps input to output points (3 × 3); knots are cumulative cell widths."""

    forward: np.ndarray
    is_flipped: bool
    brightness: float
    contrast: float
    grid_x: np.ndarray | None
    grid_y: np.ndarray | None
    elastic: np.ndarray | None
    elastic_seed: int | None


def draw(random: np.random.Generator, section: AugmentationSection, size_px: int) -> Drawn:
    """Draw the parameters for one image; the same generator state gives the same parameters."""
    happens = random.random(5) < (section.affine.p, section.jitter.p, section.flip.p, section.grid.p, section.elastic.p)
    forward = _draw_affine(random, section.affine, size_px) if happens[0] else IDENTITY
    brightness = contrast = 1.0
    if happens[1]:
        brightness = 1 + section.jitter.brightness * random.uniform(-1, 1)
        contrast = 1 + section.jitter.contrast * random.uniform(-1, 1)
    grid_x = grid_y = elastic = elastic_seed = None
    if happens[3]:
        grid_x, grid_y = (_draw_knots(random, section.grid, size_px) for _ in range(2))
    if happens[4]:
        elastic = _draw_three_points(random, section.elastic, size_px)
        elastic_seed = int(random.integers(2**31)) if _field_is_visible(section.elastic) else None
    return Drawn(forward, bool(happens[2]), brightness, contrast, grid_x, grid_y, elastic, elastic_seed)


def apply(image: np.ndarray, drawn: Drawn, section: AugmentationSection) -> np.ndarray:
    """(S, S) float32 in 0..1 -> the same, changed as drawn: affine, jitter, flip, grid, elastic. Border is 0."""
    if image.ndim != 2 or image.dtype != np.float32:
        raise BadInput(
            f"Image to augment of shape {image.shape} and type {image.dtype}",
            accepted="(S, S) float32 in 0..1, channels come later",
        )
    moved = _resample(image, drawn, section.elastic)
    if drawn.brightness != 1.0 or drawn.contrast != 1.0:
        moved = moved * np.float32(drawn.brightness)
        mean = moved.mean(dtype=np.float32)
        moved = np.clip((moved - mean) * np.float32(drawn.contrast) + mean, 0, 1)
    return moved.astype(np.float32, copy=False)


def moved_points(points: np.ndarray, drawn: Drawn, section: AugmentationSection, size: int) -> np.ndarray:
    """Where ``apply`` shows these points of a picture of side ``size``: (n, 2) pixels' centres -> the same, float64."""
    moved = _through(_forward(drawn, size), points)
    if drawn.grid_x is not None and drawn.grid_y is not None:
        places = np.arange(len(drawn.grid_x)) * (size / (len(drawn.grid_x) - 1))
        axes = zip(moved.T, (drawn.grid_x, drawn.grid_y))
        moved = np.stack([_along(values, knots, places) for values, knots in axes], axis=1)
    if drawn.elastic is not None:
        moved = _through(drawn.elastic, moved)
    if (field := _elastic_field(drawn, section.elastic, size)) is None:
        return moved
    wanted = moved
    for _ in range(FIXED_POINT_STEPS):  # the field stands where a point arrives: arrived + field(arrived) = wanted
        at = np.ascontiguousarray(moved.astype(np.float32)[None])
        shift = [
            # cv2 takes no second map where the first holds both; its types do not say so
            cv2.remap(plane, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]  # type: ignore[call-overload]
            for plane in field
        ]
        moved = wanted - np.stack(shift, axis=1)
    return moved


def _through(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ matrix[:2, :2].T + matrix[:2, 2]


def _along(values: np.ndarray, knots: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Input coordinates -> output coordinates of a grid distortion; what lies beyond its last knots stays beyond."""
    beyond = np.minimum(values - knots[0], 0) + np.maximum(values - knots[-1], 0)
    return np.interp(values, knots, places) + beyond


def _forward(drawn: Drawn, size: int) -> np.ndarray:
    """The affine and the flip, input to output points."""
    if not drawn.is_flipped:
        return drawn.forward
    return np.array([[-1.0, 0, size - 1], [0, 1, 0], [0, 0, 1]]) @ drawn.forward


def _resample(image: np.ndarray, drawn: Drawn, section: ElasticSection) -> np.ndarray:
    size = image.shape[0]
    forward = _forward(drawn, size)
    if drawn.grid_x is None and drawn.elastic_seed is None:
        if drawn.elastic is not None:
            forward = drawn.elastic @ forward
        if np.array_equal(forward, IDENTITY):
            return image
        return cv2.warpAffine(image, forward[:2], (size, size), flags=cv2.INTER_LINEAR, borderValue=0)
    map_x, map_y = _elastic_map(drawn, section, size)
    if drawn.grid_x is not None and drawn.grid_y is not None:
        places = np.arange(len(drawn.grid_x)) * (size / (len(drawn.grid_x) - 1))
        map_x = np.interp(map_x, places, drawn.grid_x, left=-size, right=2 * size)
        map_y = np.interp(map_y, places, drawn.grid_y, left=-size, right=2 * size)
    back = np.linalg.inv(forward)
    in_x = back[0, 0] * map_x + back[0, 1] * map_y + back[0, 2]
    in_y = back[1, 0] * map_x + back[1, 1] * map_y + back[1, 2]
    return cv2.remap(image, in_x.astype(np.float32), in_y.astype(np.float32), cv2.INTER_LINEAR, borderValue=0)


def _elastic_map(drawn: Drawn, section: ElasticSection, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Output points -> points before the elastic step; a plain row and column where nothing mixes the axes."""
    along = np.arange(size, dtype=np.float64)
    if drawn.elastic is None:
        return along[None, :], along[:, None]
    map_x, map_y = np.broadcast_to(along[None, :], (size, size)), np.broadcast_to(along[:, None], (size, size))
    if (field := _elastic_field(drawn, section, size)) is not None:
        map_x, map_y = map_x + field[0], map_y + field[1]
    back = np.linalg.inv(drawn.elastic)
    return (
        back[0, 0] * map_x + back[0, 1] * map_y + back[0, 2],
        back[1, 0] * map_x + back[1, 1] * map_y + back[1, 2],
    )


def _elastic_field(drawn: Drawn, section: ElasticSection, size: int) -> list[np.ndarray] | None:
    """How far each output point looks aside, in x and y: two (S, S) float32; None where nothing moves visibly."""
    if drawn.elastic_seed is None:
        return None
    random = np.random.Generator(np.random.Philox(drawn.elastic_seed))
    noise = random.uniform(-1, 1, (2, size, size)).astype(np.float32)
    return [cv2.GaussianBlur(plane, (0, 0), section.sigma) * section.alpha for plane in noise]


def _draw_affine(random: np.random.Generator, section: AffineSection, size_px: int) -> np.ndarray:
    """Scale, shear, rotate about the centre, then translate: 3 × 3, input points to output points."""
    shift_x, shift_y = random.uniform(-1, 1, 2) * section.translate * size_px
    angle = math.radians(random.uniform(-1, 1) * section.rotate_deg)
    shear_x, shear_y = np.tan(np.radians(random.uniform(-1, 1, 2) * section.shear_deg))
    scale = 1 + random.uniform(-1, 1) * section.scale
    centre = (size_px - 1) / 2
    to_centre = np.array([[1, 0, -centre], [0, 1, -centre], [0, 0, 1]])
    back = np.array([[1, 0, centre + shift_x], [0, 1, centre + shift_y], [0, 0, 1]])
    turn = np.array([[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]])
    shape = np.array([[scale, scale * shear_x, 0], [scale * shear_y, scale, 0], [0, 0, 1]])
    return back @ turn @ shape @ to_centre


def _draw_knots(random: np.random.Generator, section: GridSection, size_px: int) -> np.ndarray:
    """Where the borders of the output's equal cells lie in the input: cumulative stretched widths, (num_steps + 1,)."""
    stretch = 1 + random.uniform(-1, 1, section.num_steps) * section.distort_limit
    return np.concatenate([[0.0], np.cumsum(stretch * (size_px / section.num_steps))])


def _draw_three_points(random: np.random.Generator, section: ElasticSection, size_px: int) -> np.ndarray:
    """The affine that moves three points around the centre by at most ``alpha_affine_px`` each (3 × 3)."""
    centre, third = size_px / 2, size_px / 3
    before = np.array(
        [[centre + third, centre + third], [centre + third, centre - third], [centre - third, centre - third]],
        dtype=np.float32,
    )
    limit = section.alpha_affine_px * size_px / ELASTIC_REFERENCE_PX
    after = before + random.uniform(-limit, limit, (3, 2)).astype(np.float32)
    return np.vstack([cv2.getAffineTransform(before, after), [0, 0, 1]])


def _field_is_visible(section: ElasticSection) -> bool:
    """Whether smoothed noise moves pixels: its deviation is that of noise / (2 sqrt(pi) sigma), times alpha."""
    deviation = section.alpha * UNIFORM_DEVIATION / (2 * math.sqrt(math.pi) * section.sigma)
    return 4 * deviation >= SMALLEST_SHIFT_PX
