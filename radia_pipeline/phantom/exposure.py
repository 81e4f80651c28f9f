"""The film's response: from optical thickness to display grey values, with noise, exposure and markers."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from radia_pipeline.phantom.canvas import Frame

MARKERS = {
    "D": [(0.0, 0.0), (0.0, 1.0), (0.35, 1.0), (0.6, 0.75), (0.6, 0.25), (0.35, 0.0), (0.0, 0.0)],
    "G": [
        (0.6, 0.2),
        (0.4, 0.0),
        (0.15, 0.05),
        (0.0, 0.3),
        (0.0, 0.7),
        (0.15, 0.95),
        (0.45, 1.0),
        (0.6, 0.8),
        (0.6, 0.55),
        (0.35, 0.55),
    ],
}
"""Letters of lead as strokes in a cell of unit height (D for droite, G for gauche)."""


@dataclass(frozen=True)
class Exposure:
    """Centre (thickness of middle grey), contrast (slope of the response), noise deviation and grain blur in pixels."""

    centre: float
    contrast: float
    noise: float
    blur_px: float
    collimation: float
    marker_side: int


def draw_exposure(rng: np.random.Generator, *, is_portable: bool) -> Exposure:
    """Draw how one film was exposed; portable films are noisier and flatter."""
    return Exposure(
        centre=rng.uniform(0.50, 0.60),
        contrast=rng.uniform(4.2, 5.6) * (0.88 if is_portable else 1.0),
        noise=rng.uniform(0.008, 0.018) * (1.5 if is_portable else 1.0),
        blur_px=rng.uniform(0.3, 0.8),
        collimation=rng.uniform(0.0, 0.018) if rng.random() < 0.35 else 0.0,
        marker_side=int(rng.integers(-1, 2)),
    )


def develop(thickness: np.ndarray, frame: Frame, exposure: Exposure, rng: np.random.Generator) -> np.ndarray:
    """Return display grey 0..1 (bright = dense) of a thickness raster.

    The response is the logistic curve of film and detector tables; noise is quantum mottle (more where little light
    falls through) of a fine grain.
    """
    grey = 1 / (1 + np.exp(np.float32(-exposure.contrast) * (thickness - np.float32(exposure.centre))))
    noise = rng.standard_normal(frame.shape, dtype=np.float32)
    if exposure.blur_px > 0.4:
        noise = cv2.GaussianBlur(noise, (0, 0), exposure.blur_px) * np.float32(2 * exposure.blur_px)
    grey += noise * (np.float32(exposure.noise) * (0.5 + grey))
    _mark(grey, frame, exposure)
    border = round(exposure.collimation * max(frame.shape))
    if border:
        grey[:border] = grey[-border:] = 0.01
        grey[:, :border] = grey[:, -border:] = 0.01
    return np.clip(grey, 0, 1)


def _mark(grey: np.ndarray, frame: Frame, exposure: Exposure) -> None:
    """Set the lead letter of a side into the upper corner of many films (D for droite, G for gauche)."""
    if not exposure.marker_side:
        return
    strokes = MARKERS["D" if exposure.marker_side < 0 else "G"]
    height = 0.034 * max(frame.shape)
    corner = np.array([(0.06 if exposure.marker_side < 0 else 0.90) * frame.width_px, 0.05 * frame.height_px])
    raster = np.zeros(frame.shape, dtype=np.uint8)
    points = np.round(16 * (corner + height * np.array(strokes))).astype(np.int32)
    cv2.polylines(raster, [points], False, 255, max(1, round(height / 7)), cv2.LINE_AA, 4)
    np.maximum(grey, raster.astype(np.float32) * np.float32(0.93 / 255), out=grey)
