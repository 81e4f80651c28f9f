"""Public datasets in their published layouts, whole and in the forms in which people keep them."""

# ruff: noqa: E501  (delivered rows stay whole)
from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import pytest

from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.sources import registry
from radia_pipeline.sources.vindr_cxr import Readings, agree
from radia_pipeline_tests.sources.test_deliveries import said

FINDINGS = (
    "No Finding",
    "Enlarged Cardiomediastinum",
    "Cardiomegaly",
    "Lung Opacity",
    "Lung Lesion",
    "Edema",
    "Consolidation",
    "Pneumonia",
    "Atelectasis",
    "Pneumothorax",
    "Pleural Effusion",
    "Pleural Other",
    "Fracture",
    "Support Devices",
)
CHEXPERT = ",".join(("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *FINDINGS))
MIMIC_META = (
    "dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,Rows,Columns,StudyDate,StudyTime"
)
PADCHEST = ",ImageID,ImageDir,StudyDate_DICOM,StudyID,PatientID,PatientBirth,PatientSex_DICOM,Projection,SpatialResolution_DICOM,Labels"
VINDR = ("Aortic enlargement", "Cardiomegaly", "Nodule/Mass", "Pleural effusion", "COPD", "Pneumonia", "No finding")


def put(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def values(**stated: str) -> str:
    """Return the 14 value cells of CheXpert's columns; keywords are class names with underscores."""
    return ",".join(stated.get(name.replace(" ", "_"), "") for name in FINDINGS)


@pytest.mark.parametrize(
    ("prefix", "folder"),
    [
        ("CheXpert-v1.0", "train"),
        ("CheXpert-v1.0-small", "train"),
        ("CheXpert-v1.0", "CheXpert-v1.0 batch 2 (train 1)"),
    ],
)
def test_chexpert_in_each_form_of_its_download(tmp_path, prefix, folder):
    (tmp_path / "train.csv").write_text(
        f"{CHEXPERT}\n{prefix}/train/patient00001/study1/view1_frontal.jpg,Female,68,Frontal,AP,"
        f"{values(No_Finding='1.0', Support_Devices='1.0')}\n"
        f"{prefix}/train/patient00001/study2/view1_frontal.jpg,Female,0,Frontal,PA,{values(Edema='-1.0', Fracture='0.0')}\n"
        f"{prefix}/train/patient00001/study2/view2_lateral.jpg,Unknown,68,Lateral,,{values(Edema='-1.0', Fracture='0.0')}\n",
        encoding="utf-8",
    )
    put(
        tmp_path,
        *(f"{folder}/patient00001/{name}" for name in ("study1/view1_frontal.jpg", "study2/view1_frontal.jpg")),
    )
    source = registry.source("chexpert")
    assert source.locate(tmp_path) == tmp_path
    delivered = source.labels(tmp_path)
    assert said(delivered) == {
        "patient00001/study1": {"No Finding": 1},
        "patient00001/study2": {"Edema": -1, "Fracture": 0},
    }
    assert delivered.problems == {"rows_without_file": 1}
    facts = source.facts(tmp_path)
    assert {(fact.native_image_id, fact.view, fact.age_years) for fact in facts.values()} == {
        ("patient00001/study1/view1_frontal.jpg", "AP", 68.0),
        ("patient00001/study2/view1_frontal.jpg", "PA", None),
    }
    assert {fact.official_split for fact in facts.values()} == {"train"}


def test_chexperts_valid_table_is_its_validation_pool(tmp_path):
    (tmp_path / "valid.csv").write_text(
        f"{CHEXPERT}\nCheXpert-v1.0/valid/patient64541/study1/view1_frontal.jpg,Male,73,Frontal,AP,{values(Edema='x')}\n",
        encoding="utf-8",
    )
    put(tmp_path, "valid/patient64541/study1/view1_frontal.jpg")
    source = registry.source("chexpert")
    assert next(iter(source.facts(tmp_path).values())).official_split == "validation"
    delivered = source.labels(tmp_path)
    assert delivered.problems == {"unreadable_label_values": 1}
    assert delivered.table.column("said").null_count == 1


def mimic(tmp_path, compress: bool) -> Path:
    tables = {
        "metadata": f"{MIMIC_META}\naa-1,10000032,50414267,CHEST,PA,3056,2544,21800506,213014.531\n"
        "bb-2,10000032,50414267,CHEST,LL,3056,2544,21800506,213014.531\ncc-3,10000764,57375967,CHEST,SWIMMERS,0,,x,1\n",
        "chexpert": f"subject_id,study_id,{','.join(FINDINGS)}\n10000032,50414267,{values(Cardiomegaly='1.0', Edema='0.0')}\n",
        "split": "dicom_id,study_id,subject_id,split\naa-1,50414267,10000032,validate\nbb-2,50414267,10000032,validate\n",
    }
    for kind, text in tables.items():
        path = tmp_path / f"mimic-cxr-2.0.0-{kind}.csv{'.gz' if compress else ''}"
        path.write_bytes(gzip.compress(text.encode()) if compress else text.encode())
    put(
        tmp_path, "files/p10/p10000032/s50414267/aa-1.jpg", "files/p10/p10000032/s50414267/bb-2.jpg", "files/index.html"
    )
    return tmp_path


@pytest.mark.parametrize("compress", [True, False])
def test_mimic_plain_or_compressed(tmp_path, compress):
    source = registry.source("mimic_cxr")
    root = mimic(tmp_path, compress)
    assert source.locate(root) == root
    delivered = source.labels(root)
    assert said(delivered)["s50414267"] == {"Cardiomegaly": 1, "Edema": 0}
    assert said(delivered)["s57375967"] == {"Enlarged Cardiomediastinum": None}
    assert delivered.problems == {"studies_without_label_row": 1, "rows_without_file": 1, "files_without_row": 1}
    facts = source.facts(root)
    assert [(fact.view, fact.official_split, fact.study_date) for fact in facts.values()] == [
        ("PA", "validation", "21800506"),
        ("LATERAL", "validation", "21800506"),
    ]
    assert len(list(source.files(root))) == 3


def padchest(tmp_path, rows: list[str], images: tuple[str, ...] = ()) -> Path:
    (tmp_path / "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv").write_text(
        "\n".join([PADCHEST, *rows, ""]), encoding="utf-8"
    )
    put(tmp_path, *images)
    return tmp_path


def test_padchest_tokens_match_whole_and_absent_is_negative(tmp_path):
    root = padchest(
        tmp_path,
        [
            "0,a.png,0,20140915,s1,p1,1930.0,F,PA,0.2,\"['pseudonodule', 'subcutaneous emphysema', ' pulmonary mass', '']\"",
            "1,b.png,54,20140915,s2,p2,1800.0,M,L,0.2,\"['costophrenic angle blunting', 'unchanged']\"",
            "2,c.png,54,20140915,s3,p2,1930.0,M,COSTAL,0.2,\"['unchanged']\"",
            "3,d.png,54,20140915,s4,,1930.0,M,AP_horizontal,0.2,",
            "4,e.png,54,20140915,s5,p3,1930.0,M,PA,0.2,\"['normal', 'exclude']\"",
            "5,f.png,54,20140915,s6,p3,1930.0,M,PA,0.2,\"['normal', 'a new token']\"",
        ],
        ("0/a.png", "54/b.png", "g.png"),
    )
    source = registry.source("padchest")
    delivered = source.labels(root)
    found = said(delivered)
    assert {name for name, value in found["s1"].items() if value == 1} == {"Mass"}
    assert set(source_sheet("padchest").labels) - set(found["s1"]) == {"Lung Lesion", "Lung Opacity"}
    assert found["s2"] == {"Pleural Effusion": -1, "No Finding": 0}
    assert found["s6"]["No Finding"] == 1
    assert all(set(found[study].values()) == {None} for study in ("s3", "s4", "s5"))
    assert delivered.problems == {
        "unknown_label_tokens": 1,
        "rows_without_labels": 3,
        "impossible_ages": 1,
        "rows_without_file": 4,
        "files_without_row": 1,
        "rows_without_patient": 1,
    }
    facts = source.facts(root)
    assert (facts["0/a.png"].age_years, facts["0/a.png"].pixel_spacing_mm) == (84.0, (0.2, 0.2))
    assert (facts["54/b.png"].age_years, facts["54/b.png"].view) == (None, "LATERAL")


def test_padchests_token_lists_do_not_overlap():
    sheet = source_sheet("padchest")
    lists = [set(sheet.label_map), set(sheet.other_tokens), set(sheet.unlabelled_tokens)]
    assert sum(map(len, lists)) == len(set().union(*lists))


def test_vindr_readers_agree_disagree_or_are_silent(tmp_path):
    header = ",".join(("image_id", "rad_id", *VINDR))
    rows = ["i1,R1,1,1,1,0,0,0,0", "i1,R2,0,1,0,0,0,0,0", "i1,R3,0,0,0,0,0,0,0"]
    rows += [f"i2,R{reader},0,0,0,0,0,0,1" for reader in (1, 2, 3)]
    put(tmp_path, "annotations/x", "train/i1.dicom", "test/i3.dicom")
    (tmp_path / "annotations/image_labels_train.csv").write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    (tmp_path / "annotations/image_labels_test.csv").write_text(
        ",".join(("image_id", *VINDR)).replace("COPD", "Other disease") + "\ni3,0,0,0,1,0,0,0\n", encoding="utf-8"
    )
    (tmp_path / "annotations/annotations_train.csv").write_text(
        "image_id,rad_id,class_name,x_min,y_min,x_max,y_max\ni1,R1,Cardiomegaly,10,20,110,80.5\n"
        "i1,R2,Cardiomegaly,12,22,112,84.5\ni1,R3,Pleural effusion,1,2,30,40\n"
        "i1,R1,Nodule/Mass,10,20,5,80\ni2,R1,No finding,,,,\ni1,R1,Aortic enlargement,1,2,3,4\n",
        encoding="utf-8",
    )
    source = registry.source("vindr_cxr")
    delivered = source.labels(source.locate(tmp_path))
    found = said(delivered)
    assert (found["i1"]["Cardiomegaly"], found["i1"]["Lung Lesion"], found["i1"]["Pleural Effusion"]) == (1, -1, 0)
    assert (found["i2"]["No Finding"], found["i3"]["Pleural Effusion"]) == (1, 1)
    assert "Fracture" not in found["i1"]
    assert delivered.problems == {"rows_without_file": 1}
    boxes = source.boxes(tmp_path)
    assert boxes.problems == {
        "rows_that_are_no_box": 1,
        "boxes_joined_into_one": 1,
        "boxes_of_a_minority_of_readers": 1,
    }
    assert boxes.table.to_pylist() == [
        {
            "native_image_id": "i1",
            "native_study_id": "i1",
            "class": "Cardiomegaly",
            "x_px": 11.0,
            "y_px": 21.0,
            "width_px": 100.0,
            "height_px": 61.5,
            "reader": "R1+R2",
        }
    ]
    assert source.facts(tmp_path)["test/i3.dicom"].official_split == "test"


def test_kaggles_vindr_leaves_what_it_does_not_label_unknown(tmp_path):
    (tmp_path / "train.csv").write_text(
        "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max\ni1,Cardiomegaly,3,R1,1,2,30,40\n"
        "i1,Cardiomegaly,3,R1,2,2,30,40\ni1,No finding,14,R2,,,,\ni1,No finding,14,R3,,,,\n"
        "i2,Cardiomegaly,3,R1,0,0,10,10\ni2,Cardiomegaly,3,R2,2,2,12,12\ni2,No finding,14,R3,,,,\n",
        encoding="utf-8",
    )
    put(tmp_path, "train/i1.dicom", "train/i2.dicom", "test/i9.dicom")
    source = registry.source("vindr_cxr")
    delivered = source.labels(source.locate(tmp_path))
    found = said(delivered)["i1"]
    assert {name: value for name, value in found.items() if value} == {"Cardiomegaly": -1, "No Finding": 1}
    assert {"Pneumonia", "Fracture", "Edema", "Emphysema"}.isdisjoint(found)
    assert {"Consolidation", "Lung Lesion", "Lung Opacity"} < set(found)
    assert delivered.problems == {"files_without_row": 1}
    boxes = source.boxes(tmp_path)
    assert [(box["native_image_id"], box["x_px"], box["reader"]) for box in boxes.table.to_pylist()] == [
        ("i2", 1.0, "R1+R2")
    ]
    assert boxes.problems["boxes_of_a_minority_of_readers"] == 2


def test_layouts_are_told_apart_when_all_lie_under_one_root(tmp_path):
    (tmp_path / "CheXpert-v1.0-small").mkdir()
    (tmp_path / "CheXpert-v1.0-small/train.csv").write_text(f"{CHEXPERT}\n", encoding="utf-8")
    (tmp_path / "vindr-cxr").mkdir()
    (tmp_path / "vindr-cxr/train.csv").write_text(
        "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max\n", encoding="utf-8"
    )
    mimic_root = tmp_path / "mimic-cxr-jpg"
    mimic_root.mkdir()
    mimic(mimic_root, True)
    (tmp_path / "padchest").mkdir()
    padchest(tmp_path / "padchest", [])
    present, absent = registry.locate_all(tmp_path)
    assert {name: root.name for name, root in present.items()} == {
        "chexpert": "CheXpert-v1.0-small",
        "vindr_cxr": "vindr-cxr",
        "mimic_cxr": "mimic-cxr-jpg",
        "padchest": "padchest",
    }
    assert absent == ("brax", "ccsmtl", "nih_cxr14")


@pytest.mark.parametrize(
    ("votes", "readers", "said_of_it"), [(0, 3, 0), (1, 3, -1), (2, 3, 1), (1, 2, 1), (2, 4, 1), (1, 4, -1), (2, 5, -1)]
)
def test_vindr_half_of_the_readers_or_more_say_that_a_finding_is_there(votes, readers, said_of_it):
    told = {f"R{number}": ({"Cardiomegaly"} if number < votes else set()) for number in range(readers)}
    sheet = source_sheet("vindr_cxr")
    images, found = agree([Readings(frozenset({"Cardiomegaly"}), {"i": told})], sheet, Counter())
    assert images == ["i"] and found[0, sheet.labels.index("Cardiomegaly")] == said_of_it
