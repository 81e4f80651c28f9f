"""Doubts about a picture: what is empty is seen, what is whole is left alone, and each doubt says what to do."""

from __future__ import annotations

import numpy as np
import pytest

from radia_pipeline.dicom.doubts import DOUBTS, doubts_of, empty_share
from radia_pipeline.dicom.pixel_checks import FLAGS, cropped_score, remarks
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


@pytest.mark.parametrize(("shape", "score"), [
    ((100, 100), 0.0), ((150, 100), 0.0), ((100, 190), 0.5), ((230, 100), 1.0), ((900, 100), 1.0),
])  # fmt: skip
def test_a_film_that_is_too_narrow_for_a_thorax_is_scored_from_0_to_1(shape, score):
    assert cropped_score(shape) == pytest.approx(score)


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
    "upper": lambda image: blank_half(image, 0, True),
    "lower": lambda image: blank_half(image, 0, False),
    "left": lambda image: blank_half(image, 1, True),
    "right": lambda image: blank_half(image, 1, False),
    "corner": corner,
    "hole": hole,
}


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


def test_what_silences_and_what_only_warns():
    warns = {"mirrored", "cropped", "low_resolution", "initials", "unread_capture", "lateral_alone"}
    assert {name for name, doubt in DOUBTS.items() if not doubt.silences} == warns
    silent = [doubt.silences for _, doubt in DOUBTS.items()]
    assert silent == sorted(silent, reverse=True), "those that silence stand first, the most telling first"


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (48, 48, set()),
        (47, 48, {"too_small"}),
        (48, 47, {"too_small"}),
        (96, 48, set()),
        (48, 96, set()),
        (97, 48, {"too_narrow"}),
        (48, 97, {"too_narrow"}),
        (47, 95, {"too_small", "too_narrow"}),
    ],
)
def test_the_bounds_of_size_and_shape(height, width, expected):
    noise = np.random.default_rng(3).integers(0, 65535, (height, width), dtype=np.uint16)
    assert set(doubts_of(noise, {}, ())) == expected


def test_a_flag_without_a_score_is_certain_and_what_says_nothing_against_reading_is_none():
    noise = np.random.default_rng(3).integers(0, 65535, (200, 200), dtype=np.uint16)
    flags = ("mirrored", "rotated", "age_capped", "for_processing", "secondary_capture", "settled_by_person")
    assert list(doubts_of(noise, {"rotated": 0.75}, flags).items()) == [("rotated", 0.75), ("mirrored", 1.0)]


def test_an_empty_share_is_the_share_that_is_empty():
    noise = np.random.default_rng(3).integers(0, 65535, (256, 256), dtype=np.uint16)
    for part in (0.25, 0.5, 0.75):
        changed = noise.copy()
        changed[: int(256 * part)] = 0
        assert empty_share(changed) == pytest.approx(part, abs=0.05)
    hidden = noise.copy()
    hidden[80:180, 90:190] = 7
    assert empty_share(hidden) == pytest.approx(100 * 100 / 256**2, abs=0.05)
