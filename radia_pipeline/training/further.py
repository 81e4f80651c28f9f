"""What a recipe may add to the original's five augmentations: transforms of albumentations by an allow-list.

A recipe names them under ``also`` with the library's own parameters. Schema, errors and the page for people come from
``FURTHER``; a test holds it against the library. What is not here has no meaning in grey (colours, weather), gives a
picture of another size or needs another picture. Light: the library itself is imported by ``composed`` alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import GenericAlias
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, create_model, model_serializer, model_validator

from radia_pipeline.contracts.choices import Table
from radia_pipeline.training.sections import Probability, Section


def _rises(pair: tuple) -> tuple:
    if pair[0] > pair[1]:
        raise ValueError("the second number must not lie below the first")
    return pair


def _number(low: float | None = None, high: float | None = None) -> Any:
    return Annotated[float, Field(ge=low, le=high)]


def _whole(low: int, high: int) -> Any:
    return Annotated[int, Field(strict=True, ge=low, le=high)]


def _range(kind: Any) -> Any:
    """Two numbers of which the second is not below the first."""
    return Annotated[tuple[kind, kind], AfterValidator(_rises)]


def _limit(kind: Any) -> Any:
    """Two numbers, or one of which the library makes two."""
    return _range(kind) | kind


def _pair(kind: Any) -> Any:
    """Two numbers in any order."""
    return GenericAlias(tuple, (kind, kind))


def _of_axes(kind: Any) -> Any:
    """One of both axes, or each."""
    return Annotated[dict[Literal["x", "y"], kind], Field(min_length=1)]


@dataclass(frozen=True)
class Option:
    """A parameter of a transform: what it accepts, and the library's default."""

    accepts: Any
    default: Any


@dataclass(frozen=True)
class Further:
    """One transform. ``moves``: it moves what is seen, and boxes with it, by a second resampling."""

    words: str
    options: Mapping[str, Option] = field(default_factory=dict)
    moves: bool = False
    p: float = 0.5


_SHARE, _FACTOR, _ANGLE, _KERNEL = _number(0, 1), _number(0, 10), _number(-360, 360), _whole(0, 99)
_SIGNED = _number(-1, 1)
_FILL = Option(_SHARE | Literal["random", "random_uniform"], 0.0)
_AXES = _of_axes(_limit(_number(-100, 100)))

FURTHER = Table("further augmentation", {
    "RandomGamma": Further("Gamma in percent: other exposure, other processing.", {
        "gamma_limit": Option(_limit(_number(1, 1000)), (80, 120))}),
    "RandomBrightnessContrast": Further("Brightness added, contrast about nought.", {
        "brightness_limit": Option(_limit(_SIGNED), (-0.2, 0.2)),
        "contrast_limit": Option(_limit(_SIGNED), (-0.2, 0.2)), "brightness_by_max": Option(bool, True),
        "ensure_safe_range": Option(bool, False)}),
    "RandomToneCurve": Further("Tones bent by a smooth curve.", {
        "scale": Option(_SHARE, 0.1), "per_channel": Option(bool, False)}),
    "CLAHE": Further("Contrast made equal in tiles, with a limit.", {
        "clip_limit": Option(_limit(_number(1, 100)), 4.0),
        "tile_grid_size": Option(_pair(_whole(1, 64)), (8, 8))}),
    "Equalize": Further("Tones made equally frequent.", {
        "mode": Option(Literal["cv", "pil"], "cv"), "by_channels": Option(bool, True)}),
    "AutoContrast": Further("Tones stretched to the whole range; cutoff in percent of the pixels.", {
        "cutoff": Option(_number(0, 100), 0), "method": Option(Literal["cdf", "pil"], "cdf")}),
    "InvertImg": Further("Black and white exchanged."),
    "Posterize": Further("Fewer grey levels.", {"num_bits": Option(_limit(_whole(1, 7)), 4)}),
    "Illumination": Further("One side, corner or place brighter or darker.", {
        "mode": Option(Literal["linear", "corner", "gaussian"], "linear"),
        "intensity_range": Option(_range(_number(0.01, 0.2)), (0.01, 0.2)),
        "effect_type": Option(Literal["brighten", "darken", "both"], "both"),
        "angle_range": Option(_range(_number(0, 360)), (0, 360)),
        "center_range": Option(_range(_SHARE), (0.1, 0.9)),
        "sigma_range": Option(_range(_number(0.2, 1)), (0.2, 1.0))}),
    "PlasmaBrightnessContrast": Further("Brightness and contrast that change from place to place.", {
        "brightness_range": Option(_range(_SIGNED), (-0.3, 0.3)),
        "contrast_range": Option(_range(_SIGNED), (-0.3, 0.3)), "plasma_size": Option(_whole(1, 2048), 256),
        "roughness": Option(_number(0.01, 10), 3.0)}),
    "PlasmaShadow": Further("Shadows without an edge.", {
        "shadow_intensity_range": Option(_range(_SHARE), (0.3, 0.7)), "plasma_size": Option(_whole(1, 2048), 256),
        "roughness": Option(_number(0.01, 10), 3.0)}),
    "GaussNoise": Further("Noise of one deviation everywhere, as a share of the range.", {
        "std_range": Option(_range(_SHARE), (0.2, 0.44)), "mean_range": Option(_range(_SIGNED), (0.0, 0.0)),
        "per_channel": Option(bool, True), "noise_scale_factor": Option(_number(0.01, 1), 1)}),
    "ShotNoise": Further("Quantum noise: more where more is transmitted.", {
        "scale_range": Option(_range(_number(0.001, 10)), (0.1, 0.3))}),
    "MultiplicativeNoise": Further("Pixels, or the picture, times a factor.", {
        "multiplier": Option(_limit(_FACTOR), (0.9, 1.1)), "per_channel": Option(bool, False),
        "elementwise": Option(bool, False)}),
    "SaltAndPepper": Further("Single pixels white or black.", {
        "amount": Option(_range(_SHARE), (0.01, 0.06)), "salt_vs_pepper": Option(_range(_SHARE), (0.4, 0.6))}),
    "GaussianBlur": Further("Softer; a kernel of 0 is made of sigma.", {
        "blur_limit": Option(_limit(_KERNEL), 0), "sigma_limit": Option(_limit(_FACTOR), (0.5, 3.0))}),
    "MedianBlur": Further("Softer, edges kept.", {"blur_limit": Option(_limit(_KERNEL), (3, 7))}),
    "MotionBlur": Further("The patient moved.", {
        "blur_limit": Option(_limit(_KERNEL), (3, 7)), "allow_shifted": Option(bool, True),
        "angle_range": Option(_range(_ANGLE), (0, 360)), "direction_range": Option(_range(_SIGNED), (-1.0, 1.0))}),
    "Defocus": Further("Out of focus.", {
        "radius": Option(_limit(_whole(1, 99)), (3, 10)), "alias_blur": Option(_limit(_FACTOR), (0.1, 0.5))}),
    "Sharpen": Further("Edges enhanced, as post-processing does.", {
        "alpha": Option(_range(_SHARE), (0.2, 0.5)), "lightness": Option(_range(_FACTOR), (0.5, 1.0)),
        "method": Option(Literal["kernel", "gaussian"], "kernel"), "kernel_size": Option(_whole(3, 99), 5),
        "sigma": Option(_FACTOR, 1.0)}),
    "RingingOvershoot": Further("Rings along edges.", {
        "blur_limit": Option(_limit(_whole(3, 99)), (7, 15)),
        "cutoff": Option(_range(_number(0, 3.1415926)), (0.7853981633974483, 1.5707963267948966))}),
    "Downscale": Further("Stored smaller and enlarged again.", {
        "scale_range": Option(_range(_number(0.01, 0.99)), (0.25, 0.25))}),
    "ImageCompression": Further("Traces of lossy compression.", {
        "compression_type": Option(Literal["jpeg", "webp"], "jpeg"),
        "quality_range": Option(_range(_whole(1, 100)), (99, 100))}),
    "CoarseDropout": Further("Rectangles blanked; sizes as shares of the side, or in pixels.", {
        "num_holes_range": Option(_range(_whole(1, 1000)), (1, 2)),
        "hole_height_range": Option(_range(_number(0, 2048)), (0.1, 0.2)),
        "hole_width_range": Option(_range(_number(0, 2048)), (0.1, 0.2)), "fill": _FILL}),
    "GridDropout": Further("A grid of squares blanked.", {
        "ratio": Option(_number(0.01, 1), 0.5), "random_offset": Option(bool, True),
        "unit_size_range": Option(_range(_whole(2, 2048)) | None, None),
        "holes_number_xy": Option(_pair(_whole(1, 1024)) | None, None),
        "shift_xy": Option(_pair(_whole(0, 2048)), (0, 0)), "fill": _FILL}),
    "Erasing": Further("One rectangle blanked; scale is its share of the picture.", {
        "scale": Option(_range(_SHARE), (0.02, 0.33)), "ratio": Option(_range(_number(0.01, 100)), (0.3, 3.3)),
        "fill": _FILL}),
    "PixelDropout": Further("Single pixels blanked.", {
        "dropout_prob": Option(_SHARE, 0.01), "per_channel": Option(bool, False),
        "drop_value": Option(_SHARE | None, 0)}),
    "Affine": Further("Scale, translation, rotation, shear.", {
        "scale": Option(_limit(_number(0.1, 10)) | _AXES, (1.0, 1.0)),
        "translate_percent": Option(_limit(_SIGNED) | _AXES | None, None),
        "translate_px": Option(_limit(_whole(-2048, 2048)) | _AXES | None, None),
        "rotate": Option(_limit(_ANGLE), 0.0), "shear": Option(_limit(_number(-80, 80)) | _AXES, (0.0, 0.0)),
        "keep_ratio": Option(bool, False), "balanced_scale": Option(bool, False)}, moves=True),
    "Perspective": Further("The plate stood at a slant.", {"scale": Option(_limit(_SHARE), (0.05, 0.1))}, moves=True),
    "ElasticTransform": Further("Elastic, as newer releases have it, without the random affine.", {
        "alpha": Option(_number(0, 10_000), 1), "sigma": Option(_number(1, 1000), 50),
        "approximate": Option(bool, False), "same_dxdy": Option(bool, False),
        "noise_distribution": Option(Literal["gaussian", "uniform"], "gaussian")}, moves=True),
    "GridDistortion": Further("Cells stretched; normalized keeps the last borders in the picture.", {
        "num_steps": Option(_whole(1, 50), 5), "distort_limit": Option(_limit(_SIGNED), (-0.3, 0.3)),
        "normalized": Option(bool, True)}, moves=True),
    "OpticalDistortion": Further("As by a lens.", {
        "distort_limit": Option(_limit(_SIGNED), (-0.05, 0.05)),
        "mode": Option(Literal["camera", "fisheye"], "camera")}, moves=True),
    "ThinPlateSpline": Further("Bent as a thin plate.", {
        "scale_range": Option(_range(_SHARE), (0.2, 0.4)), "num_control_points": Option(_whole(2, 16), 4)}, moves=True),
    "CropAndPad": Further("Sides cut off or added to, then the size as before; in pixels or as shares of the side.", {
        "px": Option(_limit(_whole(-2048, 2048)) | None, None), "percent": Option(_limit(_SIGNED) | None, None),
        "sample_independently": Option(bool, True)}, moves=True, p=1.0),
})  # fmt: skip
"""The library's names with what each may be told. A test finds names, parameters and defaults in the library."""

SETTLED = frozenset(
    {
        "interpolation",
        "mask_interpolation",
        "border_mode",
        "fill",
        "fill_mask",
        "fit_output",
        "keep_size",
        "keypoint_remapping_method",
        "rotate_method",
        "mask",
        "mask_params",
        "mask_drop_value",
        "ignore",
        "interpolation_pair",
        "strict",
        "p",
    }
)
"""Parameters of the library that no recipe sets: its defaults are linear, black border, the picture's own size."""


def _options_of(name: str, transform: Further) -> type[Section]:
    fields: dict[str, Any] = {key: (option.accepts, option.default) for key, option in transform.options.items()}
    made = create_model(name, __base__=Section, __doc__=transform.words, p=(Probability, transform.p), **fields)
    made.__module__ = __name__
    return made


class _OneTransform(Section):
    """One further augmentation: the library's name with its parameters."""

    @property
    def name(self) -> str:
        """The transform's name in the library."""
        return next(name for name in FURTHER if getattr(self, name) is not None)

    @property
    def options(self) -> dict[str, Any]:
        """All its parameters, the library's defaults among them."""
        return getattr(self, self.name).model_dump()

    @model_validator(mode="after")
    def _names_one(self) -> _OneTransform:
        if sum(getattr(self, name) is not None for name in FURTHER) != 1:
            raise ValueError("each entry names one transform with its parameters, as {RandomGamma: {p: 0.3}}")
        return self

    @model_serializer(mode="wrap")
    def _only_the_named(self, plain: Any) -> dict[str, Any]:
        return {name: options for name, options in plain(self).items() if options is not None}


_BY_NAME: dict[str, Any] = {name: (_options_of(name, each) | None, None) for name, each in FURTHER.items()}
FurtherTransform = create_model("FurtherTransform", __base__=_OneTransform, __doc__=_OneTransform.__doc__, **_BY_NAME)
"""An entry of ``also``: a mapping of one name to its parameters."""
