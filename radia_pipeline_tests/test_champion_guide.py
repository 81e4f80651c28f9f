"""The guide of the champion, run in its order: a refused promotion, one for research, one by readings, a rollback.

In a lake of invented predictions, so that no model has to be good enough; the commands are those of the page.
"""

from __future__ import annotations

import json
import shlex

import dagster as dg
import pytest

from radia_pipeline.cli.main import main
from radia_pipeline.defs.build import build_defs
from radia_pipeline.defs.instance import dagster_home
from radia_pipeline.defs.one_run import instance_of
from radia_pipeline.evaluation import pace
from radia_pipeline.evaluation.champion import history
from radia_pipeline.evaluation.gate_words import WORDS
from radia_pipeline.evaluation.in_use import champion_of
from radia_pipeline_tests.evaluation.champions import BETTER, make_released, new_world, panel_of_skill, read_set
from radia_pipeline_tests.test_documentation import ROOT, commands

GUIDE = ROOT / "docs" / "champion.md"
SHOW, CHECK, REFUSED, RESEARCH, PROMOTION, ROLLBACK = range(6)
"""The guide's commands in their order."""


def run(command: str) -> int:
    return main(shlex.split(command)[1:])


@pytest.fixture
def lake(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RADIA_LAKE", raising=False)
    monkeypatch.setattr(pace, "images_per_second", lambda sides: (10.0, 10.0)[: len(sides)])
    return new_world(tmp_path / ".radia" / "lake", is_read=False)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_guide_does_what_it_says(lake, capsys):
    said = commands(GUIDE)
    assert [run(said[SHOW]), run(said[CHECK]), run(said[REFUSED])] == [0, 1, 1]
    assert "no reading set of the hospital" in capsys.readouterr().err and champion_of(lake) is None
    page = (lake.root / "champion.html").read_text(encoding="utf-8")
    assert "<code>radia review draw</code>" in page and "nobody has approved a champion" in page
    assert run(said[RESEARCH]) == 0
    first = champion_of(lake)
    assert first.standing == "research" and "for research only" in capsys.readouterr().out
    make_released(lake, {"second": panel_of_skill(BETTER, 3)})
    read_set(lake, panel_of_skill(BETTER, 3))
    assert run(said[PROMOTION]) == 0
    assert champion_of(lake).standing == "validated" and champion_of(lake).release != first.release
    page = (lake.root / "champion.html").read_text(encoding="utf-8")
    assert f"A rollback puts back {first.release}, for research only" in page
    assert run(said[ROLLBACK]) == 0
    assert (champion_of(lake).release, champion_of(lake).version) == (first.release, first.version)
    assert [act.kind for act in history(lake)] == ["refused", "approved", "approved", "rolled back"]
    assert "it misses nodules behind the heart" in (lake.root / "champion.html").read_text(encoding="utf-8")
    assert run("radia champion show --json") == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["answers"]["kind"] == "champion" and told["answers"]["release"] == first.release
    _dagster_keeps_every_check_with_its_numbers(lake)


def _dagster_keeps_every_check_with_its_numbers(lake) -> None:
    assert dagster_home(lake).exists()
    with instance_of(lake) as instance:
        found = {rule: _evaluations(instance, rule) for rule in set(WORDS)}
    assert all(found.values())
    refused = [one for one in found["truth"] if not one.passed]
    assert refused and "no reading set" in refused[0].metadata["verdict"].value
    numbers = found["mean_auc"][0].metadata["numbers"].value
    assert numbers[0]["low"] < numbers[0]["value"] < numbers[0]["high"]


def _evaluations(instance, rule: str) -> list:
    key = dg.AssetCheckKey(dg.AssetKey("gate_verdicts"), rule)
    records = instance.event_log_storage.get_asset_check_execution_history(key, limit=9)
    return [record.event.dagster_event.event_specific_data for record in records]


def test_jobs_and_runs_leave_out_what_a_person_asks_for(tmp_path):
    from radia_pipeline.defs.pipeline import make_plan

    definitions = build_defs(lake_root=tmp_path, recipes=("smoke_linear",))
    planned = {name for one in make_plan(definitions, ["ccsmtl"]).runs for name in one.names}
    job = definitions.resolve_job_def("evaluation")
    made = {key.to_user_string() for key in job.asset_layer.selected_asset_keys}
    assert not {"champion", "gate_verdicts"} & (planned | made)
    assert "scorecard" in planned & made and "pseudo_boxes" in planned
