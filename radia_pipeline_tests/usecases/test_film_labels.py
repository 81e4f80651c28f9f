"""Words on a film: beside what they name, on the film, none over another while there is room."""

from __future__ import annotations

from itertools import combinations

import pytest

from radia_pipeline.usecases.film_labels import BREAK, HEIGHT, placed

LONG = "Pleural Effusion: map (more than half of this map lies outside the thorax)"


def test_a_label_stands_on_its_point_and_its_box_has_the_shape_of_the_pixels():
    (one,) = placed([("Mass 0.62", 200.0, 300.0)], (1000, 1000))
    assert (one.left, one.bottom, round(one.bottom - one.top, 6)) == (200.0, 300.0, HEIGHT * 1000)
    (flat,) = placed([("Mass 0.62", 200.0, 300.0)], (500, 1000), row_over_column=2.0)
    assert flat.bottom - flat.top == pytest.approx(HEIGHT * 1000 / 2)
    assert flat.right - flat.left == pytest.approx(one.right - one.left)


@pytest.mark.parametrize("matrix", [(1000, 1000), (2128, 1760), (300, 420)])
def test_labels_of_one_place_stand_below_each_other_on_the_film(matrix):
    rows, columns = matrix
    points = [(0.0, 0.0), (columns, rows), (columns / 2, rows / 2)]
    found = placed([(LONG, *point) for point in points for _ in range(3)] + [("Mass 0.6", 5.0, 5.0)], matrix)
    assert all(one.left >= 0 and one.top >= 0 and one.right <= columns and one.bottom <= rows for one in found)
    free = [one for one in found if one.bottom < rows]
    assert len(free) >= 7 and not any(one.touches(other) for one, other in combinations(free, 2))
    assert found[0].text.replace(BREAK, " ") == LONG and found[0].text.count(BREAK) == 2


def test_a_full_film_still_gets_its_words():
    found = placed([("Mass 0.6", 0.0, 0.0)] * 99, (100, 100))
    assert len(found) == 99 and max(one.bottom for one in found) <= 100
