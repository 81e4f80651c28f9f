"""The sheet of best, middling and worst films: which films, and what is on it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from radia_pipeline.localisation import benchmark, pictures
from radia_pipeline.localisation.average_precision import Reference
from radia_pipeline.localisation.pictures import CYAN, YELLOW, agreement, ranked
from radia_pipeline_tests.localisation.lakes import make_lake
from radia_pipeline_tests.localisation.worlds import boxes


def test_agreement_is_the_mean_over_drawn_boxes_of_the_best_overlap_with_their_class():
    names = ("a", "b", "c")
    drawn = boxes(("a", "Mass", 0, 0, 10, 10), ("a", "Nodule", 50, 50, 60, 60), ("b", "Mass", 0, 0, 10, 10))
    found = boxes(("a", "Mass", 0, 0, 10, 10), ("a", "Mass", 50, 50, 60, 60), ("b", "Mass", 0, 0, 10, 5))
    assert agreement(found, Reference(names, np.array(names), drawn)) == {"a": 0.5, "b": 0.5}


def test_each_film_is_shown_once_best_first_also_where_there_are_few():
    agreed = {f"i{n}": n / 10 for n in range(9)}
    assert ranked(agreed, 2) == [
        ("best", "i8"),
        ("best", "i7"),
        ("median", "i5"),
        ("median", "i4"),
        ("worst", "i1"),
        ("worst", "i0"),
    ]
    assert ranked({"only": 0.4}) == [("best", "only")]
    assert ranked({}) == []


def test_the_sheet_lies_in_the_previews_with_drawn_and_cut_boxes_on_it(tmp_path):
    lake = make_lake(tmp_path, recipes={"peaked": "pcam"})
    result = benchmark.build_saliency_benchmark(lake, ["peaked"])
    assert result.sheets == ["previews/saliency/peaked.png"]
    sheet = cv2.cvtColor(cv2.imread(str(lake.root / result.sheets[0])), cv2.COLOR_BGR2RGB)
    for ink in (YELLOW, CYAN):
        assert (np.abs(sheet.astype(int) - ink).max(axis=2) < 40).sum() > 50
    assert set(result.ms_a_film["peaked"]) == set(benchmark.CANDIDATES)
    assert all(cost > 0 for cost in result.ms_a_film["peaked"].values())


def test_lines_are_wider_on_larger_films_so_that_a_small_picture_of_them_shows_them(tmp_path):
    def width_px(side: int) -> float:
        """Ink of a horizontal cut through two lines of a film, in its pixels for each."""
        path, near, far = tmp_path / "film.png", side // 4, 3 * side // 4
        cv2.imwrite(str(path), np.zeros((side, side), np.uint16))
        drawn = boxes(("a", "Mass", near, near, far, far))
        (picture, _) = pictures._tile(pictures.SheetFilm(path, None), "a", "best", boxes(), drawn).pictures
        return picture[len(picture) // 2].sum() / sum(YELLOW) / 2 * side / len(picture)

    assert width_px(64) == pytest.approx(1)
    assert width_px(319) < 1.5 < 2 < width_px(320) < width_px(1000)
