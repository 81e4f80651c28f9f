"""The labelling guide shows readings: each is what the rules say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.reports.engine import Labeler

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "labelling_guide.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (.+\.) \| (.+ −?[01]) \|$", GUIDE[GUIDE.index("## Four readings") :], re.M)


@pytest.mark.parametrize(("report", "said"), ROWS)
def test_the_readings_of_the_guide_are_those_of_the_rules(report, said):
    want = {name: int(value.replace("−", "-")) for name, value in re.findall(r"([A-Z][A-Za-z ]+) (−?[01])", said)}
    labels = Labeler.default().read(report).labels
    assert {name: value for name, value in labels.items() if name != "No Finding" or name in want} == want


def test_the_guide_shows_readings_and_every_class_that_reports_can_say():
    assert len(ROWS) == 4
    named = set(vocabulary().classes) - set(vocabulary().unions)
    assert [name for name in named if name not in GUIDE] == []
