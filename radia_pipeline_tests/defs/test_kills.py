"""Each process of an open lake on Postgres is killed once while it works: nothing stays behind and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from radia_pipeline.defs.move_history import set_database
from radia_pipeline_tests.defs.killing import ALL_SOURCES, FIRST, SECOND, Ward, make_lake, warded, whole, window
from radia_pipeline_tests.defs.opened import wait_for
from radia_pipeline_tests.tracking.cluster import PASSWORD, running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]

PATIENCE_S = 900.0
AT_ONCE = 8


@pytest.fixture(scope="module")
def ward(tmp_path_factory) -> Iterator[Ward]:
    """Return an open lake on Postgres."""
    lake = make_lake(tmp_path_factory.mktemp("ward"), patients=6, trained=300)
    with pytest.MonkeyPatch.context() as patch, running() as cluster:
        patch.setenv("PGPASSWORD", PASSWORD)
        set_database(lake, cluster.make("radia"))

        def kill() -> None:
            cluster.kill()
            cluster.start()

        with warded(lake, kill_database=kill) as found:
            yield found


def test_eight_partitions_are_made_at_once(ward):
    runs = [ward.pages.launch_job("ingest", source) for source in ALL_SOURCES]
    runs += [ward.pages.launch("reports", partition=source) for source in ALL_SOURCES[: AT_ONCE - len(ALL_SOURCES)]]
    most = 0

    def have_ended() -> bool:
        nonlocal most
        states = [ward.pages.status(run) for run in runs]
        most = max(most, sum(state in ("STARTING", "STARTED") for state in states))
        return all(state in ("SUCCESS", "FAILURE", "CANCELED") for state in states)

    wait_for(have_ended, PATIENCE_S, "every run has ended")
    assert [ward.pages.status(run) for run in runs] == ["SUCCESS"] * AT_ONCE
    assert most == AT_ONCE


def test_a_minute_after_each_was_killed_nothing_of_it_is_left(ward):
    for victims in (FIRST, SECOND):
        told = window(ward, victims, PATIENCE_S)
        assert set(told) == set(victims) and all(one["killed"] for one in told.values())
        assert {name: one["left"] for name, one in told.items() if one["left"]} == {}
    assert whole(ward, PATIENCE_S) == []
