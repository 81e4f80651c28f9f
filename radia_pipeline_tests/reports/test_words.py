"""Single words: inflexion, typing errors, and real words that stay themselves."""

from __future__ import annotations

import pytest

from radia_pipeline.reports.french import FRENCH
from radia_pipeline.reports.rules import rulebook
from radia_pipeline.reports.words import UNKNOWN, plain

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
