"""Reports say what their labels say, by the labelling guide."""

from __future__ import annotations

import re

import pytest

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.phantom import wording
from radia_pipeline.phantom.canvas import generator
from radia_pipeline.phantom.reports import combined, write_report
from radia_pipeline.phantom.sentences import (
    alternatives,
    negative,
    negative_then_positive,
    opacity_because,
    positive,
    uncertain,
)
from radia_pipeline.phantom.signs import drawn
from radia_pipeline.phantom.typing_habits import retype, without_accents
from radia_pipeline.phantom.wording import PHRASES, Phrase
from radia_pipeline_tests.phantom.samples import sample_reports

PLACE = (-1, "lower")


@pytest.fixture(scope="module")
def samples():
    return sample_reports(1500, seed=1)


def test_the_same_seed_gives_the_same_reports_and_another_gives_others():
    assert sample_reports(20, 5) == sample_reports(20, 5)
    assert sample_reports(20, 5) != sample_reports(20, 6)
    assert sample_reports(20, 5) == sample_reports(40, 5)[:20]


def test_few_reports_repeat(samples):
    assert len({text for text, _ in samples}) > 0.95 * len(samples)


def test_labels_are_of_the_vocabulary_and_have_three_values(samples):
    for _, said in samples:
        assert set(said) <= set(vocabulary().classes)
        assert set(said.values()) <= {0, 1, -1}
        assert not set(said) & set(vocabulary().unions)


def test_no_finding_follows_rule_four(samples):
    for _, said in samples:
        others = [status for name, status in said.items() if name != "No Finding"]
        if any(status != 0 for status in others):
            assert said["No Finding"] == 0
        else:
            assert said.get("No Finding") in (1, None)


def test_every_class_is_said_with_every_status(samples):
    for name in drawn():
        assert {said[name] for _, said in samples if name in said} == {0, 1, -1}


def test_the_reports_hold_the_traps_that_the_guide_names(samples):
    texts = [text for text, _ in samples]
    for trap in (
        r"R/O ",
        "Renseignement",
        "CONCORDANCE IMPOSSIBLE",
        r"pour exclure",
        r" virgule ",
        r" point ",
        "’",
        r"-\n",
        "œ",
        "oe",
        r"d' ",
        "à part",
        "ne peut être",
        r"\?",
        "Status post",
        "peu probable",
        "n'est plus visible",
        "versus|vs",
        "s\\.p\\.",
    ):
        assert any(re.search(trap, text) for text in texts), trap


def test_a_doubted_share_of_findings_is_uncertain():
    findings = {"Mass": PLACE}
    said = [write_report(findings, generator(0, "doubt", i)).said.get("Mass") for i in range(1200)]
    uncertain_share = said.count(-1) / (said.count(-1) + said.count(1))
    assert 0.04 < uncertain_share < 0.11


def test_unlabelled_reports_say_nothing():
    for text in wording.UNREADABLE:
        assert not any(phrase.text in text for phrases in PHRASES.values() for phrase in phrases)


@pytest.mark.parametrize("name", sorted(PHRASES))
def test_sentences_carry_the_status_that_they_were_made_for(name):
    rng = generator(0, "status", name)
    for _ in range(60):
        assert negative([name], rng).said[name] == 0
        if name != "Enlarged Cardiomediastinum":
            assert positive(name, PLACE, rng).said[name] == 1
            assert uncertain(name, PLACE, rng).said[name] == -1


def test_a_hedged_cause_leaves_the_opacity_certain():
    assert opacity_because("Pneumonia", PLACE, -1, generator(0, "h")).said == {"Lung Opacity": 1, "Pneumonia": -1}


def test_a_negation_ends_where_a_new_clause_begins():
    sentence = negative_then_positive("Pneumothorax", "Cardiomegaly", PLACE, generator(0, "c"))
    assert sentence.said == {"Pneumothorax": 0, "Cardiomegaly": 1}


def test_alternatives_are_both_uncertain():
    said = alternatives("Pneumonia", "Atelectasis", PLACE, generator(0, "a")).said
    assert said["Pneumonia"] == said["Atelectasis"] == -1


def test_the_indication_makes_no_label():
    """A class that stands before the findings' title only is not in the labels."""
    hits = 0
    for text, said in sample_reports(1500, seed=2):
        head = re.match(
            r"(?:R\.C\.|Indication|Motif):(.*?)(?:Rapport|Description|Résultat|RAPPORT|DESCRIPTION|POUMONS):",
            text,
            re.S,
        )
        if head and "hernie" in head.group(1) and "herni" not in text[head.end() :].lower():
            hits += 1
            assert "Hernia" not in said
    assert hits


def test_combining_statements_prefers_positive_then_uncertain():
    assert combined({"Mass": 0, "Nodule": -1}, {"Mass": -1, "Nodule": 1}) == {"Mass": -1, "Nodule": 1}


def test_articles_agree():
    assert Phrase("hernie hiatale", "f").of_the() == "de la hernie hiatale"
    assert Phrase("œdème pulmonaire").bare() == "d'œdème pulmonaire"
    assert Phrase("hydrothorax").the() == "l'hydrothorax"
    assert Phrase("nodules", is_plural=True).of_a() == "de nodules"


def test_retyping_keeps_the_words():
    text = "Pas d'épanchement, de pneumothorax ni de consolidation. Cœur normal."
    letters = {re.sub(r"[^a-z]", "", without_accents(text.lower().replace("œ", "oe")))}
    for seed in range(200):
        typed = retype(text, generator(seed, "typing")).replace("Œ", "OE")
        plain = without_accents(typed.lower().replace("œ", "oe"))
        plain = re.sub(r"[^a-z]", "", re.sub(r" virgule| point", "", plain))
        assert abs(len(plain) - len(next(iter(letters)))) <= 2
