"""Pictures of pixels on one sheet, with captions: a PNG. What does not belong here: which pictures, and where they go.

Pictures are (h, w) or (h, w, 3) uint8, RGB.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

INKS = {"plain": (230, 230, 230), "accent": (240, 220, 60), "muted": (155, 155, 155)}
"""What a caption may be."""
_SHEET, _EDGE, _EMPTY = (0, 0, 0), (70, 70, 70), (28, 30, 42)
_TEXT_PX, _LINE_PX, _PAD_PX, _BORDER_PX = 12, 16, 4, 2

Caption = tuple[str, str]
"""Words and their ink (``INKS``)."""


@dataclass(frozen=True)
class Tile:
    """Pictures of one height side by side, framed, with captions below, wrapped to the tile's width."""

    pictures: Sequence[np.ndarray]
    captions: Sequence[Caption] = ()


def fitted(picture: np.ndarray, side_px: int) -> np.ndarray:
    """Return a picture at a size: averaged when it shrinks; enlarged as it is, for blur would hide its pixels."""
    how = Image.Resampling.BOX if max(picture.shape[:2]) > side_px else Image.Resampling.NEAREST
    return np.asarray(Image.fromarray(picture).resize((side_px, side_px), how))


def empty_picture(words: str, side_px: int) -> np.ndarray:
    """Return a dark square with words: a picture that is not there."""
    sheet = Image.new("RGB", (side_px, side_px), _EMPTY)
    ImageDraw.Draw(sheet).text((side_px / 2, side_px / 2), words, INKS["muted"], _font(), anchor="mm")
    return np.asarray(sheet)


def montage(tiles: Sequence[Tile], *, heading: Sequence[str] = (), width_px: int = 1600) -> bytes:
    """Return a PNG with the heading and the tiles in rows as wide as ``width_px`` allows, at least one a row.

    Raises ValueError without a tile.
    """
    if not tiles:
        raise ValueError("a montage needs a tile")
    drawn = [_tile(tile) for tile in tiles]
    wide, high = max(tile.shape[1] for tile in drawn), max(tile.shape[0] for tile in drawn)
    columns = min(len(drawn), max(1, width_px // wide))
    rows = -(-len(drawn) // columns)
    top = _strip([(line, "plain") for line in heading], columns * wide)
    sheet = np.zeros((top.shape[0] + rows * high, columns * wide, 3), dtype=np.uint8)
    sheet[: top.shape[0]] = top
    for place, tile in enumerate(drawn):
        y, x = top.shape[0] + place // columns * high, place % columns * wide
        sheet[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
    held = io.BytesIO()
    Image.fromarray(sheet).save(held, format="PNG")
    return held.getvalue()


@cache
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(_TEXT_PX)


def _tile(tile: Tile) -> np.ndarray:
    row = np.hstack([_framed(picture) for picture in tile.pictures])
    return np.vstack([row, _strip(tile.captions, row.shape[1])])


def _framed(picture: np.ndarray) -> np.ndarray:
    """Return a picture in colours inside a frame."""
    coloured = np.repeat(picture[..., None], 3, axis=2) if picture.ndim == 2 else picture
    framed = np.empty((coloured.shape[0] + 2 * _BORDER_PX, coloured.shape[1] + 2 * _BORDER_PX, 3), dtype=np.uint8)
    framed[:] = _EDGE
    framed[_BORDER_PX:-_BORDER_PX, _BORDER_PX:-_BORDER_PX] = coloured
    return framed


def _strip(captions: Sequence[Caption], width_px: int) -> np.ndarray:
    """Return captions below each other on the sheet's ground, wrapped."""
    lines = [(line, ink) for words, ink in captions for line in _wrapped(words, width_px - 2 * _PAD_PX)]
    sheet = Image.new("RGB", (width_px, len(lines) * _LINE_PX + _PAD_PX * bool(lines)), _SHEET)
    pen = ImageDraw.Draw(sheet)
    for number, (line, ink) in enumerate(lines):
        pen.text((_PAD_PX, 1 + number * _LINE_PX), line, INKS[ink], _font())
    return np.asarray(sheet)


def _wrapped(words: str, width_px: float) -> list[str]:
    """Return the lines of a caption; a word that is wider than the tile is cut by its edge."""
    lines: list[str] = []
    for word in words.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _font().getlength(longer) <= width_px:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
