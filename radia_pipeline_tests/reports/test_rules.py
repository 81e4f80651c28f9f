"""Each rule's own examples, and laws over the whole rulebook."""

from __future__ import annotations

import pytest

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.reports.engine import Labeler
from radia_pipeline.reports.french import FRENCH
from radia_pipeline.reports.rules import rulebook

RULES = sorted(rulebook(FRENCH).rules.values(), key=lambda rule: rule.id)


def said(text: str, want: dict) -> dict:
    """Labels without No Finding, unless the example speaks of it."""
    labels = Labeler.default().read(text).labels
    if "No Finding" in want:
        labels.setdefault("No Finding", None)
    else:
        labels.pop("No Finding", None)
    return labels


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rule_fires_in_its_example_and_spares_its_counterexample(rule):
    for text, want in (rule.fires, rule.spares):
        assert said(text, want) == want


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rule_has_a_reason_forms_and_known_classes(rule):
    assert rule.reason and rule.forms
    assert set(rule.classes) <= set(vocabulary().classes)


@pytest.mark.parametrize("rule", [r for r in RULES if r.kind in ("finding", "fixed_finding")], ids=lambda rule: rule.id)
def test_finding_rule_leaves_its_evidence(rule):
    mentions = Labeler.default().read(rule.fires[0]).mentions
    assert any(m.concept == rule.id for m in mentions)
    assert all(m.concept != rule.id for m in Labeler.default().read(rule.spares[0]).mentions)


def test_every_class_that_reports_can_say_has_a_rule():
    named = {c for rule in RULES for c in rule.classes}
    unions = set(vocabulary().unions)
    assert named == set(vocabulary().classes) - unions - {"No Finding"}
