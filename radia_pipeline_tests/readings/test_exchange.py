"""Readings leave in a form that anyone can prove, and come in from elsewhere once."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from radia_pipeline.cli.main import main
from radia_pipeline.errors import BadInput, UnknownName
from radia_pipeline.lake.lake import Lake
from radia_pipeline.readings.exchange import COLUMNS, export_readings, import_readings
from radia_pipeline.readings.in_force import labels_in_force
from radia_pipeline.readings.store import Store
from radia_pipeline_tests.readings.worlds import OTHER, SOURCE, STUDY, unset

PAGE = Path(__file__).resolve().parents[2] / "docs" / "readings.md"


@pytest.fixture
def lake(tmp_path) -> Lake:
    return Lake.open(tmp_path / "lake")


@pytest.fixture
def exported(lake, tmp_path) -> Path:
    store = Store(lake)
    store.append(unset(comment="Opacité."))
    store.append(unset({"Mass": 0, "Hernia": -1}, study_id=OTHER))
    store.append(unset(reader="r2"))
    store.forget({OTHER})
    export_readings(lake, tmp_path / "out")
    return tmp_path / "out"


def proof(folder: Path, tmp_path: Path) -> subprocess.CompletedProcess:
    """Run the script of the documentation."""
    (script,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(script.splitlines()) <= 31
    path = tmp_path / "proof.py"
    path.write_text(script)
    return subprocess.run([sys.executable, path, folder], capture_output=True, text=True)


def test_the_documented_script_proves_an_export(exported, tmp_path):
    done = proof(exported, tmp_path)
    assert (done.returncode, done.stdout) == (0, "4 lines are as they were written\n")


def edit(lines):
    return [lines[0].replace(b'"Mass":1', b'"Mass":0'), *lines[1:]]


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (edit, "line 1 was changed"),
        (lambda lines: lines[:1] + lines[2:], "line 2 was changed"),
        (lambda lines: lines[:-2], "does not fit the witness"),
        (lambda lines: lines[:-1], "does not fit the witness"),
    ],
)
def test_the_documented_script_sees_what_was_done_to_it(exported, tmp_path, harm, words):
    path = exported / "readings.jsonl"
    path.write_bytes(b"".join(harm(path.read_bytes().splitlines(keepends=True))))
    done = proof(exported, tmp_path)
    assert done.returncode == 1 and words in done.stderr


def test_the_table_names_no_reader_and_no_comment(exported):
    rows = list(csv.DictReader((exported / "answers.csv").open(encoding="utf-8")))
    assert [(row["study_id"], row["class"], row["value"]) for row in rows] == [(STUDY, "Mass", "1")] * 2
    assert not {"reader", "comment"} & set(rows[0])


def sheet(path: Path, *rows: tuple) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([(*COLUMNS, "decided_at"), *rows])
    return path


def test_a_sheet_comes_in_once_as_imported_readings(lake, tmp_path, capsys):
    at = "2025-05-01T10:00:00+00:00"
    rows = [(SOURCE, STUDY, "dr1", "Mass", "present", at), (SOURCE, STUDY, "dr1", "Hernia", "absent", at)]
    path = sheet(tmp_path / "sheet.csv", *rows, (SOURCE, OTHER, "dr1", "Mass", "uncertain", at))
    words = ["review", "import", str(path), "--made-by", "st1", "--made-from", "sheet of May", "--lake", str(lake.root)]
    for new in (2, 0):
        assert main([*words, "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == {"readings": 2, "new": new, "of_unknown_studies": 2}
    found = {cell[1:]: verdict.value for cell, verdict in labels_in_force(lake).items()}
    assert found == {(STUDY, "Mass"): 1, (STUDY, "Hernia"): 0, (OTHER, "Mass"): -1}


def test_label_studio_comes_in(lake, tmp_path):
    result = [{"type": "choices", "from_name": "Mass", "value": {"choices": ["present"]}}]
    annotations = [{"completed_by": 7, "result": result, "created_at": "2025-05-01T10:00:00Z"}]
    path = tmp_path / "tasks.json"
    path.write_text(json.dumps([{"data": {"source": SOURCE, "study_id": STUDY}, "annotations": annotations}]))
    assert import_readings(lake, path, "label_studio", made_by="st1", made_from="Label Studio, May").new == 1
    assert [(cell[2], one.value) for cell, one in labels_in_force(lake).items()] == [("Mass", 1)]


@pytest.mark.parametrize(
    "row",
    [
        (SOURCE, STUDY, "dr1", "Mass", "perhaps", ""),
        (SOURCE, STUDY, "dr1", "", "present", ""),
        (SOURCE, "1.2.840.7", "dr1", "Mass", "present", ""),
        ("nowhere", STUDY, "dr1", "Mass", "present", ""),
        (SOURCE, STUDY, "dr1", "Hernia", "absent", ""),
        (SOURCE, STUDY, "dr1", "Gout", "present", ""),
    ],
)
def test_a_bad_line_lets_nothing_in_and_is_not_repeated(lake, tmp_path, row):
    path = sheet(tmp_path / "sheet.csv", (SOURCE, STUDY, "dr1", "Hernia", "present", ""), row)
    with pytest.raises(BadInput) as caught:
        import_readings(lake, path, "csv", made_by="st1", made_from="sheet")
    assert "1.2.840" not in str(caught.value)
    assert Store(lake).head.lines == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "first line"),
        (b"source,study_id,reader,class,answer\n", "no answer"),
        (b"source;study_id;reader;class;answer\nnih_cxr14;1;r;Mass;present\n", "apart by commas"),
        ("source,study_id,reader,class,answer\nnih_cxr14,é,r,Mass,présent\n".encode("latin-1"), "UTF-8"),
        (bytes(range(128, 256)), "UTF-8"),
    ],
)
def test_a_file_that_is_no_sheet_is_said_to_be_none(lake, tmp_path, content, words):
    (tmp_path / "sheet.csv").write_bytes(content)
    with pytest.raises(BadInput, match=words):
        import_readings(lake, tmp_path / "sheet.csv", "csv", made_by="st1", made_from="sheet")


@pytest.mark.parametrize("changes", [{"made_from": "sheet of Mme Tremblay"}, {"at": "Tuesday, Mme Tremblay"}])
def test_where_readings_come_from_names_nobody(lake, tmp_path, changes):
    row = (SOURCE, STUDY, "dr1", "Mass", "present", changes.get("at", ""))
    path = sheet(tmp_path / "sheet.csv", row)
    with pytest.raises(BadInput) as caught:
        import_readings(lake, path, "csv", made_by="st1", made_from=changes.get("made_from", "sheet of 2026-05-01"))
    assert "Tremblay" not in str(caught.value)


def test_other_forms_are_named(lake, tmp_path):
    with pytest.raises(UnknownName, match="csv, label_studio"):
        import_readings(lake, tmp_path / "x", "parquet", made_by="st1", made_from="x")
    (tmp_path / "x").write_text('{"a": 1}')
    with pytest.raises(BadInput, match="no JSON export"):
        import_readings(lake, tmp_path / "x", "label_studio", made_by="st1", made_from="x")
