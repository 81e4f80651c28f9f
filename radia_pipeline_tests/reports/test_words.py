"""Single words: inflexion, typing errors, and real words that stay themselves."""

from __future__ import annotations

import re

import pytest

from radia_pipeline.reports.french import FRENCH
from radia_pipeline.reports.layout.pieces import Anywhere
from radia_pipeline.reports.rules import rulebook
from radia_pipeline.reports.words import TOKEN, UNKNOWN, plain
from radia_pipeline_tests.reports.texts import all_texts

TABLE = rulebook(FRENCH).table


@pytest.mark.parametrize(
    "one,other",
    [
        ("pleuraux", "pleurale"),
        ("augmentée", "augmentés"),
        ("douteuse", "douteux"),
        ("Œdème", "oedeme"),
        ("légère", "leger"),
        ("suggestive", "suggestif"),
    ],
)
def test_inflexions_share_a_stem(one, other):
    assert FRENCH.stem(plain(one)) == FRENCH.stem(plain(other))


@pytest.mark.parametrize(
    "typed,meant",
    [
        ("cardiomégali", "cardiomégalie"),
        ("pneumotorax", "pneumothorax"),
        ("épenchement", "épanchement"),
        ("atelectaise", "atélectasie"),
        ("consolidaton", "consolidation"),
        ("emphyzeme", "emphysème"),
        ("nodulle", "nodule"),
        ("pneumonnie", "pneumonie"),
    ],
)
def test_typing_errors_are_corrected(typed, meant):
    assert TABLE[typed] == TABLE[meant] != UNKNOWN


@pytest.mark.parametrize(
    "word",
    [
        "module",
        "facture",
        "structure",
        "gestion",
        "distribution",
        "neuropathie",
        "tension",
        "capacité",
        "embauche",
        "hépatomégalie",
        "bronchoscopie",
        "passe",
        "messe",
        "décharge",
        "fraction",
        "version",
    ],
)
def test_real_words_are_not_findings(word):
    findings = {
        TABLE[w]
        for w in (
            "nodule",
            "fracture",
            "congestion",
            "redistribution",
            "pneumopathie",
            "lésion",
            "opacité",
            "ébauche",
            "cardiomégalie",
            "masse",
            "surcharge",
        )
    }
    assert TABLE[word] not in findings


def test_an_error_near_an_ending_that_no_rule_has_stops_nothing():
    assert TABLE["soustcutané"] == UNKNOWN
    assert TABLE["corporeauy"] == TABLE["corporeal"]


def test_a_text_parted_at_its_blanks_has_the_tokens_of_the_whole():
    for text in (*all_texts(), "", " ", "a  b", "( droit ) - 1,5 cm.", "le 12345.", "R.C. 0,44", "-\t- •", "nodule  "):
        for _ in range(2):  # the second time from memory
            parts, symbols = TABLE.split(text, is_plain=False)
            assert parts == TOKEN.split(text)
            assert symbols == [TABLE[part] for part in parts]


@pytest.mark.parametrize(
    "pattern", [r"(?<!\w)non\s*(?:[:;]|\Z)", r"[àa] (?:pr[ée]ciser|REVOIR)\W|[^\W\d_]x\b", r"^\S+is"]
)
def test_a_pattern_is_found_in_letters_of_either_case(pattern):
    anywhere, either = Anywhere(pattern), re.compile(pattern, re.IGNORECASE)
    texts = ["Nodule : NON", "À PRÉCISER.", "à Revoir;", "İx axial", "avıs", "aviſ", "x", "", *all_texts()[::50]]
    places = [(text, a, b) for text in texts for a in range(0, len(text), 7) for b in (a + 5, len(text))]
    said = [anywhere.is_in(*place) for place in places]
    assert said == [either.search(*place) is not None for place in places]
    assert any(said)
