"""Two models side by side: what is better is told apart, what is alike is not, and a note stays with its figures."""

from __future__ import annotations

import pytest

from radia_pipeline.cli.main import main
from radia_pipeline.errors import BadInput, DamagedFile, MissingTable
from radia_pipeline.evaluation.comparing import MEAN, compare, keep_note, read_notes
from radia_pipeline_tests.evaluation.worlds import make_lake


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    return make_lake(tmp_path_factory.mktemp("pair") / "lake", {"good": 2.0, "alike": 2.0, "poor": 0.4})


def means(lake, first: str, second: str) -> dict:
    return {row.figure: row for row in compare(lake, first, second).rows if row.name == MEAN}


def test_the_better_model_is_told_apart_and_an_equal_one_is_not(lake):
    better, alike = means(lake, "good", "poor"), means(lake, "good", "alike")
    assert all(row.is_told_apart and row.difference.low > 0 for row in better.values())
    assert not alike["auc"].is_told_apart
    turned = means(lake, "poor", "good")
    assert turned["auc"].difference.value == pytest.approx(-better["auc"].difference.value)


def test_a_note_is_kept_with_its_figures_and_found_from_either_side(lake):
    found = compare(lake, "good", "poor")
    keep_note(lake, found, "Meilleur partout.", "D. Essai")
    (note,) = read_notes(lake, "poor", "good")
    assert (note["note"], note["who"], note["versions"]) == ("Meilleur partout.", "D. Essai", found.versions)
    assert note["rows"][0]["difference"]["value"] == pytest.approx(found.rows[0].difference.value)
    assert read_notes(lake, "good", "alike") == []
    for words, who in (("", "D. Essai"), ("x", " "), ("x" * 501, "D. Essai")):
        with pytest.raises(BadInput):
            keep_note(lake, found, words, who)


def test_a_note_that_was_altered_is_said(tmp_path):
    lake = make_lake(tmp_path / "lake", {"good": 2.0, "poor": 0.4})
    keep_note(lake, compare(lake, "good", "poor"), "one", "D. Essai")
    text = lake.comparisons_path.read_text()
    lake.comparisons_path.write_text(text.replace("one", "two"))
    with pytest.raises(DamagedFile, match=r"comparisons\.jsonl"):
        read_notes(lake, "good", "poor")


def test_what_cannot_be_compared_is_said(lake):
    with pytest.raises(BadInput, match="with itself"):
        compare(lake, "good", "good")
    with pytest.raises(MissingTable):
        compare(lake, "good", "absent")


def test_the_command_shows_figures_and_keeps_the_note(lake, capsys):
    arguments = ["compare", "alike", "poor", "--lake", str(lake.root), "--note", "To be shipped.", "--who", "D. Essai"]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "told apart" in said
    assert said.rstrip().endswith("D. Essai: To be shipped.")
