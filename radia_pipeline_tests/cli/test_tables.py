"""The commands about the lake's tables: what they print, and what they say when something is wrong."""

from __future__ import annotations

import json

import pytest

from radia_pipeline.cli.main import main
from radia_pipeline.lake.lake import Lake
from radia_pipeline_tests.cohort.worlds import SOURCES, cohort
from radia_pipeline_tests.lake.breaking import edit


@pytest.fixture
def lake(tmp_path, monkeypatch) -> Lake:
    from radia_pipeline.cohort.manifest import build_manifest

    monkeypatch.setenv("RADIA_PSEUDONYM_KEY", "a key that only tests use")
    made = cohort(tmp_path)
    for source in SOURCES:
        build_manifest(source, made)
    return made


@pytest.fixture
def radia(lake, capsys):
    """Return a function that runs a command on the lake: (exit code, JSON)."""

    def run(*arguments: str) -> tuple[int, dict]:
        code = main([*arguments, "--lake", str(lake.root), "--json"])
        return code, json.loads(capsys.readouterr().out.strip().splitlines()[-1])

    return run


def test_tables_are_listed_shown_without_restricted_columns_and_have_a_history(radia):
    _, listed = radia("tables", "show")
    assert {row["table"] for row in listed["rows"]} >= {"images", "labels", "splits", "manifest"}
    _, shown = radia("tables", "show", "images", "--rows", "2")
    assert len(shown["rows"]) == 2
    assert "delivered_path" not in shown["rows"][0]
    assert len(radia("tables", "history", "manifest", "--partition", "nih_cxr14")[1]["versions"]) == 1
    assert radia("tables", "collect", "--dry-run")[1]["deleted"] == 0


def test_an_earlier_version_is_shown_by_its_first_characters(lake, radia):
    before = lake.version("labels", "nih_cxr14")
    kept = lake.read("labels", "nih_cxr14").slice(0, 21)
    lake.write("labels", kept, "nih_cxr14")
    version = ("--version", before[:12])
    _, shown = radia("tables", "show", "labels", "--partition", "nih_cxr14", "--rows", "99", *version)
    assert len(shown["rows"]) == 99
    assert "study_id" in shown["rows"][0]
    assert len(radia("tables", "show", "splits", "--version", lake.version("splits"))[1]["rows"]) == 5
    code, answer = radia("tables", "show", "labels", *version)
    assert (code, answer["kind"]) == (2, "BadInput")
    assert "nih_cxr14" in answer["error"]
    assert radia("tables", "show", "splits", "--version", "0" * 32)[0] == 1


def test_unknown_tables_and_absent_lakes_are_clear_errors(radia, tmp_path, capsys):
    code, answer = radia("tables", "show", "mars")
    assert (code, answer["kind"]) == (2, "UnknownName")
    assert "manifest" in answer["error"]
    assert main(["tables", "show", "--lake", str(tmp_path / "nowhere"), "--json"]) == 1
    assert "no lake" in capsys.readouterr().out


@pytest.mark.parametrize("form", ["csv", "parquet", "coco", "torchxrayvision"])
def test_the_manifest_is_exported_in_every_form(radia, tmp_path, form):
    code, result = radia("manifest", "export", "--to", form, "--out", str(tmp_path / "out"))
    assert code == 0
    assert result["images"] > 500
    assert (tmp_path / "out" / "croissant.json").exists()


def test_a_damaged_ledger_is_named_with_its_line_and_the_command_that_restores_it(lake, radia, capsys):
    lines = lake.ledger_path.read_bytes().splitlines(keepends=True)
    lake.ledger_path.write_bytes(b"".join([*lines[:5], b"{}\n", *lines[6:]]))
    code = main(["run", "--sources-root", ".", "--official-split", "ignore", "--lake", str(lake.root), "--json"])
    error = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert (code, error["kind"]) == (1, "LedgerDamaged")
    for part in ("line 6", "first 5 lines are sound", "radia ledger restore", lake.version("splits")):
        assert part in error["error"]
    assert main(["ledger", "restore", "--lake", str(lake.root)]) == 0
    assert "placements stand" in capsys.readouterr().out


def test_another_official_split_is_refused_before_any_work(lake, capsys):
    arguments = ["run", "--sources-root", ".", "--official-split", "respect", "--lake", str(lake.root), "--json"]
    assert main(arguments) == 2
    assert "official_split: ignore" in capsys.readouterr().out


def test_the_vocabulary_is_shown_and_a_lake_of_it_needs_no_migration(radia, capsys):
    assert main(["vocabulary", "show", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert len(shown["classes"]) == 21
    code, result = radia("vocabulary", "migrate")
    assert (code, result["applied"]) == (0, [])


def test_contracts_are_checked_in_a_folder(lake, capsys):
    assert main(["contracts", "check", str(lake.root), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["broken"] == {}


def test_an_edited_table_fails_the_check_and_is_restored(lake, radia, capsys):
    path = lake.path("labels", "nih_cxr14")
    before = lake.version("labels", "nih_cxr14")
    edit(path, "origin", "table", in_place=True)
    assert main(["contracts", "check", str(lake.root), "--json"]) == 1
    broken = json.loads(capsys.readouterr().out)["broken"]
    assert list(broken) == ["labels/nih_cxr14"]
    assert "radia tables restore labels --partition nih_cxr14" in broken["labels/nih_cxr14"][0]
    _, listed = radia("tables", "show")
    assert {row["partition"]: row["rows"] for row in listed["rows"] if row["table"] == "labels"}["nih_cxr14"] is None
    code, answer = radia("tables", "restore", "labels")
    assert (code, [one["version"] for one in answer["restored"]]) == (0, [before])
    assert main(["contracts", "check", str(lake.root)]) == 0
    assert radia("tables", "restore", "labels", "--partition", "nih_cxr14")[1] == {"restored": []}
