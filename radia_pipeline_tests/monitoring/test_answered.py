"""The API's answers by day: counts without content, and a source of the drift report."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from radia_pipeline.errors import DamagedFile
from radia_pipeline.monitoring.actions import demanded
from radia_pipeline.monitoring.answered import API, answers_by_day, count_answer
from radia_pipeline.monitoring.report import build_report
from radia_pipeline_tests.monitoring.worlds import OWN, REFERENCE_WEEKS, START, report_day

ANSWERED = {"status": "answered", "files": [{"reason": None}], "called": ["Mass"]}
WEEKS = REFERENCE_WEEKS + 6


def refused(reason: str) -> dict:
    return {"status": "refused", "files": [{"reason": None}, {"reason": reason}]}


@pytest.fixture
def lake(tmp_path):
    from radia_pipeline.lake.lake import Lake

    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "drift_protocol.yaml").write_text(OWN, encoding="utf-8")
    return Lake.open(tmp_path / "lake")


def ask(lake, weeks: range, share: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for week in weeks:
        for day in range(5):
            hits = rng.random(12) < share
            told = [refused("unfamiliar") if hit else ANSWERED for hit in hits]
            count_answer(lake, START + timedelta(days=7 * week + day), told)


def test_counts_are_by_day_and_hold_nothing_of_an_answer(lake):
    count_answer(lake, START, [ANSWERED, refused("print")])
    count_answer(lake, START, [refused("print"), refused("truncated")])
    (one,) = answers_by_day(lake).values()
    assert (one.answered, one.refused, one.studies) == (1, {"print": 2, "truncated": 1}, 4)
    assert "Mass" not in (lake.root / "api_answers.json").read_text(encoding="utf-8")


def test_more_refusals_than_is_usual_and_silence_are_alarms_of_the_pipeline(lake):
    ask(lake, range(REFERENCE_WEEKS), 0.05, 1)
    assert build_report(lake, report_day(REFERENCE_WEEKS)).waiting == []
    ask(lake, range(REFERENCE_WEEKS, WEEKS), 0.05, 2)
    build_report(lake, report_day(WEEKS))
    assert demanded(lake).waiting == ()
    ask(lake, range(WEEKS, WEEKS + 3), 0.4, 3)
    build_report(lake, report_day(WEEKS + 3))
    found = {row["stream"]: row for row in demanded(lake).waiting}
    assert {"refused", "refused unfamiliar"} <= set(found)
    assert {(row["source"], row["layer"]) for row in found.values()} == {(API, "pipeline")}
    assert found["refused"]["words"] == "studies that were refused"
    assert build_report(lake, report_day(WEEKS + 8)).silent == [API]


def test_counts_that_cannot_be_read_are_told_with_what_to_do(lake):
    (lake.root / "api_answers.json").write_text("[]", encoding="utf-8")
    with pytest.raises(DamagedFile, match="move api_answers"):
        count_answer(lake, START, [ANSWERED])
