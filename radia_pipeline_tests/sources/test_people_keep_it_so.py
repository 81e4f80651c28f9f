"""Layouts as people have them: downloads as they unpack, further tables of a dataset, and what is something else."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radia_pipeline.errors import BadTable, NoLayout
from radia_pipeline.sources import registry
from radia_pipeline.sources.run_lengths import counts_of
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
    assert len(list(source.files(root))) == len(source.facts(root)) == 2
    assert said(source.labels(root)) == {"patient64541/study1": {"Edema": 1}, "patient00001/study1": {"Edema": 0}}


def test_chexperts_valid_and_test_are_read_by_experts_and_held(tmp_path):
    write(
        tmp_path / "train.csv",
        CHEXPERT,
        rf"CheXpert-v1.0-small\train\patient00001\study1\view1_frontal.jpg,Male,1,Frontal,AP,{values(Edema='0.0')}",
    )
    write(tmp_path / "test_labels.csv", ",".join(("Path", *FINDINGS)), f"test/{FRONTAL},{values(Edema='1')}")
    put(tmp_path, "train/patient00001/study1/view1_frontal.jpg", f"test/{FRONTAL}")
    source = registry.source("chexpert")
    facts = source.facts(tmp_path)
    assert {path: (fact.view, fact.held_in) for path, fact in facts.items()} == {
        "train/patient00001/study1/view1_frontal.jpg": ("AP", None),
        f"test/{FRONTAL}": ("UNKNOWN", "test"),
    }
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
        {
            "native_image_id": FRONTAL,
            "native_study_id": "patient64541/study1",
            "class": "Lung Opacity",
            "x_px": 10.0,
            "y_px": 15.0,
            "width_px": 20.5,
            "height_px": 45.0,
            "reader": "chexlocalize",
        }
    ]
    assert boxes.problems == {"boxes_without_image": 1, "rows_that_are_no_box": 1}
    write(tmp_path / "CheXlocalize/gt_annotations_val.json", "[1, 2]")
    with pytest.raises(BadTable, match=r"gt_annotations_val\.json"):
        registry.source("chexpert").boxes(tmp_path)


def packed(counts: list[int]) -> str:
    """Return run lengths as COCO's API writes them (``rleToString`` in cocoapi's common/maskApi.c)."""
    text = ""
    for place, count in enumerate(counts):
        left = count - (counts[place - 2] if place > 2 else 0)
        more = True
        while more:
            chunk, left = left & 0x1F, left >> 5
            more = left != -1 if chunk & 0x10 else left != 0
            text += chr((chunk | (0x20 if more else 0)) + 48)
    return text


def run_lengths(mask: np.ndarray) -> list[int]:
    flat = mask.T.reshape(-1)
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff([0, *edges, flat.size]).tolist()
    return counts if flat[0] == 0 else [0, *counts]


@pytest.mark.parametrize("form", [packed, list], ids=["packed", "plain"])
def test_masks_of_chexlocalize_become_a_box_for_each_piece(tmp_path, form):
    write(tmp_path / "valid.csv", CHEXPERT, f"CheXpert-v1.0/valid/{FRONTAL},Male,7,Frontal,AP,{values(Edema='1.0')}")
    put(tmp_path, f"valid/{FRONTAL}")
    mask = np.zeros((400, 300), dtype=np.uint8)
    mask[0:210, 0:7], mask[250:390, 100:260], mask[300, 50] = 1, 1, 1
    content = {"size": [400, 300], "counts": form(run_lengths(mask))}
    empty = {"size": [400, 300], "counts": form([400 * 300])}
    write(
        tmp_path / "CheXlocalize/gt_segmentations_val.json",
        json.dumps({"patient64541_study1_view1_frontal": {"Edema": content, "Airspace Opacity": empty}}),
    )
    boxes = registry.source("chexpert").boxes(tmp_path)
    corners = ("class", "x_px", "y_px", "width_px", "height_px")
    assert [tuple(row[name] for name in corners) for row in boxes.table.to_pylist()] == [
        ("Edema", 100.0, 250.0, 160.0, 140.0),
        ("Edema", 0.0, 0.0, 7.0, 210.0),
    ]
    assert boxes.problems == {"specks_of_masks": 1}
    content["size"] = [400, 299]
    write(tmp_path / "CheXlocalize/gt_segmentations_val.json", json.dumps({"x": {"Edema": content}}))
    with pytest.raises(BadTable, match=r"gt_segmentations_val\.json"):
        registry.source("chexpert").boxes(tmp_path)
    write(tmp_path / "CheXlocalize/gt_annotations_val.json", "{}")  # polygons, where they are there, come first
    assert registry.source("chexpert").boxes(tmp_path).table.num_rows == 0


@given(st.lists(st.integers(0, 90_000), min_size=1, max_size=30))
def test_packed_run_lengths_are_read_as_they_were_written(counts):
    assert counts_of(packed(counts)) == counts


PLUS = "path_to_image,path_to_dcm,frontal_lateral,ap_pa,deid_patient_id,report,age,sex,split"
TRAINED = "train/patient00001/study1/view1_frontal.jpg"


def plus(root):
    write(
        root / "df_chexpert_plus_240401.csv",
        PLUS,
        f'{TRAINED},x.dcm,Frontal,AP,patient00001,"A report, of\ntwo lines",68.0,Female,train',
        f"valid/{FRONTAL},x.dcm,Frontal,PA,patient64541,short,7,Male,valid",
    )
    lines = [
        {"path_to_image": TRAINED, "Edema": -1.0, "Fracture": 0.0, "No Finding": None},
        {"path_to_image": f"valid/{FRONTAL}", "Edema": 1.0},
    ]
    write(root / "chexbert_labels/report_fixed.json", *map(json.dumps, lines))
    put(root, f"PNG/{TRAINED.replace('.jpg', '.png')}", f"PNG/valid/{FRONTAL.replace('.jpg', '.png')}")


def test_chexpert_plus_is_chexpert_with_a_labelers_values(tmp_path):
    plus(tmp_path)
    source = registry.source("chexpert")
    assert source.locate(tmp_path) == tmp_path
    facts = source.facts(tmp_path)
    assert {(path, fact.native_image_id, fact.view, fact.held_in) for path, fact in facts.items()} == {
        (f"PNG/{TRAINED.replace('.jpg', '.png')}", TRAINED.removeprefix("train/"), "AP", None),
        (f"PNG/valid/{FRONTAL.replace('.jpg', '.png')}", FRONTAL, "PA", "valid"),
    }
    delivered = source.labels(tmp_path)
    assert said(delivered) == {"patient00001/study1": {"Edema": -1, "Fracture": 0}, "patient64541/study1": {"Edema": 1}}
    assert set(delivered.table.column("origin").to_pylist()) == {None}  # nobody read its valid split
    assert delivered.problems == {}
    # An impression is what CheXpert's own tables were read from: where it is there too, it counts.
    write(tmp_path / "chexbert_labels/impression_fixed.json", json.dumps({"path_to_image": TRAINED, "Edema": 1.0}))
    assert said(source.labels(tmp_path))["patient00001/study1"] == {"Edema": 1}
    write(tmp_path / "valid.csv", CHEXPERT, f"CheXpert-v1.0/valid/{FRONTAL},Male,7,Frontal,PA,{values(Edema='0.0')}")
    delivered = source.labels(tmp_path)
    assert said(delivered)["patient64541/study1"] == {"Edema": 0}
    assert delivered.problems == {"rows_left_to_chexperts_own_table": 1}


def test_chexpert_plus_without_readable_labels_says_what_is_missing(tmp_path):
    plus(tmp_path)
    labels = tmp_path / "chexbert_labels/report_fixed.json"
    write(labels, '{"Edema": 1}')
    with pytest.raises(BadTable, match=r"report_fixed\.json cannot be read at line 1"):
        registry.source("chexpert").labels(tmp_path)
    labels.unlink()
    with pytest.raises(BadTable, match=r"no labels.*chexbert_labels/impression_fixed\.json"):
        registry.source("chexpert").labels(tmp_path)


BRAX = ",".join(("PngPath", "DicomPath", "PatientID", "PatientSex", "PatientAge", "ViewPosition", *FINDINGS))


def test_brax_is_named_by_its_paths(tmp_path):
    film = "images/id_aa-bb/Study_12.34/Series_1.2/image-1-2"
    lateral = "images/id_aa-bb/Study_12.34/Series_1.3/image-1-2"
    write(
        tmp_path / "master_spreadsheet_update.csv",
        BRAX,
        f"{film}.png,{film}.dcm,aa-bb,F,85 or more,PA,{values(Edema='-1', Fracture='0')}",
        rf"{lateral.replace('/', chr(92))}.png,x,aa-bb,F,40,L,{values(Edema='-1', Fracture='0')}",
        f"images/id_cc/Study_1.1/Series_1.1/image-9.png,x,cc,M,0,,{values(No_Finding='1')}",
    )
    put(tmp_path, f"{film}.png", f"{lateral}.png", "Anonymized_DICOMs/id_aa-bb/Study_12.34/Series_1.2/image-1-2.dcm")
    source = registry.source("brax")
    assert source.locate(tmp_path) == tmp_path
    facts = source.facts(tmp_path)
    assert [(path, fact.view, fact.age_years) for path, fact in sorted(facts.items())] == [
        (f"{film}.png", "PA", 85.0),
        (f"{lateral}.png", "LATERAL", 40.0),
    ]
    assert len({fact.native_image_id for fact in facts.values()}) == 2
    delivered = source.labels(tmp_path)
    assert said(delivered) == {
        "id_aa-bb/Study_12.34": {"Edema": -1, "Fracture": 0},
        "id_cc/Study_1.1": {"No Finding": 1},
    }
    assert delivered.problems == {"rows_without_file": 1}


def test_brax_refuses_paths_that_name_no_image_and_studies_of_several_patients(tmp_path):
    table = tmp_path / "master_spreadsheet.csv"
    write(table, BRAX, f"1,x,aa,F,40,PA,{values()}")
    with pytest.raises(BadTable, match="no value of 'PngPath' names an image"):
        registry.source("brax").facts(tmp_path)
    path = "images/id_aa/Study_1.1/Series_1.1/image-{}.png"
    write(table, BRAX, f"{path.format(1)},x,aa,F,40,PA,{values()}", f"{path.format(2)},x,bb,F,40,PA,{values()}")
    with pytest.raises(BadTable, match="several patients"):
        registry.source("brax").labels(tmp_path)


def test_mimics_test_set_takes_the_radiologists_word(tmp_path):
    write(
        tmp_path / "mimic-cxr-2.0.0-metadata.csv",
        MIMIC_META.replace("ViewPosition", "ViewCodeSequence_CodeMeaning"),
        "aa,10000032,50414267,CHEST (PA AND LAT),postero-anterior,1,1,21800506,1",
        "bb,10000032,50414268,CHEST (PA AND LAT),,1,1,21800506,1",
    )
    write(
        tmp_path / "mimic-cxr-2.0.0-chexpert.csv",
        f"subject_id,study_id,{','.join(FINDINGS)}",
        f"10000032,50414267,{values(Edema='1.0', Fracture='1.0')}",
        f"10000032,50414268,{values(Edema='1.0')}",
    )
    write(
        tmp_path / "mimic-cxr-2.0.0-split.csv",
        "dicom_id,study_id,subject_id,split",
        "aa,50414267,10000032,test",
        "bb,50414268,10000032,train",
    )
    columns = [name.replace("Lung Opacity", "Airspace Opacity") for name in FINDINGS]
    write(
        tmp_path / "mimic-cxr-2.1.0-test-set-labeled.csv",
        f"study_id,{','.join(columns)}",
        f"50414267,{values(Edema='0', Lung_Opacity='1')}",
        f"50414999,{values()}",
    )
    put(tmp_path, "files/p10/p10000032/s50414267/aa.jpg", "files/p10/p10000032/s50414268/bb.jpg")
    source = registry.source("mimic_cxr")
    facts = source.facts(tmp_path).values()
    assert [(fact.view, fact.held_in) for fact in facts] == [("PA", "test"), (None, None)]
    delivered = source.labels(tmp_path)
    assert said(delivered) == {"s50414267": {"Edema": 0, "Lung Opacity": 1}, "s50414268": {"Edema": 1}}
    assert delivered.problems["expert_rows_without_study"] == 1
    write(tmp_path / "mimic-cxr-2.1.0-test-set-labeled.csv", "study_id,Edema", "s50414267,0")
    delivered = source.labels(tmp_path)  # a class without a column keeps what the rules say
    origins = {
        (row["class"], row["said"], row["origin"])
        for row in delivered.table.to_pylist()
        if row["native_study_id"] == "s50414267"
    }
    assert origins == {("Edema", 0, "expert"), ("Fracture", 1, None)}
    assert delivered.problems["expert_columns_not_there"] == 12
    write(tmp_path / "mimic-cxr-2.1.0-test-set-labeled.csv", "study_id,edema grade", "50414267,0")
    with pytest.raises(BadTable, match="none of the label columns"):
        source.labels(tmp_path)


def test_nihs_images_that_were_read_again_are_held_and_say_what_was_read(tmp_path):
    header = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position"
    write(
        tmp_path / "Data_Entry_2017.csv",
        f"{header},OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],",
        "00000013_008.png,Nodule|Pneumothorax,0,13,060Y,M,AP,1,1,1,1,",
        "00000014_000.png,Mass,0,14,060Y,M,AP,1,1,1,1,",
        "00000013_009.png,Mass,1,13,061Y,M,AP,1,1,1,1,",
    )
    write(
        tmp_path / "google2019_nih-chest-xray-labels.csv",
        "Image Index,Fracture,Pneumothorax,Airspace opacity,Nodule or mass,Set Id",
        "00000013_008.png,YES,NO,NO,NO,test",
        "00000014_000.png,NO,YES,YES,YES,val",
        "00000099_000.png,NO,NO,NO,x,val",
    )
    put(tmp_path, "images/00000013_008.png", "images/00000014_000.png", "images/00000013_009.png")
    source = registry.source("nih_cxr14")
    facts = source.facts(tmp_path)
    assert [facts[f"images/{name}.png"].held_in for name in ("00000013_008", "00000014_000", "00000013_009")] == [
        "google_test",
        "google_val",
        None,
    ]
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
