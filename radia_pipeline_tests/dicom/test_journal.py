"""The journal of an ingest: lines come back as they were written, and what is removed is gone from the file."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from radia_pipeline.dicom import arrivals
from radia_pipeline.dicom.deliveries import iso_week
from radia_pipeline.dicom.journal import COLUMNS, FILE, REPORT, Entry, Journal
from radia_pipeline.errors import DamagedFile, LakeUnwritable


@pytest.fixture
def journal(tmp_path: Path):
    with Journal(tmp_path / "deep" / "one.sqlite") as opened:
        yield opened


def entry(name: str, **changes: object) -> Entry:
    given = {"path": name, "size_bytes": 7, "mtime_ns": 9, "rules": "r", "file_sha256": f"hash of {name}"}
    return Entry(**given | changes)


def image(name: str, patient: str = "anna", **columns: object) -> Entry:
    return entry(
        name, image_id=f"i{name}", study_id=f"s{name}", patient_key=patient, pixel_sha256=f"p{name}",
        columns={"width_px": 3, "flags": ["a"], "pixel_sha256": f"p{name}", **columns},
    )  # fmt: skip


def test_lines_come_back_in_the_order_asked_and_as_they_were_written(journal):
    lines = [image("a"), entry("b", reason="truncated", detail="cut"), image("c", view="PA"), image("d")]
    journal.record(lines)
    assert len(journal) == 4
    assert list(journal.entries(["c", "x", "a", "b", "d"])) == [lines[2], lines[0], lines[1], lines[3]]
    assert sorted(journal.paths()) == ["a", "b", "c", "d"]
    assert journal.paths_of(["hash of b", "none", "hash of a"]) == {
        "b": ("hash of b", False),
        "a": ("hash of a", True),
    }
    journal.record([entry("a")])
    assert len(journal) == 4
    assert list(journal.entries(["a"])) == [entry("a")]


def test_names_of_columns_are_written_once(journal):
    journal.record([image("a"), image("b"), image("c", view="PA")])
    assert list(journal.read("select count(*) from shapes")) == [(2,)]
    with Journal(Path(journal._path)) as again:
        assert list(again.entries(["c"])) == [image("c", view="PA")]
        again.record([image("d")])
        assert list(again.read("select count(*) from shapes")) == [(2,)]


def test_a_line_of_an_earlier_release_is_read(journal):
    journal.change("insert into files (path, file_sha256, row) values (?, ?, ?)", ("old", "h", '{"width_px": 5}'))
    (found,) = (journal.entry(row) for row in journal.read(f"select {COLUMNS} from files"))
    assert found.columns == {"width_px": 5}


def test_more_rows_than_are_in_memory_at_a_time(journal):
    journal.add("insert into placed values (?, ?, '', '')", ((f"{at:05}", "") for at in range(2_500)))
    assert [one for (one,) in journal.read("select image_id from placed order by image_id")] == [
        f"{at:05}" for at in range(2_500)
    ]
    journal.teach("twice", lambda text: text * 2)
    assert next(journal.read("select twice(image_id) from placed where image_id = ?", ("00007",))) == ("0000700007",)


def test_forgotten_pictures_are_asked_for_no_more_and_others_stay(journal):
    journal.place([("i1", "a", "h", "r"), ("i2", "b", "h", "r"), ("i3", "c", "h", "r")])
    journal.place([("i2", "later", "h2", "r")])
    assert sorted(journal.placed()) == [("i1", "a", "h"), ("i2", "later", "h2"), ("i3", "c", "h")]
    journal.forget_pictures(["i1", "i3", "unknown"])
    assert list(journal.placed()) == [("i2", "later", "h2")]


def test_forgotten_patients_leave_nothing_in_the_file(journal):
    path = Path(journal._path)
    journal.record([image("a", "anna"), image("b", "berta"), image("c", "anna")])
    journal.place([(f"i{name}", name, "h", "r") for name in "abc"])
    arrivals.note(journal, FILE, ["a", "b", "c"], standing=list, visit="v", now_s=1.0)
    arrivals.note(journal, REPORT, ["sa", "sb"], standing=list, visit="v", now_s=1.0)
    assert list(journal.ids_of(["berta", "anna"])) == [
        ("ia", "sa", "anna"),
        ("ic", "sc", "anna"),
        ("ib", "sb", "berta"),
    ]
    assert b"anna" in path.read_bytes()
    assert journal.forget_patients(["anna", "nobody"], ["sa"]) == 2
    assert list(journal.paths()) == ["b"]
    assert [one[0] for one in journal.placed()] == ["ib"]
    assert arrivals.files_by_delivery(journal) == {1: 1}
    assert arrivals.delivery_of(journal, REPORT, "sa") is None
    assert arrivals.delivery_of(journal, REPORT, "sb") == 1
    assert b"anna" not in path.read_bytes()
    assert journal.forget_patients([]) == 0


def test_what_stands_together_stands_not_at_all_where_one_fails(journal):
    with pytest.raises(ZeroDivisionError), journal.changing() as rows:
        rows.execute("insert into looks values ('file', 'v')")
        raise ZeroDivisionError
    assert list(journal.read("select * from looks")) == []
    with journal.changing() as rows:
        rows.execute("insert into looks values ('file', 'v')")
    assert list(journal.read("select * from looks")) == [("file", "v")]


def test_a_damaged_file_and_one_that_cannot_be_written_are_told_apart(tmp_path):
    broken = tmp_path / "broken.sqlite"
    broken.write_bytes(b"no database at all, but long enough to be looked at" * 40)
    with pytest.raises(DamagedFile):
        Journal(broken)
    with Journal(tmp_path / "sound.sqlite") as sound, pytest.raises(LakeUnwritable):
        sound.change("insert into no_table values (1)")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LakeUnwritable):
        Journal(tmp_path / "file" / "below.sqlite")
    with sqlite3.connect(tmp_path / "sound.sqlite") as raw:
        assert raw.execute("pragma journal_mode").fetchone() == ("delete",)


def noted(journal: Journal, kind: str, ids: list[str], visit: str, now_s: float, known: tuple[str, ...] = ()):
    return arrivals.note(journal, kind, ids, standing=lambda: known, visit=visit, now_s=now_s)


def test_deliveries_are_numbered_by_visits_that_bring_something_new(journal):
    assert noted(journal, FILE, ["old"], "v0", 5.0, ("old",)) is None
    assert arrivals.first_seen_s(journal) == {0: None}
    assert noted(journal, FILE, ["old", "a"], "v1", 10.0) == 1
    assert noted(journal, REPORT, ["sa"], "v1", 11.0) == 1, "files and reports of one visit belong together"
    assert noted(journal, FILE, ["old", "a"], "v2", 20.0) is None
    assert noted(journal, FILE, ["a", "b", "b"], "v3", 30.0) == 2
    assert noted(journal, FILE, ["c"], "v3", 31.0) == 2, "the same visit goes on"
    assert noted(journal, REPORT, ["sb"], "v4", 40.0) == 2, "nobody looked for reports in the last one yet"
    assert noted(journal, REPORT, ["sc"], "v5", 50.0) == 3
    assert arrivals.first_seen_s(journal) == {0: None, 1: 10.0, 2: 30.0, 3: 50.0}
    assert arrivals.files_by_delivery(journal) == {0: 1, 1: 1, 2: 2}
    assert [arrivals.delivery_of(journal, FILE, one) for one in ("old", "a", "b", "c", "x")] == [0, 1, 2, 2, None]


def test_a_visit_that_found_no_file_before_its_reports_has_looked_for_both(journal):
    assert noted(journal, FILE, ["a"], "v1", 1.0) == 1
    assert noted(journal, FILE, ["a"], "v2", 2.0) is None
    assert noted(journal, REPORT, [], "v2", 2.0) is None
    assert noted(journal, REPORT, ["sa"], "v3", 3.0) == 2


def test_a_past_that_nobody_lived_is_written_whole(journal):
    noted(journal, FILE, ["gone"], "v1", 1.0)
    arrivals.dated(journal, {"a": 1, "b": 2}, {"sa": 2}, {1: 10.0, 2: 20.0})
    assert arrivals.first_seen_s(journal) == {1: 10.0, 2: 20.0}
    assert arrivals.delivery_of(journal, FILE, "gone") is None
    assert [arrivals.delivery_of(journal, FILE, one) for one in "ab"] == [1, 2]
    assert arrivals.delivery_of(journal, REPORT, "sa") == 2
    assert noted(journal, FILE, ["c"], "v2", 30.0) == 3, "files and reports of the last one were looked for"


@pytest.mark.parametrize(
    ("date", "week"),
    [("20260101", "2026-W01"), ("20251229", "2026-W01"), ("20210103", "2020-W53"), ("20260310", "2026-W11"),
     ("20261301", None), ("", None), (None, None)],
)  # fmt: skip
def test_the_week_of_a_date(date, week):
    assert iso_week(date) == week
