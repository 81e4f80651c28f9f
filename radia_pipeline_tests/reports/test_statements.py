"""Sentences that come again are read from memory: what is read does not depend on what was read before."""

from __future__ import annotations

from dataclasses import replace

import pytest

from radia_pipeline.reports import statements
from radia_pipeline.reports.engine import Labeler
from radia_pipeline.reports.french import FRENCH
from radia_pipeline.reports.rules import rulebook
from radia_pipeline_tests.reports.texts import all_texts

EVERY = 6
"""Of so many texts of the development set one is read."""


@pytest.fixture
def labeler() -> Labeler:
    """A labeler that has read nothing."""
    return Labeler(replace(rulebook(FRENCH)))


def test_texts_are_read_alike_the_first_time_and_ever_after(labeler):
    texts = all_texts()[::EVERY]
    first = [labeler.read(text) for text in texts]
    assert [labeler.read(text) for text in texts] == first
    assert [labeler.read(text) for text in texts[::-1]] == first[::-1]
    assert sum(itself is not None for itself in labeler.book.statements.values()) > len(texts)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ABDOMEN: Pas de masse.", "POUMONS: Pas de masse."),
        ("Indication: nodule. Résultat: Nodule.", "Nodule."),
        ("Drain en place. Trop haut.", "Lésion pulmonaire. Trop haut."),
        ("Pneumothorax ? Aucun.", "Médiastin normal. Aucun."),
        ("Signé sans relecture du radiologue. Nodule.", "Nodule."),
        ("Indication : DRS. Éliminer pneumonie. Rapport : Nodule.", "DRS. Cœur normal. Nodule."),
    ],
)
def test_a_sentence_means_what_its_place_makes_of_it(labeler, one, other):
    alone = [Labeler(replace(rulebook(FRENCH))).read(text) for text in (one, other)]
    for _ in range(3):
        assert [labeler.read(text) for text in (one, other)] == alone


def test_the_memory_is_bounded(labeler, monkeypatch):
    monkeypatch.setattr(statements, "LIMIT", 10)
    texts = all_texts()[: 40 * EVERY : EVERY]
    unbounded = [Labeler.default().read(text) for text in texts]
    for _ in range(2):
        assert [labeler.read(text) for text in texts] == unbounded
        assert 0 < len(labeler.book.statements) <= 10


def test_long_sentences_are_not_remembered(labeler):
    text = "Opacité " + "basale " * statements.LONGEST + "droite."
    for _ in range(3):
        labeler.read(text)
    assert not labeler.book.statements
