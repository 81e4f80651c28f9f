"""Each rule's written sentences, each form's own example, and laws over the whole rulebook."""

from __future__ import annotations

from dataclasses import replace

import pytest

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.reports.engine import Labeler
from radia_pipeline.reports.examples import example, spellings, written
from radia_pipeline.reports.french import FRENCH
from radia_pipeline.reports.lacking import Lacking
from radia_pipeline.reports.language import FILES, Language
from radia_pipeline.reports.rules import rulebook

BOOK = rulebook(FRENCH)
RULES = sorted(BOOK.rules.values(), key=lambda rule: rule.id)
WRITTEN = written(FRENCH)
FEWEST = 3
"""Sentences that every rule has, one in which it must not decide among them."""


def said(text: str, want: dict) -> dict:
    """Labels without No Finding, unless the example speaks of it."""
    labels = Labeler.default().read(text).labels
    if "No Finding" in want:
        labels.setdefault("No Finding", None)
    else:
        labels.pop("No Finding", None)
    return labels


def test_every_rule_has_its_sentences_and_no_other_has_any():
    assert WRITTEN.keys() == BOOK.rules.keys()
    few = {name for name, one in WRITTEN.items() if len(one.fires) + len(one.spares) < FEWEST or not one.spares}
    assert few == set()
    texts = [text for one in WRITTEN.values() for text, _ in one.fires]
    assert all(text.strip() for text in texts)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rule_is_read_as_written_in_its_sentences(rule):
    for text, want in (*WRITTEN[rule.id].fires, *WRITTEN[rule.id].spares):
        assert said(text, want) == want, text


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rule_has_a_reason_forms_and_known_classes(rule):
    assert rule.reason and rule.forms
    assert len(set(rule.forms)) == len(rule.forms)
    assert set(rule.classes) <= set(vocabulary().classes)


@pytest.mark.parametrize("rule", [r for r in RULES if r.kind in ("finding", "fixed_finding")], ids=lambda rule: rule.id)
def test_finding_rule_leaves_its_evidence(rule):
    for text, _ in WRITTEN[rule.id].fires:
        assert any(m.concept == rule.id for m in Labeler.default().read(text).mentions), text
    for text, _ in WRITTEN[rule.id].spares:
        assert all(m.concept != rule.id for m in Labeler.default().read(text).mentions), text


def test_every_class_that_reports_can_say_has_a_rule():
    named = {c for rule in RULES for c in rule.classes}
    unions = set(vocabulary().unions)
    assert named == set(vocabulary().classes) - unions - {"No Finding"}


LACKING = Lacking(BOOK)


def test_taking_any_form_away_is_noticed_by_its_example():
    """Each form has a sentence, made by its kind, that is read otherwise without it: none is there for nothing."""
    unnoticed = []
    for rule in RULES:
        for form in rule.forms:
            with LACKING.without(rule.id, form) as lacking:
                if example(rule, form, FRENCH, lacking) is None:
                    unnoticed.append(f"{rule.id}: {form}")
    assert unnoticed == []


@pytest.mark.parametrize("rule", ["effusion", "no_pas_de", "hedge_adjective"])
def test_a_labeler_lacks_a_form_only_while_it_is_taken_away(rule):
    one = BOOK.rules[rule]
    form = one.forms[0]
    text = example_of(one, form)
    want = Labeler.default().read(text)
    with LACKING.without(rule, form) as lacking:
        assert lacking.read(text) != want
    assert LACKING.labeler.read(text) == want


def test_a_form_that_another_one_covers_is_not_noticed():
    """Of two spellings of the same words the later one shows nothing: the law above can fail."""
    twin = replace(BOOK.rules["effusion"], forms=(*BOOK.rules["effusion"].forms, "épanchements"))
    doubled = Lacking(replace(BOOK, rules={**BOOK.rules, "effusion": twin}))
    with doubled.without("effusion", "épanchements") as lacking:
        assert example(twin, "épanchements", FRENCH, lacking) is None


def example_of(rule, form: str) -> str:
    with LACKING.without(rule.id, form) as lacking:
        return example(rule, form, FRENCH, lacking)


def test_reading_does_not_load_the_sentences(monkeypatch):
    loaded = []
    content = Language.content
    monkeypatch.setattr(Language, "content", lambda self, name: loaded.append(name) or content(self, name))
    rulebook(replace(FRENCH))
    assert sorted(loaded) == sorted(FILES)


def test_a_form_is_spelt_in_words():
    assert "pas d argument pour" in spellings(BOOK.rules["no_pas_de"], "pas d argument|image|signe|element pour", BOOK)
