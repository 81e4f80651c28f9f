"""Settings at the bounds of what a person may write, places beside a lake, and tables as people see them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from radia_pipeline.errors import BadInput, DamagedFile, MissingTable, UnknownName
from radia_pipeline.lake import atomic, show
from radia_pipeline.lake.collect import DAY_S, collect, collect_packed
from radia_pipeline.lake.lake import Lake, default_root
from radia_pipeline.lake.settings import Settings, change_settings, keep_places_relative, parsed, read_settings
from radia_pipeline_tests.lake.breaking import labels


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("quiet_s", "0.5", 0.5), ("quiet_s", "0", None), ("quiet_s", "-1", None), ("quiet_s", "inf", None),
        ("quiet_s", "nan", None), ("quiet_s", "x", None), ("pool_limit", "1", 1), ("pool_limit", "0", None),
        ("pool_limit", "1.5", None), ("keep_runs_days", "8", 8.0), ("keep_runs_days", "7.9", None),
        ("keep_trainings_days", "31", 31.0), ("keep_trainings_days", "30", None), ("keep_packed_days", "1", 1.0),
        ("expected_days", '{"ccsmtl": 7}', {"ccsmtl": 7.0}), ("expected_days", "[7]", None),
        ("expected_days", "7", None), ("ocr", "off", "off"), ("ocr", "perhaps", None), ("training_pool", "on", "on"),
        ("pool", "local", "local"), ("pool", "ray://host:10001", "ray://host:10001"), ("pool", "auto", None),
        ("pool", "host:123456", None), ("recipes", "a, b c,,", ("a", "b", "c")), ("recipes", "", ()),
        ("backup_recipients", "x", ("x",)), ("detector", "large", "large"), ("sources_root", "a b", "a b"),
    ],
)  # fmt: skip
def test_what_a_person_may_write_for_a_setting(name, text, value):
    if value is None:
        with pytest.raises(BadInput):
            parsed(name, text)
    else:
        found = parsed(name, text)
        assert (found, type(found)) == (value, type(value))


def test_none_is_what_a_new_lake_has_and_unknown_settings_are_told():
    for name in Settings.__dataclass_fields__:
        assert parsed(name, "none") == getattr(Settings(), name)
    with pytest.raises(UnknownName):
        parsed("no_setting", "1")


def test_the_least_that_a_setting_may_be_is_below_its_default():
    kept = Settings()
    for name in ("keep_runs_days", "keep_trainings_days", "keep_events_days", "keep_versions_days", "keep_packed_days"):
        assert parsed(name, str(getattr(kept, name))) == getattr(kept, name)
    assert kept.look_every_s < kept.quiet_s, "a delivery is looked at several times before it counts as whole"
    assert kept.keep_events_days < kept.keep_runs_days, "what runs said goes before the runs"


def test_places_beside_a_lake_move_with_it_and_others_stay(tmp_path):
    root = tmp_path / "data" / "lake"
    root.mkdir(parents=True)
    beside, inside, far = tmp_path / "data" / "in", root / "sub", tmp_path / "elsewhere"
    for place, kept in ((beside, "../in"), (inside, "sub"), (far, str(far))):
        assert change_settings(root, sources_root=str(place)).sources_root == str(place)
        assert json.loads((root / "settings.json").read_text())["sources_root"] == kept
        assert read_settings(root).sources_root == str(place)
    change_settings(root, recipes=("a",), quiet_s=5.0)
    assert (read_settings(root).recipes, read_settings(root).quiet_s) == (("a",), 5.0)
    raw = json.loads((root / "settings.json").read_text())
    (root / "settings.json").write_text(json.dumps({**raw, "sources_root": str(beside)}))
    keep_places_relative(root)
    assert json.loads((root / "settings.json").read_text())["sources_root"] == "../in"
    change_settings(root, sources_root=None)
    keep_places_relative(root)
    assert read_settings(root).sources_root is None


@pytest.mark.parametrize("content", ["{", "[]", '{"no_setting": 1}', '{"recipes": 5}'])
def test_damaged_settings_are_told(tmp_path, content):
    assert read_settings(tmp_path) == Settings()
    (tmp_path / "settings.json").write_text(content)
    with pytest.raises(DamagedFile):
        read_settings(tmp_path)


@pytest.fixture
def lake(tmp_path) -> Lake:
    made = Lake.open(tmp_path / "deep" / "lake")
    made.write("labels", labels(5), "nih_cxr14")
    made.write("labels", labels(7), "nih_cxr14")
    made.write("labels", labels(3), "chexpert")
    return made


def test_a_listing_goes_on_behind_a_table_that_cannot_be_trusted(lake):
    names, rows = show.listing(lake)
    assert names == ["table", "partition", "rows", "version", "published", "state"]
    assert [(one[1], one[2], one[5]) for one in rows] == [
        ("chexpert", 3, show.AS_PUBLISHED),
        ("nih_cxr14", 7, show.AS_PUBLISHED),
    ]
    lake.place("labels", "chexpert").path.write_bytes(b"no table")
    fresh = show.listing(Lake.open(lake.root))[1]
    assert [(one[1], one[2], one[3] is None, one[5] == show.AS_PUBLISHED) for one in fresh] == [
        ("chexpert", None, True, False),
        ("nih_cxr14", 7, False, True),
    ]
    broken = show.violations(Lake.open(lake.root))
    assert [(name, bool(rules)) for name, rules in broken.items()] == [
        ("labels/chexpert", True),
        ("labels/nih_cxr14", False),
    ]


def test_samples_are_of_a_table_or_of_one_version_of_a_partition(lake):
    names, rows = show.sample(lake, "labels", None, 4)
    assert (len(rows), len(names)) == (4, len(rows[0]))
    assert len(show.sample(lake, "labels", None, 99)[1]) == 10
    first = lake.history("labels", "nih_cxr14")[0].version
    assert len(show.sample(lake, "labels", "nih_cxr14", 99, first)[1]) == 5
    with pytest.raises(BadInput, match="versions of its own"):
        show.sample(lake, "labels", None, 4, first)
    assert [one[1] for one in show.history(lake, "labels", "nih_cxr14")[1]] == [5, 7]
    with pytest.raises(MissingTable):
        show.history(lake, "labels", "padchest")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("x" * 24, "x" * 24), ("x" * 25, "x" * 23 + "…"), (None, None), (3, 3), (1 / 3, 1 / 3),
        (["a"], "['a']"), ({"a": 1}, "{'a': 1}"), (["a" * 30], "['" + "a" * 21 + "…"), (10**30, 10**30), (True, True),
    ],
)  # fmt: skip
def test_cells_are_cut_at_24_characters(value, shown):
    assert show._short(value) == shown


def test_times_are_shown_in_utc():
    assert show._time(86_400.0 * 365 + 3_720) == "1971-01-01 01:02 UTC"


def test_versions_go_when_their_day_has_passed_and_what_is_counted_goes(lake):
    kept = sorted((lake.root / "_versions" / "labels" / "nih_cxr14").glob("*.parquet"))
    newest = max(path.stat().st_mtime for path in kept)
    before = collect(lake, keep_days=2.0, now_s=newest + 2 * DAY_S - 60)
    assert (before.deleted, before.freed_bytes) == (0, 0)
    planned = collect(lake, keep_days=2.0, now_s=newest + 2 * DAY_S + 60, dry_run=True)
    assert (planned.versions, planned.deleted) == (3, 1)
    done = collect(lake, keep_days=2.0, now_s=newest + 2 * DAY_S + 60)
    assert done == planned
    after = collect(lake, keep_days=2.0, now_s=newest + 2 * DAY_S + 60)
    assert (after.versions, after.deleted) == (2, 0)
    assert DAY_S / 3600 == 24


@pytest.mark.parametrize("card", ["{", "[]", '{"manifest_versions": []}', "{}"])
def test_a_damaged_model_card_pins_nothing_and_stops_nobody(lake, card):
    path = lake.models_dir / "recipe" / "abc" / "model.json"
    path.parent.mkdir(parents=True)
    path.write_text(card)
    assert collect(lake).versions == 3


def test_packed_images_that_nobody_has_read_go_whole(lake):
    sizes = {}
    for name, size in (("old", 5), ("new", 7)):
        folder = lake.packed_dir / name / "64px"
        folder.mkdir(parents=True)
        (folder / "rows.parquet").write_bytes(b"x" * size)
        (folder / "pixels.bin").write_bytes(b"y" * size)
        sizes[name] = (folder / "rows.parquet").stat().st_mtime
    os.utime(lake.packed_dir / "old" / "64px" / "rows.parquet", (0, sizes["old"] - 10 * DAY_S))
    now_s = sizes["new"] + 60
    planned = collect_packed(lake, keep_days=9.0, now_s=now_s, dry_run=True)
    assert (planned.folders, planned.deleted, planned.freed_bytes) == (2, 1, 10)
    assert (lake.packed_dir / "old" / "64px" / "pixels.bin").exists()
    assert collect_packed(lake, keep_days=9.0, now_s=now_s) == planned
    assert not (lake.packed_dir / "old" / "64px").exists()
    assert (lake.packed_dir / "new" / "64px" / "pixels.bin").exists()
    assert collect_packed(lake, keep_days=9.0, now_s=now_s).folders == 1


def test_a_lake_lies_where_it_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("RADIA_LAKE", str(tmp_path / "told"))
    assert default_root() == tmp_path / "told"
    for said in (None, ""):
        monkeypatch.delenv("RADIA_LAKE") if said is None else monkeypatch.setenv("RADIA_LAKE", said)
        assert default_root() == Path(".radia/lake")
    made = Lake.open(tmp_path / "a" / "b" / "lake")
    assert made.history_dir == tmp_path / "a" / "b" / "lake.history"
    (tmp_path / "empty").mkdir()
    Lake.open(tmp_path / "empty")
    with pytest.raises(MissingTable):
        Lake.open(tmp_path / "none", create=False)
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput):
        Lake.open(tmp_path / "file")


def test_files_appear_in_folders_that_are_made_for_them(tmp_path):
    path = tmp_path / "a" / "b" / "one.txt"
    atomic.write_text(path, "œ")
    assert path.read_bytes() == "œ".encode()
    assert path.stat().st_mode & 0o777 == 0o644
    atomic.write_private(path, b"secret")
    assert path.stat().st_mode & 0o777 == 0o600
    others = [tmp_path / name / "new.txt" for name in ("x", "y")]
    atomic.move_files([(path, others[0])])
    assert others[0].read_bytes() == b"secret"
    atomic.write_bytes(path, b"again")
    atomic.move_files([(path, others[0]), (others[0], others[1])])
    assert others[1].read_bytes() == b"again"
    assert [one.name for one in (tmp_path / "a" / "b").iterdir()] == []
    with (
        atomic.file_lock(tmp_path / "new" / "deep" / "one.lock"),
        atomic.file_lock(tmp_path / "new" / "deep" / "two.lock"),
    ):
        assert (tmp_path / "new" / "deep" / "one.lock").exists()
