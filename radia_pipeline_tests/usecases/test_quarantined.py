"""What was refused, by reason, with what to do: as the page says it, without a path unless it is asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from radia_pipeline.cli.main import main
from radia_pipeline.defs.ingest import refusals
from radia_pipeline.errors import MissingTable, UnknownName
from radia_pipeline.lake.lake import Lake
from radia_pipeline.privacy.reasons import REASONS
from radia_pipeline.usecases.quarantined import WAYS, refused

DOCS = Path(__file__).resolve().parents[2] / "docs"
SECRET = "tremblay_jean"


def row(number: int, reason: str, source: str = "ccsmtl", detail: str | None = "(0010,0010) is no pseudonym") -> dict:
    return {
        "source": source,
        "file_id": f"{number:032x}",
        "file_sha256": f"{number:064x}",
        "size_bytes": 10,
        "delivered_path": f"{SECRET}/{number}.dcm",
        "reason": reason,
        "detail": detail,
    }


@pytest.fixture
def lake(tmp_path) -> Lake:
    made = Lake.open(tmp_path / "lake")
    rows = [row(number, "identity_in_header") for number in range(5)]
    made.write("quarantine", [*rows, row(9, "truncated", detail=None)], "ccsmtl")
    made.write("quarantine", [row(1, "too_large", "nih_cxr14")], "nih_cxr14")
    return made


def ask(capsys, lake: Lake, *options: str) -> tuple[int, str]:
    code = main(["quarantine", *options, "--lake", str(lake.root)])
    return code, capsys.readouterr().out


def test_every_reason_has_a_way_out_and_the_page_says_the_same():
    assert set(WAYS) == REASONS
    groups: dict = {}
    for name, way in WAYS.items():
        groups.setdefault(way, []).append(f"`{name}`")
    page = (DOCS / "ingest.md").read_text(encoding="utf-8")
    for way, names in groups.items():
        assert f"| {', '.join(names)} | {way.cause} | {way.do} |" in page


def test_reasons_are_counted_with_what_to_do_and_no_path(lake, capsys):
    code, text = ask(capsys, lake)
    assert code == 0
    assert "identity_in_header" in text
    assert WAYS["truncated"].do in text
    assert SECRET not in text
    assert [(one.source, one.reason, one.files) for one in refused(lake)] == [
        ("ccsmtl", "identity_in_header", 5),
        ("ccsmtl", "truncated", 1),
        ("nih_cxr14", "too_large", 1),
    ]


def test_one_reason_shows_tag_and_rule_and_paths_come_when_asked_for(lake, capsys):
    _, text = ask(capsys, lake, "--reason", "identity_in_header", "--source", "ccsmtl")
    assert "5 files: (0010,0010) is no pseudonym" in text
    assert SECRET not in text
    _, text = ask(capsys, lake, "--paths", "--json", "--reason", "truncated")
    assert [one["delivered_path"] for one in json.loads(text)["files"]] == [f"{SECRET}/9.dcm"]
    assert ask(capsys, lake, "--source", "nih_cxr14", "--reason", "truncated")[1].strip() == "Nothing was refused"


def test_unknown_sources_and_reasons_are_clear_errors(lake):
    with pytest.raises(UnknownName, match="truncated"):
        refused(lake, reason="ugly")
    with pytest.raises(MissingTable, match="radia ingest"):
        refused(lake, "padchest")


def test_dagster_shows_counts_and_keyed_ids_alone(lake):
    shown = refusals(lake, "ccsmtl")["refused"]
    assert [record.data["files"] for record in shown.records] == [5, 1]
    assert f"{0:032x}" in shown.records[0].data["first ids"]
    assert SECRET not in str(shown)
