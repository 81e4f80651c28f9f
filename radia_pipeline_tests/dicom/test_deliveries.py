"""Each file and each report belongs to the delivery with which it first came, whatever happens to it afterwards."""

from __future__ import annotations

import csv
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from radia_pipeline.dicom import arrivals
from radia_pipeline.dicom.arrivals import BEFORE_THE_CLOCK
from radia_pipeline.dicom.deliveries import build_deliveries, iso_week
from radia_pipeline.dicom.ingest import ingest_images
from radia_pipeline.dicom.journal import FILE, Journal, journal_path
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.privacy.policy import Policy
from radia_pipeline.reports.ingest import ingest_reports
from radia_pipeline.sources.ccsmtl import Ccsmtl
from radia_pipeline.usecases.forget import forget_patients
from radia_pipeline_tests.dicom import files

SOURCE = "ccsmtl"
KEYS = Pseudonymizer(b"0123456789abcdef0123456789abcdef")


class Hospital:
    """A delivery that grows, and the lake into which it is brought."""

    def __init__(self, root: Path) -> None:
        self.files, self.lake, self.reported = files.Delivery(root / "delivery"), Lake.open(root / "lake"), []
        self.visited = 0

    def puts(self, *numbers: int, **tags: object) -> None:
        for number in numbers:
            self.files.put(f"{number}.dcm", files.clean_file(number, **tags))

    def reports(self, *numbers: int) -> None:
        self.reported += [[f"{files.ROOT}7{number}", "CC0001", "Cœur de taille normale."] for number in numbers]
        with (self.files.root / "reports.csv").open("w", encoding="utf-8", newline="") as target:
            csv.writer(target).writerows([["study_instance_uid", "patient_id", "report"], *self.reported])

    def visits(self, *, images_first: bool = True) -> None:
        """Do as a run of the group ``ingest`` does."""
        self.visited += 1
        steps = [self._images, self._reports]
        for step in steps if images_first else reversed(steps):
            step()
        build_deliveries(SOURCE, self.lake)

    def _images(self) -> None:
        ingest_images(self.files, self.files.root, self.lake, KEYS, ocr="off", workers=1, visit=str(self.visited))

    def _reports(self) -> None:
        root = self.files.root if self.reported else None
        ingest_reports(Ccsmtl(), root, self.lake, KEYS, visit=str(self.visited))

    def rows(self) -> list[dict]:
        return self.lake.read("deliveries", SOURCE).to_pylist()

    def came(self, number: int) -> tuple[int | None, int | None]:
        """Return the deliveries of a study's images and of its report."""
        study = KEYS.study_id(SOURCE, f"{files.ROOT}7{number}")
        found = {row["study_id"]: row for row in self.lake.read("arrivals", SOURCE).to_pylist()}.get(study)
        return (found["delivery"], found["report_delivery"]) if found else (None, None)


@pytest.fixture
def hospital(tmp_path) -> Hospital:
    return Hospital(tmp_path)


@pytest.mark.parametrize("images_first", [True, False])
def test_files_and_reports_of_one_visit_are_one_delivery_and_a_late_report_is_another(hospital, images_first):
    hospital.puts(1, 2)
    hospital.reports(1)
    hospital.visits(images_first=images_first)
    hospital.reports(2)
    hospital.visits(images_first=images_first)
    first, second = hospital.rows()
    assert (first["delivery"], first["files"], first["reports"], first["late_reports"]) == (1, 2, 1, 0)
    assert (second["delivery"], second["files"], second["reports"], second["late_reports"]) == (2, 0, 1, 1)
    assert [hospital.came(1), hospital.came(2)] == [(1, 1), (1, 2)]
    assert first["first_seen"] <= second["first_seen"]


@pytest.mark.parametrize("images_first", [True, False])
def test_a_report_is_late_where_the_visit_before_looked_for_it_in_vain(hospital, images_first):
    hospital.puts(1)
    hospital.visits(images_first=images_first)
    hospital.reports(1)
    hospital.visits(images_first=images_first)
    assert hospital.came(1) == (1, 2)
    assert [row["late_reports"] for row in hospital.rows()] == [0, 1]


def test_a_visit_that_finds_nothing_new_changes_nothing(hospital):
    hospital.puts(1)
    hospital.reports(1)
    hospital.visits()
    before = hospital.lake.versions("deliveries") | hospital.lake.versions("arrivals")
    hospital.visits()
    assert hospital.lake.versions("deliveries") | hospital.lake.versions("arrivals") == before


def test_each_file_is_counted_where_it_ended_with_devices(hospital):
    hospital.puts(1, 2)
    hospital.visits()
    hospital.files.put("again.dcm", files.clean_file(1))
    hospital.files.put("cut.dcm", files.clean_file(4)[:-500])
    hospital.puts(5, ManufacturerModelName="CXDI Control Software NE")
    hospital.visits()
    (hospital.files.root / "dicom/2.dcm").unlink()
    hospital.visits()
    first, second = hospital.rows()
    assert (first["files"], first["ingested"], first["gone"]) == (2, 1, 1)
    assert (second["files"], second["ingested"], second["quarantined"], second["duplicates"]) == (3, 1, 1, 1)
    assert second["reasons"] == [{"reason": "truncated", "files": 1}]
    assert second["devices"] == [
        {"manufacturer": "Canon Inc.", "device_model": "CXDI Control Software NE", "images": 1}
    ]


def test_weeks_are_told_only_where_dates_stand_as_they_were(hospital, monkeypatch):
    hospital.puts(1)
    hospital.visits()
    assert hospital.rows()[0]["weeks"] == []
    monkeypatch.setattr("radia_pipeline.dicom.deliveries.policy_of", lambda _: Policy(frozenset({"full_dates"})))
    build_deliveries(SOURCE, hospital.lake)
    assert hospital.rows()[0]["weeks"] == [{"week": "2022-W05", "images": 1}]
    assert iso_week("20210101") == "2020-W53" and iso_week("0000") is None and iso_week(None) is None


def test_what_a_standing_lake_held_before_has_no_time(hospital):
    hospital.puts(1, 2)
    hospital.reports(1)
    hospital.visits()
    with closing(sqlite3.connect(journal_path(hospital.lake, SOURCE))) as journal, journal:
        for table in ("arrived", "deliveries", "looks"):
            journal.execute(f"drop table {table}")
    build_deliveries(SOURCE, hospital.lake)  # before the next ingest
    assert [(row["delivery"], row["first_seen"], row["files"]) for row in hospital.rows()] == [(0, None, 2)]
    hospital.puts(3)
    hospital.reports(2)
    hospital.visits()
    old, new = hospital.rows()
    assert (old["delivery"], old["first_seen"], old["files"], old["reports"]) == (BEFORE_THE_CLOCK, None, 2, 1)
    assert (new["delivery"], new["files"], new["reports"], new["late_reports"]) == (1, 1, 1, 1)


def test_a_lost_journal_makes_no_new_delivery_of_what_was_known(hospital):
    hospital.puts(1, 2)
    hospital.visits()
    journal_path(hospital.lake, SOURCE).unlink()
    hospital.puts(3)
    hospital.visits()
    assert [(row["delivery"], row["files"]) for row in hospital.rows()] == [(0, 2), (1, 1)]


def test_a_killed_ingest_goes_on_with_the_delivery_that_it_began(hospital):
    hospital.puts(1, 2)
    with Journal(journal_path(hospital.lake, SOURCE)) as journal:
        begun = arrivals.note(journal, FILE, ["dicom/1.dcm", "dicom/2.dcm"], standing=list, now_s=1e9)
    hospital.visits()
    assert begun == 1
    assert [(row["delivery"], row["first_seen"]) for row in hospital.rows()] == [(1, "2001-09-09T01:46:40Z")]


def test_a_forgotten_patient_leaves_no_arrival(hospital):
    hospital.puts(1, 2)
    hospital.puts(3, patient="CC0003")
    hospital.reports(1, 2)
    hospital.visits()
    forget_patients([KEYS.patient_key(SOURCE, "CC0001")], hospital.lake)
    assert hospital.lake.read("arrivals", SOURCE).num_rows == 1
    with Journal(journal_path(hospital.lake, SOURCE)) as journal:
        left = list(journal.read("select kind, id from arrived"))
    assert left == [(FILE, "dicom/3.dcm")]
