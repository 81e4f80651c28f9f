"""One browser and one bench for all tests of the page in a process: starting them costs more than most tests."""

from __future__ import annotations

import pytest

from radia_pipeline_tests.review.page.browser import bench, chromium


@pytest.fixture(scope="session")
def browser():
    """Return Debian's Chromium."""
    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def canvas_bench():
    """Return the blank page's server."""
    with bench() as running:
        yield running
