"""Single words: inflexion, typing errors, and real words that stay themselves."""

from __future__ import annotations

import pytest

from radia_pipeline.reports.rules import load_rules
from radia_pipeline.reports.words import UNKNOWN, edit_distance, fold, stem


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
    assert stem(fold(one)) == stem(fold(other))


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
    table = load_rules().table
    assert table[typed] == table[meant] != UNKNOWN


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
    table = load_rules().table
    findings = {
        table[w]
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
    assert table[word] not in findings


def test_edit_distance_counts_a_swap_as_one():
    assert edit_distance("pnuemo", "pneumo") == 1
    assert edit_distance("masse", "messes") == 2
