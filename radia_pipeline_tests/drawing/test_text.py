"""Figures as text: tables line up, intervals read well, what is missing is a dash."""

from __future__ import annotations

from radia_pipeline.drawing.text import interval, limits, table


def test_numbers_stand_right_and_words_left():
    lines = table(["source", "found"], [["ccsmtl", 28], ["nih_cxr14", 112120]]).splitlines()
    assert lines[0] == "source       found"
    assert lines[2] == "ccsmtl          28"
    assert lines[3] == "nih_cxr14  112 120"


def test_a_missing_number_leaves_its_column_to_the_right():
    lines = table(["source", "share"], [["a", 0.5], ["b", None]]).splitlines()
    assert lines[2:] == ["a       0.500", "b           –"]


def test_a_table_without_rows_is_its_header():
    assert table(["a", "b"], []).splitlines() == ["a  b", "─  ─"]


def test_missing_figures_are_dashes():
    assert interval(None, None, None) == "–"
    assert interval(0.9, None, None) == "0.900"
    assert interval(0.9, 0.85, 0.95) == "0.900 (0.850–0.950)"


def test_no_interval_is_shown_without_a_width():
    assert limits(0.9962, 0.9999, 2) == ("0.996", "1.000")
    assert limits(0.5, 0.6, 2) == ("0.50", "0.60") and limits(0.7, 0.7, 2) == ("0.70", "0.70")
    assert interval(0.99961, 0.99952, 0.99969) == "1.000 (0.9995–0.9997)"
