"""The scorecard's run: who releases by its tags, and that a run which is executed again releases nothing new."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from radia_pipeline.defs.evaluation import RELEASE_BY, RELEASE_WHY, released_by
from radia_pipeline.evaluation import ensemble
from radia_pipeline.evaluation.release import Release, release
from radia_pipeline_tests.evaluation.worlds import make_lake, make_panel, on_test, put_manifest

SKILLS = {"one": 1.5, "two": 1.2}
GIVEN = Release("A. Person", "the reader study")


@pytest.fixture
def lake(tmp_path):
    lake = make_lake(tmp_path, SKILLS, studies=160)
    put_manifest(lake, make_panel(1.0, studies=160))
    ensemble.build_ensemble(lake, list(SKILLS))
    return lake


def asked(lake, tags: dict[str, str], parent: str | None) -> tuple[Release | None, list[str]]:
    """Return what a run with these tags releases, and what it warns of."""
    said: list[str] = []
    run = SimpleNamespace(tags=tags, parent_run_id=parent)
    context = SimpleNamespace(run=run, log=SimpleNamespace(warning=said.append))
    return released_by(context, lake), said


TAGS = {RELEASE_BY: GIVEN.who, RELEASE_WHY: GIVEN.why}


def test_a_run_with_tags_releases_and_one_without_does_not(lake):
    assert asked(lake, TAGS, None) == (GIVEN, [])
    assert asked(lake, {}, None) == (None, [])


def test_a_run_that_is_executed_again_goes_on_with_its_release_and_begins_none(lake):
    found, said = asked(lake, TAGS, "the run before")
    assert found is None and "releases nothing new" in said[0]

    def broken(*_):
        raise RuntimeError("no memory")

    with pytest.raises(RuntimeError):
        release(lake, GIVEN, broken)
    assert asked(lake, TAGS, "the run before") == (GIVEN, [])
    release(lake, GIVEN, on_test(SKILLS, studies=160))
    ensemble.build_ensemble(lake, ["two"])
    assert asked(lake, TAGS, "the run before")[0] is None, "the ensemble is another one now"
