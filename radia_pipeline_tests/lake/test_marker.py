"""What ``lake.json`` says, how it is made again, and how a lake of the first layout comes to today's, once."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from radia_pipeline.contracts.tables import conform
from radia_pipeline.errors import DamagedFile, MissingTable, VocabularyMismatch
from radia_pipeline.lake import marker
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.restoring import restore
from radia_pipeline.lake.settings import Settings, change_settings, read_settings
from radia_pipeline_tests.lake.breaking import edit, history_path, labels, publish_as

NIH = ("labels", "nih_cxr14")


@pytest.fixture
def lake(tmp_path) -> Lake:
    made = Lake.open(tmp_path / "lake")
    made.write("labels", labels(5), "nih_cxr14")
    return made


def age(lake: Lake) -> None:
    """Make a lake as the first release left it: names that share bytes, a history without hashes, whole addresses."""
    (lake.root / "lake.json").write_text(json.dumps({"vocabulary_version": lake.vocabulary_version}))
    path, record = history_path(lake, *NIH), lake.history(*NIH)[-1]
    path.write_text(json.dumps({"version": record.version, "rows": record.rows, "written_at": 1795972926.5}) + "\n")
    lake.path(*NIH).unlink()
    os.link(lake.place(*NIH).kept(record.version), lake.path(*NIH))
    settings = {"sources_root": str(lake.root.parent / "deliveries"), "recipes": ["demo_linear"]}
    (lake.root / "settings.json").write_text(json.dumps(settings))


def test_a_lake_of_the_first_layout_is_brought_to_todays_once(lake):
    age(lake)
    again = Lake.open(lake.root)
    assert again.path(*NIH).stat().st_nlink == 1
    assert [(one.written_at, bool(one.sha256)) for one in again.history(*NIH)] == [(1795972926.5, True)]
    assert json.loads((lake.root / "settings.json").read_text())["sources_root"] == "../deliveries"
    stood = {path: path.stat().st_mtime_ns for path in lake.root.rglob("*") if path.is_file()}
    assert Lake.open(lake.root).read(*NIH).num_rows == 5
    assert {path: path.stat().st_mtime_ns for path in lake.root.rglob("*") if path.is_file()} == stood
    edit(lake.path(*NIH), "value", 0, in_place=True)
    assert restore(lake, "labels")


def test_an_edit_made_before_is_seen_when_the_lake_is_brought_up(lake):
    age(lake)
    lake.path(*NIH).unlink()
    shutil.copy(lake.place(*NIH).kept(lake.history(*NIH)[-1].version), lake.path(*NIH))
    edit(lake.path(*NIH), "value", 0)
    again = Lake.open(lake.root)
    with pytest.raises(DamagedFile, match="not what was published"):
        again.read(*NIH)
    assert restore(again, "labels")[0].rows == 5


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"layout": 2}'])
def test_a_lost_or_damaged_marker_is_made_again_from_what_the_tables_say(lake, content):
    path = lake.root / "lake.json"
    said = lake.vocabulary_version
    path.unlink()
    if content is not None:
        path.write_text(content)
    assert Lake.open(lake.root, create=False).vocabulary_version == said
    assert json.loads(path.read_text())["vocabulary_version"] == said


def test_a_marker_made_again_says_the_oldest_vocabulary_of_the_tables(lake):
    publish_as(lake, "labels", "ccsmtl", conform("labels", labels(5, source="ccsmtl")), "0.9.0")
    (lake.root / "lake.json").write_text("{")
    with pytest.raises(VocabularyMismatch, match=r"0\.9\.0"):
        Lake.open(lake.root)


def test_a_folder_without_anything_of_a_lake_is_none(tmp_path):
    with pytest.raises(MissingTable, match="no lake"):
        marker.read(tmp_path)


def test_places_beside_the_lake_move_with_it_and_others_stay(lake, tmp_path):
    change_settings(lake.root, sources_root=str(tmp_path / "deliveries" / "of 2026"))
    assert json.loads((lake.root / "settings.json").read_text())["sources_root"] == "../deliveries/of 2026"
    moved = tmp_path / "à côté" / "lake"
    shutil.copytree(lake.root, moved)
    assert read_settings(moved).sources_root == str(tmp_path / "à côté" / "deliveries" / "of 2026")
    change_settings(lake.root, sources_root="/somewhere/else")
    assert read_settings(lake.root) == Settings(sources_root="/somewhere/else")
