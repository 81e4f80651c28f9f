"""Reports that say only that nothing changed: unlabelled by default, or what an earlier report said, at less weight."""

from __future__ import annotations

import hashlib

import pytest

from radia_pipeline.cohort.manifest import CARRIED_WEIGHT, build_manifest
from radia_pipeline.cohort.splits import build_splits
from radia_pipeline.contracts.label_values import MISSING
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadTable
from radia_pipeline.labels.build import build_labels
from radia_pipeline.reports.extract import extract_mentions
from radia_pipeline.reports.french.unchanged import says_unchanged
from radia_pipeline.training.studies import pool_studies, read_manifest
from radia_pipeline_tests.cohort.lakes import KEYS, image_row, new_lake, put_images
from radia_pipeline_tests.training.synthetic import tiny_recipe

REPORTS = {
    "old": ("p1", "20200101", "Cardiomégalie. Pas d'épanchement."),
    "new": ("p1", "20200110", "Examen inchangé."),
    "later": ("p1", "20200301", "Inchangé."),
    "other": ("p2", "20200109", "Inchangé."),
    "ct": ("p1", "20200111", "Voir TDM."),
    "asked": ("p1", "20200112", "R.C. : éliminer une pneumonie.\nPOUMONS : épanchement à droite."),
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    lake = new_lake(tmp_path_factory.mktemp("priors"))
    images = [image_row("ccsmtl", f"{n}.dcm", p, n, study_date=day) for n, (p, day, _) in REPORTS.items()]
    put_images(lake, "ccsmtl", images)
    rows = [
        {
            "source": "ccsmtl",
            "study_id": KEYS.study_id("ccsmtl", name),
            "patient_key": KEYS.patient_key("ccsmtl", p),
            "report_text": text,
            "text_sha256": hashlib.sha256(text.encode()).hexdigest(),
            "text_count": 1,
        }
        for name, (p, _, text) in REPORTS.items()
    ]
    lake.write("reports", rows, "ccsmtl")
    extract_mentions("ccsmtl", lake)
    return lake


def said(lake, study: str) -> dict[str, tuple]:
    rows = lake.read("labels", "ccsmtl").to_pylist()
    mine = [row for row in rows if row["study_id"] == KEYS.study_id("ccsmtl", study) and row["said"] is not None]
    return {row["class"]: (row["said"], row["origin"]) for row in mine}


def test_unchanged_alone_is_unlabelled_by_default(lake):
    build_labels("ccsmtl", None, lake, KEYS, {})
    assert said(lake, "new") == said(lake, "later") == said(lake, "other") == {}


def test_an_earlier_report_within_the_days_gives_its_labels_with_their_origin(lake):
    result = build_labels("ccsmtl", None, lake, KEYS, {}, 30)
    assert said(lake, "old")["Cardiomegaly"] == (1, "rules")
    assert said(lake, "new") == {name: (value, "carried") for name, (value, _) in said(lake, "old").items()}
    assert said(lake, "later") == {}, "sixty days are too many, and what was carried is not carried on"
    assert said(lake, "other") == {}, "another patient's report says nothing"
    assert said(lake, "ct") == {}, "it says nothing of a change"
    assert result.cells["carried"] >= 2


def test_what_was_carried_weighs_less_and_judges_nothing(lake):
    build_labels("ccsmtl", None, lake, KEYS, {}, 30)
    build_splits(lake)
    splits = lake.read("splits").to_pylist()
    for pool in ("train", "test"):
        rows = [{**row, "pool": pool, "fold": 0 if pool == "train" else None} for row in splits]
        lake.write("splits", rows)
        result = build_manifest("ccsmtl", lake)
        weights = {row["study_id"]: row["weight"] for row in lake.read("manifest", "ccsmtl").to_pylist()}
        new = KEYS.study_id("ccsmtl", "new")
        assert weights.get(new) == (CARRIED_WEIGHT if pool == "train" else None)
        assert result.left_out.get("carried_outside_training", 0) == (pool == "test")
        assert weights[KEYS.study_id("ccsmtl", "old")] == 1.0
    lake.write("splits", splits)


def test_what_was_asked_and_never_answered_is_a_blank_that_a_recipe_may_mask(lake):
    build_labels("ccsmtl", None, lake, KEYS, {})
    build_splits(lake)
    build_manifest("ccsmtl", lake)
    rows = {row["study_id"]: row for row in lake.read("manifest", "ccsmtl").to_pylist()}
    assert rows[KEYS.study_id("ccsmtl", "asked")]["asked"] == "Pneumonia"
    assert rows[KEYS.study_id("ccsmtl", "old")]["asked"] == ""
    manifest, _ = read_manifest(lake, None)
    place = {name: row for row, name in enumerate(manifest.column("image_id").to_pylist())}
    pool, column = rows[KEYS.study_id("ccsmtl", "asked")]["pool"], vocabulary().index("Pneumonia")
    for policy, is_labelled in (("as_blank", True), ("ignore", False)):
        found = pool_studies(manifest, tiny_recipe(labels={"asked_blank": policy}), pool, place)
        row = found.study_id.tolist().index(KEYS.study_id("ccsmtl", "asked"))
        assert (found.values[row, column], found.labelled[row, column]) == (MISSING, is_labelled)
        assert found.judged[row, column], "evaluation counts every blank of a labelled class"


def test_reports_of_other_studies_than_the_images_are_refused_by_keyed_ids(lake, tmp_path):
    other = new_lake(tmp_path)
    put_images(other, "ccsmtl", [image_row("ccsmtl", f"{n}.dcm", "p", f"x{n}") for n in range(4)])
    for table in ("reports", "report_mentions", "report_attributes"):
        other.write(table, lake.read(table, "ccsmtl"), "ccsmtl")
    with pytest.raises(BadTable, match="0 of 4 studies are on both sides") as caught:
        build_labels("ccsmtl", None, other, KEYS, {})
    assert min(row["study_id"] for row in other.read("reports", "ccsmtl").to_pylist()) in str(caught.value)
    assert not other.exists("labels", "ccsmtl")


@pytest.mark.parametrize(
    ("text", "is_it"),
    [
        ("INCHANGÉ.", True),
        ("Pas de changement significatif", True),
        ("aspect superposable", True),
        ("Voir TDM", False),
        ("Interchangeable", False),
    ],
)
def test_words_that_say_that_nothing_changed(text, is_it):
    assert says_unchanged(text) is is_it
