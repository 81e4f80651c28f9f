"""Numbers of a report at the bounds of their rules: where a span begins and ends, and what is left alone."""

from __future__ import annotations

import pytest

from radia_pipeline.privacy.letters import edit_distance, fold
from radia_pipeline.privacy.numbers import Span, numbers


def found(text: str, exam_dates: str = "keep") -> list[tuple[str, str]]:
    return [(text[one.start : one.end], one.rule) for one in numbers(text, exam_dates)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Tél. 514 555-1234 demain.", [("Tél. 514 555-1234", "phone_number")]),
        ("Rappeler au 514-555-1234.", [("514-555-1234", "phone_number")]),
        ("RAMQ TREM 5403 1299 vue.", [("TREM 5403 1299", "health_insurance_number")]),
        ("Dossier 1234 revu.", [("Dossier 1234", "record_number")]),
        ("Dossier 12 revu.", []),
        ("Code H3T 1C5 ici.", [("H3T 1C5", "postal_code")]),
        ("Né le 1954-03-12.", [("Né le 1954-03-12", "date_of_birth")]),
        ("Âgée de 92 ans.", [("92 ans", "age_above_89")]),
        ("Âgée de 89 ans.", []),
        ("Côtes 10-11-12 intactes.", []),
        ("Nodule de 12 mm et de 8 mm.", []),
        ("Nodules de 4,5 et 12,25 cm.", []),
        ("T12-L1 sans tassement, 5 lames.", []),
        ("Chambre 412B libre.", [("Chambre 412B", "room")]),
        ("Chambre 412Bc libre.", [("Chambre 412", "room")]),
        ("Chambre 412 libre.", [("Chambre 412", "room")]),
    ],
)  # fmt: skip
def test_where_a_number_that_leads_to_a_person_begins_and_ends(text, expected):
    assert found(text) == expected


@pytest.mark.parametrize("exam_dates", ["keep", "refuse"])
def test_a_date_may_stay_where_an_examination_is_spoken_of(exam_dates):
    with_one = "Comparaison avec la radiographie du 2023-05-04. Suite."
    without = "Sortie prévue le 2023-05-04. La radiographie est normale."
    refused = [("2023-05-04", "date_without_examination")]
    assert found(with_one, exam_dates) == ([] if exam_dates == "keep" else refused)
    assert found(without, exam_dates) == refused
    two = f"{with_one} {without}"
    assert found(two, exam_dates) == (refused if exam_dates == "keep" else refused * 2)


def test_spans_are_named_by_place_and_rule():
    assert list(numbers("X 514-555-1234", "keep")) == [Span(2, 14, "phone_number")]
    assert list(numbers("", "keep")) == []


@pytest.mark.parametrize(
    ("one", "other", "swaps", "plain"),
    [
        ("", "", 0, 0), ("", "abc", 3, 3), ("abc", "", 3, 3), ("abc", "abc", 0, 0), ("abc", "abd", 1, 1),
        ("abc", "ab", 1, 1), ("abc", "xabc", 1, 1), ("abcd", "abdc", 1, 2), ("ab", "ba", 1, 2), ("abc", "cab", 2, 2),
        ("kitten", "sitting", 3, 3), ("ca", "abc", 3, 3), ("aabb", "abab", 1, 2), ("abcdef", "badcfe", 3, 4),
    ],
)  # fmt: skip
def test_typing_errors_between_two_words(one, other, swaps, plain):
    """Optimal string alignment and Levenshtein's distance, counted by hand."""
    assert edit_distance(one, other) == edit_distance(other, one) == swaps
    assert edit_distance(one, other, swaps=False) == edit_distance(other, one, swaps=False) == plain


@pytest.mark.parametrize(("word", "folded"), [
    ("Œdème", "oedeme"), ("ABC", "abc"), ("ÆON", "aeon"), ("Éloïse", "eloise"), ("ﬁn", "fin"), ("naïf", "naif"),
])  # fmt: skip
def test_words_are_folded_to_plain_letters(word, folded):
    assert fold(word) == folded
