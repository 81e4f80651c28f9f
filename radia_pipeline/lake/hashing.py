"""Hashes of contents: files and pixels. Those of rows are in ``row_hash``, keyed hashes of identities in ``keys``."""

from __future__ import annotations

import hashlib

import numpy as np

_ROWS = 64


def pixel_sha256(pixels: np.ndarray) -> str:
    """Return the SHA-256 over shape and stored values, whatever integer type or byte order carried them.

    ``pixels``: integer array of stored values as decoded, before any grey-scale step, any shape.
    """
    digest = hashlib.sha256(repr(tuple(int(n) for n in pixels.shape)).encode())
    rows = pixels if pixels.ndim > 1 else pixels.reshape(1, -1)
    for at in range(0, len(rows), _ROWS):
        # A few rows at a time stay in the processor's cache; the whole, widened to 4 bytes, would not.
        digest.update(np.ascontiguousarray(rows[at : at + _ROWS], dtype="<i4").data)
    return digest.hexdigest()
