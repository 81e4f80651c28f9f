"""Figures as text: tables line up, intervals read well, what is missing is a dash."""

from __future__ import annotations

from radia_pipeline.drawing.text import interval, table


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
