"""Files for ``radia label``: what is accepted, and errors that name the line and the remedy."""

from __future__ import annotations

import pytest

from radia_pipeline.errors import BadTable
from radia_pipeline.reports.files import read_report_file

ROWS = [("a1", "Pas d'épanchement."), ("a2", "")]


@pytest.mark.parametrize(
    "content",
    [
        "id,text\na1,Pas d'épanchement.\na2,\n",
        "study_id;report\na1;Pas d'épanchement.\na2;\n",
        'study_instance_uid,patient_id,report\na1,p,"Pas d\'épanchement."\na2,p,""\n',
        '{"id": "a1", "text": "Pas d\'épanchement."}\n\n{"id": "a2", "text": null}\n',
        "\ufeffID;Rapport\r\na1;Pas d'épanchement.\r\na2;\r\n",
        "id;text;\na1;Pas d'épanchement.;\n;;\na2;;;\n",
    ],
    ids=["comma", "semicolon", "delivery", "json lines", "windows with mark", "empty fields of a spreadsheet"],
)
def test_accepted_layouts(tmp_path, content):
    path = tmp_path / "reports"
    path.write_bytes(content.encode("utf-8"))
    assert read_report_file(path) == ROWS


def test_a_text_may_hold_lines_and_delimiters(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text('id,text\na1,"Un, deux;\ntrois"\n', encoding="utf-8")
    assert read_report_file(path) == [("a1", "Un, deux;\ntrois")]


@pytest.mark.parametrize(
    "content,words",
    [
        (b"name,text\nx,y\n", "no id column"),
        (b"id,name\nx,y\n", "no text column"),
        (b"id,text\nx,a\ny,b\nx,c\n", "Line 4 repeats the id of line 2"),
        ("id,text\nx,a\ny,épanchement\n".encode("cp1252"), "Line 3 holds bytes that are not UTF-8"),
        (b'{"id": 1, "text": "a"}\n{oops\n', "Line 2 is not JSON"),
        (b"id,text\nx,a,b\n", "Line 2 has more fields"),
        (b'id,text\n\nx,"a\nb"\ny,a,b\n', "Line 5 has more fields"),
        (b"id,text,text\nx,a,b\n", "text column stands twice"),
        (b"id,text\n,a\n", "Line 2 has no id"),
        (b"", "no id column"),
    ],
    ids=[
        "no id",
        "no text",
        "repeated",
        "cp1252",
        "json",
        "fields",
        "later fields",
        "twice",
        "empty id",
        "empty file",
    ],
)
def test_errors_name_the_line_and_say_what_to_do(tmp_path, content, words):
    path = tmp_path / "reports"
    path.write_bytes(content)
    with pytest.raises(BadTable, match=words) as caught:
        read_report_file(path)
    assert "Accepted" in str(caught.value) and "épanchement" not in str(caught.value)


def test_another_encoding_can_be_named(tmp_path):
    path = tmp_path / "r.csv"
    path.write_bytes("id;text\na1;œdème\n".encode("cp1252"))
    assert read_report_file(path, encoding="cp1252") == [("a1", "œdème")]


def test_a_missing_file_is_named():
    with pytest.raises(BadTable, match="cannot be read"):
        read_report_file("nowhere.csv")
