"""Layouts as people have them: downloads as they unpack, further tables of a dataset, and what is something else."""

# ruff: noqa: E501  (delivered rows stay whole)
from __future__ import annotations

import json

import pytest

from radia_pipeline.errors import BadTable, NoLayout
from radia_pipeline.sources import registry
from radia_pipeline_tests.sources.test_deliveries import said
from radia_pipeline_tests.sources.test_public_layouts import CHEXPERT, FINDINGS, MIMIC_META, padchest, put, values

FRONTAL = "patient64541/study1/view1_frontal.jpg"


def write(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")


def test_chexperts_full_download_has_its_tables_in_the_first_batch(tmp_path):
    root = tmp_path / "chexpertchestxrays-u20210408"
    tables = root / "CheXpert-v1.0 batch 1 (validate & csv)"
    write(tables / "valid.csv", CHEXPERT, f"CheXpert-v1.0/valid/{FRONTAL},Female,68,Frontal,AP,{values(Edema='1.0')}")
    trained = "patient00001/study1/view1_frontal.jpg"
    write(tables / "train.csv", CHEXPERT, f"CheXpert-v1.0/train/{trained},Female,68,Frontal,AP,{values(Edema='0.0')}")
    put(root, f"CheXpert-v1.0 batch 1 (validate & csv)/valid/{FRONTAL}", f"CheXpert-v1.0 batch 2 (train 1)/{trained}")
    source = registry.source("chexpert")
    assert source.locate(tmp_path) == root
    assert len(source.files(root)) == len(source.facts(root)) == 2
    assert said(source.labels(root)) == {"patient64541/study1": {"Edema": 1}, "patient00001/study1": {"Edema": 0}}


def test_chexperts_valid_and_test_are_read_by_experts_and_held(tmp_path):
    write(tmp_path / "train.csv", CHEXPERT,
          rf"CheXpert-v1.0-small\train\patient00001\study1\view1_frontal.jpg,Male,1,Frontal,AP,{values(Edema='0.0')}")  # fmt: skip
    write(tmp_path / "test_labels.csv", ",".join(("Path", *FINDINGS)), f"test/{FRONTAL},{values(Edema='1')}")
    put(tmp_path, "train/patient00001/study1/view1_frontal.jpg", f"test/{FRONTAL}")
    source = registry.source("chexpert")
    facts = source.facts(tmp_path)
    assert {path: (fact.view, fact.held_in) for path, fact in facts.items()} == {
        "train/patient00001/study1/view1_frontal.jpg": ("AP", None), f"test/{FRONTAL}": ("UNKNOWN", "test"),
    }  # fmt: skip
    origins = {row["native_patient_id"]: row["origin"] for row in source.labels(tmp_path).table.to_pylist()}
    assert origins == {"patient00001": None, "patient64541": "expert"}


def test_paths_that_name_no_image_are_refused_by_their_column(tmp_path):
    write(tmp_path / "train.csv", CHEXPERT, f"0001_frontal,Male,1,Frontal,AP,{values(Edema='0.0')}")
    with pytest.raises(BadTable, match=r"no value of 'Path' names an image.*CheXpert-v1.0/train/patient00001"):
        registry.source("chexpert").facts(tmp_path)


def test_outlines_of_chexlocalize_become_boxes(tmp_path):
    write(tmp_path / "valid.csv", CHEXPERT, f"CheXpert-v1.0/valid/{FRONTAL},Male,7,Frontal,AP,{values(Edema='1.0')}")
    put(tmp_path, f"valid/{FRONTAL}")
    content = {
        "patient64541_study1_view1_frontal": {
            "img_size": [100, 200],
            "Airspace Opacity": [[[10, 20], [30.5, 15], [20, 60]]],
            "Support Devices": [[[1, 1], [2, 2], [3, 1]]],
            "Edema": [[[5, 5], [5, 9]]],
        },
        "patient64999_study1_view1_frontal": {"img_size": [1, 1], "Edema": [[[1, 1], [2, 2]]]},
    }
    write(tmp_path / "CheXlocalize/gt_annotations_val.json", json.dumps(content))
    boxes = registry.source("chexpert").boxes(tmp_path)
    assert boxes.table.to_pylist() == [
        {"native_image_id": FRONTAL, "native_study_id": "patient64541/study1", "class": "Lung Opacity", "x_px": 10.0,
         "y_px": 15.0, "width_px": 20.5, "height_px": 45.0, "reader": "chexlocalize"}
    ]  # fmt: skip
    assert boxes.problems == {"boxes_without_image": 1, "rows_that_are_no_box": 1}
    write(tmp_path / "CheXlocalize/gt_annotations_val.json", "[1, 2]")
    with pytest.raises(BadTable, match=r"gt_annotations_val\.json"):
        registry.source("chexpert").boxes(tmp_path)


def test_mimics_test_set_takes_the_radiologists_word(tmp_path):
    write(tmp_path / "mimic-cxr-2.0.0-metadata.csv", MIMIC_META.replace("ViewPosition", "ViewCodeSequence_CodeMeaning"),
          "aa,10000032,50414267,CHEST (PA AND LAT),postero-anterior,1,1,21800506,1",
          "bb,10000032,50414268,CHEST (PA AND LAT),,1,1,21800506,1")  # fmt: skip
    write(tmp_path / "mimic-cxr-2.0.0-chexpert.csv", f"subject_id,study_id,{','.join(FINDINGS)}",
          f"10000032,50414267,{values(Edema='1.0', Fracture='1.0')}", f"10000032,50414268,{values(Edema='1.0')}")  # fmt: skip
    write(tmp_path / "mimic-cxr-2.0.0-split.csv", "dicom_id,study_id,subject_id,split",
          "aa,50414267,10000032,test", "bb,50414268,10000032,train")  # fmt: skip
    columns = [name.replace("Lung Opacity", "Airspace Opacity") for name in FINDINGS]
    write(tmp_path / "mimic-cxr-2.1.0-test-set-labeled.csv", f"study_id,{','.join(columns)}",
          f"50414267,{values(Edema='0', Lung_Opacity='1')}", f"50414999,{values()}")  # fmt: skip
    put(tmp_path, "files/p10/p10000032/s50414267/aa.jpg", "files/p10/p10000032/s50414268/bb.jpg")
    source = registry.source("mimic_cxr")
    facts = source.facts(tmp_path).values()
    assert [(fact.view, fact.held_in) for fact in facts] == [("PA", "test"), (None, None)]
    delivered = source.labels(tmp_path)
    assert said(delivered) == {"s50414267": {"Edema": 0, "Lung Opacity": 1}, "s50414268": {"Edema": 1}}
    assert delivered.problems["expert_rows_without_study"] == 1


def test_nihs_images_that_were_read_again_are_held_and_say_what_was_read(tmp_path):
    header = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position"
    write(tmp_path / "Data_Entry_2017.csv", f"{header},OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],",
          "00000013_008.png,Nodule|Pneumothorax,0,13,060Y,M,AP,1,1,1,1,", "00000014_000.png,Mass,0,14,060Y,M,AP,1,1,1,1,",
          "00000013_009.png,Mass,1,13,061Y,M,AP,1,1,1,1,")  # fmt: skip
    write(tmp_path / "google2019_nih-chest-xray-labels.csv",
          "Image Index,Fracture,Pneumothorax,Airspace opacity,Nodule or mass,Set Id",
          "00000013_008.png,YES,NO,NO,NO,test", "00000014_000.png,NO,YES,YES,YES,val", "00000099_000.png,NO,NO,NO,x,val")  # fmt: skip
    put(tmp_path, "images/00000013_008.png", "images/00000014_000.png", "images/00000013_009.png")
    source = registry.source("nih_cxr14")
    facts = source.facts(tmp_path)
    assert [facts[f"images/{name}.png"].held_in for name in ("00000013_008", "00000014_000", "00000013_009")] == [
        "google_test", "google_val", None,
    ]  # fmt: skip
    delivered = source.labels(tmp_path)
    found = said(delivered)
    first, second = found["00000013_000"], found["00000014_000"]
    assert (first["Pneumothorax"], first["Nodule"], first["Fracture"], first["Lung Lesion"]) == (0, 0, 1, 0)
    assert "Lung Opacity" not in first
    assert (second["Pneumothorax"], second["Mass"], second["Lung Lesion"], second["Lung Opacity"]) == (1, 1, 1, 1)
    assert "Nodule" not in second  # "nodule or mass": the table's absence is known no more
    assert "Fracture" not in found["00000013_001"]
    assert delivered.problems == {"expert_rows_without_study": 3, "unreadable_label_values": 1}


def test_padchests_resized_images_lie_flat(tmp_path):
    row = "0,a.png,0,20140915,11,12,1930.0,F,,0.2,\"['normal']\""
    facts = registry.source("padchest").facts(padchest(tmp_path, [row], ("images-224/a.png",)))
    assert [(path, fact.view) for path, fact in facts.items()] == [("images-224/a.png", None)]


def test_childrens_vindr_is_refused_and_named(tmp_path):
    labels = "image_id,rad_ID,No finding,Bronchitis,Bronchiolitis,Situs inversus,CPAM,Pneumonia"
    write(tmp_path / "image_labels_train.csv", labels, "i1,R1,1,0,0,0,0,0")
    put(tmp_path, "train/i1.dicom")
    with pytest.raises(NoLayout, match=r"looks like vindr_cxr, but .*VinDr-PCXR"):
        registry.locate("vindr_cxr", tmp_path)


def test_an_unknown_layout_says_what_it_looks_like_and_what_is_missing(tmp_path):
    put(tmp_path, "mine/images_001/a.png", "mine/images_002/b.png")
    with pytest.raises(NoLayout, match=r"the folder mine in it looks like nih_cxr14: Data_Entry_2017.*missing"):
        registry.locate_all(tmp_path)
    put(tmp_path, "empty/x")
    with pytest.raises(NoLayout, match=r"under [^;]*empty\."):
        registry.locate_all(tmp_path / "empty")
