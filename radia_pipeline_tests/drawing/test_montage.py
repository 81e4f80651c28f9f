"""Montages: every pixel where it belongs, captions below, nothing lost at the edge."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from radia_pipeline.drawing.montage import INKS, Tile, empty_picture, fitted, montage

GREY = np.tile(np.arange(64, dtype=np.uint8) * 4, (64, 1))
RED = np.zeros((64, 64, 3), dtype=np.uint8)
RED[..., 0] = 255


def opened(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def test_pictures_stand_side_by_side_in_colour_with_their_pixels():
    sheet = opened(montage([Tile([GREY, RED])]))
    assert sheet.shape == (68, 136, 3)
    assert (sheet[2:66, 2:66] == GREY[..., None]).all()
    assert (sheet[2:66, 70:134] == RED).all()


def test_tiles_fill_rows_up_to_the_width_and_keep_the_last_row():
    tiles = [Tile([np.full((64, 64), 50 + number, dtype=np.uint8)]) for number in range(5)]
    sheet = opened(montage(tiles, width_px=140))
    assert sheet.shape == (3 * 68, 2 * 68, 3)
    assert sheet[2 * 68 + 30, 30, 0] == 54
    assert not sheet[2 * 68 :, 68:].any()


def test_a_tile_wider_than_the_sheet_stands_alone():
    assert opened(montage([Tile([GREY] * 3)] * 2, width_px=50)).shape == (2 * 68, 3 * 68, 3)


def test_captions_and_headings_are_drawn_in_their_ink_and_make_room():
    plain = opened(montage([Tile([GREY])]))
    captioned = opened(montage([Tile([GREY], [("Épanchement, œdème", "accent")])], heading=["a heading"]))
    assert captioned.shape[0] > plain.shape[0] + 2 * 12
    assert (captioned[-40:] == INKS["accent"]).all(axis=2).any()
    assert (captioned[:16] == INKS["plain"]).all(axis=2).any()


def test_long_captions_wrap_to_the_tile_and_do_not_widen_it():
    one = opened(montage([Tile([GREY], [("word", "muted")])]))
    many = opened(montage([Tile([GREY], [("word " * 30, "muted")])]))
    assert many.shape[1] == one.shape[1]
    assert many.shape[0] > one.shape[0] + 5 * 12


def test_pictures_are_averaged_when_they_shrink_and_not_blurred_when_they_grow():
    board = (np.indices((64, 64)).sum(axis=0) % 2 * 254).astype(np.uint8)
    assert set(np.unique(fitted(board, 32))) == {127}
    assert set(np.unique(fitted(board, 128))) == {0, 254}
    assert fitted(RED, 32).shape == (32, 32, 3)


def test_a_picture_that_is_not_there_says_so():
    sheet = empty_picture("no view", 128)
    assert sheet.shape == (128, 128, 3)
    assert len(np.unique(sheet.reshape(-1, 3), axis=0)) > 2


def test_without_a_tile_there_is_no_montage():
    with pytest.raises(ValueError, match="needs a tile"):
        montage([])
