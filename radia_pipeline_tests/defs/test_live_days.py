"""Ten days in fast motion in a running Dagster: every table, page and notice that the protocol promises, none twice."""

from __future__ import annotations

import pytest

from radia_pipeline_tests.defs.live_days import is_as_promised, play

DAYS = 10


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_days_asked_for_at_once_end_with_everything_and_nothing_twice(tmp_path):
    found = play(tmp_path, DAYS)
    assert is_as_promised(found), found
    assert found["notices"] >= 2
