"""What a form does is told by its rule, an example and the texts that it decides; what is no form is refused."""

from __future__ import annotations

import json

import pytest

from radia_pipeline.cli.main import main
from radia_pipeline.errors import BadInput
from radia_pipeline.reports.explain import explain, find, written_texts
from radia_pipeline.reports.french import FRENCH
from radia_pipeline.reports.rules import rulebook

BOOK = rulebook(FRENCH)


@pytest.mark.parametrize(
    ("query", "rule"),
    [
        ("cardiomegalie", "cardiomegaly"),
        ("Pas d'argument pour", "no_pas_de"),
        ("no_sans/sans", "no_sans"),
        ("épanchements pleuraux", "effusion"),
    ],
)
def test_a_form_is_found_as_written_and_by_its_words(query, rule):
    assert rule in {found.id for found, _ in find(query, BOOK)}


def test_words_that_no_form_stands_for_are_refused():
    with pytest.raises(BadInput, match="No form of the rulebook"):
        find("chapeau de paille", BOOK)


def test_a_misspelt_word_is_no_form():
    with pytest.raises(BadInput, match="No form of the rulebook"):
        find("cardiomegalei", BOOK)


def test_a_form_decides_the_texts_whose_labels_need_it():
    (pair,) = find("no_ni/ni", BOOK)
    texts = ["Ni masse.", "Pas de masse.", "Masse."]
    one = explain(*pair, FRENCH, texts)
    assert [decided.text for decided in one.decides] == ["Ni masse."]
    assert one.decides[0].labels["Mass"] == 0
    assert one.decides[0].without.get("Mass") == 1
    assert one.example is not None
    assert len(one.written.fires) + len(one.written.spares) >= 3


def test_the_command_shows_rule_example_and_texts(capsys):
    assert main(["rules", "show", "possible", "--json"]) == 0
    (form,) = json.loads(capsys.readouterr().out)["forms"]
    assert form["rule"] == "hedge_adjective"
    assert form["example"]["labels"] != form["example"]["without"]
    assert form["decides"] and all(row["labels"] != row["without"] for row in form["decides"])
    assert main(["rules", "show", "possible", "--most", "1"]) == 0
    said = capsys.readouterr().out
    assert f"decides {len(form['decides'])} of {len(written_texts(FRENCH))} texts" in said


def test_the_command_looks_through_the_texts_that_it_is_given(tmp_path, capsys):
    file = tmp_path / "mine.csv"
    file.write_text("id,text\na,Possible masse.\nb,Masse.\n", encoding="utf-8")
    assert main(["rules", "show", "possible", "--json", "--texts", str(file)]) == 0
    (form,) = json.loads(capsys.readouterr().out)["forms"]
    assert [row["text"] for row in form["decides"]] == ["Possible masse."]
