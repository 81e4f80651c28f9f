"""The outline of the thorax: near the phantom's truth wherever the film lies, absent where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from radia_pipeline.dicom.thorax import thorax_of
from radia_pipeline.phantom.radiograph import Film, take
from radia_pipeline.phantom.radiograph import thorax_of as truth_of
from radia_pipeline.phantom.signs import Sign


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


def shot(film: Film) -> np.ndarray:
    return (take(film).grey * 65535).astype(np.uint16)


@pytest.mark.parametrize("seed", range(8))
def test_the_outline_lies_on_the_truth(seed):
    film = Film("AP" if seed % 3 == 0 else "PA", 900 + seed, seed, bool(seed % 2), 20 + 8 * seed, (), 256)
    image = shot(film)
    assert overlap(thorax_of(image).mask(*image.shape), truth_of(film)) >= 0.8


def test_an_opaque_lung_leaves_the_other_to_find_it_by():
    sign = Sign("Pleural Effusion", -1, "lower", 0.9, 3)
    film = Film("PA", 4, 5, False, 60, (sign,), 256)
    assert overlap(thorax_of(shot(film)).mask(*shot(film).shape), truth_of(film)) >= 0.8


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_window_and_size_change_nothing_but_the_scale(gamma):
    film = Film("PA", 8, 9, True, 40, (), 256)
    image = shot(film)
    other = ((image / 65535) ** gamma * 65535).astype(np.uint16)
    large = np.kron(other, np.ones((2, 2), np.uint16))
    one, two = thorax_of(image).mask(*image.shape), thorax_of(large).mask(*large.shape)
    assert overlap(one, two[::2, ::2]) > 0.93


@pytest.mark.parametrize("seed", range(3))
def test_where_there_is_no_chest_nothing_is_found(seed):
    rng = np.random.default_rng(seed)
    assert thorax_of(rng.integers(0, 65535, (200, 160)).astype(np.uint16)) is None
    assert thorax_of(np.full((200, 160), 7, np.uint16)) is None
    assert thorax_of(np.zeros((4, 4), np.uint16)) is None


def test_a_mask_is_the_outline_filled():
    image = shot(Film("PA", 1, 2, True, 40, (), 256))
    found = thorax_of(image)
    assert found.outline.shape[1] == 2
    assert 0.2 < found.mask(*image.shape).mean() < 0.8
    assert found.fit <= 1
