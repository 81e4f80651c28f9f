"""Doubts about a picture: what is empty is seen, what is whole is left alone, and each doubt says what to do."""

from __future__ import annotations

import numpy as np
import pytest

from radia_pipeline.dicom.doubts import DOUBTS, doubts_of, empty_share
from radia_pipeline.dicom.pixel_checks import FLAGS, remarks
from radia_pipeline.phantom.radiograph import Film, take


def film(seed: int, view: str = "PA") -> np.ndarray:
    grey = take(Film(view, seed, seed + 1, bool(seed % 2), 30 + seed % 50, (), 256)).grey
    return (grey * 65535).astype(np.uint16)


def doubts(image: np.ndarray) -> dict[str, float]:
    image = np.ascontiguousarray(image)
    notes = remarks(image)
    return doubts_of(image, notes.scores, notes.flags)


@pytest.mark.parametrize("seed", range(6))
def test_a_whole_film_raises_no_doubt_that_silences(seed):
    assert not [name for name in doubts(film(seed)) if DOUBTS[name].silences]


def blank_half(image, axis, first):
    changed, middle = image.copy(), image.shape[axis] // 2
    place = [slice(None), slice(None)]
    place[axis] = slice(None, middle) if first else slice(middle, None)
    changed[tuple(place)] = 0
    return changed


def corner(image):
    changed = image.copy()
    changed[: image.shape[0] // 2, : image.shape[1] // 2] = 0
    return changed


def hole(image):
    changed = image.copy()
    top, left = (size * 3 // 10 for size in image.shape)
    changed[top : 2 * top, left : 2 * left] = 40_000
    return changed


CHANGES = {
    "upper": lambda image: blank_half(image, 0, True), "lower": lambda image: blank_half(image, 0, False),
    "left": lambda image: blank_half(image, 1, True), "right": lambda image: blank_half(image, 1, False),
    "corner": corner, "hole": hole,
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("seed", [2, 5])
def test_an_empty_part_silences(seed, change):
    assert empty_share(change(film(seed))) > 0
    assert DOUBTS[next(iter(doubts(change(film(seed)))))].silences


@pytest.mark.parametrize(
    ("image", "doubt"),
    [
        (np.zeros((300, 300), np.uint16), "blank"),
        (film(1)[::32, ::32], "too_small"),
        (np.repeat(film(1)[:, :40], 8, axis=0), "too_narrow"),
        (65535 - film(3), "inverted"),
        (np.rot90(film(3)), "rotated"),
        (np.rot90(film(3), 2), "rotated"),
    ],
)
def test_a_picture_that_nobody_should_read_is_silenced(image, doubt):
    assert doubt in doubts(image)
    assert DOUBTS[doubt].silences


def test_every_flag_of_the_ingest_is_a_doubt_with_words_for_people():
    assert set(FLAGS) <= set(DOUBTS)
    assert all(doubt.means and doubt.do for _, doubt in DOUBTS.items())


def test_scores_are_shares():
    assert all(0 <= score <= 1 for image in (film(1), corner(film(1))) for score in doubts(image).values())
