"""Collection deletes what is old, unpublished and unpinned, and nothing else."""

from __future__ import annotations

import json
import time

import pytest

from radia_pipeline.lake.collect import DAY_S, collect
from radia_pipeline.lake.lake import Lake


@pytest.fixture
def lake(tmp_path):
    lake = Lake.open(tmp_path / "lake")
    row = {"source": "nih_cxr14", "study_id": "0" * 32, "patient_key": "0" * 32, "class": "Edema", "origin": "table"}
    for value in (1, 0, -1):
        lake.write("labels", [{**row, "said": value, "value": value}], "nih_cxr14")
    return lake


def test_only_old_unpublished_versions_go(lake):
    later = time.time() + 100 * DAY_S
    assert collect(lake).deleted == 0
    assert collect(lake, now_s=later, dry_run=True).deleted == 2
    result = collect(lake, now_s=later)
    assert (result.versions, result.deleted) == (3, 2)
    assert result.freed_bytes > 0
    assert lake.read("labels", "nih_cxr14")["value"].to_pylist() == [-1]


def test_a_version_that_a_model_was_trained_on_stays(lake):
    first = lake.history("labels", "nih_cxr14")[0].version
    card = lake.models_dir / "recipe" / "abc" / "model.json"
    card.parent.mkdir(parents=True)
    card.write_text(json.dumps({"manifest_versions": {"nih_cxr14": first}}))
    assert collect(lake, now_s=time.time() + 100 * DAY_S).deleted == 1
    assert lake.read_version("labels", "nih_cxr14", first).num_rows == 1
