"""Which rule was wrong most often: a planted one comes first, weights count, and doubt about few cases holds back."""

from __future__ import annotations

import json

import numpy as np
import pytest

from radia_pipeline.cli.main import main
from radia_pipeline.contracts.tables import contract
from radia_pipeline.readings.labeler_errors import NOT_MENTIONED, labeler_errors
from radia_pipeline.readings.store import Store
from radia_pipeline_tests.cohort.lakes import new_lake
from radia_pipeline_tests.contracts.plantings import valid_table
from radia_pipeline_tests.readings.worlds import reading

SOURCE = "ccsmtl"
RULES = [("affirmed", "masse"), ("negated", "pas de"), ("negated", "absence de"), ("hedged", "probable")]


def mention(study: str, place: int, name: str, status: int | None, rule: str, cue: str) -> dict:
    return {
        "source": SOURCE,
        "study_id": study,
        "mention_index": place,
        "concept": name,
        "class": name,
        "status": status,
        "section": "findings",
        "sentence": "x",
        "span_start": 0,
        "span_end": 1,
        "cue": cue,
        "rule_id": rule,
    }


def attributes(lake, studies: list[str]) -> None:
    """Publish attributes of reports of which nothing but the study matters."""
    row = valid_table(contract("report_attributes"), 1).to_pylist()[0]
    rows = [{**row, "source": SOURCE, "study_id": study, "is_unlabelled": False} for study in studies]
    lake.write("report_attributes", rows, SOURCE)


@pytest.fixture
def world(tmp_path):
    """Return a lake of 400 read studies in which 5 % of labels are wrong, all by "absence de"."""
    lake = new_lake(tmp_path)
    store, generator = Store(lake), np.random.default_rng(0)
    studies = [f"{number:032x}" for number in range(400)]
    mentions, wrong = [], set(generator.choice(np.arange(2, 400, 4), 20, replace=False).tolist())
    for number, study in enumerate(studies):
        rule, cue = RULES[number % 4]
        said = -1 if rule == "hedged" else int(rule == "affirmed")
        mentions += [mention(study, 0, "Mass", said, rule, cue), mention(study, 1, "Edema", None, rule, cue)]
        truth = 1 if number in wrong else max(said, 0)
        # One unlucky case of another rule: wrong, but nobody knows whether that is its habit.
        answers = {"Mass": truth, "Hernia": int(number == 0)}
        store.append(reading(answers, source=SOURCE, study_id=study, phase="queue", set_id=None))
    lake.write("report_mentions", mentions, SOURCE)
    attributes(lake, studies)
    return lake


def test_the_planted_rule_comes_first(world):
    first, *others = labeler_errors(world)
    assert (first.class_name, first.rule_id, first.cue) == ("Mass", "negated", "absence de")
    assert (first.cells, first.wrong, first.share) == (100, 20, pytest.approx(0.2))
    assert 0.1 < first.low < 0.2 < first.high < 0.3
    missed = {one.class_name: one for one in others if one.rule_id == NOT_MENTIONED}["Hernia"]
    assert (missed.cells, missed.wrong) == (400, 1)
    assert not any(one.rule_id == "hedged" for one in others)


def test_the_command_lists_them(world, capsys):
    assert main(["review", "errors", "--most", "1", "--lake", str(world.root), "--json"]) == 0
    assert [one["cue"] for one in json.loads(capsys.readouterr().out)["rules"]] == ["absence de"]
    assert main(["review", "errors", "--lake", str(world.root)]) == 0
    assert "20 of 100" in capsys.readouterr().out
