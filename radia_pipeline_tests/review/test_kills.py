"""A server that is killed while two readers in three tabs click loses no confirmed answer and keeps none twice."""

from __future__ import annotations

import shutil

from radia_pipeline.servers.web import listening
from radia_pipeline_tests.readings.worlds import with_set
from radia_pipeline_tests.review.clicking import Reader, Server, faults, kill_under
from radia_pipeline_tests.review.worlds import study

KILLS, STUDIES = 5, 150
"""Studies of which the lake has no images are read too: what is tested is the store."""


def test_every_confirmed_answer_is_there_once_after_kills(lake):
    shutil.rmtree(lake.root / "ensemble")  # models have no part in it, and take long to open
    with_set(lake, *map(study, range(STUDIES)), set_id="killed-00c0ffee")
    with listening(0) as end:
        port = end.getsockname()[1]
    names = ("reader-a", "reader-a", "reader-b")
    readers = [Reader(port, name, "killed-00c0ffee") for name in names]
    kills = kill_under(Server(lake, port), readers, KILLS)
    assert faults(lake, readers) == []
    assert all(reader.is_done for reader in readers)
    assert sum(len(reader.confirmed) for reader in readers) <= 2 * (STUDIES + STUDIES // 10)
    assert kills == KILLS
