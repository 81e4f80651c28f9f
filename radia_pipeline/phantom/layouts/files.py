"""Encoding of pixels and tables that several layouts share."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import cv2
import numpy as np

JPEG_QUALITY = 92


def eight_bit(grey: np.ndarray) -> np.ndarray:
    """Return stored values of 8 bits of grey 0..1."""
    return np.round(grey * np.float32(255)).astype(np.uint8)


def png_bytes(pixels: np.ndarray) -> bytes:
    """Return a PNG of 8 or 16 bits."""
    return cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()


def jpeg_bytes(grey: np.ndarray) -> bytes:
    """Return a grey JPEG."""
    return cv2.imencode(".jpg", eight_bit(grey), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()


def save(path: Path, content: bytes) -> None:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def write_csv(path: Path, header: list[str], rows: list[list]) -> None:
    """Write a table; gzipped, without a clock in it, where the name ends in .gz."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    content = text.getvalue().encode()
    save(path, gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
