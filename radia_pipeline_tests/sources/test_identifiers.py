"""Identifiers keep one spelling or refuse their table; a table that is about other images is refused."""

from __future__ import annotations

import pytest

from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.errors import BadTable
from radia_pipeline.sources import registry
from radia_pipeline.sources.delivered_tables import parse_table
from radia_pipeline.sources.identifiers import identifiers, one_patient_each
from radia_pipeline.sources.joins import commonest_form, require_join
from radia_pipeline_tests.sources.test_deliveries import said
from radia_pipeline_tests.sources.test_public_layouts import FINDINGS, MIMIC_META, padchest, put, values

PADCHEST, MIMIC = source_sheet("padchest"), source_sheet("mimic_cxr")


def column(name: str, *cells: str):
    return parse_table("\n".join([f"row,{name}", *(f"x,{cell}" for cell in cells)]), "table.csv")


@pytest.mark.parametrize(
    ("sheet", "name", "cells"),
    [
        (PADCHEST, "StudyID", ("12", "2.17e+44")),
        (PADCHEST, "StudyID", ("12", "1234567890123456.0")),  # more digits than a double holds
        (PADCHEST, "StudyID", ("12", "000")),
        (PADCHEST, "StudyID", ("12", "")),
        (PADCHEST, "StudyID", ("s12", "S12")),
        (PADCHEST, "StudyID", ("12", "012")),
        (PADCHEST, "ImageID", ("ab.png", "AB.png")),
        (MIMIC, "dicom_id", ("a-b", "3.0")),
    ],
)
def test_what_is_no_identifier_refuses_its_table_and_is_not_named(sheet, name, cells):
    with pytest.raises(BadTable, match="line ") as caught:
        identifiers(column(name, *cells), sheet, name)
    assert "as text" in str(caught.value)
    assert cells[1] == "" or f"'{cells[1]}'" not in str(caught.value)


def test_a_fraction_that_is_exact_becomes_its_number_and_is_counted():
    table = column("StudyID", "50414267.0", "50414267", "7.00")
    assert identifiers(table, PADCHEST, "StudyID") == ["50414267", "50414267", "7"]
    assert table.problems["identifiers_respelled"] == 2
    assert identifiers(column("PatientID", "", "9"), PADCHEST, "PatientID") == ["", "9"]


def test_a_study_of_several_patients_refuses_its_table():
    table = column("StudyID", "1", "1", "2")
    one_patient_each(table, ["1", "1", "2"], ["a", "", "b"])
    with pytest.raises(BadTable, match=r"1 of 2 studies belong to several patients \(line 2, 3\)"):
        one_patient_each(table, ["1", "1", "2"], ["a", "c", "b"])
    assert one_patient_each(table, ["1", "1", "2"], ["a", "c", "b"], published=1) == {"1"}


def test_the_one_mixed_study_of_padchests_own_table_is_left_out_and_counted(tmp_path):
    rows = [f"{n},{n}.png,0,20140915,{n // 2},{n + 7},1930.0,F,PA,0.2,\"['normal']\"" for n in (2, 3, 5)]
    root, source = padchest(tmp_path, rows, ("0/2.png", "0/5.png")), registry.source("padchest")
    assert list(source.facts(root)) == ["0/5.png"]
    delivered = source.labels(root)
    assert (set(said(delivered)), delivered.problems["rows_of_studies_of_several_patients"]) == ({"2"}, 2)


def test_labels_with_fractions_for_studies_find_their_images(tmp_path):
    (tmp_path / "mimic-cxr-2.0.0-metadata.csv").write_text(
        f"{MIMIC_META}\naa,10000032,50414267,CHEST (PORTABLE AP),,1,1,21800506,1\n", encoding="utf-8"
    )
    (tmp_path / "mimic-cxr-2.0.0-chexpert.csv").write_text(
        f"subject_id,study_id,{','.join(FINDINGS)}\n10000032,50414267.0,{values(Edema='1.0')}\n", encoding="utf-8"
    )
    put(tmp_path, "files/p10/p10000032/s50414267/aa.jpg")
    source = registry.source("mimic_cxr")
    assert said(source.labels(tmp_path)) == {"s50414267": {"Edema": 1}}
    assert next(iter(source.facts(tmp_path).values())).view == "AP"  # as the procedure says


def test_a_table_about_other_images_is_refused_with_both_forms(tmp_path):
    row = ",a_99.png,0,20140915,11,12,1930.0,F,PA,0.2,\"['normal']\""
    root = padchest(tmp_path, [row], ("0/a_99.png", "0/b_98.png", "0/notes.txt"))
    source = registry.source("padchest")
    assert len(source.facts(root)) == 1  # a half is enough, and other files are no images
    put(root, "0/b_97.png")
    with pytest.raises(BadTable, match=r"only 1 of 3 .* named a\(1\)_9\(2\).png, the table's ImageID a\(1\)_9"):
        source.facts(root)


def test_forms_hold_no_letter_and_no_digit_of_an_identifier():
    assert commonest_form(["Zoé_0012-7.png", "Ana_0013-8.png"]) == "a(3)_9(4)-9(1).png"
    assert commonest_form([]) == "nothing"
    require_join([], {"a"}, "table.csv", "ImageID")
