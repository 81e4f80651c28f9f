"""Stored values -> display values in DICOM's order (PS3.3 C.11, PS3.4 N.2): padding, modality, window.

MONOCHROME1 is inverted once, at the end.

Every step works on one value at a time, so the whole chain is a table with one entry per possible stored value, and an
image costs one look-up. Geometry is ``resample``'s business.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from radia_pipeline.dicom.facts import PixelFacts, number, text

FULL = 65535.0
"""White of the 16-bit output."""


@dataclass(frozen=True)
class GreyScale:
    """What a header asks for. ``table`` maps index = stored value − ``lowest`` to float32 in [0, 65535]."""

    table: np.ndarray
    lowest: int
    window_center: float | None
    window_width: float | None
    padding: tuple[int, int] | None

    def apply(self, stored: np.ndarray) -> np.ndarray:
        """Return display values, float32 of the same shape; bright means dense."""
        if self.lowest:
            return np.take(self.table, stored.astype(np.int32) - self.lowest)
        return np.take(self.table, stored)


def grey_scale(dataset: Dataset, facts: PixelFacts, stored: np.ndarray) -> GreyScale:
    """Build the table for one image. ``stored``: its values, needed where the header gives no window."""
    lowest = -(1 << (facts.bits_stored - 1)) if facts.is_signed else 0
    values = np.arange(lowest, lowest + (1 << facts.bits_stored), dtype=np.float64)
    padding = _padding(dataset, facts, lowest, len(values))
    modality = _modality(dataset, values)
    shown, center, width = _value_of_interest(dataset, modality)
    if shown is None:
        shown = _full_range(modality, stored, lowest, padding)
    if facts.is_inverted:
        # PS3.3 C.7.6.3.1.2. Presentation LUT Shape INVERSE says the same again and is not applied on top of it.
        shown = 1.0 - shown
    table = (shown * FULL).astype(np.float32)
    if padding is not None:
        table[(values >= padding[0]) & (values <= padding[1])] = 0.0
    return GreyScale(table, lowest, center, width, padding)


def _padding(dataset: Dataset, facts: PixelFacts, lowest: int, count: int) -> tuple[int, int] | None:
    """Return the closed range of padding values (PS3.3 C.7.5.1.1.2).

    It is None where the header names none that can occur.
    """
    first = _stored(number(dataset, "PixelPaddingValue"), facts)
    if first is None:
        return None
    last = _stored(number(dataset, "PixelPaddingRangeLimit"), facts)
    low, high = sorted((first, first if last is None else last))
    return (low, high) if high >= lowest and low < lowest + count else None


def _stored(value: float | None, facts: PixelFacts) -> int | None:
    """Read a padding value in the pixels' own representation: US for SS and the reverse occur."""
    if value is None:
        return None
    whole = int(value)
    if facts.is_signed and whole >= 1 << (facts.bits_allocated - 1):
        whole -= 1 << facts.bits_allocated
    if not facts.is_signed and whole < 0:
        whole += 1 << facts.bits_allocated
    return whole


def _modality(dataset: Dataset, values: np.ndarray) -> np.ndarray:
    """Modality LUT (PS3.3 C.11.1): a table, else slope and intercept, else nothing."""
    looked_up = _look_up(dataset, "ModalityLUTSequence", values)
    if looked_up is not None:
        return looked_up[0]
    slope, intercept = number(dataset, "RescaleSlope"), number(dataset, "RescaleIntercept")
    return values * (slope if slope else 1.0) + (intercept or 0.0)


def _value_of_interest(dataset: Dataset, x: np.ndarray) -> tuple[np.ndarray | None, float | None, float | None]:
    """VOI LUT (PS3.3 C.11.2), first item, in 0..1; the vendor's table before the plain window where both are given."""
    looked_up = _look_up(dataset, "VOILUTSequence", x)
    if looked_up is not None:
        table, bits = looked_up
        return np.clip(table / _white_of(table, bits), 0.0, 1.0), None, None
    center, width = number(dataset, "WindowCenter"), number(dataset, "WindowWidth")
    function = text(dataset, "VOILUTFunction").upper() or "LINEAR"
    if center is None or width is None:
        return None, None, None
    shown = window(x, center, width, function)
    return (None, None, None) if shown is None else (shown, center, width)


def _white_of(table: np.ndarray, bits: int) -> int:
    """Return the value that is white: that of the declared bits, or of those that occur where the upper ones never do.

    Some devices declare 16 bits for entries of 12; the picture would be black.
    """
    return (1 << min(bits, max(int(table.max()).bit_length(), 1))) - 1


def window(x: np.ndarray, center: float, width: float, function: str = "LINEAR") -> np.ndarray | None:
    """Return x through a window as 0..1 (PS3.3 C.11.2.1.2.1, C.11.2.1.3); None where the width is not allowed."""
    if function == "SIGMOID":
        if width <= 0:
            return None
        return 1.0 / (1.0 + np.exp(np.clip(-4.0 * (x - center) / width, -700, 700)))
    if function == "LINEAR_EXACT":
        return np.clip((x - center) / width + 0.5, 0.0, 1.0) if width > 0 else None
    if width < 1:
        return None
    if width == 1:
        return (x > center - 0.5).astype(np.float64)
    return np.clip((x - (center - 0.5)) / (width - 1) + 0.5, 0.0, 1.0)


def _full_range(modality: np.ndarray, stored: np.ndarray, lowest: int, padding: tuple[int, int] | None) -> np.ndarray:
    """Without a window the standard leaves the contrast open: the range of the values that occur, padding aside."""
    low, high = _range(stored, padding)
    used = modality[low - lowest : high - lowest + 1]
    bottom, top = float(used.min()), float(used.max())
    if top == bottom:
        return np.zeros_like(modality)
    return np.clip((modality - bottom) / (top - bottom), 0.0, 1.0)


def _range(stored: np.ndarray, padding: tuple[int, int] | None) -> tuple[int, int]:
    low, high = int(stored.min()), int(stored.max())
    if padding is not None and padding[1] >= low and padding[0] <= high:
        kept = stored[(stored < padding[0]) | (stored > padding[1])]
        if kept.size:
            low, high = int(kept.min()), int(kept.max())
    return low, high


def _look_up(dataset: Dataset, keyword: str, x: np.ndarray) -> tuple[np.ndarray, int] | None:
    """Apply the first item of a LUT sequence (PS3.3 C.11.1.1); None where there is none that can be read."""
    try:
        item = dataset[keyword].value[0]
        count, first, bits = (int(value) for value in item["LUTDescriptor"].value)
        data = _lut_data(item)
    except (KeyError, IndexError, TypeError, ValueError):
        return None
    count = count or 1 << 16
    if data is None or len(data) < count or not 8 <= bits <= 16:
        return None
    if first >= 1 << 15 and x[0] < 0:
        first -= 1 << 16
    index = np.clip(np.rint(x) - first, 0, count - 1).astype(np.int64)
    return data[:count].astype(np.float64)[index], bits


def _lut_data(item: Dataset) -> np.ndarray | None:
    """Read the entries: words, or single bytes where there are as many bytes as entries, made even."""
    raw = item["LUTData"].value
    if isinstance(raw, bytes):
        count = int(item["LUTDescriptor"].value[0]) or 1 << 16
        return np.frombuffer(raw, np.uint8 if len(raw) <= count + count % 2 else "<u2")
    return np.atleast_1d(np.asarray(raw, dtype=np.int64)) & 0xFFFF
