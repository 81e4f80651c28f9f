"""Plots and charts: marks where the figures are, names that do not touch, and a frame for whatever is missing."""

from __future__ import annotations

import math
import re

import pytest

from radia_pipeline.drawing.charts import Interval, grouped_bars, intervals, points_in_rows, stacked_bars
from radia_pipeline.drawing.grid import grid
from radia_pipeline.drawing.heat_map import heat_map
from radia_pipeline.drawing.marks import Band, Bars, Guide, Line, Points
from radia_pipeline.drawing.plot import NOTHING, Axis, plot
from radia_pipeline_tests.drawing.pictures import collisions, marks, read, texts

NAN = math.nan
NAMES = [f"A class with a long name, number {number}" for number in range(21)]
SOURCES = ("first", "second", "a third with a long name", "fourth", "fifth", "sixth")


TWENTY = Axis("n", names=[str(n) for n in range(21)])


def drawings() -> dict:
    """One chart of each kind with ordinary figures."""
    thirds = [number / 3 for number in range(21)]
    return {
        "stacked": stacked_bars({n: {"yes": 3, "no": 40_000} for n in NAMES}, title="t", unit="studies"),
        "grouped": grouped_bars(dict.fromkeys(SOURCES, thirds), title="t", x=TWENTY, y="%"),
        "points": points_in_rows(NAMES, dict.fromkeys(SOURCES, thirds), title="t", unit="%"),
        "intervals": intervals([Interval(n, 0.7, 0.6, 0.9) for n in NAMES], title="t", unit="AUC", guide=0.5),
        "heat map": heat_map([[0.5] * 21] * 21, NAMES, title="t"),
        "histogram": plot(
            [Bars(range(9), [0] * 9, range(9), is_upright=True, texts=["12"] * 9)],
            title="t",
            x=Axis("n", names=[str(n) for n in range(9)]),
        ),
        "long names": plot([Bars(range(21), [0] * 21, [1] * 21, is_upright=True)], title="t", x=Axis(names=NAMES)),
        "large": plot([Line([0, 1e7], [-1e6, 1e6])], title="t", x=Axis("x"), y=Axis("y"), size=(150, 60)),
    }


@pytest.mark.parametrize("name", drawings())
def test_no_name_touches_another_or_leaves_the_picture(name):
    assert collisions(drawings()[name]) == []


@pytest.mark.parametrize(
    "picture",
    [
        plot([], title="t"),
        plot([Line([], [])], title="t"),
        plot([Line([NAN, 1], [1, NAN])], title="t"),
        plot([Points([NAN], [0])], title="t", y=Axis(names=["a"])),
        plot([Guide(x=1)], title="t"),
        stacked_bars({}, title="t", unit="n"),
        points_in_rows([], {}, title="t", unit="n"),
        points_in_rows(["a"], {"s": [None]}, title="t", unit="n"),
        intervals([Interval("a", None)], title="t", unit="n"),
        grouped_bars({"s": []}, title="t", x=Axis("x"), y="y"),
    ],
)
def test_without_figures_the_frame_says_so(picture):
    assert NOTHING in [text.words for text in texts(picture)]


@pytest.mark.parametrize("y", [[2.0], [2.0, 2.0, 2.0], [2.0, NAN, 1e12]])
def test_one_point_a_constant_and_wide_ranges_are_drawn(y):
    picture = plot([Line(range(len(y)), y)], title="t")
    read(picture)
    assert marks(picture, "curve") or marks(picture, "mark")
    assert NOTHING not in [text.words for text in texts(picture)]


def test_a_point_between_two_gaps_is_a_point():
    picture = plot([Line([0, 1, 2, 3], [NAN, 1, NAN, 2])], title="t")
    assert len(marks(picture, "mark")) == 2
    assert marks(picture, "curve") == []


def test_a_band_ends_where_its_limits_do():
    picture = plot([Band([0, 1, 2, 3], [0, 0, NAN, 0], [1, 1, 1, 1])], title="t", size=(30, 10))
    (band,) = marks(picture, "band")
    assert band.get("d").count("M") == 2
    left, right = (float(x) for x in re.findall(r"[ML]([\d.]+) ", band.get("d").split("M")[2])[::2][:2])
    assert right > left  # one place alone is wide enough to be seen


def test_stacked_bars_lie_end_to_end_with_their_total():
    picture = stacked_bars({"a": {"yes": 1, "no": 3}, "b": {"no": 2}}, title="t", unit="n")
    first, third, second = (
        [(float(bar.get("x")), float(bar.get("width"))) for bar in marks(picture, role)] for role in ("s0", "s1", "s1")
    )
    (one,) = [bar for bar in first if bar[1] > 11]
    assert third[0][0] == pytest.approx(one[0] + one[1], abs=0.15)
    assert third[0][1] == pytest.approx(3 * one[1], abs=0.3)
    assert second[1][1] == pytest.approx(2 * one[1], abs=0.3)
    assert {"4", "2", "yes", "no"} <= {text.words for text in texts(picture)}


def test_one_kind_of_part_needs_no_legend():
    said = [text.words for text in texts(stacked_bars({"a": {"files": 7}}, title="t", unit="files"))]
    assert said.count("files") == 1
    assert "7" in said


def test_intervals_show_point_and_range_and_keep_rows_without_figure():
    rows = [Interval("a", 0.7, 0.6, 0.9), Interval("b", None), Interval("c", 0.5, None, None, "muted")]
    picture = intervals(rows, title="t", unit="AUC", guide=0.5)
    assert [len(marks(picture, kind)) for kind in ("mark", "range", "guide")] == [2, 1, 1]
    assert {"a", "b", "c"} <= {text.words for text in texts(picture)}
    assert "a: 0.700 (0.600–0.900)" in picture.inline()


def test_each_series_has_its_own_shape():
    picture = points_in_rows(["a"], {source: [1.0] for source in SOURCES}, title="t", unit="%")
    assert len({mark.get("d") for mark in marks(picture, "mark")}) == len(SOURCES)


def test_a_heat_map_colours_by_sign_and_strength():
    picture = heat_map([[None, 0.5], [-2.0, NAN]], ["a", "b"], title="t")
    first, second, third, fourth = marks(picture, "cell")[:4]
    assert [cell.get("fill-opacity") for cell in (first, second, third, fourth)] == [None, "0.50", "1.00", None]
    assert second.find("title").text == "a / b: +0.50"
    assert "s1" in second.get("class")
    assert "s0" in third.get("class")
    assert read(heat_map([], [], title="t")) is not None


def test_a_grid_puts_pictures_beside_each_other_under_their_titles():
    parts = [plot([Line([0, 1], [0, 1])], title=title, size=(80, 40)) for title in ("one", "two", "three")]
    picture = grid(parts, title="all", columns=2)
    assert [text.words for text in texts(picture) if text.words in ("one", "two", "three")] == ["one", "two", "three"]
    assert picture.width > 2 * parts[0].width
    assert picture.height > 2 * parts[0].height
    assert collisions(picture) == []
    assert read(grid([], title="none")) is not None
