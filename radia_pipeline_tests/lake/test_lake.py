"""The lake: tables appear whole or not at all, versions follow content, damage and locks are named."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import pandas as pd
import pyarrow as pa
import pytest

from radia_pipeline.errors import (
    BadInput,
    ContractViolation,
    DamagedFile,
    LakeLocked,
    LakeUnwritable,
    MissingTable,
    VocabularyMismatch,
)
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import Settings, change_settings, read_settings


def ident(number: int) -> str:
    return f"{number:032x}"


def rows(count: int, value: int = 1):
    names = {"source": "nih_cxr14", "patient_key": ident(1), "class": "Edema", "origin": "table"}
    return [{**names, "study_id": ident(n), "said": value, "value": value} for n in range(count)]


@pytest.fixture
def lake(tmp_path):
    return Lake.open(tmp_path / "lake")


def test_rows_come_back_sorted_by_key_and_anyone_can_read_the_file(lake):
    lake.write("labels", rows(3)[::-1], "nih_cxr14")
    assert lake.read("labels", "nih_cxr14")["study_id"].to_pylist() == [ident(0), ident(1), ident(2)]
    lake.write("labels", [{**row, "source": "ccsmtl"} for row in rows(2)], "ccsmtl")
    assert len(pd.read_parquet(lake.root / "labels")) == 5
    assert lake.partitions("labels") == ["ccsmtl", "nih_cxr14"]


def test_equal_rows_in_any_order_and_chunking_have_one_version_and_leave_the_file_untouched(lake):
    first = lake.write("labels", rows(4), "nih_cxr14")
    inode = lake.path("labels", "nih_cxr14").stat().st_ino
    pieces = pa.concat_tables([pa.Table.from_pylist(rows(4)[2:]), pa.Table.from_pylist(rows(4)[:2])])
    second = lake.write("labels", pieces, "nih_cxr14")
    assert (first.version, first.changed, second.changed) == (second.version, True, False)
    assert lake.path("labels", "nih_cxr14").stat().st_ino == inode


def test_earlier_versions_stay_readable(lake):
    old = lake.write("labels", rows(2, 1), "nih_cxr14").version
    new = lake.write("labels", rows(2, 0), "nih_cxr14").version
    assert lake.version("labels", "nih_cxr14") == new != old
    assert lake.read_version("labels", "nih_cxr14", old)["said"].to_pylist() == [1, 1]
    assert [record.version for record in lake.history("labels", "nih_cxr14")] == [old, new]
    assert lake.read_version("labels", "nih_cxr14", old[:8]).num_rows == 2
    with pytest.raises(MissingTable):
        lake.read_version("labels", "nih_cxr14", "0" * 32)
    for wrong in ("", "old", "../" + old, old + "0"):
        with pytest.raises(BadInput, match="no version of labels/nih_cxr14"):
            lake.read_version("labels", "nih_cxr14", wrong)


def test_the_beginning_of_two_versions_is_none(lake):
    kept = lake.root / "_versions" / "labels" / "nih_cxr14"
    for version in ("abcd0" + "0" * 27, "abcd1" + "0" * 27):
        (kept / f"{version}.parquet").parent.mkdir(parents=True, exist_ok=True)
        (kept / f"{version}.parquet").touch()
    with pytest.raises(BadInput, match="2 versions of labels/nih_cxr14 begin with abcd"):
        lake.read_version("labels", "nih_cxr14", "abcd")


def test_a_history_that_stands_goes_on_and_the_next_write_sets_a_damaged_one_aside(lake):
    version = lake.write("labels", rows(1), "nih_cxr14").version
    path = lake.root / "_versions" / "labels" / "nih_cxr14" / "history.jsonl"
    written = f'{{"version": "{version}", "rows": 1, "written_at": 1795972926.923633}}\n'
    path.write_text(written)
    new = lake.write("labels", rows(2), "nih_cxr14").version
    assert path.read_text().startswith(written)
    assert [(record.version, record.rows) for record in lake.history("labels", "nih_cxr14")] == [(version, 1), (new, 2)]
    path.write_text(path.read_text().replace('"rows":2', '"rows":3'))
    with pytest.raises(DamagedFile, match="labels/nih_cxr14 is damaged at line 2"):
        lake.history("labels", "nih_cxr14")
    assert lake.version("labels", "nih_cxr14") == new
    lake.write("labels", rows(3), "nih_cxr14")
    assert [record.rows for record in lake.history("labels", "nih_cxr14")] == [1, 3]
    assert len(list(path.parent.glob("history.damaged-*.jsonl"))) == 1


def test_a_line_of_the_history_that_a_crash_cut_is_written_over(lake):
    for count in (1, 2):
        lake.write("labels", rows(count), "nih_cxr14")
    path = lake.root / "_versions" / "labels" / "nih_cxr14" / "history.jsonl"
    path.write_text(path.read_text()[:-20])
    lake.write("labels", rows(3), "nih_cxr14")
    assert [record.rows for record in lake.history("labels", "nih_cxr14")] == [1, 3]


def test_a_violation_leaves_the_previous_table(lake):
    lake.write("labels", rows(2), "nih_cxr14")
    with pytest.raises(ContractViolation):
        lake.write("labels", rows(2) + rows(1), "nih_cxr14")
    assert lake.read("labels", "nih_cxr14").num_rows == 2


def test_a_missing_table_says_what_to_do(lake):
    with pytest.raises(MissingTable, match="labels/nih_cxr14 has not been made"):
        lake.read("labels", "nih_cxr14")
    with pytest.raises(MissingTable, match="no lake"):
        Lake.open(lake.root / "elsewhere", create=False)


def test_a_damaged_table_is_named(lake):
    lake.write("labels", rows(2), "nih_cxr14")
    path = lake.path("labels", "nih_cxr14")
    path.unlink()
    path.write_bytes(b"PAR1 not really")
    with pytest.raises(DamagedFile, match="labels"):
        lake.read("labels", "nih_cxr14")


def test_another_vocabulary_is_refused(lake):
    (lake.root / "lake.json").write_text(json.dumps({"vocabulary_version": "0.1.0"}))
    with pytest.raises(VocabularyMismatch, match=r"0\.1\.0"):
        Lake.open(lake.root)


def test_odd_partition_names_are_refused(lake):
    for name in ("../x", ".hidden", "_x", ""):
        with pytest.raises(BadInput):
            lake.path("labels", name)


def test_a_lake_whose_path_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises((BadInput, LakeUnwritable)):
        Lake.open(tmp_path / "file")
    with pytest.raises((BadInput, LakeUnwritable, NotADirectoryError)):
        Lake.open(tmp_path / "file" / "lake")


def run_child(code: str, *arguments: str, **options) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-W", "ignore", "-c", textwrap.dedent(code), *arguments], **options)


def test_a_killed_writer_never_leaves_a_torn_table(lake):
    code = """
        import sys
        from radia_pipeline.lake.lake import Lake
        lake = Lake.open(sys.argv[1])
        base = {"source": "nih_cxr14", "patient_key": f"{1:032x}", "class": "Edema", "origin": "table"}
        print("ready", flush=True)
        value = 0
        while True:
            value = 1 - value
            rows = [{**base, "study_id": f"{n:032x}", "said": value, "value": value} for n in range(500)]
            lake.write("labels", rows, "nih_cxr14")
    """
    lake.write("labels", rows(500), "nih_cxr14")
    for wait_s in (0.05, 0.12, 0.2, 0.31):
        child = run_child(code, str(lake.root), stdout=subprocess.PIPE)
        child.stdout.readline()
        time.sleep(wait_s)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
        values = set(lake.read("labels", "nih_cxr14")["value"].to_pylist())
        assert len(values) == 1
        assert lake.version("labels", "nih_cxr14")


def test_a_full_disk_leaves_the_old_table_and_a_clear_error(lake):
    lake.write("labels", rows(2), "nih_cxr14")
    code = """
        import resource, signal, sys
        from radia_pipeline.errors import LakeUnwritable
        from radia_pipeline.lake.lake import Lake
        import duckdb, pyarrow
        lake = Lake.open(sys.argv[1])
        base = {"source": "nih_cxr14", "patient_key": f"{1:032x}", "class": "Edema", "origin": "table"}
        rows = [{**base, "study_id": f"{n * 7919:032x}", "said": 1, "value": 1} for n in range(50000)]
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
        try:
            lake.write("labels", rows, "nih_cxr14")
        except LakeUnwritable as error:
            print(error)
            sys.exit(7)
    """
    child = run_child(code, str(lake.root), stdout=subprocess.PIPE, text=True)
    output, _ = child.communicate(timeout=120)
    assert child.returncode == 7, output
    assert "no space left" in output
    assert lake.read("labels", "nih_cxr14").num_rows == 2
    assert not list((lake.root / "labels").glob(".*tmp"))


def test_a_second_writer_waits_and_then_says_who_is_in_the_way(lake):
    with (
        lake.lock("labels.nih_cxr14"),
        pytest.raises(LakeLocked, match=r"labels\.nih_cxr14"),
        lake.lock("labels.nih_cxr14", wait_s=0.2),
    ):
        raise AssertionError("both writers held the lock")


def test_settings_are_kept_and_damage_is_named(lake):
    assert read_settings(lake.root) == Settings()
    change_settings(lake.root, recipes=("a", "b"))
    change_settings(lake.root, ocr="off")
    assert read_settings(lake.root) == Settings(recipes=("a", "b"), ocr="off")
    (lake.root / "settings.json").write_text("{")
    with pytest.raises(DamagedFile):
        read_settings(lake.root)
