"""In Dagster: the rules' version is the code version, and what a run moved is a warning that blocks nothing."""

from __future__ import annotations

import dagster as dg

from radia_pipeline.defs.labels import extract_mentions
from radia_pipeline.defs.resources import Radia
from radia_pipeline.lake.lake import Lake
from radia_pipeline.reports.french import FRENCH

SOURCE = "ccsmtl"


def write_report(lake: Lake, text: str) -> None:
    row = {"source": SOURCE, "study_id": "0" * 32, "patient_key": "1" * 32, "report_text": text}
    lake.write("reports", [row | {"text_sha256": "2" * 64, "text_count": 1}], SOURCE)


def run(lake_root) -> dict[str, dg.AssetCheckEvaluation]:
    radia = Radia(lake_root=str(lake_root))
    done = dg.materialize([extract_mentions], partition_key=SOURCE, resources={"radia": radia})
    assert done.success
    return {check.check_name: check for check in done.get_asset_check_evaluations() if check.check_name == "moved"}


def test_the_version_of_the_rules_is_the_code_version_of_all_three_tables():
    assert {spec.key.path[0] for spec in extract_mentions.specs} == {
        "report_mentions",
        "report_attributes",
        "unread_sentences",
    }
    assert all(spec.code_version.endswith(FRENCH.version) for spec in extract_mentions.specs)


def test_what_a_run_moved_is_a_warning_with_class_from_and_to(tmp_path):
    root = tmp_path / "lake"
    lake = Lake.open(root)
    write_report(lake, "Cardiomégalie.")
    assert run(root)["moved"].passed
    write_report(lake, "Pas de cardiomégalie.")
    moved = run(root)["moved"]
    assert not moved.passed and moved.severity == dg.AssetCheckSeverity.WARN
    assert moved.metadata["cells"].value == 2
    assert moved.metadata["engine_before"].value == moved.metadata["engine_version"].value == FRENCH.version
    rows = [record.data for record in moved.metadata["moved"].records]
    assert {"class": "Cardiomegaly", "from": "1", "to": "0", "count": 1} in rows
    assert run(root)["moved"].passed
