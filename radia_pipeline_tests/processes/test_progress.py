"""What people see: tables line up, progress is quiet where nobody watches, intervals read well."""

from __future__ import annotations

import io

from radia_pipeline.drawing.text import interval, table
from radia_pipeline.processes.progress import Progress


def test_numbers_stand_right_and_words_left():
    lines = table(["source", "found"], [["ccsmtl", 28], ["nih_cxr14", 112120]]).splitlines()
    assert lines[0] == "source       found"
    assert lines[2] == "ccsmtl          28"
    assert lines[3] == "nih_cxr14  112 120"


def test_a_table_without_rows_is_its_header():
    assert table(["a", "b"], []).splitlines()[0] == "a  b"


def test_missing_figures_are_dashes():
    assert interval(None, None, None) == "–"
    assert interval(0.9, None, None) == "0.900"
    assert interval(0.9, 0.85, 0.95) == "0.900 (0.850–0.950)"


def test_progress_is_silent_for_short_work_without_a_terminal():
    stream = io.StringIO()
    progress = Progress(stream)
    for done in range(1, 11):
        progress("images", done, 10)
    assert stream.getvalue() == ""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_draws_a_bar_in_a_terminal_and_ends_its_line():
    stream = Terminal()
    progress = Progress(stream)
    progress("images", 5, 10)
    progress.close()
    progress("images", 10, 10)
    assert "█" in stream.getvalue()
    assert "10 of 10" in stream.getvalue()
    assert stream.getvalue().endswith("\n")
