"""Folding and edit distance, as the gate of reports and the reader of reports both use them."""

from __future__ import annotations

import pytest

from radia_pipeline.privacy.letters import edit_distance, fold


@pytest.mark.parametrize(
    ("word", "folded"), [("Œdème", "oedeme"), ("CÔTÉ", "cote"), ("Lætitia", "laetitia"), ("Mc", "mc")]
)
def test_a_word_loses_accents_ligatures_and_case(word, folded):
    assert fold(word) == folded
    assert fold(folded) == folded


def test_two_neighbours_that_changed_places_count_one_or_two():
    assert edit_distance("pnuemo", "pneumo") == 1
    assert edit_distance("pnuemo", "pneumo", swaps=False) == 2
    assert edit_distance("masse", "messes") == edit_distance("masse", "messes", swaps=False) == 2
