"""One bench for all tests of the page in a process, one browser a file: starting them costs more than most tests."""

from __future__ import annotations

import pytest

from radia_pipeline_tests.review.page.browser import bench, chromium


@pytest.fixture(scope="module")
def browser():
    """Return Debian's Chromium, which ends with its file: Playwright's loop would stay in the thread of the next."""
    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def canvas_bench():
    """Return the blank page's server."""
    with bench() as running:
        yield running
