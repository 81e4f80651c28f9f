"""A file's bytes -> its values and grey curve; runs in a worker. What crosses stands in ``native_pixels``."""

from __future__ import annotations

import hashlib

import numpy as np

from radia_pipeline.dicom import decode, greyscale, render
from radia_pipeline.dicom.delivered import read_whole
from radia_pipeline.dicom.facts import number, pixel_facts
from radia_pipeline.errors import Refusal
from radia_pipeline.privacy import container as dicom_container
from radia_pipeline.privacy import reasons
from radia_pipeline.privacy.container import Container
from radia_pipeline.processes.frames import Frame

_END_SHARE = 64
"""The curve's end is as steep as the last of so many parts of it: single entries are rounded."""


def native_frame(task: Frame) -> Frame:
    """Decode the file of a task's record; raises Refusal."""
    path, sha256, threads = task.body
    data, _ = read_whole(path)
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise Refusal(reasons.CHANGED_WHILE_READ, "not the file that was let in")
    kind = dicom_container.sniff(data)
    if kind != "dicom":
        if kind not in ("png", "jpeg"):
            raise Refusal(reasons.NOT_AN_IMAGE)
        picture = render.picture_of_raster(data, kind)
        return _plain(picture.stored) if picture.stored.dtype == np.uint8 else _identity(picture.shown)
    return _of_dicom(dicom_container.parse(data), threads)


def _of_dicom(parsed: Container, threads: int) -> Frame:
    facts = pixel_facts(parsed)
    stored = decode.stored_values(parsed, facts, threads)
    scale = greyscale.grey_scale(parsed.dataset, facts, stored)
    if facts.row_over_column != 1:
        return _identity(render.squared(scale.apply(stored), facts.row_over_column))
    values = (stored.astype(np.int32) - scale.lowest).astype(np.uint16) if scale.lowest else stored.astype(np.uint16)
    slope = number(parsed.dataset, "RescaleSlope") or 1.0
    intercept = number(parsed.dataset, "RescaleIntercept") or 0.0
    has_table = "ModalityLUTSequence" in parsed.dataset
    units = None if has_table else [float(slope), float(intercept + slope * scale.lowest)]
    padding = None
    if scale.padding is not None:
        last = len(scale.table) - 1
        padding = [min(max(edge - scale.lowest, 0), last) for edge in scale.padding]
    return _curved(values, scale.table, _window(scale, units, padding), units, padding)


def _window(scale: greyscale.GreyScale, units: list[float] | None, padding: list[int] | None) -> list[float]:
    """Return centre and width in values: of the header's plain window, else where the curve rises or falls."""
    if scale.window_center is not None and scale.window_width and units is not None:
        return [(scale.window_center - units[1]) / units[0], max(abs(scale.window_width / units[0]), 1.0)]
    curve = scale.table.astype(np.float64)
    if padding is not None:  # padding lies at an end, and is no part of the curve
        inside = np.ones(len(curve), dtype=bool)
        inside[padding[0] : padding[1] + 1] = False
        places = np.flatnonzero(inside)
        if places.size:
            curve = np.interp(np.arange(len(curve)), places, curve[places])
    moving = np.flatnonzero(np.diff(curve))
    low, high = (int(moving[0]), int(moving[-1]) + 1) if moving.size else (0, len(curve) - 1)
    return [(low + high) / 2, float(max(high - low, 1))]


def _curved(
    values: np.ndarray, curve: np.ndarray, window: list[float], units: list[float] | None, padding: list[int] | None
) -> Frame:
    part = max(1, len(curve) // _END_SHARE)
    sides = [(curve[part] - curve[0]) / part, (curve[-1] - curve[-1 - part]) / part]
    table = np.rint(curve).astype(np.uint16)
    return Frame([window, [float(side) for side in sides], units, padding], (values, table))


def _plain(stored: np.ndarray) -> Frame:
    """Return an 8-bit picture, whose values are grey as they are."""
    curve = np.arange(256, dtype=np.float32) * np.float32(greyscale.FULL / 255)
    return _curved(stored.astype(np.uint16), curve, [127.5, 255.0], [1.0, 0.0], None)


def _identity(shown: np.ndarray) -> Frame:
    """Return display values, float32 (H, W) in [0, 65535], as they are."""
    values = np.rint(shown).astype(np.uint16)
    window = [greyscale.FULL / 2, greyscale.FULL]
    return Frame([window, [1.0, 1.0], None, None], (values, np.zeros(0, dtype=np.uint16)))
