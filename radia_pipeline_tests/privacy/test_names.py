"""Names of a report to the letter: what a span takes in, by which rule, and what stands beside it and is none.

A span that is a letter too short leaves a part of a name behind where the rest is replaced.
"""

from __future__ import annotations

import pytest

from radia_pipeline.privacy.names import Said, names


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Dr Tremblay a revu le cliché.", [("Dr Tremblay", "physician_name"), ("Tremblay", "listed_name")]),
        ("M. Gagnon va mieux.", [("M. Gagnon", "listed_name"), ("M. Gagnon", "titled_name")]),
        (
            "Mme Marie-Josée Bouchard est revue.",
            [("Marie-Josée Bouchard", "listed_name"), ("Mme Marie-Josée Bouchard", "titled_name")],
        ),
        ("Md 12 mm.", []),
        ("Le nodule de 3 m. Stable.", []),
        (
            "Lu par Dre Nguyen Thi Lan.",
            [
                ("Dre Nguyen Thi Lan", "physician_name"),
                ("Lu par Dre Nguyen Thi Lan", "signature"),
                ("Nguyen Thi Lan", "listed_name"),
            ],
        ),
        ("Lavoie, MD", [("Lavoie", "listed_name"), ("Lavoie", "physician_name")]),
        ("Radiologiste: en attente", []),
        ("Technologue Gagnon présente.", [("Gagnon", "listed_name"), ("Technologue Gagnon", "staff_name")]),
        ("Dicté par O. Lavoie le matin.", [("Dicté par O. Lavoie", "signature"), ("O. Lavoie", "listed_name")]),
        (
            "Signé électroniquement par Lavoie",
            [("Lavoie", "listed_name"), ("Signé électroniquement par Lavoie", "signature")],
        ),
        ("Signé : OL", []),
        ("Discuté avec Gagnon.", [("Gagnon", "listed_name"), ("Gagnon", "staff_name")]),
        ("Avisé Tremblay à midi.", [("Tremblay", "listed_name"), ("Tremblay", "staff_name")]),
        ("Vu avec le patient.", []),
        ("Vu par le résident Gagnon.", [("Gagnon", "listed_name"), ("résident Gagnon", "staff_name")]),
        ("Son épouse Marie est présente.", [("Marie", "first_name"), ("épouse Marie", "relative_name")]),
        (
            "Sa fille, Louise Gagnon, accompagne.",
            [("Louise Gagnon", "listed_name"), ("fille, Louise Gagnon", "relative_name")],
        ),
        ("Son fils. Gagnon.", [("Gagnon", "listed_name")]),
        ("Patiente Bouchard connue.", [("Bouchard", "listed_name"), ("Patiente Bouchard", "patient_name")]),
        ("Patient stable.", []),
        ("Nom : Lavoie", [("Lavoie", "listed_name"), ("Nom : Lavoie", "labelled_name")]),
        ("Nommée Lavoie.", [("Lavoie", "listed_name"), ("Nommée Lavoie", "labelled_name")]),
        ("Tremblay Gagnon revus.", [("Tremblay Gagnon", "listed_name")]),
        ("Marie Tremblay se plaint de toux.", [("Marie Tremblay", "listed_name")]),
        ("Opacité de Claude Bernard-Horner.", []),
        ("Angle de Louis normal.", []),
        ("Cathéter de Swan-Ganz en place.", []),
        ("O. Lavoie", [("O. Lavoie", "listed_name")]),
        ("Pas de pneumothorax. Cœur normal.", []),
        ("Docteur de la Durantaye avisé.", [("Docteur de la Durantaye", "physician_name")]),
        ("Okonkwo tousse.", [("Okonkwo", "person_subject")]),
        ("Okonkwo stable.", []),
        ("Le Okonkwo stable.", []),
        ("Okonkwo, 74 ans, toux.", [("Okonkwo", "person_subject")]),
        ("Okonkwo C. en salle.", [("Okonkwo C", "capitalised_words")]),
        ("vu avec Chidi Okonkwo hier", [("Chidi Okonkwo", "capitalised_words"), ("Chidi Okonkwo", "staff_name")]),
        ("Okonkwo. Stable.", []),
        ("Dr Okonkwo. Stable.", [("Dr Okonkwo", "physician_name")]),
        ("Prothèse Okonkwo Plus.", []),
        ("Tremblay", [("Tremblay", "listed_name")]),
        ("Dicté par\nOkonkwo", [("Dicté par\nOkonkwo", "signature")]),
    ],
)
def test_spans_of_names_and_their_rules(text, found):
    assert sorted({(text[one.start : one.end], one.rule) for one in names(Said(text))}) == found


def test_words_places_and_gaps_of_a_text():
    said = Said("Dr Roy. Vu")
    assert [word[:3] for word in said.words] == [("Dr", 0, 2), ("Roy", 3, 6), ("Vu", 8, 10)]
    assert [said.gap(at) for at in (-1, 0, 1, 2)] == ["\n\n", " ", ". ", "\n\n"]
    assert [said.begins(at) for at in (0, 1, 2)] == [True, False, True]
    assert said.kind(-1) == said.kind(3) == 0
    assert said.kind(2) != 0


def test_a_name_goes_on_for_twelve_words_to_either_side():
    row = " ".join(["Tremblay"] * 30)
    longest = max(one.end - one.start for one in names(Said(row)))
    assert longest == len(" ".join(["Tremblay"] * 25)), "twelve to either side"
