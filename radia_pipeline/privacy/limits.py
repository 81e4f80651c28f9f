"""Caps that stand before any decoding, so that a hostile file costs one refusal and not the run. Numbers only."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What one delivered file may cost.

    The largest digital radiography detectors deliver about 25 million pixels of 2 bytes; the caps leave twice that.
    """

    file_bytes: int = 256 * MIB
    inflated_bytes: int = 256 * MIB
    side_px: int = 16384
    pixels: int = 50_000_000
    pixel_bytes: int = 128 * MIB
    frames: int = 1
    nesting: int = 16
    elements: int = 20_000
    seconds: float = 120.0
    memory_bytes: int = 4096 * MIB


DEFAULT_LIMITS = Limits()
