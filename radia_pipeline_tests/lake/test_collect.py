"""Collection deletes what is old, unpublished and unpinned, and nothing else."""

from __future__ import annotations

import json
import os
import time

import cv2
import numpy as np
import pytest

from radia_pipeline.lake.collect import DAY_S, collect, collect_packed
from radia_pipeline.lake.lake import Lake
from radia_pipeline.training.packed import Wanted, pack


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


def test_packed_images_that_nothing_asked_for_go_and_others_stay(tmp_path):
    lake = Lake.open(tmp_path / "lake")
    for source, size in (("nih_cxr14", 32), ("ccsmtl", 64)):
        write_image(lake.root / f"{source}.png")
        wanted = {source: [Wanted("a", lake.root / f"{source}.png")]}
        pack(lake, wanted, size)
        os.utime(lake.packed_dir / source / f"{size}px" / "rows.parquet", (0, 0))
    pack(lake, wanted, 64)  # asked for once more: nothing is packed, and its time is today's
    (lake.packed_dir / "copies").mkdir()
    assert collect_packed(lake, keep_days=60, dry_run=True) == collect_packed(lake, keep_days=60)
    assert not (lake.packed_dir / "nih_cxr14" / "32px").exists()
    assert (lake.packed_dir / "ccsmtl" / "64px" / "images.u16").stat().st_size == 2 * 64 * 64
    assert pack(lake, {"nih_cxr14": [Wanted("a", lake.root / "nih_cxr14.png")]}, 32).row_of_image == {"a": 0}


def write_image(path) -> None:
    cv2.imwrite(str(path), np.arange(48 * 40, dtype=np.uint16).reshape(48, 40))
