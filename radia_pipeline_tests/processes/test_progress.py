"""Progress is quiet where nobody watches, and draws one line where somebody does."""

from __future__ import annotations

import io

from radia_pipeline.processes.progress import Progress


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
