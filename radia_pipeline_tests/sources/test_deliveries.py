"""Adapters on dirty deliveries: what is read, what is counted, what is refused."""

from __future__ import annotations

import gzip

import pytest

from radia_pipeline.contracts.location import contracts_root, read_yaml
from radia_pipeline.contracts.sheets import known_sources, source_sheet
from radia_pipeline.errors import BadTable, NoLayout, UnknownName
from radia_pipeline.labels.origins import ORIGINS
from radia_pipeline.sources import registry
from radia_pipeline.sources.base import BOX_SCHEMA
from radia_pipeline.sources.delivered_tables import read_table
from radia_pipeline_tests.sources.given import GivenSource

HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]\n"
)


def nih(tmp_path, rows: str, boxes: str | None = None, images: tuple[str, ...] = ()):
    (tmp_path / "Data_Entry_2017_v2020.csv").write_text(HEADER + rows, encoding="utf-8")
    if boxes is not None:
        (tmp_path / "BBox_List_2017.csv").write_text(
            "Image Index,Finding Label,Bbox [x,y,w,h],,,\n" + boxes, encoding="utf-8"
        )
    for name in images:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return registry.source("nih_cxr14")


def said(delivered) -> dict[str, dict[str, int]]:
    result: dict[str, dict[str, int]] = {}
    for row in delivered.table.to_pylist():
        result.setdefault(row["native_study_id"], {})[row["class"]] = row["said"]
    return result


def test_every_adapter_has_a_sheet_and_every_sheet_an_adapter():
    assert registry.registered() == known_sources()


@pytest.mark.parametrize("name", registry.registered())
def test_sheets_say_where_the_layout_was_read_and_map_only_labelled_classes(name):
    sheet = read_yaml(contracts_root() / "sources" / f"{name}.yaml")
    for field in ("read_at", "layout", "columns", "absent_means", "known_defects", "deidentification"):
        assert sheet.get(field), field
    assert sheet["absent_means"] in ("negative", "not_mentioned")
    assert source_sheet(name).label_origin in ORIGINS


def test_what_an_adapter_does_not_say_its_source_does_not_have(tmp_path):
    source = GivenSource()
    assert (source.facts(tmp_path), source.labels(tmp_path), source.reports(tmp_path)) == (None, None, None)
    assert source.boxes(tmp_path).table.equals(BOX_SCHEMA.empty_table())
    assert (source.box_frame_px, source.box_origin) == (None, None)


@pytest.mark.parametrize("name", registry.registered())
def test_a_source_with_boxes_says_whose_they_are(name):
    source = registry.source(name)
    has_boxes = "boxes" in vars(type(source))
    assert has_boxes == (source.box_origin is not None)


def test_unknown_source_names_the_others():
    with pytest.raises(UnknownName, match="ccsmtl"):
        registry.source("nih")


def test_no_layout_under_the_root(tmp_path):
    with pytest.raises(NoLayout, match=str(tmp_path)):
        registry.locate_all(tmp_path)
    with pytest.raises(NoLayout, match="ccsmtl"):
        registry.locate("ccsmtl", tmp_path)


def test_absent_sources_are_named(tmp_path):
    (tmp_path / "ccsmtl" / "dicom").mkdir(parents=True)
    present, absent = registry.locate_all(tmp_path, ["ccsmtl", "nih_cxr14"])
    assert present == {"ccsmtl": tmp_path / "ccsmtl"}
    assert absent == ("nih_cxr14",)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_reports_are_read_however_they_were_saved(tmp_path, encoding, separator, end):
    (tmp_path / "dicom").mkdir()
    text = end.join(
        [
            separator.join(["study_instance_uid", "patient_id", "report"]),
            separator.join(["1.2", "A", '"Œdème, léger; oui\n2e ligne"']),
            "",
        ]
    )
    (tmp_path / "reports.csv").write_bytes(text.encode(encoding))
    delivered = registry.source("ccsmtl").reports(tmp_path)
    assert delivered.table.to_pylist() == [
        {"native_study_id": "1.2", "native_patient_id": "A", "text": "Œdème, léger; oui\n2e ligne"}
    ]


def test_absent_reports_are_refused_and_defective_rows_counted(tmp_path):
    (tmp_path / "dicom").mkdir()
    source = registry.source("ccsmtl")
    with pytest.raises(NoLayout, match=r"has no reports\.csv"):
        source.reports(tmp_path)
    (tmp_path / "reports.csv").write_text(
        "study_instance_uid,patient_id,report\n1,A,un\n1,A,deux\n,A,trois\n2,B,\n3,C\n", encoding="utf-8"
    )
    delivered = source.reports(tmp_path)
    assert delivered.table.num_rows == 2
    assert delivered.problems == {
        "rows_repeating_a_study": 1,
        "rows_without_study": 1,
        "rows_without_text": 2,
        "short_rows": 1,
    }


def test_a_missing_column_is_named_without_values(tmp_path):
    (tmp_path / "dicom").mkdir()
    (tmp_path / "reports.csv").write_text("study_instance_uid,patient_id,texte\n1,SECRET,secret\n", encoding="utf-8")
    with pytest.raises(BadTable, match="'report'") as caught:
        registry.source("ccsmtl").reports(tmp_path)
    assert "SECRET" not in str(caught.value)


def test_a_broken_gzip_and_an_empty_file_are_refused(tmp_path):
    broken = tmp_path / "t.csv.gz"
    broken.write_bytes(gzip.compress(b"a,b\n1,2\n" * 100)[:30])
    empty = tmp_path / "e.csv"
    empty.write_bytes(b"")
    for path in (broken, empty):
        with pytest.raises(BadTable, match=path.name):
            read_table(path)


def test_a_table_says_on_which_lines_its_rows_begin_and_which_hold_too_much(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('a;b\n1;"two\nlines"\n\n;\n3;4;5\n6\n7;8;\n', encoding="utf-8")
    table = read_table(path)
    assert table.rows == [["1", "two\nlines"], ["3", "4"], ["6", ""], ["7", "8"]]
    assert (table.lines, table.long_lines, table.delimiter) == ([2, 6, 7, 8], [6], ";")
    assert table.problems == {"long_rows": 1, "short_rows": 1}


def test_a_field_that_swallows_the_rest_is_named_by_the_line_on_which_its_row_begins(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('a,b\n1,2\n3,"' + "open\n" * (1 << 22), encoding="utf-8")
    with pytest.raises(BadTable, match=r"t\.csv cannot be parsed at line 3"):
        read_table(path)


def test_nih_absent_is_negative_and_fibrosis_is_neither_normal_nor_positive(tmp_path):
    source = nih(tmp_path, "00000001_000.png,Fibrosis,0,1,058Y,M,PA,2682,2749,0.143,0.143\n")
    values = said(source.labels(tmp_path))["00000001_000"]
    assert set(values.values()) == {0}
    assert set(values) == set(source_sheet("nih_cxr14").labels)


def test_nih_tokens_match_whole(tmp_path):
    source = nih(tmp_path, "00000001_000.png,Pseudonodule|Mass,0,1,58,M,PA,1,1,1,1\n")
    delivered = source.labels(tmp_path)
    values = said(delivered)["00000001_000"]
    assert (values["Mass"], values["Nodule"]) == (1, 0)
    assert delivered.problems["unknown_label_tokens"] == 1


def test_nih_counts_what_does_not_fit(tmp_path):
    rows = (
        "00000001_000.png,Mass,0,1,414,M,PA,1,1,1,1\n00000001_000.png,Mass,0,1,58,M,PA,1,1,1,1\n"
        "00000002_000.png,No Finding,0,2,012M,F,AP,1,1,1,1\n"
    )
    source = nih(tmp_path, rows, images=("images_001/images/00000001_000.png", "images_002/images/00000009_000.png"))
    assert source.labels(tmp_path).problems == {
        "impossible_ages": 1,
        "rows_repeating_an_image": 1,
        "rows_without_file": 1,
        "files_without_row": 1,
    }
    facts = source.facts(tmp_path)
    assert list(facts) == ["images_001/images/00000001_000.png"]
    assert facts["images_001/images/00000001_000.png"].native_image_id == "00000001_000.png"


def test_nih_boxes_speak_the_vocabulary_and_bad_rows_are_counted(tmp_path):
    boxes = (
        "00000001_000.png,Infiltrate,1.5,2,30,40\n00000001_000.png,Mass,1,2,0,40\n"
        "00000001_000.png,Mass,a,2,3,40\n00000001_000.png,Massif,1,2,3,40\n"
    )
    source = nih(tmp_path, "00000001_000.png,Infiltration,0,1,58,M,PA,1,1,1,1\n", boxes)
    delivered = source.boxes(tmp_path)
    assert delivered.table.to_pylist() == [
        {
            "native_image_id": "00000001_000.png",
            "native_study_id": "00000001_000",
            "class": "Infiltration",
            "x_px": 1.5,
            "y_px": 2.0,
            "width_px": 30.0,
            "height_px": 40.0,
            "reader": "nih",
        }
    ]
    assert delivered.problems == {"rows_that_are_no_box": 2, "unknown_label_tokens": 1}


def test_nih_official_lists_reach_the_facts(tmp_path):
    source = nih(tmp_path, "00000001_000.png,Mass,0,1,58,M,PA,1,1,1,1\n", images=("images/00000001_000.png",))
    (tmp_path / "test_list.txt").write_text("00000001_000.png\n", encoding="utf-8")
    assert source.facts(tmp_path)["images/00000001_000.png"].official_split == "test"


def test_the_real_deliveries_are_read_whole(real_root):
    ccsmtl, nih_root = registry.locate("ccsmtl", real_root), registry.locate("nih_cxr14", real_root)
    assert len(list(registry.source("ccsmtl").files(ccsmtl))) == 28
    source = registry.source("nih_cxr14")
    assert len(list(source.files(nih_root))) == len(source.facts(nih_root)) == 683
    assert source.boxes(nih_root).table.num_rows == 39
    assert source.labels(nih_root).problems == {}
