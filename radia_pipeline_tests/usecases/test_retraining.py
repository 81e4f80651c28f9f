"""When a retraining may begin, what it remembers, and its page; no model is trained here."""

from __future__ import annotations

import pytest

from radia_pipeline.evaluation.ensemble import build_ensemble
from radia_pipeline.lake.lake import Lake
from radia_pipeline.pages.retraining import write_retraining_page
from radia_pipeline.usecases.retraining import begin, end, plan_retraining, retrainings
from radia_pipeline_tests.evaluation.champions import panel_of_skill, put_model
from radia_pipeline_tests.evaluation.worlds import put_manifest

NOW_S, DAY_S = 1.8e9, 86_400.0


@pytest.fixture
def lake(tmp_path, monkeypatch) -> Lake:
    """Return a lake with an ensemble whose models nobody kept: all of its manifests are new to it."""
    lake, panel = Lake.open(tmp_path / "lake"), panel_of_skill(1.2, 1)
    put_manifest(lake, panel)
    put_model(lake, "first", panel)
    build_ensemble(lake, ["first"])
    monkeypatch.setattr("radia_pipeline.usecases.retraining.time.time", lambda: NOW_S)
    return lake


def test_one_that_was_begun_goes_on_and_the_next_keeps_its_distance_and_the_budget(lake):
    plan = plan_retraining(lake, NOW_S)
    assert plan.recipes == ("first",) and plan.against == () and all(one.new for one in plan.changes)
    identity = begin(lake, plan, "a test", NOW_S)
    again = plan_retraining(lake, NOW_S + DAY_S)
    assert again.continues == identity == begin(lake, again, "the same", NOW_S + DAY_S)
    assert again.recipes == ("first",) and again.against == ()
    end(lake, identity, hours=40.0)
    (one,) = retrainings(lake)
    assert (one.why, one.hours, one.ended_s) == ("a test", 40.0, NOW_S)
    soon = plan_retraining(lake, NOW_S + DAY_S, estimate_hours=9.0).against
    assert ["must lie between" in why for why in soon] == [True, False] and "40.0 hours were trained" in soon[1]
    assert plan_retraining(lake, NOW_S + 31 * DAY_S, estimate_hours=9.0).against == ()


def test_the_page_shows_what_was_new_class_by_class(lake):
    assert "Nothing was retrained yet" in write_retraining_page(lake).read_text(encoding="utf-8")
    plan = plan_retraining(lake, NOW_S)
    end(lake, begin(lake, plan, "monthly", NOW_S), hours=0.5)
    page = write_retraining_page(lake).read_text(encoding="utf-8")
    assert "monthly" in page and f"{plan.changes[0].source}</strong>: 0 images then" in page and "Cardiomegaly" in page
