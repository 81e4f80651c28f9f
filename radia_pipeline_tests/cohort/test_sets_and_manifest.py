"""Evaluation sets, manifests, the profile and exports of a small cohort of two sources."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from scipy.stats import false_discovery_control

from radia_pipeline.cohort.evaluation_sets import QUOTAS, build_evaluation_sets, draw
from radia_pipeline.cohort.export import export_manifest
from radia_pipeline.cohort.export_formats import FORMATS, XRV_NAMES, says_thickening
from radia_pipeline.cohort.manifest import QUALITY_LIMITED_WEIGHT, build_manifest
from radia_pipeline.cohort.profile import benjamini_hochberg, build_data_profile, two_proportions
from radia_pipeline.cohort.splits import build_splits
from radia_pipeline.contracts.sheets import known_sources, source_sheet
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import MissingTable, UnknownName
from radia_pipeline.pages.data_profile import publish_data_profile, write_profile_page
from radia_pipeline_tests.cohort.lakes import KEYS, image_row, new_lake, put_images, put_labels
from radia_pipeline_tests.cohort.worlds import SOURCES, cohort


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    lake = cohort(tmp_path_factory.mktemp("cohort"))
    for source in SOURCES:
        build_manifest(source, lake)
    return lake


def test_sets_stay_inside_their_pool_and_take_one_image_per_link(lake):
    result = build_evaluation_sets(lake)
    splits = {row["patient_key"]: row for row in lake.read("splits").to_pylist()}
    rows = lake.read("evaluation_sets").to_pylist()
    assert rows
    assert all(splits[row["patient_key"]]["pool"] == row["set_name"] for row in rows)
    twins = set(lake.read("image_links").column("image_id_b").to_pylist())
    assert not twins & {row["image_id"] for row in rows}
    assert result.linked_left_out > 0
    flagged = KEYS.image_id("chexpert", "chexpert-7-0")
    assert flagged not in {row["image_id"] for row in rows}


def test_test_sets_keep_their_quota_and_report_shortfalls(lake):
    result = build_evaluation_sets(lake)
    pool = pd.concat(lake.read("manifest", source).to_pandas() for source in SOURCES)
    held = Counter(
        (row["source"], row["class"]) for row in lake.read("evaluation_sets").to_pylist() if row["set_name"] == "test"
    )
    for source in SOURCES:
        part = pool[(pool.source == source) & (pool.pool == "test")]
        for name in set(vocabulary().pathologies[:6]) & set(source_sheet(source).labels):
            count = held[source, name]
            missing = result.shortfalls.get(f"test/{source}/{name}", 0)
            assert count + missing >= QUOTAS["test"]
            assert count <= (part[name] == 1).sum()


def test_what_a_set_lacks_is_counted_in_patients_for_validation_and_in_images_for_the_test(lake):
    shortfalls = build_evaluation_sets(lake).shortfalls
    rows = lake.read("evaluation_sets").to_pandas()
    seen = set()
    for (name, source, class_), part in rows.groupby(["set_name", "source", "class"]):
        if name not in QUOTAS:
            continue
        has = part.patient_key.nunique() if name == "validation" else part.image_id.nunique()
        assert shortfalls.get(f"{name}/{source}/{class_}", 0) == max(QUOTAS[name] - has, 0), (name, source, class_)
        seen.add((name, part.patient_key.nunique() < part.image_id.nunique()))
    assert {("validation", True), ("test", True)} <= seen, "in both some patient has several images"


def test_drawing_begins_with_the_rarest_class_and_counts_patients():
    values = np.zeros((6, 21), dtype=np.int8)
    mass, edema = vocabulary().index("Mass"), vocabulary().index("Edema")
    values[:, edema] = 1
    values[4:, mass] = 1
    patients = np.array(["a", "a", "b", "c", "d", "d"], dtype=object)
    chosen = draw(values, patients, ["Edema", "Mass"], 2, by_patient=True)
    assert list(chosen) == ["Mass", "Edema"]
    assert chosen["Mass"].tolist() == [4]
    assert chosen["Edema"].tolist() == [0, 4]
    assert draw(values, patients, ["Edema", "Mass"], 3, by_patient=False)["Edema"].tolist() == [0, 4, 5]


def test_manifest_leaves_out_what_cannot_be_used_and_counts_it(lake):
    result = build_manifest("chexpert", lake)
    table = lake.read("manifest", "chexpert").to_pandas()
    assert result.left_out == {"not_a_chest": 1, "unlabelled_study": 1}
    assert result.images + sum(result.left_out.values()) == lake.read("images", "chexpert").num_rows
    assert (table.fold.notna() == (table.pool == "train")).all()
    assert (table.weight == 1).all()


def test_manifest_keeps_late_links_marked_and_weighs_weak_reports(tmp_path):
    lake = cohort(tmp_path, link=False)
    splits = lake.read("splits").to_pandas()
    one = splits[(splits.source == "chexpert") & (splits.pool == "train")].iloc[0]
    other = splits[(splits.source == "nih_cxr14") & (splits.pool == "test")].iloc[0]
    images = {source: lake.read("images", source).to_pandas().set_index("patient_key").image_id for source in SOURCES}
    link = {
        "source_a": "chexpert",
        "image_id_a": images["chexpert"].loc[[one.patient_key]].iloc[0],
        "patient_key_a": one.patient_key,
        "source_b": "nih_cxr14",
        "image_id_b": images["nih_cxr14"].loc[[other.patient_key]].iloc[0],
        "patient_key_b": other.patient_key,
        "kind": "near_duplicate",
        "distance": 0.05,
    }
    lake.write("image_links", [link])
    from radia_pipeline.cohort.splits import build_splits

    build_splits(lake)
    study = lake.read("images", "chexpert").to_pylist()[0]["study_id"]
    attributes = {
        "source": "chexpert",
        "study_id": study,
        "has_findings_text": True,
        "is_unlabelled": False,
        "is_signed_unread": True,
        "is_concordance_impossible": False,
        "is_quality_limited": False,
        "is_reference_only": False,
        "has_open_question": False,
        "has_other_abnormality": False,
        "mention_count": 1,
        "uncertain_share": 0.0,
        "unread_count": 0,
        "repaired": 0,
        "devices": "",
        "misplaced_devices": "",
        "engine_version": "1",
    }
    lake.write("report_attributes", [attributes], "chexpert")
    result = build_manifest("chexpert", lake)
    table = lake.read("manifest", "chexpert").to_pandas()
    assert result.excluded == (table.patient_key == one.patient_key).sum() > 0
    assert set(table.excluded.dropna()) == {"late_link"}
    assert set(table[table.study_id == study].weight) <= {QUALITY_LIMITED_WEIGHT}
    assert table.weight.max() == 1


def test_profile_counts_agree_with_the_manifest_and_shifts_are_found(lake):
    result = build_data_profile(lake)
    profile = lake.read("data_profile").to_pandas()
    manifest = lake.read("manifest", "nih_cxr14").to_pandas()
    name = vocabulary().pathologies[4]
    row = profile[
        (profile.measure == "positives")
        & (profile.source == "nih_cxr14")
        & (profile["class"] == name)
        & profile.other.isna()
    ]
    assert row["count"].item() == (manifest[name] == 1).sum()
    per_image = profile[(profile.measure == "labels_per_image") & (profile.source == "nih_cxr14")]
    assert per_image["count"].sum() == len(manifest)
    assert any(shift.startswith("age chexpert nih_cxr14") for shift in result.shifts)
    assert not any(shift.startswith("female") for shift in result.shifts)
    assert build_data_profile(lake).version == result.version


def test_the_profile_knows_pools_examinations_devices_and_who_said_what(lake):
    build_data_profile(lake)
    profile = lake.read("data_profile").to_pandas()
    manifest = lake.read("manifest", "chexpert").to_pandas()
    mine = profile[profile.source == "chexpert"]
    for pool in ("train", "validation", "test"):
        inside = manifest[manifest.pool == pool]
        per_study = mine[mine.measure == f"images_per_study_{pool}"]
        assert per_study["count"].sum() == inside.study_id.nunique()
        assert mine[mine.measure == f"labels_per_image_{pool}"]["count"].sum() == len(inside)
        assert len(mine[mine.measure == f"correlation_{pool}"]) > 0
    sizes = manifest.groupby("patient_key").size()
    worth = mine[(mine.measure == "effective_patients") & mine.other.isna()].value.item()
    assert worth == pytest.approx(sizes.sum() ** 2 / (sizes**2).sum())
    assert worth < len(sizes)
    origins = mine[(mine.measure == "origin") & (mine["class"] == vocabulary().pathologies[0])]
    assert origins["count"].sum() == len(manifest)
    assert set(origins.other) <= {"table", "none"}
    assert mine[mine.measure == "device"].set_index("other")["count"].to_dict() == {"not told": len(manifest)}


def test_the_profile_is_published_with_a_page_that_shows_its_shifts(lake, tmp_path):
    result = publish_data_profile(lake)
    page = (lake.root / result.page).read_text(encoding="utf-8")
    assert page.count(">shift<") == len(result.shifts) > 0
    card = (lake.root / result.card).read_text(encoding="utf-8")
    for source in SOURCES:
        sheet = source_sheet(source)
        assert " ".join(sheet.licence.split())[:60] in " ".join(card.split())
        assert card.count("<li>") >= len(sheet.known_defects) > 0
    assert write_profile_page(lake, tmp_path / "again.html").read_text(encoding="utf-8") == page


def test_equal_sources_show_no_shift():
    assert two_proportions(50, 100, 50, 100) == (0.0, 1.0)
    effect, p = two_proportions(80, 100, 20, 100)
    assert effect > 1
    assert p < 1e-10
    assert benjamini_hochberg([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.5])
    assert benjamini_hochberg([]) == []
    some = np.random.default_rng(3).random(50).tolist()
    assert benjamini_hochberg(some) == pytest.approx(false_discovery_control(some))
    assert benjamini_hochberg([1.0, 0.9, 1.0]) == [1.0, 1.0, 1.0]


SCHEMA_ORG = {"name", "description", "license", "version", "datePublished", "distribution"}


@pytest.mark.parametrize("to", sorted(FORMATS))
def test_every_export_holds_every_usable_image_and_its_hash(lake, tmp_path, to):
    result = export_manifest(lake, to, tmp_path)
    usable = sum(lake.read("manifest", source).column("excluded").null_count for source in SOURCES)
    assert result.images == usable
    content = result.path.read_bytes()
    rows = {
        "csv": lambda: list(csv.DictReader(content.decode().splitlines())),
        "torchxrayvision": lambda: list(csv.DictReader(content.decode().splitlines())),
        "parquet": lambda: pd.read_parquet(result.path).to_dict("records"),
        "coco": lambda: json.loads(content)["images"],
    }[to]()
    assert len(rows) == usable
    croissant = json.loads(result.croissant.read_text(encoding="utf-8"))
    assert croissant["distribution"][0]["sha256"] == hashlib.sha256(content).hexdigest()
    assert "delivered_path" not in content.decode("utf-8", errors="ignore")
    fields = [field for records in croissant["recordSet"] for field in records["field"]]
    if to != "coco":
        header = [name for name in rows[0] if (to, name) != ("parquet", "boxes")]
        assert [field["source"]["extract"]["column"] for field in fields] == header
    else:
        assert [records["@id"] for records in croissant["recordSet"]] == ["images", "annotations", "categories"]
    assert not any(" " in field["@id"] for field in fields)
    assert result.lost in croissant["description"]
    assert set(croissant) - set(croissant["@context"]) <= {"@context", "@type", *SCHEMA_ORG}


def test_torchxrayvision_gets_its_own_names_views_and_no_thickening_that_nobody_said(lake, tmp_path):
    rows = list(csv.DictReader(export_manifest(lake, "torchxrayvision", tmp_path).path.open(encoding="utf-8")))
    assert list(rows[0])[-18:] == list(XRV_NAMES)
    assert {row["view"] for row in rows} == {"PA", "L"}
    assert {row["Pleural_Thickening"] for row in rows if row["source"] == "chexpert"} == {""}
    assert {name for name in known_sources() if says_thickening(name)} == {"nih_cxr14", "vindr_cxr"}
    assert {row["Fibrosis"] for row in rows} == {""}
    first = lake.read("manifest", "chexpert").to_pylist()[0]
    other = next(row for row in rows if row["imgpath"] == first["path"])
    assert other["Cardiomegaly"] == ("" if first["Cardiomegaly"] not in (0, 1) else str(first["Cardiomegaly"]))


def test_an_export_goes_through_a_manifest_in_parts(lake, tmp_path, monkeypatch):
    whole = {to: export_manifest(lake, to, tmp_path / to).path.read_bytes() for to in ("csv", "coco")}
    monkeypatch.setattr("radia_pipeline.cohort.export._ROWS", 7)
    for to, content in whole.items():
        assert export_manifest(lake, to, tmp_path / to).path.read_bytes() == content
    seen = [len(part) for part in lake.batches("manifest", "chexpert", ["image_id"], 7)]
    assert max(seen) == 7
    assert sum(seen) == lake.read("manifest", "chexpert").num_rows


def test_unknown_formats_and_absent_manifests_are_clear_errors(lake, tmp_path):
    with pytest.raises(UnknownName, match="coco"):
        export_manifest(lake, "yolo", tmp_path)
    with pytest.raises(MissingTable, match="manifest"):
        export_manifest(new_lake(tmp_path), "csv", tmp_path)


def test_a_study_with_an_uncertain_value_is_drawn_into_no_set(tmp_path):
    """Half of 300 studies are positive for edema and in doubt about a mass; the original left such studies out."""
    lake, names = new_lake(tmp_path), [f"chexpert-{number}" for number in range(300)]
    put_images(lake, "chexpert", [image_row("chexpert", name, name) for name in names])
    values = {name: {"Edema": 1, "Mass": -(number % 2)} for number, name in enumerate(names)}
    put_labels(lake, "chexpert", {name: (name, said) for name, said in values.items()})
    build_splits(lake)
    result = build_evaluation_sets(lake)
    drawn = {row["image_id"] for row in lake.read("evaluation_sets").to_pylist()}
    certain = {KEYS.image_id("chexpert", name) for name in names[::2]}
    judged = {row["patient_key"] for row in lake.read("splits").to_pylist() if row["pool"] in ("validation", "test")}
    doubted = [name for name in names[1::2] if KEYS.patient_key("chexpert", name) in judged]
    assert drawn and drawn <= certain
    assert result.uncertain_left_out == len(doubted) > 0
