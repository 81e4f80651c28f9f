"""What is computed from a picture, by numbers: ranks, thorax, sides, poses, remarks, doubts, areas, written pictures.

Most are worked out by hand. Where the way is too long for that, the figure is pinned on a picture that is made here
by a formula: marks of sides, flags and doubts of a standing lake were computed so and are compared with new ones, so
that none may move without a new version of the rules.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from radia_pipeline.dicom import doubts, pixel_checks, png16, poses, resample, sides, thorax
from radia_pipeline.dicom.poses import POSES, Pose
from radia_pipeline.errors import Refusal
from radia_pipeline.privacy import reasons
from radia_pipeline.privacy.limits import Limits

NEAR = 522
FIT = 0.9826373
OUTLINE = [8.95, 22.7651, 111.3428, 133.7518]
MASK = 10036
BOXES = [
    [0.4009375, 0.5225, 0.3425, 0.3725, 0.9826373],
    [0.3809375, 0.5375, 0.3575, 0.385, 0.834137],
    [0.4634375, 0.45, 0.3999, 0.4424, 0.9818072],
    [0.3090625, 0.5075, 0.3275, 0.3696429, 0.9413314],
]
GRID = [33880, 10034, 63503, 47211]
FEATURES = [59.8616208, 0.0, 0.0503936, 0.0130507, 0.017055]
POSE = [
    [0.989744, 0.00800248, 1.34526e-07, 1.54774e-05, 5.15635e-06, 0.000683907, 0.00154842, 0.842272],
    [0.00882845, 0.000696581, 5.60894e-05, 0.000121955, 2.91479e-05, 0.979926, 0.0103413, 0.842272],
    [9.69195e-08, 6.39208e-06, 0.974353, 0.00321416, 0.00955437, 4.5022e-05, 0.0128272, 0.842272],
    [1.4687e-05, 0.000221777, 0.0015082, 0.9866, 0.00470007, 1.11034e-05, 0.0069441, 0.512727],
]
"""Pinned on ``film``: see above."""


@pytest.fixture(scope="module")
def film() -> np.ndarray:
    """The average chest itself, laid on a film of 150 × 120 at a known place, with a tilt of grey and a fine wave."""
    average = thorax._average()[0].reshape(thorax.GRID, thorax.GRID)
    y, x = np.mgrid[0:150, 0:120].astype(float)
    across = np.clip(((x + 0.5) / 150 - 0.40) / 0.34, -1.3, 1.3)
    down = np.clip(((y + 0.5) / 150 - 0.52) / 0.37, -1.3, 1.3)
    grey = resample_at(average, (down + 1.3) / 2.6 * 27, (across + 1.3) / 2.6 * 27)
    grey = grey + 0.0008 * x + 0.03 * np.sin(x / 3 + y / 5)
    return np.rint((grey - grey.min()) / np.ptp(grey) * 60000).astype(np.uint16)


def resample_at(picture: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    top, left = np.minimum(y.astype(int), 26), np.minimum(x.astype(int), 26)
    low, right = y - top, x - left
    return (1 - low) * ((1 - right) * picture[top, left] + right * picture[top, left + 1]) + low * (
        (1 - right) * picture[top + 1, left] + right * picture[top + 1, left + 1]
    )


def test_ranks_are_shared_by_equal_values_and_reach_from_end_to_end():
    assert thorax.ranked(np.array([[5.0, 1.0, 3.0]])).tolist() == [[0.5, -0.5, 0.0]]
    assert thorax.ranked(np.array([[7.0, 7.0], [0.0, 9.0]])).tolist() == [[0.0, 0.0], [-0.5, 0.5]]
    assert thorax.ranked(np.array([[1.0, 1.0004, 1.002]])).tolist() == [[-0.25, -0.25, 0.5]], "the third digit counts"
    assert thorax.ranked(np.array([[4.0]])).tolist() == [[-0.5]]


def test_the_grid_goes_across_first_and_reaches_beyond_the_box():
    points = thorax.grid()
    assert points.shape == (28 * 28, 2)
    assert points[0].tolist() == [-1.3, -1.3]
    assert points[27].tolist() == [1.3, -1.3]
    assert points[28] == pytest.approx([-1.3, -1.3 + 2.6 / 27])


def test_ranks_are_sampled_at_the_middles_of_pixels_and_the_edge_goes_on():
    ranks = np.arange(12.0).reshape(3, 4)
    box = np.array([[0.5, 0.375, 0.25, 0.125], [0.125, 0.125, 9.0, 9.0]])
    points = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
    assert thorax.sampled(ranks, box, points)[0] == pytest.approx([5.5, 6.5, 7.5, 2.5])
    assert thorax.sampled(ranks, box, points)[1] == pytest.approx([0.0, 3.0, 8.0, 0.0])


@pytest.mark.parametrize(
    ("box", "fits"),
    [
        ((0.4, 0.5, 0.3, 0.3), True), ((0.4, 0.5, 0.1501, 0.1501), True), ((0.4, 0.5, 0.1499, 0.3), False),
        ((0.4, 0.5, 0.3, 0.1499), False), ((0.4, 0.5, 0.3, 0.5199), True), ((0.4, 0.5, 0.3, 0.5201), False),
        ((0.2401, 0.5, 0.3, 0.3), True), ((0.2399, 0.5, 0.3, 0.3), False),
        ((0.5599, 0.5, 0.3, 0.3), True), ((0.5601, 0.5, 0.3, 0.3), False),
        ((0.4, 0.2401, 0.3, 0.3), True), ((0.4, 0.2399, 0.3, 0.3), False),
        ((0.4, 0.7599, 0.3, 0.3), True), ((0.4, 0.7601, 0.3, 0.3), False),
    ],
)  # fmt: skip
def test_a_box_has_the_size_of_a_chest_and_hangs_little_over_the_film(box, fits):
    """Half sides 0.15 to 0.52 of the longest side, 0.06 beyond the film, whose width is 0.8 here."""
    assert thorax._is_on_film(np.zeros((50, 40)), np.array([box])).tolist() == [fits]


def test_small_and_unusual_boxes_cost_what_they_should(film):
    ranks = thorax.ranked(resample.area_average(film, 64, 51))
    boxes = np.array([[0.4, 0.52, 0.34, 0.37], [0.4, 0.52, 0.30, 0.40], [0.1, 0.52, 0.34, 0.37]])
    near = thorax._near()
    fits = thorax._fits(ranks, boxes, near)
    found = thorax._preferred(ranks, boxes, near)
    for place in (0, 1):
        width, height = boxes[place, 2:]
        cost = 0.25 * np.log(width * height) / 2 - 0.25 * (np.log(width / height) - np.log(1.04)) ** 2
        assert found[place] == pytest.approx(fits[place] + cost, abs=1e-9)
    assert found[2] == -np.inf
    seen = thorax.sampled(ranks, boxes, thorax.grid()[near])
    expected = [np.corrcoef(thorax._average()[0][near], one)[0, 1] for one in seen]
    assert fits.tolist() == pytest.approx(expected, abs=1e-9)


def test_the_points_that_count_lie_in_the_outline_or_its_rim():
    near, outline = thorax._near(), thorax._average()[1]
    assert len(near) == NEAR
    inside = np.hypot(*thorax.grid()[near].T)
    assert inside.max() <= 1.2 * np.hypot(*outline.T).max()
    assert abs(thorax._average()[0].mean()) < 1e-12


def test_a_chest_is_found_where_it_was_laid(film):
    found = thorax.thorax_of(film)
    average = thorax._average()[1]
    low, high = found.outline.min(axis=0), found.outline.max(axis=0)
    truth = (average * [0.34, 0.37] + [0.40, 0.52]) * 150
    assert np.abs(np.concatenate([low - truth.min(axis=0), high - truth.max(axis=0)])).max() < 4
    assert found.fit == pytest.approx(FIT, abs=1e-5)
    assert [*low, *high] == pytest.approx(OUTLINE, abs=1e-3)
    assert int(found.mask(150, 120).sum()) == pytest.approx(MASK, abs=3)


def test_the_best_box_of_each_kind_of_film(film):
    for picture, expected in zip((film, film[:, ::-1], film[20:], film[:, 14:100]), BOXES, strict=True):
        ranks = thorax.ranked(resample.area_average(picture, *resample.fitted_size(*picture.shape, 64)))
        box, fit = thorax.best_box(ranks)
        assert [*box, fit] == pytest.approx(expected, abs=1e-5)


def test_films_too_small_or_unlike_a_chest_hold_no_thorax(film):
    assert thorax.thorax_of(film[::10, ::8]) is None, "15 pixels high"
    assert thorax.thorax_of(resample.area_average(film, 20, 16)) is not None
    assert thorax.thorax_of(resample.area_average(film, 20, 15)) is None
    assert thorax.thorax_of(65535 - film) is None


def test_a_mask_holds_the_pixels_of_the_outline_rounded():
    square = thorax.Thorax(np.array([[1.4, 0.6], [3.4, 0.6], [3.4, 2.4], [1.4, 2.4]]), 1.0)
    assert square.mask(4, 5).astype(int).tolist() == [[0] * 5, [0, 1, 1, 1, 0], [0, 1, 1, 1, 0], [0] * 5]


def test_sides_of_a_film_and_its_mirror_image_are_opposite_and_pinned(film):
    grid = sides.laid_out(film)
    assert (grid.shape, grid.dtype) == ((64, 64), np.uint16)
    assert [int(grid.min()), int(grid.max())] == [0, 65535]
    assert [int(grid[at]) for at in ((3, 5), (20, 40), (33, 31), (60, 10))] == pytest.approx(GRID, abs=4)
    features = sides.side_features(grid)
    assert features.shape == (sides.FEATURES,) == (10 * 10 * 17,)
    np.testing.assert_allclose(sides.side_features(grid[:, ::-1]), -features, atol=1e-12)
    assert [float(np.abs(features).sum()), *features[[5, 100, 901, 1400]]] == pytest.approx(
        FEATURES, rel=1e-3, abs=1e-5
    )
    np.testing.assert_allclose(sides.laid_out(film[:, ::-1])[:, ::-1].astype(float), grid, atol=16)


def test_edges_are_counted_by_direction_beside_their_surroundings():
    """A ramp to the right: all edges point along 0, half-way between the first and the last of 9 unsigned parts."""
    picture = np.tile(np.arange(64.0) / 64, (64, 1))
    unsigned = sides._edges(picture, np.pi, 9, 0.5, 0.2)
    assert unsigned.shape == (10, 10, 9)
    assert unsigned[4, 4].tolist() == pytest.approx([0.2, *[0] * 7, 0.2])
    free = sides._edges(picture, np.pi, 9, 0.5, 9.0)
    assert free[4, 4].tolist() == pytest.approx([18 / np.sqrt(9 * 2 * 18**2), *[0] * 7, 1 / np.sqrt(18)], abs=1e-6)
    directed = sides._edges(picture, 2 * np.pi, 8, 0.0, 9.0)
    assert directed[4, 4].tolist() == pytest.approx([1 / 3, *[0] * 7], abs=1e-6)
    down = sides._edges(picture.T, 2 * np.pi, 8, 0.0, 0.3)
    assert down[4, 4].tolist() == pytest.approx([0, 0, 0.3, *[0] * 5])
    assert not sides._edges(np.zeros((64, 64)), np.pi, 9, 0.5, 0.2).any()


def test_a_faint_picture_counts_beside_its_own_mean_energy():
    """One edge between empty cells: 1e-6 of the mean energy stands in for surroundings that are empty."""
    picture = np.zeros((64, 64))
    picture[:, 2:] = 1.0
    found = sides._edges(picture, 2 * np.pi, 8, 0.0, 99.0)
    first, around = 6.0, 3 * 36.0  # six rows of two half steps; three cells above each other, and twice at the edge
    mean = (2 * 3 * 36.0 + 3 * 36.0) * 10 / 100
    assert found[5, 0, 0] == pytest.approx(first / np.sqrt(2 * around + 1e-6 * mean), rel=1e-9)
    assert not found[:, 1:].any()


def test_ranks_of_a_pose_are_means_of_two_by_two():
    small = np.arange(1024.0).reshape(32, 32) / 1023
    ranks = poses.features(small)
    assert ranks.shape == (16, 16)
    assert ranks[0, 0] == pytest.approx((0 + 1 + 32 + 33) / 4 / 1023 - 0.5)
    assert ranks[15, 15] == pytest.approx(0.5 - (0 + 1 + 32 + 33) / 4 / 1023)
    flat = np.zeros((32, 32))
    flat[0, 0], flat[0, 1] = 1.0, 0.00004
    assert poses.features(flat)[8, 8] == pytest.approx(511 / 1023 - 0.5, abs=1e-9), "nearly equal greys share a rank"


def test_symmetry_is_the_best_over_shifts_of_three():
    for column, is_reached in ((5, False), (6, True), (7, True), (8, True), (9, True), (10, False)):
        line = np.zeros((16, 16))
        line[:, column] = 1.0
        assert (poses._symmetry(line) > 0.99) is is_reached, "columns 0 to 12 have their middle at 6, 3 to 15 at 9"
    ramp = np.tile(np.arange(16.0), (16, 1))
    assert poses._symmetry(ramp) == pytest.approx(-1.0)
    assert poses._symmetry(np.zeros((16, 16))) == -1.0
    edge = np.zeros((16, 16))
    edge[:, 0] = 1.0
    assert poses._symmetry(edge) < 0


def test_shares_of_poses_are_pinned(film):
    small = resample.thumbnail(film, 32) / 65535
    for picture, expected in zip((small, small[::-1], 1 - small, small.T), POSE, strict=True):
        pose = poses.pose_of(picture)
        assert tuple(pose.shares) == POSES
        assert [*pose.shares.values(), pose.symmetry] == pytest.approx(expected, rel=1e-4, abs=1e-9)


def pose(symmetry: float = 0.5, **shares: float) -> Pose:
    return Pose({name: shares.get(name, 0.0) for name in POSES}, symmetry)


@pytest.mark.parametrize(
    ("given", "score"),
    [
        (pose(frontal=0.3), 0.5), (pose(frontal=0.1, lateral=0.2), 0.5), (pose(inverted=0.3, other=0.7), 0.5),
        (pose(other=1.0), 1.0), (pose(upside_down=0.15), 0.75), (pose(turned_left=0.6), 0.0),
    ],
)  # fmt: skip
def test_a_picture_unlike_every_pose_of_a_chest(given, score):
    assert pixel_checks.unlike_score(given) == pytest.approx(score)


@pytest.mark.parametrize(
    ("frontal", "lateral", "symmetry", "is_lateral"),
    [
        (0.1, 0.75, 0.87, True), (0.1, 0.73, 0.87, False), (0.1, 0.75, 0.88, False), (0.01, 0.58, 0.5, False),
        (0.01, 0.60, 0.5, True), (0.0, 0.7, 0.5, True), (0.7, 0.1, 0.5, False),
    ],
)  # fmt: skip
def test_a_lateral_view_is_told_only_without_doubt(frontal, lateral, symmetry, is_lateral):
    assert pixel_checks.lies_lateral(pose(symmetry, frontal=frontal, lateral=lateral)) is is_lateral


@pytest.mark.parametrize(("spread", "score"), [(0.0, 1.0), (0.01, 0.75), (0.02, 0.5), (0.04, 0.0), (0.5, 0.0)])
def test_a_blank_picture_is_scored_by_its_spread(spread, score):
    small = np.full(1000, 0.3)
    small[:500] += spread
    small[0], small[-1] = 1.0, 0.0  # single pixels count for nothing
    assert pixel_checks.blank_score(small) == pytest.approx(score)


@pytest.mark.parametrize(
    ("shape", "part", "description", "score"),
    [
        ((100, 100), "CHEST", "", 0.0), ((100, 100), "", "", 0.0), ((100, 100), " ", "", 0.0),
        ((100, 100), "KNEE", "", 0.9), ((100, 100), "chest", "canine", 1.0), ((100, 100), "DOG THORAX", "", 1.0),
        ((100, 200), "", "", 0.0), ((100, 201), "", "", 0.6), ((201, 100), "CHEST", "", 0.6),
        ((100, 100), "", "KNEE", 0.0),
    ],
)  # fmt: skip
def test_what_header_and_outline_say_against_a_chest(shape, part, description, score):
    assert pixel_checks.not_a_chest_score(shape, part, description) == score


def test_a_drawing_has_few_greys():
    small = np.arange(100.0).reshape(10, 10) / 255
    assert pixel_checks.drawn_score(small) == pytest.approx(1 - 0.5 * 0.92 / 0.28)
    small.flat[:65] = 1.0  # with seven others, 72 of 100
    assert pixel_checks.drawn_score(small) == pytest.approx(0.5)
    assert pixel_checks.drawn_score(np.zeros((10, 10))) == 1.0


def test_remarks_are_pinned_on_a_chest_and_what_was_done_to_it(film):
    large = np.kron(film, np.ones((3, 3), np.uint16))
    plain = pixel_checks.remarks(large)
    assert (plain.flags, plain.is_lateral) == ((), False)
    assert pixel_checks.remarks(film).flags == ("low_resolution",)
    assert pixel_checks.remarks(large[:256, :256]).flags.count("low_resolution") == 0
    assert "low_resolution" in pixel_checks.remarks(large[:255, :300]).flags
    assert pixel_checks.remarks(65535 - large).flags == ("inverted",)
    assert pixel_checks.remarks(large[::-1]).flags == ("rotated",)
    assert pixel_checks.remarks(large // 8).scores == pytest.approx(plain.scores, abs=0.02)
    blank = pixel_checks.remarks(np.full((300, 300), 9, np.uint16))
    assert blank.scores == {"not_a_chest": 0.0, "inverted": 0.0, "rotated": 0.0, "blank": 1.0, "cropped": 0.0}
    assert blank.flags == ("blank",)
    knee = pixel_checks.remarks(large, body_part="KNEE")
    assert (knee.flags, knee.scores["not_a_chest"]) == (("not_a_chest",), 0.9)
    assert pixel_checks.remarks(large, description="FELINE").scores["not_a_chest"] == 1.0
    assert pixel_checks.remarks(np.tile(large[:, :90], 1)).scores["cropped"] == 1.0
    page = np.where(np.indices((300, 300)).sum(0) % 50 < 25, 60000, 0).astype(np.uint16)
    drawn = pixel_checks.remarks(page)
    assert drawn.flags == ("not_a_chest",)
    assert drawn.scores["inverted"] == drawn.scores["rotated"] == 0.0


def test_uniform_rows_count_from_either_edge():
    small = np.tile(np.linspace(0, 1, 10), (10, 1))
    small[:3] = 0.5
    assert doubts._edge_band(small) == 0.3
    small[-4:] = 0.1
    assert doubts._edge_band(small) == 0.4
    small[4] = 0.5
    assert doubts._edge_band(small) == 0.4, "a uniform row in the middle is no band"
    small[0, 0] += 0.019
    assert doubts._edge_band(small[:6]) == 0.5
    small[0, 0] += 0.002
    assert doubts._edge_band(small[:5]) == 0.2
    assert doubts._edge_band(np.zeros((4, 4))) == 1.0


def test_the_largest_square_of_one_grey():
    noise = np.random.default_rng(1).integers(0, 65536, (256, 192)).astype(np.uint16)
    noise[0, 0], noise[0, 1] = 0, 65535
    assert doubts._largest_patch(noise) == 0.0
    patched = noise.copy()
    patched[40:80, 60:90] = 500  # cells of 4 × 3: ten by ten, of which an odd side fits
    assert doubts._largest_patch(patched) == (9 / 64) ** 2
    patched[40:80:2, 60:90] += 32
    assert doubts._largest_patch(patched) == (9 / 64) ** 2, "a two-thousandth of the range is one grey"
    patched[40:80:2, 60:90] += 2
    assert doubts._largest_patch(patched) == 0.0
    small = np.random.default_rng(1).integers(0, 65536, (40, 44)).astype(np.uint16)
    small[:28, :28] = 7
    assert doubts._largest_patch(small) == (5 / 10) ** 2
    assert doubts._largest_patch(np.zeros((3, 3), np.uint16)) == 1.0


def test_an_empty_share_counts_from_its_bounds():
    noise = np.random.default_rng(3).integers(0, 65536, (256, 256)).astype(np.uint16)
    found = []
    for rows in (48, 56, 64):
        banded = noise.copy()
        banded[:rows] = 0
        found.append(doubts.empty_share(banded))
    assert found == [0.0, 14 / 64, 0.25], "a band below a fifth does not matter"
    across = noise.copy()
    across[:, :64] = 0
    assert doubts.empty_share(across) == 0.25
    for side, share in ((60, 0.0), (76, (19 / 64) ** 2), (84, (21 / 64) ** 2)):
        hole = noise.copy()
        hole[100 : 100 + side, 100 : 100 + side] = 0
        assert doubts.empty_share(hole) == share


@pytest.mark.parametrize(
    ("size", "most", "fitted"),
    [
        ((100, 50), 100, (100, 50)), ((100, 50), 99, (99, 50)), ((100, 50), 10, (10, 5)), ((50, 100), 10, (5, 10)),
        ((1000, 1), 10, (10, 1)), ((1, 1000), 10, (1, 10)), ((7, 5), 200, (7, 5)),
    ],
)  # fmt: skip
def test_a_size_is_fitted_and_never_enlarged(size, most, fitted):
    assert resample.fitted_size(*size, most) == fitted


def test_areas_are_shared_by_fractions():
    row = np.array([[1.0, 2.0, 4.0, 8.0, 16.0]], np.float32)
    expected = [(1 + 2 * 2 / 3) / (5 / 3), (2 / 3 + 4 + 8 / 3) / (5 / 3), (8 * 2 / 3 + 16) / (5 / 3)]
    assert resample.area_average(row, 1, 3)[0].tolist() == pytest.approx(expected, rel=1e-6)
    assert resample.area_average(row.T, 3, 1)[:, 0].tolist() == pytest.approx(expected, rel=1e-6)
    assert resample.area_average(row, 1, 5).tolist() == row.tolist()
    for height, width in ((2, 5), (1, 6)):
        with pytest.raises(ValueError, match="only reduces"):
            resample.area_average(row, height, width)


def png(height: int, width: int, body: bytes, *, bits: int = 16, colour: int = 0) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*one) for one in ((b"IHDR", head), (b"IDAT", body), (b"IEND", b"")))


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def test_a_picture_is_written_as_the_standard_says_and_read_again():
    image = np.array([[1, 2, 65535], [258, 1, 0]], np.uint16)
    data = png16.encode(image)
    assert png16.header(data) == (2, 3, 16, 0)
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    start = data.index(b"IDAT")
    length = int.from_bytes(data[start - 4 : start], "big")
    lines = zlib.decompress(data[start + 4 : start + 4 + length])
    assert list(lines) == [2, 0, 1, 0, 2, 255, 255, 2, 1, 1, 0, 255, 1, 1], "each line less the one above, by bytes"
    assert data == png(2, 3, data[start + 4 : start + 4 + length])
    assert png16.decode(data).tolist() == image.tolist()
    for wrong in (image.astype(np.int32), image[0], image[None]):
        with pytest.raises(ValueError, match="uint16"):
            png16.encode(wrong)


def png_reason(data: bytes, limits: Limits | None = None) -> str:
    try:
        png16.decode(data, limits or Limits())
    except Refusal as refused:
        return refused.reason
    return ""


def test_damaged_and_large_pictures_are_refused_at_the_byte():
    data = png16.encode(np.arange(6, dtype=np.uint16).reshape(2, 3))
    assert png_reason(data) == ""
    assert png_reason(data + b"behind") == ""
    for cut in range(1, len(data)):
        assert png_reason(data[:cut]) == reasons.TRUNCATED, cut
    for at in range(12, len(data) - 4):
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        assert png_reason(changed), at
    assert png_reason(data, Limits(side_px=3, pixels=6)) == ""
    assert png_reason(data, Limits(side_px=2)) == reasons.TOO_LARGE
    assert png_reason(data, Limits(pixels=5)) == reasons.TOO_LARGE
    with pytest.raises(Refusal):
        png16.header(data[:32])
    assert png16.header(data[:33]) == (2, 3, 16, 0)


def test_a_body_that_libpng_refuses_is_damage():
    assert png_reason(png(2, 2, b"no deflate stream")) == reasons.DECODE_FAILED


def test_colours_that_are_equal_are_grey():
    grey = np.array([[1, 2], [3, 4]], np.uint8)
    rgb = np.stack([grey] * 3, axis=-1)
    alpha = np.stack([grey, grey, grey, grey + 7], axis=-1)
    pair = np.stack([grey, grey + 7], axis=-1)
    for pixels in (grey, rgb, alpha, pair, grey[..., None]):
        assert png16.grey(pixels, (2, 2)).tolist() == grey.tolist()
    off = rgb.copy()
    off[1, 1, 2] += 1
    for pixels, size, reason in ((off, (2, 2), reasons.NOT_GREY), (grey, (2, 3), reasons.LYING_HEADER)):
        with pytest.raises(Refusal) as caught:
            png16.grey(pixels, size)
        assert caught.value.reason == reason


def test_doubts_of_size_and_shape_are_certain():
    noise = np.random.default_rng(3).integers(0, 65536, (40, 100)).astype(np.uint16)
    assert doubts.doubts_of(noise, {}, ()) == {"too_small": 1.0, "too_narrow": 1.0}
    assert doubts.doubts_of(noise[:, :50], {}, ["inverted"]) == {"too_small": 1.0, "inverted": 1.0}
    banded = np.random.default_rng(3).integers(0, 65536, (256, 256)).astype(np.uint16)
    banded[:128] = 0
    assert doubts.doubts_of(banded, {}, ()) == {"blank_part": 0.5}
    assert doubts.doubts_of(banded, {"blank": 0.75}, ["blank"]) == {"blank": 0.75}, "one word for what is empty"
