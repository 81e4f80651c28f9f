"""A champion is a person's act with a name and a reason; it can be taken back to the bit; the history only grows."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from radia_pipeline.errors import BadInput, DamagedFile, PromotionRefused
from radia_pipeline.evaluation import gate
from radia_pipeline.evaluation.champion import Signature, history
from radia_pipeline.evaluation.in_use import champion_of, in_use
from radia_pipeline.evaluation.reliability import read_reliability
from radia_pipeline.lake.collect import collect
from radia_pipeline.lake.lake import Lake
from radia_pipeline.monitoring.acknowledgements import ACKNOWLEDGED, Act, note
from radia_pipeline.training.model_folders import point
from radia_pipeline.usecases import promotion
from radia_pipeline.usecases.champion_text import shown, shown_text
from radia_pipeline_tests.evaluation.champions import (
    BETTER,
    BY,
    approval,
    approved_world,
    make_released,
    new_world,
    panel_of_skill,
    read_set,
    steady,
)
from radia_pipeline_tests.monitoring.worlds import filled


@pytest.fixture(scope="module")
def approved(tmp_path_factory):
    return approved_world(tmp_path_factory.mktemp("approved") / "lake")


@pytest.fixture
def lake(approved, tmp_path):
    shutil.copytree(approved.root, tmp_path / "lake")
    return Lake.open(tmp_path / "lake")


def answers(lake: Lake) -> tuple[bytes, ...]:
    """Return what the lake says of a hundred invented studies, with what it has meant so far, to the bit."""
    using = in_use(lake)
    seen = np.random.default_rng(3).random((100, 21))
    members = dict.fromkeys(using.ensemble.members, seen)
    logits, probability = using.ensemble.predict(members)
    held = read_reliability(lake, using)
    return (
        logits.tobytes(),
        probability.tobytes(),
        using.ensemble.cuts.tobytes(),
        *(part.tobytes() for parts in held.by_class for part in parts),
    )


def promote(lake: Lake, skill: float = BETTER, **changes) -> promotion.PromotionResult:
    make_released(lake, {"second": panel_of_skill(skill, 3)})
    gate.judge(lake, pace=steady())
    return promotion.approve(lake, approval(**changes))


def test_a_rollback_answers_to_the_bit_as_before(lake):
    before, version = answers(lake), lake.version("champion")
    done = promote(lake)
    assert done.before is not None and champion_of(lake).ensemble.members == ("second",)
    assert answers(lake) != before
    collect(lake, keep_days=0)  # what a champion needs is never collected
    shutil.rmtree(lake.models_dir / "_answers")
    back = promotion.roll_back(lake, Signature("B. Engineer", "it missed nodules"))
    assert back.release == done.before and lake.version("champion") == version
    assert answers(lake) == before
    assert [act.kind for act in history(lake)] == ["approved", "approved", "rolled back"]
    assert history(lake)[-1].by == "B. Engineer" and history(lake)[-1].before == done.release


def test_the_champion_stays_when_ensemble_and_models_go_on(lake):
    before = answers(lake)
    make_released(lake, {"first": panel_of_skill(1.9, 7)})
    assert in_use(lake).kind == "champion" and answers(lake) == before


def test_before_the_first_champion_the_ensemble_answers_and_does_again(lake):
    promotion.roll_back(lake, BY)
    assert in_use(lake).kind == "ensemble" and champion_of(lake) is None
    with pytest.raises(BadInput, match="no champion to roll back"):
        promotion.roll_back(lake, BY)


def test_a_refusal_changes_nothing_and_is_kept_with_its_name(lake):
    version = lake.version("champion")
    make_released(lake, {"second": panel_of_skill(0.4, 3)})
    gate.judge(lake, pace=steady())
    with pytest.raises(PromotionRefused, match=r"mean_auc, all: surely worse; lower end of the difference −"):
        promotion.approve(lake, approval(is_research=True))
    last = history(lake)[-1]
    assert lake.version("champion") == version
    assert (last.kind, last.by) == ("refused", BY.by) and "mean_auc" in last.refused


def test_verdicts_on_something_else_approve_nothing(lake):
    make_released(lake, {"second": panel_of_skill(BETTER, 3)})
    with pytest.raises(BadInput, match="judged something else"):
        promotion.approve(lake, approval())
    assert [act.kind for act in history(lake)] == ["approved"]


def test_a_calibration_that_is_off_passes_when_the_shift_is_stated_and_that_stands_beside_it(lake):
    make_released(lake, {"second": panel_of_skill(BETTER, 3)})
    gate.judge(lake, pace=steady())
    rows = lake.read("gate_verdicts").to_pylist()
    place = next(number for number, row in enumerate(rows) if row["rule"] == "calibration")
    rows[place] |= {"outcome": "refused", "detail": "too sure of itself"}
    lake.write("gate_verdicts", rows)
    with pytest.raises(PromotionRefused, match=r"calibration.*--shift"):
        promotion.approve(lake, approval())
    done = promotion.approve(lake, approval(stated_shift="too sure by .2 of the log odds"))
    assert done.waived == ("calibration",)
    assert "too sure by .2 of the log odds" in shown_text(shown(lake))


def test_the_detector_that_stood_beside_it_comes_back(lake):
    def train(name: str) -> None:
        folder = lake.models_dir / "detector" / "small" / name
        folder.mkdir(parents=True)
        for file in ("model.json", "model.safetensors"):
            (folder / file).write_text("{}")
        for place in (folder.parent, folder.parent.parent):
            point(place, {"name": "small", "fingerprint": name})

    train("before")
    promote(lake)
    train("after")
    promotion.roll_back(lake, BY)
    assert promotion.latest_detector(lake).name == "before"


def test_a_killed_approval_is_finished_by_the_next_act(lake, monkeypatch):
    first = champion_of(lake).release

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(promotion, "publish", killed)
        with pytest.raises(KeyboardInterrupt):
            promote(lake)
    assert champion_of(lake).release == first and len(history(lake)) == 2
    done = promotion.roll_back(lake, BY)
    assert done.release == first == champion_of(lake).release


@pytest.mark.parametrize(("by", "reason"), [("", "x"), ("x", "  ")])
def test_a_name_and_a_reason_are_needed(by, reason):
    with pytest.raises(BadInput, match="a name and a reason"):
        Signature(by, reason)


def test_a_line_that_was_changed_is_named(lake):
    promote(lake)
    path = lake.champions_path
    path.write_text(path.read_text().replace('"standing":"validated"', '"standing":"research"', 1))
    with pytest.raises(DamagedFile, match="line 1"):
        promotion.roll_back(lake, BY)
    with pytest.raises(DamagedFile, match="nothing was collected"):
        collect(lake, keep_days=0)


def test_a_lake_that_stands_has_no_champion_and_says_so(tmp_path):
    lake = new_world(tmp_path, is_read=False)
    assert "nobody has approved a champion" in shown_text(shown(lake))
    assert in_use(lake).kind == "ensemble" and history(lake) == ()


def test_a_drift_report_that_freezes_promotions_is_answered_first(lake):
    day, row = "2026-05-11", {"source": "ccsmtl", "stream": "mean_grey", "action": "freeze"}
    lake.write("drift_report", filled("drift_report", [{"day": day, **row}]), day)
    before = len(history(lake))
    with pytest.raises(PromotionRefused, match=r"drift report of 2026-05-11 freezes promotions: 1 alarms.*radia drift"):
        promote(lake)
    assert len(history(lake)) == before
    note(lake, Act(ACKNOWLEDGED, "A. Steward", "a new detector", day, "ccsmtl"))
    assert promote(lake).act == "approved"


def test_a_champion_for_research_becomes_a_validated_one_once_it_was_read(tmp_path):
    lake = new_world(tmp_path, is_read=False)
    gate.judge(lake, pace=steady())
    promotion.approve(lake, approval(is_research=True))
    read_set(lake, panel_of_skill(1.2, 1))
    found = gate.judge(lake, pace=steady())
    assert found.refused == () and found.challenger == found.champion
    (auc,) = [one for one in found.verdicts if one.rule == "mean_auc"]
    assert auc.found.value == 0 and "the champion's own answers" in auc.detail
    assert promotion.approve(lake, approval()).standing == "validated"
    promotion.roll_back(lake, BY)
    assert champion_of(lake).standing == "research"
