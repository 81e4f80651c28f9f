"""Descriptors and agreement of films by numbers: margins, spans of a query, whitening and maps worked out by hand.

What is pinned on invented pictures must not move: descriptors and found pairs of a standing lake were made so, and new
films are compared with them; who moves one gives the kept file another format.
"""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from radia_pipeline.cohort import film_descriptor as fd
from radia_pipeline.cohort import registration as reg
from radia_pipeline.cohort.copies import read_grey
from radia_pipeline.cohort.whitening import learned
from radia_pipeline_tests.cohort.test_links import picture

SEEN = [0.0, 0.0, 0.0, 0.00012, 0.05161, 0.64654, 0.99139, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
HISTOGRAMS = [
    0.02823,
    0.02432,
    0.01923,
    0.02359,
    0.01099,
    0.03411,
    0.02761,
    0.01971,
    0.0216,
    0.03173,
    0.02787,
    0.02235,
    0.01677,
    0.02819,
    0.02226,
    0.02237,
    0.01406,
    0.03306,
    0.02742,
    0.0283,
    0.0264,
    0.0151,
    0.01722,
    0.02164,
    0.02583,
    0.01504,
    0.01519,
    0.0184,
    0.03012,
    0.01943,
    0.01396,
    0.02171,
    0.03031,
    0.02531,
    0.01791,
    0.02222,
    0.01099,
    0.01871,
    0.01366,
    0.01944,
    0.01901,
    0.02038,
    0.01372,
    0.01964,
    0.01122,
    0.01898,
    0.01341,
    0.01897,
    0.01652,
    0.01842,
    0.01538,
    0.01943,
    0.01901,
    0.02883,
    0.02258,
    0.02057,
    0.02137,
    0.02799,
    0.0202,
    0.02254,
    0.01806,
    0.02817,
    0.02689,
    0.02534,
]
DESCRIPTORS = [
    -0.00566,
    0.10096,
    0.01639,
    0.04743,
    0.18519,
    0.1148,
    -0.09745,
    0.03611,
    0.17697,
    0.12822,
    -0.08534,
    0.01272,
    0.14993,
    0.10459,
    -0.07702,
    0.01626,
    0.14882,
    0.11888,
    -0.06879,
    0.03769,
    -0.05337,
    0.02447,
    0.05192,
    0.09019,
    -0.04647,
    0.05369,
    0.06818,
    0.06445,
    -0.06937,
    0.01012,
    0.07252,
    0.06629,
    0.03111,
    -0.02308,
    -0.03185,
    0.02918,
    0.05982,
    -0.13629,
    0.09559,
    0.02734,
    0.0418,
    -0.10202,
    0.0952,
    0.01473,
    0.02245,
    -0.11793,
    0.09591,
    0.03455,
    -0.01365,
    -0.08437,
    0.05842,
    0.01838,
    0.11924,
    0.07828,
    -0.08253,
    0.01554,
    0.09897,
    0.02159,
    -0.0663,
    0.01857,
    0.07812,
    0.07059,
    -0.09694,
    0.03251,
]
COVERED = (0.8447, 0.7829, 0.6414)
AGREEMENTS = [0.9971, 1.0, 1.0, -1.0, 0.9869, -1.0, -1.0]
CROPS = (0.92338, 0.92338)
FINE = [-0.3697, 0.39882, 1.73557]
FAINT = 8.29973
DETAIL = [-0.19988, 1.25314, 1.7656, -0.19729, -0.30396, 1.66799]
"""Pinned on ``film``, see above."""


@pytest.fixture(scope="module")
def film() -> np.ndarray:
    """Waves of several lengths, each bent by another, float32 (200, 170)."""
    y, x = np.mgrid[0:200, 0:170].astype(np.float64)
    waves = ((90, 40), (31, -57), (13, 17), (-7, 11), (5, 3.7), (2.9, -3.3))
    found = sum(
        np.sin(2 * np.pi * (x / wide + y / high) + 1.3 * np.sin(x / (9 + 2 * at)) * np.cos(y / (12 + at))) / (at + 1.5)
        for at, (wide, high) in enumerate(waves)
    )
    return ((found - found.min()) / np.ptp(found) * 50_000).astype(np.float32)


def test_constant_margins_are_cut_at_all_sides(film):
    laid = np.pad(film, ((9, 14), (21, 30)))
    assert fd.trimmed(laid).shape == film.shape
    assert (fd.trimmed(laid) == film).all()
    masked = laid.copy()
    masked[:9, :60] = 50_000  # two greys in a margin, as where a corner was masked
    assert fd.trimmed(masked).shape == film.shape
    assert (fd.trimmed(film) == film).all()
    assert fd.trimmed(np.full((90, 80), 7, np.float32)).shape == (90, 80)


def test_what_is_left_of_a_film_is_thirty_two_pixels_at_least(film):
    for kept, expected in ((32, 32), (31, 140)):
        laid = np.zeros((140, 170), np.float32)
        laid[50 : 50 + kept] = film[:kept]
        assert fd.trimmed(laid).shape[0] == expected


def test_a_large_film_is_brought_to_512_and_keeps_its_shape(film):
    large = np.kron(film, np.ones((3, 3), np.float32))
    assert fd.trimmed(large[:512, :400]).shape == (512, 400)
    assert fd.trimmed(large[:513, :400]).shape == (512, 399)
    assert fd.trimmed(large).shape == (512, 435)


@pytest.mark.parametrize(("step", "is_margin"), [(0.0, True), (0.0019, True), (0.0021, False)])
def test_neighbours_of_a_margin_differ_by_less_than_a_five_hundredth(step, is_margin):
    image = np.tile(np.linspace(0, 1, 80, dtype=np.float32), (40, 1))
    image[5] = 0.3 + step * (np.arange(80) % 2)
    assert bool(fd._is_margin(image, 1, 1.0)[5]) is is_margin
    assert bool(fd._is_margin(image.T.copy(), 0, 1.0)[5]) is is_margin
    assert fd._is_margin(image, 1, 1.0).sum() == int(is_margin)


@pytest.mark.parametrize(("changed", "is_margin"), [(1, True), (2, False)])
def test_a_row_is_a_margin_where_93_of_100_places_are_level(changed, is_margin):
    """Twenty places of eighty are asked: one in twenty may differ."""
    image = np.tile(np.linspace(0, 1, 80, dtype=np.float32), (40, 1))
    image[5] = 0.3
    image[5, 1 : 4 * changed : 4] = 0.9
    assert bool(fd._is_margin(image, 1, 1.0)[5]) is is_margin


def test_a_level_belly_is_no_margin_where_its_grey_drifts():
    image = np.tile(np.linspace(0, 1, 400, dtype=np.float32), (40, 1))
    image[5] = 0.3 + np.arange(400) * 0.00045  # small steps, 0.18 in all
    image[6] = 0.3 + np.arange(400) * 0.00009  # 0.036 in all: within two hundredths of either end
    assert fd._is_margin(image, 1, 1.0)[[5, 6]].tolist() == [False, True]


def test_what_a_query_shows_of_a_film():
    whole = fd._pooling((0.0, 1.0), 128)
    assert whole.shape == (16, 128)
    kernel = np.exp(-((np.arange(33) - 16) ** 2) / (2 * 4.0**2))
    kernel /= kernel.sum()
    assert whole[8, 68 - 16 : 68 + 17].tolist() == pytest.approx(kernel.tolist(), abs=1e-6)
    assert whole[:, 64].sum() == pytest.approx(1 / 8, rel=0.02), "cells together count each place alike"
    half = fd._pooling((0.0, 0.5), 128)
    assert half[:, 70:].sum() == 0
    assert half[8].argmax() == pytest.approx(34, abs=1)
    wide = fd._pooling((-1.0, 1.0), 128)
    assert wide[:6].sum() < 1e-3 < wide[10].sum()
    total = fd._pooling((0.0, 1.0), 142).sum()
    assert total == pytest.approx(whole.sum(), rel=1e-5), "each place of the query shows one of the film"


@pytest.mark.parametrize(("placement", "side"), [
    (((0.0, 1.0), (0.0, 1.0)), 128), (((0.05, 0.95), (0.0, 1.0)), 142), (((0.0, 1.0), (0.1, 1.0)), 142),
    (((-0.01, 1.0), (0.0, 1.0)), 112), (((0.0, 1.0), (0.0, 1.01)), 112), (((0.1, 0.9), (0.1, 1.05)), 112),
])  # fmt: skip
def test_a_query_beyond_the_film_sees_it_coarser_and_one_within_finer(placement, side):
    assert fd._side(placement) == side


def test_what_lies_beyond_the_film_is_not_seen():
    seen = fd._seen(((-0.5, 1.0), (0.0, 1.0)))
    assert seen.shape == (16, 16, 1)
    assert seen[:, 5, 0].tolist() == pytest.approx(SEEN, abs=1e-4)
    assert fd._seen(fd.WHOLE).min() == 1


def test_rows_of_length_one_and_those_of_none():
    assert fd._unit(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist() == [[0.6, 0.8], [0, 0]]
    assert not fd.describe(np.full((64, 64), 9)).any()
    assert not fd.histograms(np.full((64, 64), 40_000.0) + np.eye(64) * 0.03).any(), "rounding is no detail"
    assert fd.histograms(np.full((64, 64), 40_000.0) + np.eye(64) * 400).any()


def test_a_turn_is_shared_by_the_two_nearest_and_a_mirror_exchanges_them():
    y, x = np.mgrid[0:128, 0:128]
    across = fd._channels(np.sin(x / 2.0).astype(np.float32), 128).sum(axis=(1, 2))
    assert across / across.sum() == pytest.approx([0.5, 0, 0, 0, 0, 0.5], abs=1e-3)
    down = fd._channels(np.sin(y / 2.0).astype(np.float32), 128).sum(axis=(1, 2))
    assert down / down.sum() == pytest.approx([0, 0, 0.5, 0.5, 0, 0], abs=1e-3)
    slant = fd._channels(np.sin((x + y) / 3.0).astype(np.float32), 128)[:, 20:-20, 20:-20].sum(axis=(1, 2))
    assert slant / slant.sum() == pytest.approx([0, 1, 0, 0, 0, 0], abs=0.01)


def test_histograms_are_pinned(film):
    found = fd.histograms(film)
    assert found.shape == (16, fd.HISTOGRAM_SIZE) == (16, 1536)
    assert found[:, [3, 500, 901, 1400]].ravel().tolist() == pytest.approx(HISTOGRAMS, abs=2e-4)
    whole = fd.histograms(film, (fd.WHOLE,))
    assert np.linalg.norm(whole, axis=1).tolist() == pytest.approx([1, 1], abs=1e-5)
    np.testing.assert_allclose(fd.histograms(np.ascontiguousarray(film[:, ::-1]), (fd.WHOLE,)), whole[::-1], atol=2e-3)
    np.testing.assert_allclose(fd.histograms(60_000 - film, (fd.WHOLE,)), whole, atol=1e-3)


def test_descriptors_are_pinned(film):
    found = fd.describe(film)
    assert found.shape == (fd.QUERIES, fd.SIZE) == (16, 256)
    assert found[:, [0, 17, 101, 255]].ravel().tolist() == pytest.approx(DESCRIPTORS, abs=1e-3)
    assert np.linalg.norm(found, axis=1).tolist() == pytest.approx([1] * 16, abs=1e-5)


def test_a_map_of_pictures_is_the_same_at_another_size():
    turn = np.array([[0.0, -1.0, 63.0], [1.0, 0.0, 0.0]])  # a quarter turn about the middle of 64 px
    assert reg._at(turn, 64, 128).tolist() == [[0, -1, 127], [1, 0, 0]]
    assert reg._at(reg._at(turn, 64, 256), 256, 64).tolist() == turn.tolist()
    shifted = np.array([[1.0, 0.0, 3.0], [0.0, 1.0, -2.0]])
    assert reg._at(shifted, 64, 128).tolist() == [[1, 0, 6], [0, 1, -4]]


def test_forms_are_mirrors_turns_and_scales_about_the_middle():
    forms = reg._FORMS
    assert forms.shape == (2 * 5 * 5, 2, 3)
    assert forms[12].tolist() == [[1, 0, 0], [0, 1, 0]]
    assert forms[25 + 12].tolist() == [[-1, 0, 63], [0, 1, 0]]
    for form in forms:
        assert (form @ [31.5, 31.5, 1]).tolist() == pytest.approx([31.5, 31.5])
    scales = np.sqrt(np.abs(np.linalg.det(forms[:, :, :2])))
    assert scales[:5].tolist() == pytest.approx([0.8, 0.9, 1.0, 1.11, 1.25])
    turns = np.rad2deg(np.arctan2(forms[:25:5, 1, 0], forms[:25:5, 0, 0]))
    assert turns.tolist() == pytest.approx([-5, -2.5, 0, 2.5, 5])


def test_the_agreement_of_exposures_is_pinned():
    grain = picture(3, 200)
    turn = cv2.getRotationMatrix2D((100, 100), 3.0, 1.04)
    given = (
        grain[10:190, 8:160], grain[:, ::-1], 65535 - grain, grain[:, :110], cv2.warpAffine(grain, turn, (200, 200)),
        picture(4, 200), grain[40:160, 40:160],
    )  # fmt: skip
    resting = reg.prepared(grain, moves=False)
    found = [reg.same_exposure(resting, reg.prepared(np.ascontiguousarray(one))) for one in given]
    assert found == pytest.approx(AGREEMENTS, abs=0.01)
    assert reg.prepared(grain, moves=False).spectra.shape == (1, 64, 33)
    assert reg.prepared(grain).spectra.shape == (50, 64, 33)


def test_tiles_agree_where_both_show_something(film):
    square = reg._square(film, 256)
    stays = np.array([[1, 0, 0], [0, 1, 0]], np.float32)
    assert reg._agreement(square, square, stays) == pytest.approx(1, abs=1e-4)
    covered = square.copy()
    for columns, expected in zip((64, 128, 192), COVERED, strict=True):
        covered[:, :columns] = 0
        assert reg._agreement(square, covered, stays) == pytest.approx(expected, abs=0.005)
    far = np.array([[1, 0, 192], [0, 1, 0]], np.float32)
    assert reg._agreement(square, square, far) == -1
    smaller = np.array([[0.5, 0, 64], [0, 0.5, 64]], np.float32)
    larger = np.array([[2, 0, -128], [0, 2, -128]], np.float32)
    crop = reg._square(square[64:192, 64:192], 256)
    found = (reg._agreement(crop, square, smaller), reg._agreement(square, crop, larger))
    assert found == pytest.approx(CROPS, abs=0.01)


def test_fine_structure_is_pinned(film):
    square = reg._square(film, 256)
    assert reg._fine(square)[[5, 100, 200], [9, 50, 220]].tolist() == pytest.approx(FINE, abs=1e-3)
    faint = np.zeros((256, 256), np.float32)
    faint[100, 100] = 1.0
    found = reg._fine(faint)
    assert found[100, 100] == pytest.approx(FAINT, rel=1e-3)
    detail = reg._detail(square, 4.0, 1.0)
    assert detail[[5, 100, 200], [9, 50, 220]].tolist() == pytest.approx(DETAIL[:3], abs=1e-3)
    assert reg._detail(square, 3.0)[[5, 100, 200], [9, 50, 220]].tolist() == pytest.approx(DETAIL[3:], abs=1e-3)


def test_whitening_divides_by_the_spread_and_half_the_mean_variance():
    """Against the formula in each direction: films that differ along the axes alone."""
    rng = np.random.default_rng(0)
    spread = np.array([2.0, 1.0, 0.1])
    vectors = (5 + spread * rng.standard_normal((600, 3))).astype(np.float32)
    found = learned(vectors)
    covariance = np.cov(vectors.astype(float), rowvar=False)
    values, directions = np.linalg.eigh(covariance)
    expected = directions @ np.diag((values + 0.5 * values.mean()) ** -0.5) @ directions.T
    np.testing.assert_allclose(found.map, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.mean, vectors.mean(axis=0), rtol=1e-5)
    moved = (vectors[:4] - found.mean) @ found.map
    np.testing.assert_allclose(found.of(vectors[:4]), moved / np.linalg.norm(moved, axis=1, keepdims=True), atol=1e-5)


def test_whitening_is_learned_from_five_hundred_films_that_show_something():
    vectors = np.random.default_rng(0).standard_normal((501, 4)).astype(np.float32)
    assert learned(vectors[:500]) is not None
    assert learned(vectors[:499]) is None
    vectors[3] = 0
    assert learned(vectors) is not None
    assert learned(vectors[:500]) is None
    many = np.random.default_rng(1).standard_normal((40_000, 2)).astype(np.float32)
    np.testing.assert_allclose(learned(many).mean, many[::2].mean(axis=0), atol=1e-6)
    assert (learned(many).of(many[:30_000])[-1] == learned(many).of(many[29_999:30_000])[0]).all()


@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:invalid value encountered")
def test_a_film_of_one_column_keeps_it():
    for shape, expected in (((2_000, 1), (512, 1)), ((1, 2_000), (1, 512)), ((600, 2), (512, 2))):
        assert fd.trimmed(np.random.default_rng(0).random(shape).astype(np.float32)).shape == expected


def test_the_range_of_grey_is_that_of_every_fourth_place(film):
    laid = np.pad(film[:100, :100], 20)
    laid[::4, ::4] = 0
    assert fd.trimmed(laid).shape == (140, 140), "nothing is seen to vary, and nothing is cut"


def test_a_margin_is_judged_beside_the_range_of_grey():
    image = np.tile(np.linspace(0, 10, 80, dtype=np.float32), (40, 1))
    for step, is_margin in ((0.019, True), (0.021, False)):
        image[5] = 3.0 + step * (np.arange(80) % 2)
        assert bool(fd._is_margin(image, 1, 10.0)[5]) is is_margin


def test_whitening_counts_films_of_which_any_number_is_not_zero():
    vectors = np.random.default_rng(0).standard_normal((500, 3)).astype(np.float32)
    vectors[:, 1] = 0
    assert learned(vectors) is not None


def test_every_channel_counts_no_pixel_twice():
    """A picture of the grid's own size is not blurred first; a larger one is, by 0.4 of the step."""
    noise = np.random.default_rng(0).random((128, 128)).astype(np.float32)
    sharp = fd._channels(noise, 128)
    blurred = fd._channels(cv2.GaussianBlur(noise, (0, 0), 0.4), 128)
    assert np.abs(sharp - blurred).max() > 0.05
    large = np.random.default_rng(0).random((256, 256)).astype(np.float32)
    small = cv2.warpAffine(
        cv2.GaussianBlur(large, (0, 0), 0.8), np.array([[2, 0, 0.5], [0, 2, 0.5]], np.float32), (128, 128),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    np.testing.assert_allclose(fd._channels(large, 128), fd._channels(small, 128), atol=1e-3)


def test_a_stored_picture_is_read_as_grey_whatever_its_channels(tmp_path):
    grey = np.array([[1, 2], [3, 40]], np.uint8)
    alpha = np.stack([grey, grey + 3, grey + 6, np.full_like(grey, 255)], axis=-1)
    for name, picture_, expected in (("g", grey, grey), ("a", alpha, grey + 3), ("w", grey.astype(np.uint16), grey)):
        path = tmp_path / f"{name}.png"
        cv2.imwrite(str(path), picture_)
        found = read_grey(path)
        assert (found.tolist(), found.dtype) == (expected.tolist(), np.float32)
