"""What a run came to: every count is that of the tables, row by row, and can go into JSON; in words, the detector
stands above its controls."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from radia_pipeline.contracts.pools import POOLS, TEST, TRAIN
from radia_pipeline.contracts.tables import empty
from radia_pipeline.lake.lake import Lake
from radia_pipeline.localisation.controls import NAMES, PRIOR, RANDOM
from radia_pipeline.usecases.summary import as_text, collect, pool_counts, source_counts
from radia_pipeline_tests.cohort.worlds import SOURCES, cohort

ROW = {
    "against": "annotations",
    "class": "mean",
    "metric": "map@0.3",
    "low": 0.1,
    "high": 0.9,
    "boxes": 30,
    "images": 16,
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Lake:
    lake = cohort(tmp_path_factory.mktemp("summary"))
    for source in SOURCES:
        lake.write("quarantine", empty("quarantine"), source)
        lake.write("duplicates", empty("duplicates"), source)
    return lake


def test_patients_are_counted_by_source_and_pool(lake):
    found = Counter((row["source"], row["pool"]) for row in lake.read("splits").to_pylist())
    assert pool_counts(lake) == {source: {pool: found[source, pool] for pool in POOLS} for source in SOURCES}


def test_a_pool_without_anybody_stands_as_zero(lake, tmp_path):
    one = Lake.open(tmp_path / "lake")
    one.write("splits", [row for row in lake.read("splits").to_pylist() if row["pool"] == TRAIN])
    assert {tuple(counts) for counts in pool_counts(one).values()} == {POOLS}
    assert {counts[TEST] for counts in pool_counts(one).values()} == {0}
    one.write("splits", empty("splits"))
    assert pool_counts(one) == {}


def test_a_study_is_labelled_when_one_of_its_classes_has_a_value(lake):
    for source in SOURCES:
        rows = lake.read("labels", source).to_pylist()
        known = {row["study_id"] for row in rows if row["value"] is not None}
        assert source_counts(lake, source)["studies_labelled"] == len(known)
        assert len(known) < len({row["study_id"] for row in rows})


def test_the_summary_is_json_and_a_table_for_a_terminal(lake):
    summary = collect(lake)
    assert json.loads(json.dumps(summary)) == summary
    text = as_text(summary)
    assert all(source in text for source in SOURCES)
    assert "Patients per pool" in text


def test_an_empty_lake_has_a_table_without_sources(tmp_path):
    summary = collect(Lake.open(tmp_path))
    assert summary == {"sources": []}
    assert as_text(summary).startswith("Delivered files\nsource")


def test_the_detector_stands_above_its_controls_with_a_figure_for_each_level(tmp_path):
    lake = Lake.open(tmp_path)
    judged = [
        (NAMES[RANDOM], "class", 0.09),
        (NAMES[PRIOR], "class", 0.03),
        ("detector", "class", 0.62),
        ("detector", "agnostic", 0.53),
        ("pseudo_boxes", "class", 0.57),
    ]
    lake.write("detector_scorecard", [{**ROW, "model": m, "level": level, "value": v} for m, level, v in judged])
    lines = as_text(collect(lake)).split("Detector on validation, mAP@.3\n")[1].splitlines()
    assert [line.split("  ")[0] for line in lines[2:]] == ["detector", "pseudo_boxes", NAMES[PRIOR], NAMES[RANDOM]]
    assert lines[2].split() == ["detector", "annotations", "0.620", "(0.100–0.900)", "–", "0.530", "(0.100–0.900)"]


def test_controls_are_named_in_words(tmp_path):
    lake = Lake.open(tmp_path)
    row = {key: value for key, value in ROW.items() if key != "against"}
    lake.write("saliency_benchmark", [{**row, "recipe": "r", "method": PRIOR, "value": 0.2}])
    truth = [{"boxes_of": RANDOM, "pool": "test", "value": None, "low": None, "high": None, "boxes": 9}]
    text = as_text({**collect(lake), "truth": truth})
    assert f"r       {NAMES[PRIOR]}" in text
    assert f"{NAMES[RANDOM]}  test  –" in text
